//! The bytes of a blob that is sent: they are verified before they pass, and read again for each try.

use crate::{
    BlobProgress, TransferObserver,
    source::{Error, Source},
};
use bytes::{Bytes, BytesMut};
use porthole_core::{
    descriptor::Descriptor,
    digest::{Mismatch, Verifier},
};
use porthole_native::Native;
use porthole_registry::{
    Registry,
    client::{RemoteImage, UploadContent},
    transport::{self, Chunks, ErrorKind, Payload},
};
use porthole_source::{Capability, ImageSource};
use std::{
    io,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};
use tokio::{
    runtime::Handle,
    sync::mpsc::{Receiver, Sender, channel},
    task::AbortHandle,
};

/// Returns the content of a blob of a source. Its bytes are verified before they pass.
pub(crate) fn content(source: &Source, descriptor: &Descriptor, observer: &TransferObserver) -> Arc<Shared> {
    let check =
        Check { verifier: Some(Verifier::new(&descriptor.digest, descriptor.size)), position: 0, error: None, sent: 0 };
    Arc::new(Shared {
        source: source.clone(),
        descriptor: descriptor.clone(),
        observer: observer.clone(),
        runtime: Handle::current(),
        check: Mutex::new(check),
    })
}

/// A blob of a source, for all tries to send it.
pub(crate) struct Shared {
    source: Source,
    descriptor: Descriptor,
    observer: TransferObserver,
    runtime: Handle,
    check: Mutex<Check>,
}

/// How much of the blob is verified: a prefix. Bytes that are sent again are not verified again.
struct Check {
    /// `None` once the whole blob is verified.
    verifier: Option<Verifier>,
    position: u64,
    /// Why the source failed.
    error: Option<Error>,
    /// Bytes that were handed to connections.
    sent: u64,
}

impl Shared {
    /// Bytes that were handed to connections, repeated ones included.
    pub(crate) fn sent(&self) -> u64 {
        self.check().sent
    }

    /// Why the source failed, if it did.
    pub(crate) fn error(&self) -> Option<Error> {
        self.check().error.clone()
    }

    fn check(&self) -> MutexGuard<'_, Check> {
        self.check.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a part of the blob from its descriptor, if the whole blob is embedded there.
    fn data(&self, range: &Range<u64>) -> Option<Bytes> {
        let data = self.descriptor.data.as_ref().filter(|data| data.len() as u64 == self.descriptor.size)?;
        let part = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
        Some(Bytes::copy_from_slice(data.get(part)?))
    }

    /// Verifies bytes before they are sent. The last ones pass only if the whole blob is verified.
    fn pass(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let mut check = self.check();
        let Check { verifier, position, .. } = &mut *check;
        let known = usize::try_from(position.saturating_sub(offset)).unwrap_or(usize::MAX);
        if let (Some(running), Some(fresh)) = (verifier.as_mut(), bytes.get(known..)) {
            running.update(fresh)?;
            *position += fresh.len() as u64;
        }
        if *position >= self.descriptor.size
            && let Some(complete) = verifier.take()
        {
            complete.finish()?;
        }
        Ok(())
    }

    fn fail(&self, error: Error) -> transport::Error {
        let message = error.to_string();
        self.check().error.get_or_insert(error);
        transport::Error { kind: ErrorKind::Source, message }
    }
}

/// A blob as the content of an upload.
pub(crate) struct Sending(pub(crate) Arc<Shared>);

impl UploadContent for Sending {
    fn part(&self, range: Range<u64>) -> Payload {
        Payload::Stream(Arc::new(Part { shared: Arc::clone(&self.0), range }))
    }
}

struct Part {
    shared: Arc<Shared>,
    range: Range<u64>,
}

impl transport::PayloadSource for Part {
    fn length(&self) -> Option<u64> {
        Some(self.range.end - self.range.start)
    }

    fn open(&self) -> Box<dyn Chunks> {
        let (sender, receiver) = channel(AHEAD);
        let (shared, range) = (Arc::clone(&self.shared), self.range.clone());
        let task = match &self.shared.source {
            Source::Registry(remote) => {
                let remote = remote.clone();
                self.shared
                    .runtime
                    .spawn(async move { read_registry(&shared, &remote, range, &sender).await })
                    .abort_handle()
            }
            _ => self.shared.runtime.spawn_blocking(move || read_local(&shared, &range, &sender)).abort_handle(),
        };
        let at = self.range.start;
        Box::new(Opened { shared: Arc::clone(&self.shared), receiver, task, at })
    }
}

type Chunk = Result<Bytes, transport::Error>;

fn broken(error: io::Error) -> Error {
    porthole_source::Error::read("blob")(error).into()
}

