//! Reads large blobs of a registry in order, with requests for several ranges at once.
//!
//! On a line with a long round trip, one connection carries a fraction of what the line could. The bytes of the range
//! that is read go straight to its reader. Those of later ranges are held in memory, within one bound for all blobs of a
//! source. From a registry that is near, one connection brings more than is decompressed in the same time.

mod window;

use self::window::{Client, Coming, Notes, Place, RANGE, Window};
use porthole_core::{descriptor::Descriptor, digest::Digest};
use porthole_native::Native;
use porthole_registry::{
    Error,
    client::{BlobRange, RemoteImage},
    plan::pull::SPLIT,
};
use porthole_source::{BlobStream, ImageSource};
use std::{
    ops::{Deref, Range},
    sync::{Arc, OnceLock, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::runtime::Handle;

/// A blob that is not larger is read by one request, as in a pull: on a narrow line, further connections only lose packets.
const LARGE: u64 = SPLIT;
/// A registry that answers within this time is near.
const NEAR: Duration = Duration::from_millis(20);

/// An image of a registry, whose large blobs are read ahead.
#[derive(Clone)]
pub struct Remote {
    image: RemoteImage<Client>,
    window: Arc<Window>,
    /// Time within which a registry that is near answers.
    near: Duration,
    /// Whether the registry is near; unset until it has answered with a range.
    is_near: Arc<OnceLock<bool>>,
}

impl From<RemoteImage<Client>> for Remote {
    fn from(image: RemoteImage<Client>) -> Self {
        Self { image, window: Arc::default(), near: NEAR, is_near: Arc::default() }
    }
}

impl Deref for Remote {
    type Target = RemoteImage<Client>;

    fn deref(&self) -> &RemoteImage<Client> {
        &self.image
    }
}

impl Remote {
    /// Reads ahead only if the registry takes at least this time for its first answer; usually 20 ms.
    #[must_use]
    pub fn with_near(self, near: Duration) -> Self {
        Self { near, ..self }
    }

    /// Announces the order in which blobs will be read. Others are read ahead after these, in the order in which they are
    /// opened.
    pub(crate) fn announce(&self, blobs: impl IntoIterator<Item = Digest>) {
        self.window.announce(blobs);
    }

    /// Opens a blob. A large one that is read as a whole is requested in ranges, if the registry sends them and is not near.
    pub(crate) async fn open(&self, descriptor: &Descriptor, range: Range<u64>) -> Result<RemoteBlob, Error> {
        let one = |blob| RemoteBlob::One(Box::new(blob));
        let is_large = range == (0..descriptor.size) && descriptor.size > LARGE;
        let ahead = is_large && self.is_near.get() != Some(&true);
        let Some(runtime) = Handle::try_current().ok().filter(|_| ahead) else {
            return Ok(one(self.image.open_blob(descriptor, range).await?));
        };
        let mut ahead = Ahead::new(self, descriptor, runtime);
        if self.is_near.get().is_some() {
            self.window.begin(ahead.place);
        }
        let asked = Instant::now();
        match self.image.open_blob(descriptor, 0..RANGE).await {
            Ok(first) if first.heeds_ranges() == Some(true) => {
                if *self.is_near.get_or_init(|| asked.elapsed() < self.near) {
                    return Ok(RemoteBlob::Near(Box::new(Near::new(self, descriptor, first))));
                }
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
    /// Read by two requests, one after the other.
    Near(Box<Near>),
    /// Read by several requests at once.
    Ahead(Box<Ahead>),
}

impl BlobStream for RemoteBlob {
    type Error = Error;

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::One(blob) => BlobStream::read(&mut **blob, buffer).await,
            Self::Near(blob) => blob.read(buffer).await,
            Self::Ahead(blob) => blob.read(buffer).await,
        }
    }

    fn overhead(&self) -> u64 {
        match self {
            Self::One(blob) => blob.overhead(),
            Self::Near(blob) => blob.overhead + blob.part.overhead(),
            Self::Ahead(blob) => blob.notes.overhead.load(Ordering::Relaxed),
        }
    }
}

/// A blob whose first range came from a registry that turned out to be near.
pub struct Near {
    image: RemoteImage<Client>,
    descriptor: Descriptor,
    part: BlobRange<Client, Native>,
    /// Whether this is the first range.
    is_first: bool,
    /// Bytes that were received beyond those of the first range.
    overhead: u64,
}

impl Near {
    fn new(remote: &Remote, descriptor: &Descriptor, first: BlobRange<Client, Native>) -> Self {
        Self { image: remote.image.clone(), descriptor: descriptor.clone(), part: first, is_first: true, overhead: 0 }
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let read = BlobStream::read(&mut self.part, buffer).await?;
        if read > 0 || buffer.is_empty() || !self.is_first {
            return Ok(read);
        }
        let rest = self.image.open_blob(&self.descriptor, RANGE..self.descriptor.size).await?;
        let first = std::mem::replace(&mut self.part, rest);
        (self.is_first, self.overhead) = (false, first.overhead());
        BlobStream::read(&mut self.part, buffer).await
    }
}

/// A blob that is read in ranges. Dropping it ends their requests.
pub struct Ahead {
    window: Arc<Window>,
    runtime: Handle,
    place: Place,
    /// The range that is being read.
    current: Option<Coming>,
    chunk: Vec<u8>,
    /// Bytes of the chunk that were read.
    read: usize,
    notes: Arc<Notes>,
}

impl Ahead {
    fn new(remote: &Remote, descriptor: &Descriptor, runtime: Handle) -> Self {
        let (place, notes) = remote.window.open(&remote.image, descriptor, &runtime);
        Self { window: Arc::clone(&remote.window), runtime, place, current: None, chunk: Vec::new(), read: 0, notes }
    }

    /// Takes the answer for the first range.
    fn begin(&mut self, first: BlobRange<Client, Native>) {
        self.current = Some(Coming::begun(first, &self.runtime, &self.notes));
        self.window.begin(self.place);
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        while self.read == self.chunk.len() {
            if self.current.is_none() {
                self.current = self.window.next(self.place);
            }
            let Some(current) = &mut self.current else { return Ok(0) };
            match current.chunks.recv().await {
                Some(chunk) => {
                    self.notes.put_back(std::mem::replace(&mut self.chunk, chunk?));
                    self.read = 0;
                }
                None => self.current = None,
            }
        }
        let rest = self.chunk.get(self.read..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        Ok(count)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.current = None;
        self.window.leave(self.place);
    }
}
