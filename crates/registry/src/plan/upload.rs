//! The steps of one upload: open a session, send, ask where it stands when something went wrong, commit.
//!
//! An [`Upload`] is told what each step came to and says which is next. It knows nothing of URLs and sends nothing.

use std::ops::Range;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Open a session, the one before being lost or useless.
    Open,
    /// Send the whole blob with the request that commits it (`PUT`).
    Whole,
    /// Send these bytes (`PATCH`).
    Part(Range<u64>),
    /// Commit what was sent (`PUT` without bytes).
    Commit,
    /// After a commit without an answer: ask whether the blob is there.
    Look,
    /// Ask what the session holds.
    Ask,
    /// The blob is there.
    Done,
    /// Nothing more can be tried: the last failure stands.
    GiveUp,
}

/// How a step went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// An answer that promises that another try may help (408, 429, 5xx), or none.
    Broken,
    /// The connection broke. A proxy that does not like the size of a body may do so before anyone reads its answer.
    Cut,
    /// 404: the session is not known any more.
    Lost,
    /// 416: not the bytes that the registry waits for.
    OutOfOrder,
    /// 413: too many bytes in one request.
    TooLarge,
    /// 400, 405, 411, 415, 501: the registry does not take a blob this way.
    Unsupported,
    /// Anything else: another try would fail the same way.
    Final,
}

/// An upload on its way.
#[derive(Clone, Debug)]
pub struct Upload {
    size: u64,
    way: Way,
    /// The least that a chunk before the last may have, as the registry says.
    least: u64,
    step: Step,
    /// What the registry holds of the session.
    at: u64,
    /// The end of what was ever sent to this session: it cannot hold more.
    sent: u64,
    /// The furthest that any session came.
    best: u64,
    /// Failures since then.
    failures: u32,
    /// Questions that are left, after a cut, to a registry that says that it holds nothing: it may still be reading what has arrived.
    patience: u32,
}

/// How many bytes go into one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// All, with the commit.
    Whole,
    /// At most so many, with a commit of its own at the end.
    Chunks(u64),
}

impl Upload {
    /// An upload of `size` bytes: whole, or in chunks of so many bytes.
    pub fn new(size: u64, chunk: Option<u64>) -> Self {
        let way = chunk.map_or(Way::Whole, |chunk| Way::Chunks(chunk.max(1)));
        Self { size, way, least: 1, step: Step::Open, at: 0, sent: 0, best: 0, failures: 0, patience: 0 }
    }

    /// What to do now.
    pub fn step(&self) -> Step {
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

    /// A session is open. `least` is its `OCI-Chunk-Min-Length`.
    pub fn opened(&mut self, least: Option<u64>) {
        self.least = least.unwrap_or(1);
        self.at = 0;
        self.sent = 0;
        self.send_next();
    }

    /// A part was taken, and the registry says that it holds so many bytes.
    pub fn taken(&mut self, held: Option<u64>) {
        let Step::Part(range) = self.step.clone() else { return };
        self.sent = self.sent.max(range.end);
        match held {
            // Some of it is still missing.
            Some(held) if range.start < held && held < range.end => self.advance(held),
            // More than was ever sent is not this blob.
            Some(held) if held > range.end => return self.fail(Failure::Lost),
            // Some registries say nothing, or say forever what the first part was: then what was answered with success counts.
            _ => self.advance(range.end),
        }
        self.send_next();
    }

    /// The session holds so many bytes; `None` = it is gone, or does not say.
    pub fn told(&mut self, held: Option<u64>) {
        match held {
            Some(held) if 0 < held && held <= self.sent => {
                self.advance(held);
                self.send_next();
            }
            Some(0) if self.patience > 0 => self.patience -= 1,
            // Byte 0 is never sent again to a session that has seen it.
            _ => self.step = Step::Open,
        }
    }

    /// The blob is there, or after [`Step::Look`] it is not.
    pub fn found(&mut self, there: bool) {
        self.step = if there { Step::Done } else { Step::Ask };
    }

    /// The step went wrong. Of what it sent the registry may hold any part.
    pub fn fail(&mut self, failure: Failure) {
        let step = self.step.clone();
        // A question that fails belongs to the failure that it asks about.
        if !matches!(step, Step::Ask | Step::Look) {
            self.failures += 1;
        }
        match &step {
            Step::Whole | Step::Commit => self.sent = self.size,
            Step::Part(range) => self.sent = self.sent.max(range.end),
            _ => {}
        }
        let committing = matches!(step, Step::Whole | Step::Commit);
        // The second time in a row, so that a bad line alone does not change the way.
        if failure == Failure::Cut && self.failures == 2 {
            self.shrink(&AFTER_413);
        }
        if matches!(step, Step::Whole | Step::Part(_)) {
            self.patience = if failure == Failure::Cut { QUESTIONS } else { 0 };
        }
        let failure = if failure == Failure::Cut { Failure::Broken } else { failure };
        self.step = match failure {
            _ if self.failures >= TRIES => Step::GiveUp,
            Failure::Final => Step::GiveUp,
            _ if matches!(step, Step::Open | Step::Ask | Step::Look) => match failure {
                Failure::Broken if step == Step::Look => Step::Ask,
                Failure::Broken | Failure::Lost | Failure::OutOfOrder if step != Step::Open => Step::Open,
                Failure::Broken => Step::Open,
                _ => Step::GiveUp,
            },
            // It may have been committed, and only the answer was lost; then the session is gone as well.
            Failure::Broken | Failure::Lost if committing => Step::Look,
            Failure::Broken => Step::Ask,
            Failure::Lost => Step::Open,
            Failure::OutOfOrder if self.shrink(&AFTER_416) => Step::Open,
            Failure::OutOfOrder => Step::Ask,
            Failure::TooLarge if self.shrink(&AFTER_413) => Step::Open,
            Failure::Unsupported if self.way == Way::Whole => {
                self.way = Way::Chunks(u64::MAX);
                Step::Open
            }
            Failure::Cut | Failure::TooLarge | Failure::Unsupported => Step::GiveUp,
        };
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
            _ if self.at >= self.size => Step::Commit,
            Way::Whole if self.at == 0 => Step::Whole,
            Way::Whole => Step::Part(self.at..self.size),
            Way::Chunks(chunk) => Step::Part(self.at..self.at.saturating_add(chunk.max(self.least)).min(self.size)),
        };
    }

    /// Makes the chunks smaller than the one that was refused, to the next of these sizes, unless the registry's least is larger. A 416
    /// tells of a limit only where the first chunk of a session was refused.
    fn shrink(&mut self, sizes: &[u64]) -> bool {
        let last = match self.step.clone() {
            Step::Whole => self.size,
            Step::Part(range) if sizes != AFTER_416 || range.start == 0 => range.end - range.start,
            _ => return false,
        };
        let next = sizes.iter().find(|size| **size < last && **size >= self.least);
        if let Some(next) = next {
            self.way = Way::Chunks(*next);
        }
        next.is_some()
    }
}

/// Failures in a row without a byte won.
pub const TRIES: u32 = 6;
/// Questions to a registry that says that it holds nothing of what a broken connection carried, before it is believed.
const QUESTIONS: u32 = 2;
/// Some registries answer 416 to chunks of more than this.
const AFTER_416: [u64; 1] = [4 << 20];
/// Proxies in front of registries limit bodies, often to 100 MB or 10 MB, and to 1 MiB if nobody told them otherwise.
const AFTER_413: [u64; 4] = [64 << 20, 8 << 20, 1 << 20, 64 << 10];

#[cfg(test)]
mod tests;
