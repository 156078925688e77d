//! Blobs of the cache as bodies of answers.
//!
//! What the system has in memory is read where the answer is written, with no thread between; only what has to come from a disk is
//! read by a thread that may block.

use crate::{clients::Clients, metrics::Metrics};
use bytes::Bytes;
use porthole_registry::transport::{Error, ErrorKind};
use std::{
    fs::File,
    future::Future,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};
use tokio::task::{JoinHandle, spawn_blocking};

/// A part of a complete file, read piece by piece when the client takes more.
pub(crate) struct CachedFile {
    file: Arc<File>,
    /// What is still to be read.
    rest: Range<u64>,
    clients: Arc<Clients>,
    pub(crate) metrics: Arc<Metrics>,
    /// Buffers of pieces that were sent.
    buffers: Buffers,
    /// A piece that a thread reads.
    waiting: Option<JoinHandle<io::Result<Bytes>>>,
}

impl CachedFile {
    pub(crate) fn new(file: File, part: Range<u64>, clients: Arc<Clients>, metrics: Arc<Metrics>) -> Self {
        Self { file: Arc::new(file), rest: part, clients, metrics, buffers: Buffers::default(), waiting: None }
    }

    /// Bytes that are still to come.
    pub(crate) fn left(&self) -> u64 {
        self.rest.end - self.rest.start
    }

    /// The next piece; `None` after the last one.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if self.waiting.is_none() {
            if self.left() == 0 {
                return Poll::Ready(None);
            }
            let largest = self.clients.piece().clamp(1, LARGEST);
            let length = usize::try_from(self.left()).unwrap_or(largest).min(largest);
            let mut piece = self.buffers.take(length, largest);
            match read_from_memory(&self.file, &mut piece.bytes, self.rest.start) {
                Some(count) => {
                    piece.bytes.truncate(count);
                    return Poll::Ready(Some(Ok(self.advance(Bytes::from_owner(piece)))));
                }
                None => {
                    let (file, start) = (Arc::clone(&self.file), self.rest.start);
                    self.waiting = Some(spawn_blocking(move || {
                        file.read_exact_at(&mut piece.bytes, start)?;
                        Ok(Bytes::from_owner(piece))
                    }));
                }
            }
        }
        let Some(waiting) = &mut self.waiting else { return Poll::Ready(None) };
        let read = ready!(Pin::new(waiting).poll(cx));
        self.waiting = None;
        Poll::Ready(Some(match read.map_err(io::Error::other).flatten() {
            Ok(piece) => Ok(self.advance(piece)),
            Err(error) => Err(unreadable(&error.to_string())),
        }))
    }

    fn advance(&mut self, piece: Bytes) -> Bytes {
        self.rest.start += piece.len() as u64;
        piece
    }
}

/// Reads what the system has in memory of a file at `start`. `None` if that is nothing, or if it cannot tell.
#[cfg(target_os = "linux")]
fn read_from_memory(file: &File, buffer: &mut [u8], start: u64) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    preadv2(file, &mut [io::IoSliceMut::new(buffer)], start, ReadWriteFlags::NOWAIT).ok().filter(|count| *count > 0)
}

#[cfg(not(target_os = "linux"))]
fn read_from_memory(_: &File, _: &mut [u8], _: u64) -> Option<usize> {
    None
}

/// The failure of a blob whose file cannot be read.
pub(crate) fn unreadable(reason: &str) -> Error {
    Error { kind: ErrorKind::Interrupted, message: format!("cannot read the blob: {reason}") }
}

/// The largest piece of a file.
pub(crate) const LARGEST: usize = 128 << 10;

/// Buffers that are used again: a new one for each piece would have to be cleared and mapped each time.
#[derive(Default)]
struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// A buffer of `length` bytes, whatever is in them. None of them is larger than `largest`: where pieces have become smaller, more
    /// clients share the memory.
    fn take(&self, length: usize, largest: usize) -> Lent {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut bytes = spare.filter(|spare| spare.capacity() <= largest).unwrap_or_default();
        bytes.resize(length, 0);
        Lent { bytes, home: Arc::clone(&self.0) }
    }
}

/// A buffer, which returns when its bytes have been sent.
struct Lent {
    bytes: Vec<u8>,
    home: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{PIECE, tests::limits};
    use std::{future::poll_fn, io::Write, net::IpAddr};

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn clients() -> Arc<Clients> {
        let mut limits = limits();
        limits.buffers = 2 << 20;
        Clients::new(&limits, CLIENT, porthole_native::PieceSize::default(), Arc::default())
    }

    fn blob(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at / 251 + at % 251) as u8).collect()
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    async fn next(body: &mut CachedFile) -> Option<Result<Bytes, Error>> {
        poll_fn(|cx| body.poll_piece(cx)).await
    }

    #[tokio::test]
    async fn every_part_is_read_whole() {
        let bytes = blob(LARGEST * 2 + 1234);
        for part in [0..bytes.len(), 1..bytes.len() - 1, 5..6, 7..7, LARGEST..LARGEST * 2] {
            let range = part.start as u64..part.end as u64;
            let mut body = CachedFile::new(file(&bytes), range, clients(), Arc::default());
            let mut read = Vec::new();
            while let Some(piece) = next(&mut body).await {
                read.extend_from_slice(&piece.unwrap());
                assert_eq!(body.left(), (part.len() - read.len()) as u64);
            }
            assert!(read == bytes[part.clone()], "{part:?}");
        }
    }

    #[tokio::test]
    async fn a_piece_that_is_still_held_is_not_overwritten() {
        let bytes = blob(LARGEST * 4);
        let mut body = CachedFile::new(file(&bytes), 0..bytes.len() as u64, clients(), Arc::default());
        let mut held = Vec::new();
        while let Some(piece) = next(&mut body).await {
            held.push(piece.unwrap());
        }
        assert!(held.concat() == bytes);
    }

    #[tokio::test]
    async fn pieces_are_small_when_there_are_many_clients() {
        let clients = clients();
        let bytes = blob(LARGEST * 3);
        let mut body = CachedFile::new(file(&bytes), 0..bytes.len() as u64, Arc::clone(&clients), Arc::default());
        assert_eq!(next(&mut body).await.unwrap().unwrap().len(), LARGEST);
        let places: Vec<_> = (0..4).map_while(|_| clients.stream(CLIENT)).collect();
        let small = next(&mut body).await.unwrap().unwrap();
        assert_eq!(small.len(), PIECE);
        drop((small, places));
        assert_eq!(next(&mut body).await.unwrap().unwrap().len(), LARGEST);
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error() {
        let cut = file(&blob(1000));
        cut.set_len(600).unwrap();
        let mut body = CachedFile::new(cut, 0..1000, clients(), Arc::default());
        let mut read = 0;
        let failed = loop {
            match next(&mut body).await {
                Some(Ok(piece)) => read += piece.len(),
                other => break other,
            }
        };
        assert_eq!(read, 600);
        assert!(failed.unwrap().unwrap_err().message.starts_with("cannot read the blob: "));
    }
}
