//! Reads large blobs of a registry in order, with requests for several ranges at once.
//!
//! On a line with a long round trip, one connection carries a fraction of what the line could. The bytes of the range
//! that is read go straight to its reader. Those of later ranges are held in memory, up to [`HELD`] bytes for all blobs
//! of a source, and beyond that in their connections.

use porthole_core::descriptor::Descriptor;
use porthole_native::Native;
use porthole_registry::{
    Error, Registry,
    client::{BlobRange, RemoteImage},
};
use porthole_source::{BlobStream, ImageSource};
use std::{
    collections::VecDeque,
    ops::{Deref, Range},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::{
    runtime::Handle,
    sync::{
        OwnedSemaphorePermit, Semaphore,
        mpsc::{Receiver, Sender, channel},
    },
    task::AbortHandle,
};

/// Most bytes of later ranges that are held in memory, for all blobs of a source.
pub const HELD: usize = RANGES * CHUNKS * CHUNK;
/// Most ranges that are requested ahead of the one that is read.
const RANGES: usize = 4;
/// Most chunks that are held of each of them.
const CHUNKS: usize = 32;
/// Most chunks that are held of a range that is read from the start.
const FEW: usize = 4;
/// Bytes of a chunk.
const CHUNK: usize = 64 << 10;
/// Bytes of a range. A blob that is not larger is read by one request.
const RANGE: u64 = 8 << 20;

type Client = Arc<Registry<Native>>;

/// An image of a registry, whose large blobs are read ahead.
#[derive(Clone)]
pub struct Remote {
    image: RemoteImage<Client>,
    /// One permit for each range that is requested ahead.
    permits: Arc<Semaphore>,
    /// Whether the registry has answered with a range before.
    heeds: Arc<AtomicBool>,
}

impl From<RemoteImage<Client>> for Remote {
    fn from(image: RemoteImage<Client>) -> Self {
        Self { image, permits: Arc::new(Semaphore::new(RANGES)), heeds: Arc::default() }
    }
}

impl Deref for Remote {
    type Target = RemoteImage<Client>;

    fn deref(&self) -> &RemoteImage<Client> {
        &self.image
    }
}

impl Remote {
    /// Opens a blob. A large one that is read as a whole is requested in ranges, if the registry sends them.
    pub(crate) async fn open(&self, descriptor: &Descriptor, range: Range<u64>) -> Result<RemoteBlob, Error> {
        let one = |blob| RemoteBlob::One(Box::new(blob));
        let is_large = range == (0..descriptor.size) && descriptor.size > RANGE;
        let runtime = if is_large { Handle::try_current().ok() } else { None };
        let Some(runtime) = runtime else {
            return Ok(one(self.image.open_blob(descriptor, range).await?));
        };
        let mut ahead = Ahead::new(self, descriptor, runtime);
        if self.heeds.load(Ordering::Relaxed) {
            ahead.send(false);
        }
        match self.image.open_blob(descriptor, 0..RANGE).await {
            Ok(first) if first.heeds_ranges() == Some(true) => {
                self.heeds.store(true, Ordering::Relaxed);
                ahead.begin(first);
                Ok(RemoteBlob::Ahead(Box::new(ahead)))
            }
            Ok(whole) if whole.is_whole_blob() => Ok(one(whole.to_its_end())),
            // The answer contradicts the descriptor: the reader of the whole blob finds out how.
            Ok(_) | Err(Error::Protocol { .. } | Error::OutOfRange { .. } | Error::Mismatch { .. }) => {
                Ok(one(self.image.open_blob(descriptor, range).await?))
            }
            Err(error) => Err(error),
        }
    }
}

/// A blob of a registry, opened.
pub enum RemoteBlob {
    /// Read by one request.
    One(Box<BlobRange<Client, Native>>),
    /// Read by several requests at once.
    Ahead(Box<Ahead>),
}

impl BlobStream for RemoteBlob {
    type Error = Error;

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::One(blob) => BlobStream::read(&mut **blob, buffer).await,
            Self::Ahead(blob) => blob.read(buffer).await,
        }
    }

    fn overhead(&self) -> u64 {
        match self {
            Self::One(blob) => blob.overhead(),
            Self::Ahead(blob) => blob.notes.overhead.load(Ordering::Relaxed),
        }
    }
}

