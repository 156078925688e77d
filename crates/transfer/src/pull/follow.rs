//! Reads blobs while they arrive.

use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    manifest::{Manifest, Parsed},
};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// The blobs of a pull, for other threads that read them while they arrive. Clones share them.
///
/// Give a clone to [`Options::follow`](super::Options::follow) and keep one. A follower never delays a transfer.
#[derive(Clone, Debug, Default)]
pub struct Follow(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    manifests: Option<Manifests>,
    blobs: HashMap<Digest, FollowFront>,
    over: bool,
    waiting: usize,
}

impl Shared {
    fn wait<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        state.waiting += 1;
        let mut state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        // A wake-up without waiters costs as much as one with.
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }
}

/// The manifests of a pull, each with its descriptor.
pub type Manifests = Arc<[(Descriptor, Parsed<Manifest>)]>;

/// How far a blob is.
#[derive(Clone, Debug, Default)]
pub struct FollowFront {
    /// Grows whenever the bytes so far are discarded: a reader must discard what it has read.
    pub epoch: u32,
    /// Bytes from the start that are written and hashed. Whether they are right is known at the end: [`Stage::Verified`].
    pub bytes: u64,
    /// Where the bytes are.
    pub stage: Stage,
}

/// Where the bytes of a blob are.
#[derive(Clone, Debug, Default)]
pub enum Stage {
    /// Not requested yet, or fetched by another process.
    #[default]
    Awaited,
    /// In this file, which stays readable when it is renamed; after [`FollowFront::bytes`] it may have holes.
    Coming(Arc<File>),
    /// Complete and verified, in this file of the store.
    Verified(PathBuf),
    /// Nowhere: registries do not have it.
    Skipped,
}

impl Follow {
    /// Blocks until the manifests are known, all of which are in the store then; `None` if the pull ended before.
    pub fn manifests(&self) -> Option<Manifests> {
        let mut state = self.lock();
        while state.manifests.is_none() && !state.over {
            state = self.0.wait(state);
        }
        state.manifests.clone()
    }

    /// How far a blob is now.
    pub fn front(&self, digest: &Digest) -> FollowFront {
        self.lock().blobs.get(digest).cloned().unwrap_or_default()
    }

    /// Blocks until a blob has more than `bytes`, is in another epoch, or is at its end; returns how far it is. `None` if
    /// the pull ended before.
    pub fn wait(&self, digest: &Digest, epoch: u32, bytes: u64) -> Option<FollowFront> {
        let mut state = self.lock();
        loop {
            let front = state.blobs.entry(*digest).or_default();
            let ended = matches!(front.stage, Stage::Verified(_) | Stage::Skipped);
            if ended || front.epoch != epoch || front.bytes > bytes {
                return Some(front.clone());
            }
            if state.over {
                return None;
            }
            state = self.0.wait(state);
        }
    }

    /// Reads a blob from its start, and waits for bytes that have not arrived yet.
    pub fn reader(&self, digest: &Digest) -> FollowReader {
        let epoch = self.front(digest).epoch;
        FollowReader { follow: self.clone(), digest: *digest, epoch, position: 0, file: None }
    }

    pub(super) fn tell_manifests(&self, manifests: &[(Descriptor, Parsed<Manifest>)]) {
        self.0.change(|state| state.manifests = Some(manifests.into()));
    }

    /// Notes that the blob is written to a file, which has its first `bytes`.
    pub(super) fn tell_coming(&self, digest: &Digest, file: Arc<File>, bytes: u64) {
        self.change(digest, |front| (front.stage, front.bytes) = (Stage::Coming(file), bytes));
    }

    /// Sets the number of bytes that are written and hashed.
    pub(super) fn tell_bytes(&self, digest: &Digest, bytes: u64) {
        self.change(digest, |front| front.bytes = bytes);
    }

    /// Notes that the bytes so far were discarded.
    pub(super) fn tell_anew(&self, digest: &Digest) {
        self.change(digest, |front| {
            *front = FollowFront { epoch: front.epoch.wrapping_add(1), ..FollowFront::default() }
        });
    }

    /// Notes that the whole blob is in the store, in this file.
    pub(super) fn tell_verified(&self, digest: &Digest, path: PathBuf, bytes: u64) {
        self.change(digest, |front| (front.stage, front.bytes) = (Stage::Verified(path), bytes));
    }

    /// Notes that the blob is not transferred.
    pub(super) fn tell_skipped(&self, digest: &Digest) {
        self.change(digest, |front| front.stage = Stage::Skipped);
    }

    fn change(&self, digest: &Digest, change: impl FnOnce(&mut FollowFront)) {
        self.0.change(|state| change(state.blobs.entry(*digest).or_default()));
    }

