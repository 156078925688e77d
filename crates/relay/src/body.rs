//! What answers are made of.

use crate::{
    metrics::{Limit, Metrics},
    reading::CachedFile,
};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use porthole_core::{limits::Limits, media_type::Compression};
use porthole_native::NativeBody;
use porthole_registry::{
    coding::Undo,
    transport::{Error, ErrorKind},
};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::sync::mpsc;

/// The body of an answer. None of them holds more than a piece of what it streams.
pub(crate) enum Body {
    /// All of it.
    Whole(Option<Bytes>),
    /// What a registry sends, as it arrives.
    Upstream(Box<Arriving>),
    /// What a registry sends, without the coding that a server on the way gave it.
    Uncoded(Box<Uncoded>),
    /// What a thread reads from a file.
    File(Pieces),
    /// A blob of the cache.
    Cached(Box<CachedFile>),
}

/// A part of a file, piece by piece.
pub(crate) struct Pieces {
    pub(crate) receiver: mpsc::Receiver<Result<Bytes, Error>>,
    /// Bytes that are still to come.
    pub(crate) left: u64,
    pub(crate) metrics: Arc<Metrics>,
}

impl Pieces {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let piece = ready!(self.receiver.poll_recv(cx));
        let bytes = piece.as_ref().and_then(|piece| piece.as_ref().ok()).map_or(0, Bytes::len);
        self.left = self.left.saturating_sub(bytes as u64);
        Poll::Ready(piece)
    }
}

/// What a registry sends.
pub(crate) struct Arriving {
    pub(crate) body: NativeBody,
    /// Bytes that may still come; `None` for a blob, whose size its client knows.
    pub(crate) left: Option<u64>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Arriving {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let mut piece = ready!(self.body.poll_chunk(cx)).transpose();
        if matches!(&piece, Some(Err(error)) if error.kind == ErrorKind::Slow) {
            self.metrics.limited(Limit::UpstreamMinRate);
        }
        if let (Some(left), Some(Ok(bytes))) = (&mut self.left, &piece) {
            match left.checked_sub(bytes.len() as u64) {
                Some(rest) => *left = rest,
                None => {
                    self.metrics.limited(Limit::DocumentSize);
                    let message = "the document is longer than this relay passes on".to_owned();
                    piece = Some(Err(Error { kind: ErrorKind::Other, message }));
                }
            }
        }
        Poll::Ready(piece)
    }
}

/// A body whose content coding is undone. At most one piece is held in each form.
pub(crate) struct Uncoded {
    arriving: Arriving,
    undo: Undo,
    buffer: Box<[u8]>,
    /// The last decoded piece: it is given when more came behind it, or when the coding ended well.
    held: Option<Bytes>,
    /// Decoded bytes that are still to come.
    left: u64,
    ended: bool,
}

impl Uncoded {
    /// The `size` bytes that a body has without its coding.
    pub(crate) fn new(arriving: Arriving, compression: Compression, size: u64) -> Self {
        let undo = Undo::new(compression, size, &Limits::default());
        Self { arriving, undo, buffer: vec![0; UNCODED].into(), held: None, left: size, ended: false }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            match self.undo.take(&mut self.buffer) {
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(0) if self.ended => {
                    let last = self.held.take();
                    if let Err(error) = self.undo.finish() {
                        return Poll::Ready(Some(Err(error)));
                    }
                    return self.give(last);
                }
                Ok(0) => {}
                Ok(count) => {
                    let piece = Bytes::copy_from_slice(&self.buffer[..count]);
                    if let Some(before) = self.held.replace(piece) {
                        return self.give(Some(before));
                    }
                }
            }
            match ready!(self.arriving.poll_piece(cx)) {
                Some(Ok(piece)) => self.undo.push(&piece),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.ended = true,
            }
        }
    }

    fn give(&mut self, piece: Option<Bytes>) -> Poll<Option<Result<Bytes, Error>>> {
        self.left = self.left.saturating_sub(piece.as_ref().map_or(0, Bytes::len) as u64);
        Poll::Ready(match piece {
            None if self.left > 0 => {
                let message = "the body is shorter than the registry says".to_owned();
                Some(Err(Error { kind: ErrorKind::Interrupted, message }))
            }
            piece => piece.map(Ok),
        })
    }
}

/// Decoded at a time.
const UNCODED: usize = 32 << 10;

impl Body {
    pub(crate) fn empty() -> Self {
        Self::Whole(None)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let (next, metrics) = match self.get_mut() {
            Self::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Upstream(arriving) => (arriving.poll_piece(cx), &mut arriving.metrics),
            Self::Uncoded(uncoded) => (uncoded.poll_piece(cx), &mut uncoded.arriving.metrics),
            Self::File(pieces) => (pieces.poll_piece(cx), &mut pieces.metrics),
            Self::Cached(file) => (file.poll_piece(cx), &mut file.metrics),
        };
        next.map(|piece| {
            piece.map(|piece| {
                metrics.streamed(&piece);
                piece.map(Frame::data)
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Upstream(arriving) => arriving.body.remaining().map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Uncoded(uncoded) => SizeHint::with_exact(uncoded.left),
            Self::File(pieces) => SizeHint::with_exact(pieces.left),
            Self::Cached(file) => SizeHint::with_exact(file.left()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::body::Body as _;

    #[tokio::test]
    async fn a_file_that_was_sent_to_its_end_is_not_called_broken_off() {
        let (sender, receiver) = mpsc::channel(2);
        for piece in ["abc", "de"] {
            sender.send(Ok(Bytes::from_static(piece.as_bytes()))).await.unwrap();
        }
        let mut body = Body::File(Pieces { receiver, left: 5, metrics: Arc::default() });
        for left in [2, 0] {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            assert!(frame.is_some_and(|frame| frame.is_ok()));
            assert_eq!(body.size_hint().exact(), Some(left));
        }
    }
}
