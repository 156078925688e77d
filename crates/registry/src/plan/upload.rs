//! The steps of one upload: open a session, send, ask for the offset after a failure, commit.
//!
//! The caller reports the result of each step to an [`Upload`], which returns the next step. It knows no URLs and sends nothing.

use std::ops::Range;

/// The next step of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadStep {
    /// Open a session. One that was opened before is lost or useless.
    Open,
    /// Send the whole blob with the request that commits it (`PUT`).
    Whole,
    /// Send these bytes (`PATCH`).
    Part(Range<u64>),
    /// Commit what was sent (`PUT` without bytes).
    Commit,
    /// After a commit without an answer: ask whether the registry has the blob.
    Look,
    /// Ask how many bytes the session holds.
    Ask,
    /// The registry has the blob.
    Done,
    /// Nothing more can be tried: the last failure stands.
    GiveUp,
}

/// How a step failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadFailure {
    /// No answer, or one after which another try may help (408, 429, 5xx).
    Broken,
    /// The connection broke. A proxy that refuses the size of a body may close it before its answer is read.
    Cut,
    /// 404, 410: the registry no longer knows the session.
    Lost,
    /// 409, 416: not the bytes that the registry waits for.
    OutOfOrder,
    /// 413: too many bytes in one request.
    TooLarge,
    /// 400, 405, 411, 415, 501: the registry does not take a blob this way.
    Unsupported,
    /// Anything else: another try would fail the same way.
    Final,
}

/// The state of an upload.
#[derive(Clone, Debug)]
pub struct Upload {
    size: u64,
    way: Way,
    /// The registry, or a proxy in front of it, does not take the blob in one request.
    no_whole: bool,
    /// Chunks were tried, and the registry did not make the blob of them.
    no_chunks: bool,
    /// Chunks are used only because this upload was lost before, not by request.
    ours: bool,
    /// The fewest bytes of a chunk before the last, as the registry states it.
    least: u64,
    step: UploadStep,
    /// Bytes that the session holds.
    at: u64,
    /// The end of what was ever sent to this session: it cannot hold more.
    sent: u64,
    /// The session reports fewer bytes than it has acknowledged.
    stuck: bool,
    /// A step of the session has failed.
    resumed: bool,
    /// The session has refused bytes since it last took some.
    refused: bool,
    /// The most bytes that any session has held.
    best: u64,
    /// Failures since `best` last grew.
    failures: u32,
    /// Requests for the offset that are left, after a cut, while the registry reports 0 bytes: it may still be reading
    /// what has arrived.
    patience: u32,
}

/// How many bytes go into one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// All, with the commit.
    Whole,
    /// At most this many bytes at once, with a separate commit at the end.
    Chunks(u64),
}

impl Upload {
    /// An upload of `size` bytes: whole, or in chunks of `chunk` bytes.
    pub fn new(size: u64, chunk: Option<u64>) -> Self {
        let way = chunk.map_or(Way::Whole, |chunk| Way::Chunks(chunk.max(1)));
        Self {
            size,
            way,
            no_whole: false,
            no_chunks: false,
            ours: false,
            least: 1,
            step: UploadStep::Open,
            at: 0,
            sent: 0,
            stuck: false,
            resumed: false,
            refused: false,
            best: 0,
            failures: 0,
            patience: 0,
        }
    }

    /// Returns the next step.
    pub fn step(&self) -> UploadStep {
        self.step.clone()
    }

    /// Failures since the registry last held more than ever before.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Bytes that are known to be with the registry.
    pub fn held(&self) -> u64 {
        self.at
    }

    /// Notes that a session is open. `least` is its `OCI-Chunk-Min-Length`.
    pub fn opened(&mut self, least: Option<u64>) {
        self.least = least.unwrap_or(1);
        self.at = 0;
        self.sent = 0;
        self.stuck = false;
        (self.resumed, self.refused) = (false, false);
        self.send_next();
    }

