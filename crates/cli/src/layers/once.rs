//! Blobs that several layers have, where their data cannot wait in memory: each is fetched once, into a file without a name.

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

/// A source whose repeated blobs are kept while they are read for the first time.
pub(super) struct FetchedOnce<'a> {
    origin: &'a Origin,
    kept: HashMap<Digest, Arc<Slot>>,
}

/// The place of one blob.
#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
enum State {
    #[default]
    Unread,
    /// It is being read for the first time.
    Arriving,
    Kept(Arc<File>),
    /// It could not be kept.
    Lost,
}

impl<'a> FetchedOnce<'a> {
    /// Keeps the blobs that several of these layers have, if they come over the network.
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

    /// Waits where another thread is reading the same blob. That thread reads a lower layer, so that it never waits for this one.
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
    /// What is known of the blob, as soon as it does not change on its own. The first caller reads it.
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

/// A blob on its way, which may be copied.
pub(super) struct Fetched {
    /// Before the blob: it is dropped first, so that another thread does not wait for the end of a connection.
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
    /// `None` once it cannot be written.
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

/// A reader of a file that others read, too.
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
