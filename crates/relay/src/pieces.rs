//! Answers with blobs that are in files: whole, or a range of them.

use crate::{
    body::Body,
    page,
    reading::{LARGEST, unreadable},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use porthole_core::digest::Digest;
use porthole_registry::transport::Error;
use std::{fs::File, ops::Range, os::unix::fs::FileExt, sync::Arc};
use tokio::{sync::mpsc, task::spawn_blocking};

/// Names the blob of an answer: its digest, which is its entity tag as well.
pub(crate) fn identify(headers: &mut HeaderMap, digest: &Digest) {
    headers.insert("docker-content-digest", number(digest.to_string()));
    headers.insert(header::ETAG, number(etag(digest)));
}

/// The entity tag of a blob.
pub(crate) fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// Whether a client has the blob already, by its `If-None-Match`.
pub(crate) fn is_known(client: &HeaderMap, digest: &Digest) -> bool {
    client.get(header::IF_NONE_MATCH).is_some_and(|tags| page::lists(tags, &etag(digest)))
}

/// Selects what a range asks of a blob of `size` bytes, and writes status, `Content-Range` and `Content-Length` into the answer. `None` if
/// the blob has no such bytes: the status is 416 then.
pub(crate) fn select(
    response: &mut Response<Body>,
    range: Option<(Option<u64>, Option<u64>)>,
    size: u64,
) -> Option<Range<u64>> {
    let Range { start, end } = range.map_or(0..size, |range| span(range, size));
    let head = response.headers_mut();
    if range.is_some() && start >= end {
        head.insert(header::CONTENT_RANGE, number(format!("bytes */{size}")));
        *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
        return None;
    }
    head.insert(header::CONTENT_LENGTH, number((end - start).to_string()));
    if range.is_some() {
        head.insert(header::CONTENT_RANGE, number(format!("bytes {start}-{}/{size}", end - 1)));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Some(start..end)
}

/// The bytes that a range names of a blob of `size` bytes; none of them, or the end before the start, if it has no such bytes.
pub(crate) fn span(range: (Option<u64>, Option<u64>), size: u64) -> Range<u64> {
    match range {
        (None, Some(count)) => size.saturating_sub(count)..size,
        (first, last) => first.unwrap_or(0)..last.map_or(size, |last| size.min(last.saturating_add(1))),
    }
}

/// A header of digits, digests and punctuation, which is always one.
fn number(text: String) -> HeaderValue {
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

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

/// Reads an open file for [`send`].
pub(crate) fn of_file(file: Arc<File>) -> impl Fn(u64, usize) -> Result<Bytes, String> + Clone + Send + 'static {
    move |start, length| {
        let mut piece = vec![0; length];
        file.read_exact_at(&mut piece, start).map(|()| piece.into()).map_err(|error| error.to_string())
    }
}
