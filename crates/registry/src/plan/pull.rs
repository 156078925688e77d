//! Decides which bytes of which blob are requested next.
//!
//! A fixed number of requests run at once. One of them is reserved for small blobs as long as there are any, so that
//! none waits behind a large one; the others alternate between the first blob of the image and the one with the most
//! missing bytes. A large blob is fetched in ranges, several at once, if the registry heeds ranges, which the first
//! answer shows. A range has as many bytes as arrive in a few seconds, and fewer near the end, so that all connections
//! end at about the same time. Once nothing is left to request, the second halves of slow ranges are taken over: a
//! connection that loses packets may take many times as long as the others. A connection that has just become free is
//! already at speed, and takes over half of what is left of faster ranges, too. If the registry reports too many
//! requests, half as many are sent; after each round that ends well, one more.

use std::{collections::VecDeque, ops::Range};

/// Blobs with more bytes than this are fetched in ranges.
pub const SPLIT: u64 = 16 << 20;
/// Blobs with more bytes than this are not small.
pub const SMALL: u64 = 1 << 20;
/// The fewest bytes of a range, unless its blob is smaller.
pub const LEAST: u64 = 4 << 20;
/// The most bytes of a range.
pub const MOST: u64 = 32 << 20;
/// Blobs that are open for each request that may be under way: some of them are only being hashed.
const OPEN: usize = 2;
/// The fewest bytes that are taken over, and the fewest that are left to the slow request.
pub const TAIL: u64 = 256 << 10;
/// Bytes per second above which a new connection takes over no tail: the bytes on their way would be sent twice.
const FAST: f64 = (512 << 10) as f64;
/// Shortest remaining time of a range, in seconds, for which its tail is taken over.
const SLOW: f64 = 1.0;
/// Seconds after which the rate of a request is known.
const KNOWN: f64 = 2.0;
/// The same two for a connection that has just become free.
const FREE: f64 = 0.25;
/// The remaining time must be this many times what passed before the answer began: the bytes on their way are sent twice.
const WAITS: f64 = 4.0;
/// Seconds without a byte after which a request is not slow but stalled: it is sent again, and keeps its tail until then.
const STALLED: f64 = 3.0;
/// Requests that may be under way beyond the usual number, for tails only.
const SPARE: usize = 2;

/// The next step of a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullStep {
    /// Find out which bytes of a blob are missing, then call [`opened`](PullPlan::opened), [`parked`](PullPlan::parked)
    /// or [`closed`](PullPlan::closed).
    Open {
        /// Number of the blob, in the order of the plan.
        blob: usize,
    },
    /// Request bytes of a blob, then call [`answered`](PullPlan::answered), [`moved`](PullPlan::moved) and
    /// [`ended`](PullPlan::ended).
    Fetch(Fetch),
    /// As `Fetch`, for bytes that are no longer part of another request.
    TakeOver(Fetch),
}

/// A request for bytes of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The blob's number.
    pub blob: usize,
    /// Bytes of the blob to fetch.
    pub range: Range<u64>,
    /// How often the registry had reported too many requests when this one was made.
    era: u32,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// All bytes of the range were received.
    Well {
        /// Seconds since it was sent.
        seconds: f64,
    },
    /// With a report of too many requests (429, 503).
    TooMuch,
    /// With an answer that is invalid for a request for a range.
    Odd,
}

/// The plan of a pull.
#[derive(Clone, Debug)]
pub struct PullPlan {
    blobs: Vec<Blob>,
    /// The most requests at once, and how many are allowed now.
    most: usize,
    width: usize,
    era: u32,
    /// Requests that ended well since `width` was changed.
    well: usize,
    running: Vec<Run>,
    /// Requests for large blobs so far.
    turns: u64,
    /// Bytes of a range.
    piece: u64,
    /// Whether the registry sends parts of blobs; `None` = not known.
    heeds: Option<bool>,
    /// Connections that are at speed and have nothing to do: bytes per second of their last answers.
    free: Vec<f64>,
}

/// A request under way.
#[derive(Clone, Debug)]
struct Run {
    blob: usize,
    start: u64,
    /// The first byte of its last answer: another than `start` if the transfer broke off there.
    from: u64,
    /// The byte that it has reached.
    at: u64,
    end: u64,
    /// When it was last sent, or its answer began, in seconds.
    since: f64,
    /// Seconds that passed before its answer began.
    waited: f64,
    /// When its last bytes arrived.
    seen: f64,
}