    /// Notes that a part was accepted; `held` is the number of bytes that the registry reports.
    pub fn taken(&mut self, held: Option<u64>) {
        let UploadStep::Part(range) = self.step.clone() else { return };
        self.sent = self.sent.max(range.end);
        self.refused = false;
        match held {
            // Some of it is still missing.
            Some(held) if range.start < held && held < range.end => self.advance(held),
            // A session with more bytes than were sent does not hold this blob.
            Some(held) if held > range.end => return self.fail(UploadFailure::Lost),
            // Some registries report no offset, or always that of the first part: then the success of the request
            // counts.
            _ => {
                self.stuck |= held.is_some_and(|held| held < range.end);
                self.advance(range.end);
            }
        }
        self.send_next();
    }

    /// Notes that the session has `held` bytes; `None` = it is gone, or reports no offset.
    pub fn told(&mut self, held: Option<u64>) {
        match held.map(|held| if self.stuck { held.max(self.at) } else { held }) {
            Some(held) if 0 < held && held <= self.sent => {
                self.advance(held);
                self.send_next();
            }
            Some(0) if self.patience > 0 => self.patience -= 1,
            // Byte 0 is never sent again to a session that has seen it.
            _ => self.lose(),
        }
    }

    /// Notes whether the registry has the blob, after a commit or [`UploadStep::Look`].
    pub fn found(&mut self, there: bool) {
        self.step = if there { UploadStep::Done } else { UploadStep::Ask };
    }

    /// Notes that the step failed. The registry may hold any part of the bytes that it sent.
    pub fn fail(&mut self, failure: UploadFailure) {
        let step = self.step.clone();
        // A failed question belongs to the failure that it asks about, and is not counted.
        if !matches!(step, UploadStep::Ask | UploadStep::Look) {
            self.failures += 1;
        }
        match &step {
            UploadStep::Whole | UploadStep::Commit => self.sent = self.size,
            UploadStep::Part(range) => self.sent = self.sent.max(range.end),
            _ => {}
        }
        let committing = matches!(step, UploadStep::Whole | UploadStep::Commit);
        // Only the second time in a row, so that one broken connection does not change the way.
        if failure == UploadFailure::Cut && self.failures == 2 {
            self.shrink(&AFTER_413);
        }
        if matches!(step, UploadStep::Whole | UploadStep::Part(_)) {
            self.patience = if failure == UploadFailure::Cut { QUESTIONS } else { 0 };
        }
        let failure = if failure == UploadFailure::Cut { UploadFailure::Broken } else { failure };
        let refused = std::mem::replace(&mut self.refused, failure == UploadFailure::OutOfOrder);
        match failure {
            _ if self.failures >= TRIES => self.step = UploadStep::GiveUp,
            UploadFailure::Final if step != UploadStep::Ask => self.step = UploadStep::GiveUp,
            UploadFailure::Broken if step == UploadStep::Open => self.step = UploadStep::Open,
            _ if step == UploadStep::Open => self.step = UploadStep::GiveUp,
            // A session that does not answer a request for its offset cannot be resumed.
            _ if step == UploadStep::Ask => self.lose(),
            _ if step == UploadStep::Look => self.step = UploadStep::Ask,
            // It may have been committed, and only the answer was lost; then the session is gone as well.
            UploadFailure::Broken | UploadFailure::Lost if committing => self.step = UploadStep::Look,
            UploadFailure::Broken => self.step = UploadStep::Ask,
            UploadFailure::Lost => self.lose(),
            UploadFailure::OutOfOrder if self.shrink(&AFTER_416) => self.step = UploadStep::Open,
            // Refused twice: the offset that the session reports is wrong.
            UploadFailure::OutOfOrder if refused => self.lose(),
            UploadFailure::OutOfOrder => self.step = UploadStep::Ask,
            UploadFailure::TooLarge => {
                self.no_whole |= step == UploadStep::Whole;
                self.step = if self.shrink(&AFTER_413) { UploadStep::Open } else { UploadStep::GiveUp };
            }
            UploadFailure::Unsupported => self.other_way(&step),
            UploadFailure::Cut | UploadFailure::Final => self.step = UploadStep::GiveUp,
        }
        self.resumed = true;
    }

