//! Fetches a blob that several layers have only once, and keeps it in a temporary file without a name. For verbs that need the
//! data of files, which is too large to wait in memory.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Write},
    ops::Range,
    os::unix::fs::FileExt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    limits::Limits,
    manifest::{Document, Raw},
};
use porthole_inspect::layer::first_of_blob;
use porthole_source::{BlobStream, ImageSource, SourceKind};
use porthole_transfer::{
    Source as Origin,
    source::{Error, SourceBlob},
};

use super::Job;

/// A source that copies a repeated blob to a file when it is first read, and reads it from there later.
pub(super) struct FetchedOnce<'a> {
    origin: &'a Origin,
    kept: HashMap<Digest, Arc<Slot>>,
}

/// The state of one repeated blob, shared by the threads.
#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
enum State {
    #[default]
    Unread,
    /// A thread is reading the blob for the first time.
    Arriving,
    Kept(Arc<File>),
    /// The copy could not be written or is incomplete, so the blob must be fetched again.
    Lost,
}

impl<'a> FetchedOnce<'a> {
    /// Selects the blobs to keep: those that several of these layers have, if the source is a registry.
    pub(super) fn new(origin: &'a Origin, jobs: &[Job]) -> Self {
        let remote = matches!(origin, Origin::Registry(_));
        let repeated = first_of_blob(jobs).into_iter().enumerate().filter(|(place, first)| remote && place != first);
        let digests = repeated.filter_map(|(_, first)| Some(jobs[first].descriptor.as_ref()?.digest));
        Self { origin, kept: digests.map(|digest| (digest, Arc::default())).collect() }
    }
}

impl ImageSource for FetchedOnce<'_> {
    type Error = Error;
    type Blob = Fetched;

    fn kind(&self) -> SourceKind {
        self.origin.kind()
    }

    fn limits(&self) -> &Limits {
        self.origin.limits()
    }

    async fn root(&self) -> Result<Document, Error> {
        self.origin.root().await
    }

    async fn document(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        self.origin.document(descriptor).await
    }

    async fn small_blob(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        self.origin.small_blob(descriptor).await
    }

    /// Waits if another thread is reading the same blob. There is no deadlock: that thread reads a lower layer, so it never waits
    /// for this one.
    async fn open_blob(&self, descriptor: &Descriptor, range: Range<u64>) -> Result<Fetched, Error> {
        let slot = self.kept.get(&descriptor.digest).filter(|_| range.start == 0);
        let Some(slot) = slot else { return Ok(Fetched::of(self.origin.open_blob(descriptor, range).await?)) };
        match slot.begin() {
            State::Kept(file) => {
                let reader = Box::new(At { file, position: 0 });
                Ok(Fetched::of(SourceBlob::File { reader, name: "blob".to_owned() }))
            }
            State::Lost => Ok(Fetched::of(self.origin.open_blob(descriptor, range).await?)),
            State::Unread | State::Arriving => {
                let copy = Copy { slot: Arc::clone(slot), file: tempfile::tempfile().ok(), complete: false };
                Ok(Fetched { copy: Some(copy), blob: self.origin.open_blob(descriptor, range).await? })
            }
        }
    }

    async fn open_bare(&self, range: Range<u64>) -> Result<Fetched, Error> {
        Ok(Fetched::of(self.origin.open_bare(range).await?))
    }
}

impl Slot {
    /// Returns the state of the blob, once no other thread is reading it for the first time. The first caller gets
    /// [`State::Unread`] and must read the blob.
    fn begin(&self) -> State {
        let mut state = self.lock();
        loop {
            match &*state {
                State::Unread => return std::mem::replace(&mut *state, State::Arriving),
                State::Arriving => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                State::Kept(file) => return State::Kept(Arc::clone(file)),
                State::Lost => return State::Lost,
            }
        }
    }

    fn end(&self, state: State) {
        *self.lock() = state;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A blob that is read, and copied if it is a repeated one.
pub(super) struct Fetched {
    /// Declared before `blob`, so that it is dropped first: other threads then do not wait until the connection is closed.
    copy: Option<Copy>,
    blob: SourceBlob,
}

impl Fetched {
    fn of(blob: SourceBlob) -> Self {
        Self { copy: None, blob }
    }
}

impl BlobStream for Fetched {
    type Error = Error;

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let read = self.blob.read(buffer).await?;
        if let Some(copy) = &mut self.copy {
            copy.take(&buffer[..read]);
        }
        Ok(read)
    }

    fn overhead(&self) -> u64 {
        self.blob.overhead()
    }
}

/// The copy of a blob that is read for the first time.
struct Copy {
    slot: Arc<Slot>,
    /// `None` after a failed write.
    file: Option<File>,
    complete: bool,
}

impl Copy {
    fn take(&mut self, bytes: &[u8]) {
        self.complete = bytes.is_empty();
        if self.file.as_mut().is_some_and(|file| file.write_all(bytes).is_err()) {
            self.file = None;
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let file = self.file.take().filter(|_| self.complete);
        self.slot.end(file.map_or(State::Lost, |file| State::Kept(Arc::new(file))));
    }
}

/// A reader with its own position, of a file that several threads read.
struct At {
    file: Arc<File>,
    position: u64,
}

impl io::Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}
