//! The file of a partial blob while it is written.
//!
//! No byte is written twice: a writer claims a range first, and existing bytes cannot be claimed. Bytes that were
//! hashed therefore do not change.

use super::{map::Map, ranges::Ranges};
use crate::Error;
use porthole_core::digest::Digest;
use std::{
    fs::File,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Minimum growth of a range, and minimum time, between two updates of the map, except at the end of a gap.
const NOTED: (u64, Duration) = (128 << 10, Duration::from_millis(20));
/// Maximum number of bytes in a gap that are written but not in the map.
const UNNOTED: u64 = 1 << 20;
/// Growth of the prefix that wakes the hashing thread; after this time, any growth does.
const WAKING: (u64, Duration) = (1 << 20, Duration::from_millis(20));

/// State shared by the writers and the hashing thread of a blob. The last of them to drop it releases the lock on the blob.
#[derive(Debug)]
pub(super) struct Filling {
    pub(super) path: PathBuf,
    pub(super) file: Arc<File>,
    pub(super) digest: Digest,
    pub(super) size: u64,
    state: Mutex<State>,
    /// Signals that the prefix has grown or that writing has ended.
    grown: Condvar,
}

#[derive(Debug)]
struct State {
    there: Ranges,
    claimed: Ranges,
    /// Ranges that were taken from their claims.
    cuts: Vec<Range<u64>>,
    map: Option<Map>,
    over: bool,
    /// Prefix length that a thread waits for.
    wanted: Option<u64>,
}

impl State {
    fn gaps(&self, within: &Range<u64>) -> Vec<Range<u64>> {
        self.there.missing(within).iter().flat_map(|gap| self.claimed.missing(gap)).collect()
    }
}

impl Filling {
    /// Continues a partial file, which the caller has locked.
    pub(super) fn take_up(path: PathBuf, file: File, digest: &Digest, size: u64) -> Result<Self, Error> {
        use super::map::Found;
        let length = file.metadata().map_err(Error::io(&path))?.len();
        let beside = Map::beside(&path);
        let found = Map::read(&beside, digest, size, length)?;
        let (there, map) = match found {
            Found::Nothing if length <= size => (Ranges::of(0..length), None),
            Found::Ranges(there) => {
                let map = Map::start(&beside, digest, size, &there)?;
                (there, Some(map))
            }
            Found::Nothing | Found::Nonsense => {
                // Truncate before removing the map: without a map the file would count as a prefix.
                file.set_len(0).map_err(Error::write(&path))?;
                discard(&beside)?;
                (Ranges::default(), None)
            }
        };
        let state =
            Mutex::new(State { there, claimed: Ranges::default(), cuts: Vec::new(), map, over: false, wanted: None });
        Ok(Self { path, file: Arc::new(file), digest: *digest, size, state, grown: Condvar::new() })
    }

    pub(super) fn prefix(&self) -> u64 {
        self.lock().there.prefix()
    }

    pub(super) fn total(&self) -> u64 {
        self.lock().there.total()
    }

    /// Ranges that are neither present nor claimed.
    pub(super) fn gaps(&self, within: &Range<u64>) -> Vec<Range<u64>> {
        self.lock().gaps(within)
    }

    /// Blocks until the prefix is longer than `reached`. `None` if it will not grow.
    pub(super) fn wait(&self, reached: u64) -> Option<u64> {
        let wanted = reached.saturating_add(WAKING.0).min(self.size);
        let mut state = self.lock();
        let mut patient = true;
        loop {
            let prefix = state.there.prefix();
            if prefix >= wanted || prefix > reached && !patient {
                return Some(prefix);
            }
            if state.over {
                return (prefix > reached).then_some(prefix);
            }
            if patient {
                state.wanted = Some(wanted);
                let waited = self.grown.wait_timeout(state, WAKING.1).unwrap_or_else(PoisonError::into_inner);
                (state, patient) = (waited.0, !waited.1.timed_out());
            } else {
                // With slow input, hash smaller pieces.
                state.wanted = Some(reached + 1);
                state = self.grown.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.wanted = None;
        }
    }

    /// Ends the writing.
    pub(super) fn end(&self) {
        self.lock().over = true;
        self.grown.notify_all();
    }

    /// Claims the missing parts of a range.
    pub(super) fn claim(self: &Arc<Self>, range: &Range<u64>) -> Result<Claim, Error> {
        self.claim_in(&mut self.lock(), range)
    }

    fn claim_in(self: &Arc<Self>, state: &mut State, range: &Range<u64>) -> Result<Claim, Error> {
        let range = range.start..range.end.min(self.size);
        let gaps = state.gaps(&range);
        if state.map.is_none() && gaps.iter().any(|gap| gap.start > state.there.prefix()) {
            state.map = Some(Map::start(&Map::beside(&self.path), &self.digest, self.size, &state.there)?);
        }
        for gap in &gaps {
            state.claimed.insert(gap.clone());
        }
        let heeded = state.cuts.len();
        let gaps = gaps.into_iter().map(|gap| Gap {
            noted: gap.start..gap.start,
            reached: gap.start,
            gap,
            at: Instant::now(),
            record: None,
        });
        Ok(Claim { filling: Arc::clone(self), gaps: gaps.collect(), heeded })
    }

    /// Ends the claim on a range where the range starts, and claims the range for another writer.
    pub(super) fn take_over(self: &Arc<Self>, range: &Range<u64>) -> Result<Claim, Error> {
        let mut state = self.lock();
        state.claimed.remove(range);
        state.cuts.push(range.clone());
        // Under the same lock, so that no other writer claims it in between.
        self.claim_in(&mut state, range)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        // Readers may keep the descriptor open, and the lock would stay with it.
        let _ = self.file.unlock();
    }
}

/// Exclusive right to write the parts of a range that were missing.
#[derive(Debug)]
pub struct Claim {
    filling: Arc<Filling>,
    gaps: Vec<Gap>,
    /// Number of the cuts in the shared state that these gaps already respect.
    heeded: usize,
}

#[derive(Debug)]
struct Gap {
    gap: Range<u64>,
    reached: u64,
    noted: Range<u64>,
    /// Time of the last update of the map.
    at: Instant,
    record: Option<u64>,
}

impl Claim {
    /// Writes bytes at an offset. Only bytes that continue a claimed gap where it ends are written; existing and
    /// unclaimed bytes are skipped. Returns the number written.
    ///
    /// # Errors
    ///
    /// [`Error`] from the file system.
    pub fn write(&mut self, at: u64, bytes: &[u8]) -> Result<u64, Error> {
        heed(&self.filling.lock(), &mut self.gaps, &mut self.heeded);
        let mut written = 0;
        for gap in &mut self.gaps {
            let end = gap.gap.end.min(at.saturating_add(bytes.len() as u64));
            if at > gap.reached || end <= gap.reached {
                continue;
            }
            // Both are offsets into `bytes`, so they fit a `usize`.
            let part = bytes.get((gap.reached - at) as usize..(end - at) as usize).unwrap_or_default();
            let file = &self.filling.file;
            file.write_all_at(part, gap.reached).map_err(Error::write(&self.filling.path))?;
            gap.came(&self.filling, end)?;
            written += part.len() as u64;
        }
        Ok(written)
    }
}

/// Shortens gaps whose ends another writer has taken over.
fn heed(state: &State, gaps: &mut [Gap], heeded: &mut usize) {
    for cut in state.cuts.get(*heeded..).unwrap_or_default() {
        for Gap { gap, .. } in gaps.iter_mut().filter(|gap| gap.gap.start < cut.end && gap.gap.end > cut.start) {
            gap.end = cut.start.max(gap.start);
        }
    }
    *heeded = state.cuts.len();
}

impl Gap {
    fn came(&mut self, filling: &Filling, end: u64) -> Result<(), Error> {
        let mut state = filling.lock();
        state.there.insert(self.reached..end);
        self.reached = end;
        let unnoted = end - self.noted.end;
        if unnoted >= UNNOTED || end == self.gap.end || unnoted >= NOTED.0 && self.at.elapsed() >= NOTED.1 {
            self.note(&mut state)?;
            self.at = Instant::now();
        }
        if state.wanted.is_some_and(|wanted| state.there.prefix() >= wanted) {
            filling.grown.notify_all();
        }
        Ok(())
    }

    fn note(&mut self, state: &mut State) -> Result<(), Error> {
        let Some(map) = &mut state.map else { return Ok(()) };
        if self.record.is_none() {
            self.record = map.reserve();
        }
        self.noted.end = self.reached;
        self.record.map_or(Ok(()), |record| map.note(record, &self.noted))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = self.filling.lock();
        heed(&state, &mut self.gaps, &mut self.heeded);
        for gap in &mut self.gaps {
            state.claimed.remove(&gap.gap);
            if gap.noted.end < gap.reached {
                // Bytes missing from the map are downloaded again.
                let _ = gap.note(&mut state);
            }
        }
    }
}

/// Removes a file if it exists.
pub(super) fn discard(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::write(path)(error)),
        _ => Ok(()),
    }
}