    /// Handles a session that is gone with all that it held.
    fn lose(&mut self) {
        match self.way {
            // Chunks, so that another loss costs less. It does if a request reaches the registry as a whole or not at
            // all.
            Way::Whole if self.sent > 0 && !self.no_chunks => {
                let chunk = (self.size / PARTS).clamp(AFTER_LOSS[0], AFTER_LOSS[1]);
                if chunk < self.size {
                    self.way = Way::Chunks(chunk);
                    self.ours = true;
                }
            }
            // The registry loses accepted chunks as well: they only cost more requests.
            Way::Chunks(_) if self.ours && self.at > 0 => {
                self.way = Way::Whole;
                self.no_chunks = true;
            }
            _ => {}
        }
        self.step = UploadStep::Open;
    }

    /// Chooses another way, after an answer that the registry does not take the blob in this one.
    fn other_way(&mut self, step: &UploadStep) {
        self.step = UploadStep::Open;
        match step {
            UploadStep::Whole if !self.no_chunks => {
                self.no_whole = true;
                self.way = Way::Chunks(u64::MAX);
            }
            // Some sessions cannot be resumed after a chunk that failed.
            UploadStep::Part(_) if self.resumed => self.lose(),
            // The registry does not take parts, or joins them wrongly: send the blob in one request.
            UploadStep::Part(_) | UploadStep::Commit if !self.no_whole && !self.no_chunks => {
                self.no_chunks = true;
                self.way = Way::Whole;
            }
            _ => self.step = UploadStep::GiveUp,
        }
    }

    fn advance(&mut self, at: u64) {
        self.at = at;
        if at > self.best {
            self.best = at;
            self.failures = 0;
        }
    }

    fn send_next(&mut self) {
        self.step = match self.way {
            _ if self.at >= self.size => UploadStep::Commit,
            Way::Whole if self.at == 0 => UploadStep::Whole,
            Way::Whole => UploadStep::Part(self.at..self.size),
            Way::Chunks(chunk) => {
                UploadStep::Part(self.at..self.at.saturating_add(chunk.max(self.least)).min(self.size))
            }
        };
    }

    /// Makes the chunks smaller than the one that was refused, to the next of these sizes, unless the registry's least is larger. A 416
    /// means a limit only where the first chunk of a session was refused.
    fn shrink(&mut self, sizes: &[u64]) -> bool {
        let last = match self.step.clone() {
            UploadStep::Whole => self.size,
            UploadStep::Part(range) if sizes != AFTER_416 || range.start == 0 => range.end - range.start,
            _ => return false,
        };
        let next = sizes.iter().find(|size| **size < last && **size >= self.least);
        if let Some(next) = next {
            self.way = Way::Chunks(*next);
            self.ours = false;
        }
        next.is_some()
    }
}

/// Most failures in a row without a byte gained.
pub const TRIES: u32 = 6;
/// Requests for the offset, after a broken connection, before a report of 0 bytes is believed.
const QUESTIONS: u32 = 2;
/// A blob whose upload was lost is sent in about this many chunks, so that another loss costs a small part of it …
const PARTS: u64 = 64;
/// … but no chunk is smaller or larger than this: each costs a request, and some registries want 5 MiB in each but the last.
const AFTER_LOSS: [u64; 2] = [5 << 20, 64 << 20];
/// Some registries answer 416 to chunks of more than this.
const AFTER_416: [u64; 1] = [4 << 20];
/// Proxies in front of registries limit bodies, often to 100 MB or 10 MB, and to 1 MiB by default.
const AFTER_413: [u64; 4] = [64 << 20, 8 << 20, 1 << 20, 64 << 10];

#[cfg(test)]
mod tests;
