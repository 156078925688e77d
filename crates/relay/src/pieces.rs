//! Bodies out of files.

use bytes::Bytes;
use porthole_registry::transport::{Error, ErrorKind};
use std::ops::Range;
use tokio::{sync::mpsc, task::spawn_blocking};

/// Reads a range of a file in pieces of what `piece` says and sends them. Returns whether all of them were sent: the receiver may be
/// dropped before. `read` gets an offset and a length, and may block.
///
/// No thread is held while the receiver takes nothing: the threads that may block are few, and readers that stopped are many. Memory is
/// taken only when it can be passed on at once.
pub(crate) async fn send(
    read: impl Fn(u64, usize) -> Result<Bytes, String> + Clone + Send + 'static,
    range: Range<u64>,
    piece: impl Fn() -> usize,
    sender: &mpsc::Sender<Result<Bytes, Error>>,
) -> bool {
    let mut start = range.start;
    while start < range.end {
        let Ok(place) = sender.reserve().await else { return false };
        let length = usize::try_from(range.end - start).unwrap_or(LARGEST).min(piece().clamp(1, LARGEST));
        let read = read.clone();
        let piece = match spawn_blocking(move || read(start, length)).await {
            Ok(Ok(piece)) => piece,
            Ok(Err(reason)) => {
                place.send(Err(unreadable(&reason)));
                return false;
            }
            Err(_) => return false,
        };
        start += piece.len() as u64;
        place.send(Ok(piece));
    }
    true
}

fn unreadable(reason: &str) -> Error {
    Error { kind: ErrorKind::Interrupted, message: format!("cannot read the blob: {reason}") }
}

const LARGEST: usize = 128 << 10;