/// The ranges of a blob. Dropping it ends their requests.
pub struct Ahead {
    remote: Remote,
    descriptor: Descriptor,
    runtime: Handle,
    /// Ranges that were requested, in order; the first is being read.
    coming: VecDeque<Coming>,
    /// The first byte after all ranges that are under way.
    next: u64,
    chunk: Vec<u8>,
    /// Bytes of the chunk that were read.
    read: usize,
    notes: Arc<Notes>,
}

/// What the requests for one blob share.
#[derive(Default)]
struct Notes {
    /// Bytes that were received beyond those of the ranges.
    overhead: AtomicU64,
    /// Whether the registry stopped sending ranges.
    whole: AtomicBool,
    /// Chunks that were read, for reuse.
    spare: Mutex<Vec<Vec<u8>>>,
}

impl Notes {
    fn take_chunk(&self) -> Vec<u8> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut chunk = spare.unwrap_or_default();
        chunk.resize(CHUNK, 0);
        chunk
    }

    fn put_back(&self, chunk: Vec<u8>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if chunk.capacity() == CHUNK && spare.len() < CHUNKS {
            spare.push(chunk);
        }
    }
}

/// A range that was requested.
struct Coming {
    chunks: Receiver<Result<Vec<u8>, Error>>,
    task: AbortHandle,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ahead {
    fn new(remote: &Remote, descriptor: &Descriptor, runtime: Handle) -> Self {
        Self {
            remote: remote.clone(),
            descriptor: descriptor.clone(),
            runtime,
            coming: VecDeque::new(),
            next: RANGE,
            chunk: Vec::new(),
            read: 0,
            notes: Arc::default(),
        }
    }

    /// Takes the answer for the first range.
    fn begin(&mut self, first: BlobRange<Client, Native>) {
        let (sender, chunks) = channel(FEW);
        let notes = Arc::clone(&self.notes);
        let task = self.runtime.spawn(async move { bring(first, &sender, &notes).await }).abort_handle();
        self.coming.push_front(Coming { chunks, task, _permit: None });
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        while self.read == self.chunk.len() {
            self.send(true);
            let Some(first) = self.coming.front_mut() else { return Ok(0) };
            match first.chunks.recv().await {
                Some(chunk) => {
                    self.notes.put_back(std::mem::replace(&mut self.chunk, chunk?));
                    self.read = 0;
                }
                None => drop(self.coming.pop_front()),
            }
        }
        let rest = self.chunk.get(self.read..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        Ok(count)
    }

    /// Requests further ranges, as many as there are permits; at least one if none is under way and one is `needed`.
    fn send(&mut self, needed: bool) {
        while self.next < self.descriptor.size {
            let permit = Arc::clone(&self.remote.permits).try_acquire_owned().ok();
            let whole = self.notes.whole.load(Ordering::Relaxed);
            let only = needed && self.coming.is_empty();
            if !only && (permit.is_none() || whole) {
                return;
            }
            let length = if whole { u64::MAX } else { RANGE };
            let end = self.next.saturating_add(length).min(self.descriptor.size);
            let range = std::mem::replace(&mut self.next, end)..end;
            let (sender, chunks) = channel(if permit.is_some() { CHUNKS } else { FEW });
            let (remote, descriptor, notes) = (self.remote.clone(), self.descriptor.clone(), Arc::clone(&self.notes));
            let task = self.runtime.spawn(async move {
                match remote.image.open_blob(&descriptor, range).await {
                    Ok(blob) => {
                        notes.whole.fetch_or(blob.is_whole_blob(), Ordering::Relaxed);
                        bring(blob, &sender, &notes).await;
                    }
                    Err(error) => drop(sender.send(Err(error)).await),
                }
            });
            self.coming.push_back(Coming { chunks, task: task.abort_handle(), _permit: permit });
        }
    }
}

/// Sends a range chunk by chunk, until it ends, breaks, or its receiver is dropped.
async fn bring(mut blob: BlobRange<Client, Native>, sender: &Sender<Result<Vec<u8>, Error>>, notes: &Notes) {
    let mut ends = false;
    while !ends {
        let (mut chunk, mut filled) = (notes.take_chunk(), 0);
        while filled < CHUNK && !ends {
            match blob.read(&mut chunk[filled..]).await {
                Ok(read) => (filled, ends) = (filled + read, read == 0),
                Err(error) => {
                    chunk.truncate(filled);
                    let _ = sender.send(Ok(chunk)).await;
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            }
        }
        chunk.truncate(filled);
        if filled > 0 && sender.send(Ok(chunk)).await.is_err() {
            return;
        }
    }
    notes.overhead.fetch_add(blob.overhead(), Ordering::Relaxed);
}
