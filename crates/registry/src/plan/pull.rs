//! Which bytes of which blob are asked for next.
//!
//! A fixed number of requests run at once. One of them is kept for small blobs as long as there are any, so that none waits
//! behind a large one; the others take in turn the first blob of the image and the one of which most is missing. A large blob
//! comes in ranges, several at once, if the registry heeds ranges: that is known after the first answer. A range is as long as
//! comes in a few seconds, and shorter near the end, so that all connections end at about the same time. Where the registry
//! says that it is too much, half as many requests are sent; then again one more for every round that goes well.

use std::{collections::VecDeque, ops::Range};

/// Blobs with more bytes than this come in ranges.
pub const SPLIT: u64 = 32 << 20;
/// Blobs with more bytes than this are not small.
pub const SMALL: u64 = 1 << 20;
/// The fewest bytes of a range, unless its blob is smaller.
pub const LEAST: u64 = 4 << 20;
/// The most bytes of a range.
pub const MOST: u64 = 32 << 20;
/// Blobs that are being brought for each request that may be under way: some are being hashed.
const OPEN: usize = 2;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullStep {
    /// To find out what is missing of a blob: then tell [`opened`](PullPlan::opened), [`parked`](PullPlan::parked) or
    /// [`closed`](PullPlan::closed).
    Open {
        /// Its number.
        blob: usize,
    },
    /// To ask for bytes of it: then tell [`answered`](PullPlan::answered) and [`ended`](PullPlan::ended).
    Fetch(Fetch),
}

/// A request for bytes of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The blob's number.
    pub blob: usize,
    /// The bytes.
    pub range: Range<u64>,
    /// How often the registry had said that it was too much.
    era: u32,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// It succeeded.
    Well {
        /// Seconds since it was sent.
        seconds: f64,
    },
    /// With word that there are too many requests (429, 503).
    TooMuch,
    /// With an answer that makes no sense for a range.
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
    running: usize,
    /// Requests for large blobs so far.
    turns: u64,
    /// Bytes of a range.
    piece: u64,
    /// Whether the registry sends parts of blobs; `None` = not known.
    heeds: Option<bool>,
}