    /// Begins a pull. It ends when the returned value is dropped: blobs that are not complete then stay so.
    pub(super) fn until_dropped(&self) -> End {
        self.lock().over = false;
        End(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a pull when it is dropped: wakes the threads that wait for its blobs.
pub(super) struct End(Follow);

impl Drop for End {
    fn drop(&mut self) {
        self.0.0.change(|state| state.over = true);
    }
}

/// Reads the bytes of a blob in order, as they arrive: see [`Follow::reader`].
///
/// Its end (a read of 0 bytes) is reached only when the blob is verified. Until then anything that was read may be wrong.
#[derive(Debug)]
pub struct FollowReader {
    follow: Follow,
    digest: Digest,
    epoch: u32,
    position: u64,
    file: Option<Arc<File>>,
}

/// Why a [`FollowReader`] cannot continue; the inner error of what [`Read::read`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cut {
    /// What was read was wrong, and the blob is downloaded again: start with another reader.
    #[error("blob is downloaded again")]
    Anew,
    /// Registries do not have it.
    #[error("registries do not have the blob")]
    Skipped,
    /// The pull ended before the blob was whole.
    #[error("pull ended before the blob was whole")]
    Over,
}

impl Cut {
    /// The reason in an error of a [`FollowReader`]; `None` for an error of the file system.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<Cut> for io::Error {
    fn from(cut: Cut) -> Self {
        Self::other(cut)
    }
}

impl FollowReader {
    /// Bytes that were read.
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl Read for FollowReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let front = self.follow.wait(&self.digest, self.epoch, self.position).ok_or(Cut::Over)?;
        if front.epoch != self.epoch {
            return Err(Cut::Anew.into());
        }
        let file = match (&self.file, &front.stage) {
            (_, Stage::Skipped) => return Err(Cut::Skipped.into()),
            (Some(file), _) | (None, Stage::Coming(file)) => Arc::clone(file),
            (None, Stage::Verified(path)) => Arc::new(File::open(path)?),
            (None, Stage::Awaited) => return Err(Cut::Anew.into()),
        };
        let left = front.bytes.saturating_sub(self.position);
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.insert(file).read_at(&mut buffer[..room], self.position)?;
        if read == 0 && room > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

    use super::*;
    use std::{
        sync::mpsc::{Receiver, channel},
        thread,
    };

    /// Reads to the end in another thread: the pieces as they arrive, then how the reading ended.
    fn read(follow: &Follow, digest: &Digest) -> (Receiver<Vec<u8>>, thread::JoinHandle<io::Result<u64>>) {
        let (pieces, came) = channel();
        let mut reader = follow.reader(digest);
        let thread = thread::spawn(move || {
            let mut buffer = [0; 100];
            loop {
                match reader.read(&mut buffer)? {
                    0 => return Ok(reader.position()),
                    read => pieces.send(buffer[..read].to_vec()).unwrap(),
                }
            }
        });
        (came, thread)
    }

    fn file(bytes: &[u8]) -> (tempfile::NamedTempFile, Arc<File>) {
        let named = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(named.path(), bytes).unwrap();
        let file = named.reopen().unwrap();
        (named, Arc::new(file))
    }

    #[test]
    fn no_byte_is_read_before_it_is_told() {
        let (follow, digest) = (Follow::default(), Digest::sha256(b"0123456789"));
        let _end = follow.until_dropped();
        let (named, file) = file(b"0123456789");
        let (came, thread) = read(&follow, &digest);
        follow.tell_coming(&digest, file, 4);
        assert_eq!(came.recv().unwrap(), b"0123");
        follow.tell_bytes(&digest, 10);
        assert_eq!(came.recv().unwrap(), b"456789");
        assert!(!thread.is_finished(), "it is not verified yet");
        follow.tell_verified(&digest, named.path().to_owned(), 10);
        assert_eq!(thread.join().unwrap().unwrap(), 10);
        let (came, thread) = read(&follow, &digest);
        assert_eq!(came.recv().unwrap(), b"0123456789", "a late reader reads it too");
        assert_eq!(thread.join().unwrap().unwrap(), 10);
    }

    #[test]
    fn who_has_read_wrong_bytes_hears_of_it() {
        let (follow, digest) = (Follow::default(), Digest::sha256(b"right"));
        let _end = follow.until_dropped();
        let (_named, wrong) = file(b"wrong");
        let (came, thread) = read(&follow, &digest);
        follow.tell_coming(&digest, wrong, 5);
        assert_eq!(came.recv().unwrap(), b"wrong");
        follow.tell_anew(&digest);
        assert_eq!(Cut::of(&thread.join().unwrap().unwrap_err()), Some(Cut::Anew));
        let (_named, right) = file(b"right");
        let (came, _) = read(&follow, &digest);
        follow.tell_coming(&digest, right, 5);
        assert_eq!(came.recv().unwrap(), b"right");
    }

    #[test]
    fn nobody_waits_for_what_does_not_come() {
        let (follow, digest) = (Follow::default(), Digest::sha256(b""));
        let end = follow.until_dropped();
        let (_came, skipped) = read(&follow, &Digest::sha256(b"foreign"));
        follow.tell_skipped(&Digest::sha256(b"foreign"));
        assert_eq!(Cut::of(&skipped.join().unwrap().unwrap_err()), Some(Cut::Skipped));
        let (_came, over) = read(&follow, &digest);
        let manifests = thread::spawn({
            let follow = follow.clone();
            move || follow.manifests()
        });
        drop(end);
        assert_eq!(Cut::of(&over.join().unwrap().unwrap_err()), Some(Cut::Over));
        assert!(manifests.join().unwrap().is_none());
    }
}
