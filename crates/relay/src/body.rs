//! What answers are made of.

use crate::metrics::Metrics;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use porthole_native::NativeBody;
use porthole_registry::transport::Error;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// The body of an answer. None of them holds more than a piece of what it streams.
pub(crate) enum Body {
    /// All of it.
    Whole(Option<Bytes>),
    /// What a registry sends, as it arrives.
    Upstream(Box<NativeBody>, Arc<Metrics>),
    /// What a thread reads from a file.
    File(mpsc::Receiver<Result<Bytes, Error>>, Arc<Metrics>),
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
            Self::Upstream(body, metrics) => (body.poll_chunk(cx).map(Result::transpose), metrics),
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
            Self::Upstream(body, _) => body.remaining().map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::File(..) => SizeHint::default(),
        }
    }
}
