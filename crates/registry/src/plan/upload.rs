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
mod tests {
    use super::*;

    /// What a step came to.
    enum Came {
        Opened,
        OpenedLeast(u64),
        Taken(Option<u64>),
        Told(Option<u64>),
        Found(bool),
        Failed(Failure),
    }
    use Came::*;
    use Failure::*;

    fn next(upload: &mut Upload, came: Came) -> Step {
        match came {
            Opened => upload.opened(None),
            OpenedLeast(least) => upload.opened(Some(least)),
            Taken(held) => upload.taken(held),
            Told(held) => upload.told(held),
            Found(there) => upload.found(there),
            Failed(failure) => upload.fail(failure),
        }
        upload.step()
    }

    fn run(size: u64, chunk: Option<u64>, script: Vec<(Came, Step)>) {
        let mut upload = Upload::new(size, chunk);
        assert_eq!(upload.step(), Step::Open);
        for (place, (came, expected)) in script.into_iter().enumerate() {
            assert_eq!(next(&mut upload, came), expected, "step {place} of {size} bytes in {chunk:?}");
        }
    }

    #[test]
    fn whole() {
        run(10, None, vec![(Opened, Step::Whole), (Found(true), Step::Done)]);
        // An empty blob is committed as it is.
        run(0, None, vec![(Opened, Step::Commit), (Found(true), Step::Done)]);
        run(0, Some(5), vec![(Opened, Step::Commit)]);
    }

    #[test]
    fn chunks() {
        run(
            10,
            Some(4),
            vec![
                (Opened, Step::Part(0..4)),
                (Taken(Some(4)), Step::Part(4..8)),
                (Taken(Some(8)), Step::Part(8..10)),
                (Taken(Some(10)), Step::Commit),
                (Found(true), Step::Done),
            ],
        );
        run(10, Some(4), vec![(OpenedLeast(6), Step::Part(0..6)), (Taken(Some(6)), Step::Part(6..10))]);
        run(10, Some(100), vec![(Opened, Step::Part(0..10)), (Taken(None), Step::Commit)]);
    }

    #[test]
    fn ranges_that_lag_behind() {
        // Some of the part is missing.
        run(10, Some(4), vec![(Opened, Step::Part(0..4)), (Taken(Some(2)), Step::Part(2..6))]);
        // Stuck at the first part though all of them arrive, or none told.
        run(
            10,
            Some(4),
            vec![
                (Opened, Step::Part(0..4)),
                (Taken(Some(4)), Step::Part(4..8)),
                (Taken(Some(4)), Step::Part(8..10)),
                (Taken(None), Step::Commit),
            ],
        );
        // More than there is.
        run(10, Some(4), vec![(Opened, Step::Part(0..4)), (Taken(Some(100)), Step::Open)]);
    }

    #[test]
    fn a_broken_connection_goes_on_where_the_registry_is() {
        run(
            10,
            None,
            vec![
                (Opened, Step::Whole),
                (Failed(Broken), Step::Look),
                (Found(false), Step::Ask),
                (Told(Some(7)), Step::Part(7..10)),
                (Failed(Broken), Step::Ask),
                (Told(Some(8)), Step::Part(8..10)),
                (Taken(Some(10)), Step::Commit),
                (Failed(Broken), Step::Look),
                (Found(true), Step::Done),
            ],
        );
        run(
            10,
            Some(4),
            vec![
                (Opened, Step::Part(0..4)),
                (Failed(Broken), Step::Ask),
                (Told(Some(3)), Step::Part(3..7)),
                (Failed(OutOfOrder), Step::Ask),
                (Told(Some(5)), Step::Part(5..9)),
            ],
        );
    }

    #[test]
    fn byte_0_is_not_sent_again_to_the_same_session() {
        run(
            10,
            None,
            vec![
                (Opened, Step::Whole),
                (Failed(Cut), Step::Look),
                (Found(false), Step::Ask),
                // It may still be reading what has arrived.
                (Told(Some(0)), Step::Ask),
                (Told(Some(0)), Step::Ask),
                (Told(Some(0)), Step::Open),
            ],
        );
        for told in [None, Some(0), Some(11)] {
            run(
                10,
                None,
                vec![
                    (Opened, Step::Whole),
                    (Failed(Broken), Step::Look),
                    (Found(false), Step::Ask),
                    (Told(told), Step::Open),
                    (Opened, Step::Whole),
                ],
            );
        }
    }