/// Reads and verifies a range of a blob, on a thread of its own. Ends when the receiver is dropped.
fn read_local(shared: &Shared, range: &Range<u64>, sender: &Sender<Chunk>) {
    let Source::Local { local, .. } = &shared.source else {
        let unsupported = shared.source.kind().cannot(Capability::Documents);
        let _ = sender.blocking_send(Err(shared.fail(unsupported.into())));
        return;
    };
    let mut reader = match local.open_blob(&shared.descriptor, range.start) {
        Ok((size, reader)) if size == shared.descriptor.size => reader,
        Ok((size, _)) => {
            let wrong = Mismatch::Size { expected: shared.descriptor.size, got: size };
            let _ = sender.blocking_send(Err(shared.fail(wrong.into())));
            return;
        }
        Err(error) => {
            let _ = sender.blocking_send(Err(shared.fail(error.into())));
            return;
        }
    };
    let (mut offset, mut buffers) = (range.start, Buffers::default());
    while offset < range.end {
        let length = usize::try_from(range.end - offset).unwrap_or(usize::MAX).min(CHUNK);
        let mut buffer = buffers.take(length);
        let read = reader.read_exact(&mut buffer).map_err(broken);
        let passed = read.and_then(|()| shared.pass(offset, &buffer));
        let result = passed.map(|()| buffers.share(buffer)).map_err(|error| shared.fail(error));
        let failed = result.is_err();
        if sender.blocking_send(result).is_err() || failed {
            return;
        }
        offset += length as u64;
    }
}

/// Buffers of chunks that are on their way, for reuse.
#[derive(Default)]
struct Buffers(Vec<Bytes>);

impl Buffers {
    /// Returns a buffer of this length: one whose chunk was sent, if there is any, because the memory of a new one is zeroed by
    /// the kernel and here.
    fn take(&mut self, length: usize) -> BytesMut {
        let sent = self.0.iter().position(Bytes::is_unique).map(|place| self.0.swap_remove(place));
        let mut buffer = sent.and_then(|sent| sent.try_into_mut().ok()).unwrap_or_default();
        buffer.resize(length, 0);
        buffer
    }

    /// Returns the chunk of a buffer.
    fn share(&mut self, buffer: BytesMut) -> Bytes {
        let chunk = buffer.freeze();
        self.0.push(chunk.clone());
        chunk
    }
}

async fn read_registry(
    shared: &Shared,
    remote: &RemoteImage<Arc<Registry<Native>>>,
    range: Range<u64>,
    sender: &Sender<Chunk>,
) {
    let mut offset = range.start;
    let outcome = async {
        if let Some(data) = shared.data(&range) {
            shared.pass(offset, &data)?;
            let _ = sender.send(Ok(data)).await;
            return Ok(());
        }
        let mut blob = remote.client().fetch_blob_range(remote.reference(), &shared.descriptor, range).await?;
        let mut room = BytesMut::zeroed(CHUNK);
        loop {
            let read = blob.read(&mut room).await?;
            if read == 0 {
                return Ok(());
            }
            let chunk = room.split_to(read).freeze();
            shared.pass(offset, &chunk)?;
            offset += read as u64;
            if sender.send(Ok(chunk)).await.is_err() {
                return Ok(());
            }
            if room.len() < CHUNK / 4 {
                room = BytesMut::zeroed(CHUNK);
            }
        }
    };
    if let Err(error) = outcome.await {
        let _ = sender.send(Err(shared.fail(error))).await;
    }
}

struct Opened {
    shared: Arc<Shared>,
    receiver: Receiver<Chunk>,
    task: AbortHandle,
    /// The next byte of the blob.
    at: u64,
}

impl Chunks for Opened {
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, transport::Error>> {
        self.receiver.poll_recv(context).map(|chunk| {
            let chunk = chunk.transpose()?;
            if let Some(chunk) = &chunk {
                let Descriptor { digest, size, .. } = self.shared.descriptor;
                self.shared.check().sent += chunk.len() as u64;
                self.shared.observer.blob(digest, size, BlobProgress::Moved { bytes: chunk.len() as u64 });
                self.at += chunk.len() as u64;
                if self.at >= size {
                    self.shared.observer.blob(digest, size, BlobProgress::Committing);
                }
            }
            Ok(chunk)
        })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Bytes that are read at once: enough to make reads cheap, few enough that a slow line takes them within one stall.
const CHUNK: usize = 128 << 10;
/// Chunks that are read ahead of the connection.
const AHEAD: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_of_a_chunk_is_used_again_once_all_of_it_was_sent() {
        let mut buffers = Buffers::default();
        let buffer = buffers.take(CHUNK);
        let mut chunk = buffers.share(buffer);
        let rest = chunk.split_off(CHUNK / 2);
        let place = chunk.as_ptr();
        drop(chunk);
        let second = buffers.take(CHUNK);
        assert_ne!(second.as_ptr(), place, "half of it is on its way");
        drop(rest);
        let again = buffers.take(CHUNK / 4);
        assert_eq!((again.as_ptr(), again.len()), (place, CHUNK / 4));
        drop((again, second));
        assert_eq!(buffers.0.len(), 0);
    }
}