impl Run {
    /// Bytes per second so far.
    fn rate(&self, now: f64) -> f64 {
        (self.at - self.from) as f64 / (now - self.since)
    }

    /// Returns the seconds that the rest takes at the rate so far, if its tail is worth taking over, by a `free`
    /// connection or by a new one. Before the first byte there is no rate.
    fn slowness(&self, free: bool, now: f64) -> Option<f64> {
        let (left, passed, rate) = (self.end.saturating_sub(self.at), now - self.since, self.rate(now));
        let seconds = left as f64 / rate;
        let worth = if free {
            passed >= FREE && seconds >= FREE.max(WAITS * self.waited)
        } else {
            passed >= KNOWN && seconds >= SLOW && rate <= FAST
        };
        let (begun, stalls) = (self.at > self.from, now - self.seen > STALLED);
        (begun && left >= 2 * TAIL && worth && !stalls).then_some(seconds)
    }
}

#[derive(Clone, Debug)]
struct Blob {
    size: u64,
    state: State,
    /// Bytes that are missing and not requested.
    missing: VecDeque<Range<u64>>,
    /// Whether it is fetched by one request, because the registry does not send parts of it.
    whole: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is not known yet which bytes are missing.
    Unknown,
    /// Another process is fetching it.
    Parked,
    Open,
    Closed,
}

impl Blob {
    /// Bytes that are still to request.
    fn left(&self) -> u64 {
        match self.state {
            State::Unknown => self.size,
            State::Open => self.missing.iter().map(|range| range.end - range.start).sum(),
            State::Parked | State::Closed => 0,
        }
    }

    fn is_small(&self) -> bool {
        self.size <= SMALL
    }
}

impl PullPlan {
    /// A plan for blobs of these sizes, by number, with at most `requests` requests at once, and at least one.
    pub fn new(sizes: impl IntoIterator<Item = u64>, requests: usize) -> Self {
        let blob = |size| Blob { size, state: State::Unknown, missing: VecDeque::new(), whole: false };
        let most = requests.max(1);
        Self {
            blobs: sizes.into_iter().map(blob).collect(),
            most,
            width: most,
            era: 0,
            well: 0,
            running: Vec::new(),
            turns: 0,
            piece: 2 * LEAST,
            heeds: None,
            free: Vec::new(),
        }
    }

    /// Returns the next step. `now` is in seconds since any fixed moment. `None` = wait until something ends, or until
    /// a tail may be slow ([`has_tails`](Self::has_tails)).
    pub fn step(&mut self, now: f64) -> Option<PullStep> {
        let chosen = if self.running.len() < self.width { self.choose() } else { None };
        let Some(number) = chosen else { return self.take_over(now) };
        let (heeds, piece) = (self.heeds, self.share());
        let blob = self.blobs.get_mut(number)?;
        if blob.state == State::Unknown {
            // Until the caller reports which bytes are missing.
            blob.state = State::Parked;
            return Some(PullStep::Open { blob: number });
        }
        let first = blob.missing.pop_front()?;
        let range = if blob.whole || heeds == Some(false) {
            let last = blob.missing.drain(..).next_back();
            first.start..last.map_or(first.end, |last| last.end)
        } else if blob.size <= SPLIT || first.end - first.start <= piece + piece / 4 {
            first
        } else {
            blob.missing.push_front(first.start + piece..first.end);
            first.start..first.start + piece
        };
        Some(PullStep::Fetch(self.send(number, range, now)))
    }

    fn send(&mut self, blob: usize, range: Range<u64>, now: f64) -> Fetch {
        let (start, end) = (range.start, range.end);
        self.running.push(Run { blob, start, from: start, at: start, end, since: now, waited: 0.0, seen: now });
        self.free.pop();
        Fetch { blob, range, era: self.era }
    }

    /// Whether a request could take over a part of another one, now or later: only once nothing is left to request.
    pub fn has_tails(&self) -> bool {
        let spare = if self.era == 0 { SPARE } else { 0 };
        let (running, all_sent) = (self.running.len(), self.blobs.iter().all(|blob| blob.left() == 0));
        self.heeds == Some(true) && all_sent && running > 0 && running < self.width + spare
    }

