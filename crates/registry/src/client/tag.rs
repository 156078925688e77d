//! Polls what a tag stands for, with as little traffic as the registry allows.

use super::{
    Call, Registry,
    exchange::{Answer, Repeat},
};
use crate::{
    endpoint::{
        manifest::{self, Accept},
        quota::{self, Quota},
    },
    error::Error,
    transport::{Environment, Request, Transport},
};
use http::{HeaderValue, Method, StatusCode, header};
use porthole_core::{digest::Digest, manifest::Raw, reference::Reference};
use std::time::Duration;

/// What an earlier look at a tag has shown; the [default](Self::default) knows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Digest that the tag stood for.
    pub digest: Option<Digest>,
    /// The `ETag` that came with it.
    pub etag: Option<HeaderValue>,
    /// Whether the registry returns no digest to `HEAD`.
    pub without_head: bool,
}

/// What a look at a tag shows.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Digest that the tag stands for.
    pub digest: Digest,
    /// What to pass to the next look.
    pub known: Known,
    /// What the registry says of its quota.
    pub quota: Option<Quota>,
    /// Whether a manifest was requested in full, which counts as a pull where pulls are counted.
    pub pulled: bool,
}

/// Why a look showed nothing.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unseen {
    /// Why the tag could not be seen.
    pub error: Box<Error>,
    /// How long the registry asks to wait.
    pub retry_after: Option<Duration>,
    /// What the registry says of its quota.
    pub quota: Option<Quota>,
}

impl From<Error> for Unseen {
    fn from(error: Error) -> Self {
        Self { error: Box::new(error), retry_after: None, quota: None }
    }
}

impl<T: Transport + Environment> Registry<T> {
    /// Returns what a reference stands for in the registry. Sends `HEAD`, with a condition if an earlier look left an
    /// `ETag`; `GET` where `HEAD` is not allowed or returns no digest. Nothing is tried again: the caller looks at
    /// intervals of its own.
    ///
    /// The digest of a `HEAD` is the registry's claim; that of a `GET` is computed from the bytes.
    ///
    /// # Errors
    /// [`Unseen`], with [`Error::NotFound`] if there is no such tag.
    pub async fn look_at_tag(&self, reference: &Reference, known: &Known) -> Result<Seen, Unseen> {
        let call = self.call(reference, "manifest", reference.to_string())?;
        if !known.without_head {
            let (answer, credentials) = self.ask(&call, reference, known, Method::HEAD).await?;
            let status = answer.response.status();
            if let Some(seen) = self.seen(&answer, known) {
                return Ok(seen);
            }
            if !status.is_success() && !manifest::refuses_head(status) {
                return Err(self.unseen(&call, answer, credentials).await);
            }
        }
        self.look_in_full(&call, reference, known).await
    }

    async fn look_in_full(&self, call: &Call, reference: &Reference, known: &Known) -> Result<Seen, Unseen> {
        let (answer, credentials) = self.ask(call, reference, known, Method::GET).await?;
        if answer.response.status() == StatusCode::NOT_MODIFIED
            && let Some(mut seen) = self.seen(&answer, known)
        {
            seen.known.without_head = true;
            return Ok(seen);
        }
        if !answer.response.status().is_success() {
            return Err(self.unseen(call, answer, credentials).await);
        }
        let headers = answer.response.headers().clone();
        let head = manifest::read(&headers);
        let host = answer.url.origin().authority();
        let bytes = self.read_body(call, answer.response, "manifest_bytes").await?;
        call.refuse_page(&host, &bytes)?;
        let mut raw = Raw::trust_on_first_use(bytes);
        if let Some(told) = head.digest.filter(|told| told.algorithm() != raw.digest().algorithm()) {
            let digest = Digest::of(told.algorithm(), raw.bytes());
            raw = Raw::verify(raw.bytes().to_vec(), &digest, None).map_err(|mismatch| call.mismatch(mismatch))?;
        }
        // The answer that some proxies give to every request is not an image.
        let document = self.parse(call, raw, head.content_type.as_deref())?;
        let digest = *document.raw().digest();
        let known = Known { digest: Some(digest), etag: headers.get(header::ETAG).cloned(), without_head: true };
        Ok(Seen { digest, known, quota: quota::read(&headers), pulled: true })
    }

    async fn ask(
        &self,
        call: &Call,
        reference: &Reference,
        known: &Known,
        method: Method,
    ) -> Result<(Answer<T::Body>, bool), Error> {
        let request = manifest::request(&call.base, reference.repository(), &reference.target(), Accept::All);
        let mut request: Request = request.map_err(Error::Relay)?;
        *request.method_mut() = method;
        request.extensions_mut().insert(Repeat::Never);
        if let (Some(etag), Some(_)) = (&known.etag, &known.digest) {
            request.headers_mut().insert(header::IF_NONE_MATCH, etag.clone());
        }
        self.request_any(call, request).await
    }

    /// Returns what the head of an answer shows; `None` if that is no digest.
    fn seen(&self, answer: &Answer<T::Body>, known: &Known) -> Option<Seen> {
        let headers = answer.response.headers();
        let head = manifest::read(headers);
        let (digest, etag) = match answer.response.status() {
            StatusCode::NOT_MODIFIED => {
                let digest = head.digest.or(known.digest)?;
                // An entity tag in the answer replaces the one before (RFC 9110 section 15.4.5).
                (digest, headers.get(header::ETAG).cloned().or_else(|| known.etag.clone()))
            }
            status if status.is_success() && head.is_document() => (head.digest?, headers.get(header::ETAG).cloned()),
            _ => return None,
        };
        let known = Known { digest: Some(digest), etag, without_head: false };
        Some(Seen { digest, known, quota: quota::read(headers), pulled: false })
    }

    async fn unseen(&self, call: &Call, answer: Answer<T::Body>, credentials: bool) -> Unseen {
        let headers = answer.response.headers();
        let (retry_after, quota) = (self.retry_after(headers), quota::read(headers));
        let error = match self.check(call, answer, credentials).await {
            Err(error) => error,
            Ok(_) => call.protocol("expected a manifest".into()),
        };
        Unseen { error: Box::new(error), retry_after, quota }
    }
}