    #[test]
    fn lost_sessions_are_opened_anew() {
        run(
            10,
            Some(4),
            vec![
                (Opened, Step::Part(0..4)),
                (Taken(Some(4)), Step::Part(4..8)),
                (Failed(Lost), Step::Open),
                (Opened, Step::Part(0..4)),
            ],
        );
        run(
            10,
            None,
            vec![
                (Opened, Step::Whole),
                (Failed(Lost), Step::Look),
                (Found(false), Step::Ask),
                (Failed(Lost), Step::Open),
            ],
        );
    }

    #[test]
    fn refused_sizes_and_ways() {
        const MIB: u64 = 1 << 20;
        run(
            300 * MIB,
            None,
            vec![
                (Opened, Step::Whole),
                (Failed(TooLarge), Step::Open),
                (Opened, Step::Part(0..64 * MIB)),
                (Failed(TooLarge), Step::Open),
                (Opened, Step::Part(0..8 * MIB)),
                (Failed(TooLarge), Step::Open),
                (Opened, Step::Part(0..MIB)),
                (Taken(Some(MIB)), Step::Part(MIB..2 * MIB)),
                (Failed(Cut), Step::Ask),
                (Told(Some(MIB)), Step::Part(MIB..2 * MIB)),
                (Failed(Cut), Step::Ask),
                (Told(Some(MIB)), Step::Part(MIB..MIB + (64 << 10))),
            ],
        );
        run(
            300 * MIB,
            None,
            vec![
                (Opened, Step::Whole),
                (Failed(Cut), Step::Look),
                (Found(false), Step::Ask),
                (Told(None), Step::Open),
                (Opened, Step::Whole),
                (Failed(Cut), Step::Look),
                (Found(false), Step::Ask),
                (Told(None), Step::Open),
                (Opened, Step::Part(0..64 * MIB)),
            ],
        );
        run(
            300 * MIB,
            Some(16 * MIB),
            vec![
                (Opened, Step::Part(0..16 * MIB)),
                (Failed(OutOfOrder), Step::Open),
                (Opened, Step::Part(0..4 * MIB)),
                (Failed(OutOfOrder), Step::Ask),
            ],
        );
        run(10, None, vec![(Opened, Step::Whole), (Failed(Unsupported), Step::Open), (Opened, Step::Part(0..10))]);
        run(10, Some(4), vec![(Opened, Step::Part(0..4)), (Failed(Unsupported), Step::GiveUp)]);
        run(10, Some(4), vec![(Opened, Step::Part(0..4)), (Failed(TooLarge), Step::GiveUp)]);
        run(10, Some(4), vec![(Failed(Unsupported), Step::GiveUp)]);
        run(10, Some(4), vec![(Opened, Step::Part(0..4)), (Failed(Final), Step::GiveUp)]);
    }

    /// Whatever a registry does, an upload ends; and every byte won gives it its tries back.
    #[test]
    fn every_upload_ends() {
        for failure in [Broken, Cut, Lost, OutOfOrder, TooLarge, Unsupported, Final] {
            for chunk in [None, Some(1 << 20)] {
                for told in [None, Some(0), Some(1), Some(u64::MAX)] {
                    let mut upload = Upload::new(1 << 30, chunk);
                    let mut steps = 0;
                    while upload.step() != Step::GiveUp {
                        match upload.step() {
                            Step::Open => upload.opened(None),
                            Step::Ask => upload.told(told),
                            Step::Look => upload.found(false),
                            _ => upload.fail(failure),
                        }
                        steps += 1;
                        assert!(steps < 100, "{failure:?} {chunk:?} {told:?}");
                    }
                }
            }
        }
        let mut upload = Upload::new(1000, None);
        upload.opened(None);
        for held in 1..=999 {
            upload.fail(Broken);
            upload.found(false);
            upload.told(Some(held));
            assert!(matches!(upload.step(), Step::Part(_)), "{held}");
        }
    }
}
