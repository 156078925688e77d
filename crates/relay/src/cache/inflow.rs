//! The bytes of a blob on their way here: from its registry, or from a bucket as long as that sends them.

use super::{
    Stored,
    bucket::{Access, Bucket},
};
use crate::{headers, upstream::Upstream};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use porthole_native::NativeBody;
use porthole_registry::{
    policy::Url,
    transport::{Error, ErrorKind},
};
use std::{ops::Range, sync::Arc};
use tokio::sync::mpsc;

/// A body that its registry continues where a bucket breaks it off.
pub(crate) struct Inflow {
    body: NativeBody,
    /// Of a bucket: how to continue without it.
    rest: Option<Rest>,
    /// What is still to come of the blob.
    part: Range<u64>,
    /// The bucket had a share in it.
    pub(super) stored: Option<Arc<Bucket>>,
}

/// How its registry is asked for a blob.
pub(crate) struct Rest {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) url: Url,
    pub(crate) sent: HeaderMap,
}

impl Inflow {
    /// A whole blob that its registry sends.
    pub(crate) fn of_registry(body: NativeBody) -> Self {
        Self { body, rest: None, part: 0..0, stored: None }
    }

    pub(crate) fn of_bucket(stored: Stored, bucket: &Arc<Bucket>, rest: Rest) -> Self {
        Self { body: stored.body, rest: Some(rest), part: stored.part, stored: Some(Arc::clone(bucket)) }
    }

    /// The body of a registry as it was.
    pub(crate) fn into_body(self) -> NativeBody {
        self.body
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The registry broke the body off.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let piece = self.body.chunk().await;
            if let Ok(Some(piece)) = &piece {
                self.part.start += piece.len() as u64;
            }
            let (Some(bucket), true) = (&self.stored, self.part.start < self.part.end) else { return piece };
            let why = match piece {
                Ok(Some(piece)) => return Ok(Some(piece)),
                Ok(None) => "the body ended early".to_owned(),
                Err(error) => error.to_string(),
            };
            let Some(rest) = self.rest.take() else {
                return Err(Error { kind: ErrorKind::Interrupted, message: why });
            };
            bucket.failed(Access::Read, &why);
            self.body = rest.ask(self.part.clone()).await?;
        }
    }

    /// Sends all of it, as fast as the receiver takes it.
    pub(super) async fn send(mut self, sender: mpsc::Sender<Result<Bytes, Error>>) {
        while let Ok(place) = sender.reserve().await {
            match self.chunk().await.transpose() {
                Some(piece) => place.send(piece),
                None => return,
            }
        }
    }
}

impl Rest {
    async fn ask(mut self, part: Range<u64>) -> Result<NativeBody, Error> {
        let broken = |message: String| Error { kind: ErrorKind::Interrupted, message };
        for name in [header::IF_RANGE, header::IF_NONE_MATCH] {
            self.sent.remove(name);
        }
        let range = format!("bytes={}-{}", part.start, part.end - 1);
        self.sent.insert(header::RANGE, HeaderValue::from_str(&range).map_err(|error| broken(error.to_string()))?);
        let answer = self.upstream.fetch(&Method::GET, self.url, self.sent).await;
        let response = answer.map_err(|refusal| broken(refusal.message))?.response;
        let there = response.headers().get(header::CONTENT_RANGE).and_then(headers::content_range_part);
        let right = match response.status() {
            StatusCode::PARTIAL_CONTENT => there.is_some_and(|(there, _)| there == part),
            StatusCode::OK => part.start == 0 && response.body().remaining() == Some(part.end),
            _ => false,
        };
        if right {
            Ok(response.into_body())
        } else {
            Err(broken(format!("the registry answered {}", response.status())))
        }
    }
}