    /// Takes over the second part of the slowest range: half, or as much as lets both end at the same time.
    fn take_over(&mut self, now: f64) -> Option<PullStep> {
        if !self.has_tails() {
            return None;
        }
        let whole = |run: &Run| self.blobs.get(run.blob).is_none_or(|blob| blob.whole || blob.state != State::Open);
        let slow = self.running.iter().enumerate().filter(|(_, run)| !whole(run));
        let free = self.free.last().copied().filter(|_| self.running.len() < self.width);
        let slow = slow.filter_map(|(place, run)| Some((place, run.slowness(free.is_some(), now)?)));
        let (place, _) = slow.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
        let run = self.running.get_mut(place)?;
        let (left, rate) = (run.end - run.at, run.rate(now));
        let own = free.map_or(0.5, |free| rate / (rate + free));
        let middle = run.at + ((left as f64 * own) as u64).clamp(TAIL, left - TAIL);
        let (blob, tail) = (run.blob, middle..std::mem::replace(&mut run.end, middle));
        Some(PullStep::TakeOver(self.send(blob, tail, now)))
    }

    /// Notes the byte that a request has reached, its first one when its answer begins. Returns where the request ends
    /// now: another one may have taken over its tail.
    pub fn moved(&mut self, fetch: &Fetch, at: u64, now: f64) -> Option<u64> {
        let run = self.run(fetch)?;
        if at == run.from {
            (run.since, run.waited) = (now, run.waited + now - run.since);
        }
        run.at = at;
        run.seen = now;
        Some(run.end)
    }

    /// Notes that a request is sent again from the byte that it has reached. Returns where it ends now.
    pub fn resumed(&mut self, fetch: &Fetch, now: f64) -> Option<u64> {
        let run = self.run(fetch)?;
        (run.from, run.since, run.waited, run.seen) = (run.at, now, 0.0, now);
        Some(run.end)
    }

    fn run(&mut self, fetch: &Fetch) -> Option<&mut Run> {
        self.running.iter_mut().find(|run| run.blob == fetch.blob && run.start == fetch.range.start)
    }

    /// Requests under way for a blob.
    fn requests(&self, blob: usize) -> usize {
        self.running.iter().filter(|run| run.blob == blob).count()
    }

    /// The blob whose turn it is.
    fn choose(&mut self) -> Option<usize> {
        let open = self.blobs.iter().filter(|blob| blob.state == State::Open).count();
        let ready = |number: usize, blob: &Blob| match blob.state {
            State::Unknown => open < OPEN * self.most,
            State::Open if blob.missing.is_empty() => false,
            State::Open => !blob.whole && self.heeds == Some(true) || self.requests(number) == 0,
            State::Parked | State::Closed => false,
        };
        let candidates = || self.blobs.iter().enumerate().filter(|(number, blob)| ready(*number, blob));
        let small = candidates().find(|(_, blob)| blob.is_small()).map(|(number, _)| number);
        let large = || candidates().filter(|(_, blob)| !blob.is_small());
        let small_runs = self.running.iter().any(|run| self.blobs.get(run.blob).is_some_and(Blob::is_small));
        let chosen = match self.turns % 2 {
            _ if small.is_some() && !small_runs => return small,
            0 => large().next(),
            _ => large().rev().max_by_key(|(_, blob)| blob.left()),
        };
        let chosen = chosen.map(|(number, _)| number);
        if chosen.is_some_and(|number| self.blobs.get(number).is_some_and(|blob| blob.state == State::Open)) {
            self.turns += 1;
        }
        chosen.or(small)
    }

    /// Bytes of the next range.
    fn share(&self) -> u64 {
        let left: u64 = self.blobs.iter().map(Blob::left).sum();
        self.piece.min((left / self.width as u64).max(LEAST))
    }

    /// Notes the ranges of a blob that are missing.
    pub fn opened(&mut self, blob: usize, missing: impl IntoIterator<Item = Range<u64>>) {
        if let Some(blob) = self.blobs.get_mut(blob) {
            blob.state = State::Open;
            blob.missing = missing.into_iter().collect();
        }
    }

    /// Notes that another process is fetching the blob; call [`look_again`](Self::look_again) later.
    pub fn parked(&mut self, blob: usize) {
        self.set(blob, State::Parked);
    }

