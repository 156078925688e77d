//! What answers are made of.

use crate::metrics::{Limit, Metrics};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use porthole_native::NativeBody;
use porthole_registry::transport::{Error, ErrorKind};
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
    /// What a thread reads from a file.
    File(mpsc::Receiver<Result<Bytes, Error>>, Arc<Metrics>),
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
            Self::File(pieces, metrics) => (pieces.poll_recv(cx), metrics),
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
            Self::File(..) => SizeHint::default(),
        }
    }
}