#[derive(Clone, Debug)]
struct Blob {
    size: u64,
    state: State,
    /// Bytes that are missing and not asked for.
    missing: VecDeque<Range<u64>>,
    running: usize,
    /// It comes in one piece.
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
    /// Bytes that are to be asked for.
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
        let blob =
            |size| Blob { size, state: State::Unknown, missing: VecDeque::new(), running: 0, whole: size <= SPLIT };
        let most = requests.max(1);
        Self {
            blobs: sizes.into_iter().map(blob).collect(),
            most,
            width: most,
            era: 0,
            well: 0,
            running: 0,
            turns: 0,
            piece: 2 * LEAST,
            heeds: None,
        }
    }

    /// What to do now; `None` = to wait until something ends.
    pub fn step(&mut self) -> Option<PullStep> {
        if self.running >= self.width {
            return None;
        }
        let number = self.choose()?;
        let (heeds, piece) = (self.heeds, self.share());
        let blob = self.blobs.get_mut(number)?;
        if blob.state == State::Unknown {
            // Until word comes of what is missing.
            blob.state = State::Parked;
            return Some(PullStep::Open { blob: number });
        }
        let first = blob.missing.pop_front()?;
        let range = if blob.whole && blob.size > SPLIT || heeds == Some(false) {
            let last = blob.missing.drain(..).next_back();
            first.start..last.map_or(first.end, |last| last.end)
        } else if blob.whole || first.end - first.start <= piece {
            first
        } else {
            blob.missing.push_front(first.start + piece..first.end);
            first.start..first.start + piece
        };
        blob.running += 1;
        self.running += 1;
        Some(PullStep::Fetch(Fetch { blob: number, range, era: self.era }))
    }

    /// The blob whose turn it is.
    fn choose(&mut self) -> Option<usize> {
        let open = self.blobs.iter().filter(|blob| blob.state == State::Open).count();
        let ready = |blob: &Blob| match blob.state {
            State::Unknown => open < OPEN * self.most,
            State::Open if blob.missing.is_empty() => false,
            State::Open => blob.running == 0 || !blob.whole && self.heeds == Some(true),
            State::Parked | State::Closed => false,
        };
        let candidates = || self.blobs.iter().enumerate().filter(|(_, blob)| ready(blob));
        let small = candidates().find(|(_, blob)| blob.is_small()).map(|(number, _)| number);
        let large = || candidates().filter(|(_, blob)| !blob.is_small());
        let small_runs = self.blobs.iter().any(|blob| blob.is_small() && blob.running > 0);
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

    /// These ranges of a blob are missing.
    pub fn opened(&mut self, blob: usize, missing: impl IntoIterator<Item = Range<u64>>) {
        if let Some(blob) = self.blobs.get_mut(blob) {
            blob.state = State::Open;
            blob.missing = missing.into_iter().collect();
        }
    }

    /// Another process is fetching the blob; [`look_again`](Self::look_again) later.
    pub fn parked(&mut self, blob: usize) {
        self.set(blob, State::Parked);
    }

    /// Blobs that another process was fetching may be complete now. Returns whether there are any.
    pub fn look_again(&mut self) -> bool {
        let parked = self.blobs.iter_mut().filter(|blob| blob.state == State::Parked);
        parked.map(|blob| blob.state = State::Unknown).count() > 0
    }

    /// Whether another process is fetching a blob.
    pub fn waits(&self) -> bool {
        self.blobs.iter().any(|blob| blob.state == State::Parked)
    }

    /// A blob is done with, or given up.
    pub fn closed(&mut self, blob: usize) {
        self.set(blob, State::Closed);
    }

    /// A blob is to be brought once more from the start.
    pub fn anew(&mut self, blob: usize) {
        self.set(blob, State::Unknown);
    }

    fn set(&mut self, blob: usize, state: State) {
        if let Some(blob) = self.blobs.get_mut(blob) {
            blob.state = state;
            blob.missing.clear();
        }
    }

    /// Whether all blobs are done with.
    pub fn is_done(&self) -> bool {
        self.blobs.iter().all(|blob| blob.state == State::Closed)
    }

    /// The head of an answer has arrived. With `whole`, the registry sends the whole blob instead of the requested part.
    /// Returns the bytes to take of this answer, if they differ from the requested ones.
    pub fn answered(&mut self, fetch: &Fetch, whole: bool) -> Option<Range<u64>> {
        let blob = self.blobs.get_mut(fetch.blob)?;
        let part = fetch.range != (0..blob.size);
        if part && (!whole || self.heeds.is_none()) {
            self.heeds = Some(!whole);
        }
        if !whole {
            return None;
        }
        blob.whole = true;
        if blob.running > 1 || blob.state != State::Open {
            return None;
        }
        let last = blob.missing.drain(..).next_back()?;
        Some(fetch.range.start..last.end)
    }

    /// The registry has said that there are too many requests, though it answered this one in the end. Returns whether there
    /// could be fewer.
    pub fn refused(&mut self, fetch: &Fetch) -> bool {
        // One that was sent before the registry was taken at its word says nothing new.
        if fetch.era < self.era {
            return true;
        }
        let alone = self.width == 1;
        (self.width, self.well, self.era) = ((self.width / 2).max(1), 0, self.era + 1);
        !alone
    }

    /// A request has ended; `rest` is what is still missing of its range. Returns whether the plan continues.
    pub fn ended(&mut self, fetch: &Fetch, rest: impl IntoIterator<Item = Range<u64>>, end: End) -> bool {
        self.running = self.running.saturating_sub(1);
        let Some(blob) = self.blobs.get_mut(fetch.blob) else { return false };
        blob.running = blob.running.saturating_sub(1);
        if blob.state == State::Open {
            blob.missing.extend(rest);
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