    /// Lets the blobs that another process was fetching be opened again: they may be complete now. Returns whether
    /// there are any.
    pub fn look_again(&mut self) -> bool {
        let parked = self.blobs.iter_mut().filter(|blob| blob.state == State::Parked);
        parked.map(|blob| blob.state = State::Unknown).count() > 0
    }

    /// Whether another process is fetching a blob.
    pub fn waits(&self) -> bool {
        self.blobs.iter().any(|blob| blob.state == State::Parked)
    }

    /// Notes that a blob is complete, or will not be fetched.
    pub fn closed(&mut self, blob: usize) {
        self.set(blob, State::Closed);
    }

    /// Notes that a blob has to be fetched once more from the start.
    pub fn anew(&mut self, blob: usize) {
        self.set(blob, State::Unknown);
    }

    fn set(&mut self, blob: usize, state: State) {
        if let Some(blob) = self.blobs.get_mut(blob) {
            blob.state = state;
            blob.missing.clear();
        }
    }

    /// Whether all blobs are closed.
    pub fn is_done(&self) -> bool {
        self.blobs.iter().all(|blob| blob.state == State::Closed)
    }

    /// Notes the head of an answer. `heeds` is whether the registry sends parts of blobs, if this answer shows it; if
    /// not, it sends the whole blob instead of the requested part. Returns the bytes to take of this answer, if they
    /// differ from the requested ones.
    pub fn answered(&mut self, fetch: &Fetch, heeds: Option<bool>) -> Option<Range<u64>> {
        if heeds == Some(true) || self.heeds.is_none() {
            self.heeds = heeds.or(self.heeds);
        }
        if heeds != Some(false) {
            return None;
        }
        let requests = self.requests(fetch.blob);
        let blob = self.blobs.get_mut(fetch.blob)?;
        blob.whole = true;
        if requests > 1 || blob.state != State::Open {
            return None;
        }
        let end = blob.missing.drain(..).next_back()?.end;
        if let Some(run) = self.run(fetch) {
            run.end = end;
        }
        Some(fetch.range.start..end)
    }

    /// Notes that the registry reported too many requests, though it finally answered this one. Returns whether
    /// there could be fewer.
    pub fn refused(&mut self, fetch: &Fetch) -> bool {
        // A request that was made before the number was last reduced shows nothing new.
        if fetch.era < self.era {
            return true;
        }
        let alone = self.width == 1;
        (self.width, self.well, self.era) = ((self.width / 2).max(1), 0, self.era + 1);
        !alone
    }

    /// Notes that a request has ended; `rest` is what is still missing of its range. Returns whether the plan
    /// continues.
    pub fn ended(&mut self, fetch: &Fetch, rest: impl IntoIterator<Item = Range<u64>>, end: End) -> bool {
        let ended = |run: &Run| run.blob == fetch.blob && run.start == fetch.range.start;
        let run = self.running.iter().position(ended).map(|place| self.running.swap_remove(place));
        // The tail belongs to the request that took it over.
        let reach = run.as_ref().map_or(fetch.range.end, |run| run.end);
        // A connection whose answer was not read to its end is closed, and a short answer leaves one slow.
        let read = run.filter(|run| run.end == fetch.range.end && run.end - run.from >= SMALL);
        if let (End::Well { .. }, Some(run)) = (end, read) {
            self.free.push(run.rate(run.seen));
            self.free.truncate(self.most);
        }
        let Some(blob) = self.blobs.get_mut(fetch.blob) else { return false };
        if blob.state == State::Open {
            let own = rest.into_iter().map(|range| range.start..range.end.min(reach));
            blob.missing.extend(own.filter(|range| !range.is_empty()));
            blob.missing.make_contiguous().sort_by_key(|range| range.start);
        }
        match end {
            End::Well { seconds } => {
                let length = fetch.range.end - fetch.range.start;
                if length >= self.piece && seconds < 1.0 {
                    self.piece = (self.piece * 2).min(MOST);
                } else if seconds > 10.0 {
                    self.piece = (self.piece / 2).max(LEAST);
                }
                self.well += 1;
                if self.well >= self.width && self.width < self.most {
                    (self.width, self.well) = (self.width + 1, 0);
                }
                true
            }
            End::TooMuch => self.refused(fetch),
            End::Odd => !std::mem::replace(&mut blob.whole, true),
        }
    }
}

#[cfg(test)]
mod tests;
