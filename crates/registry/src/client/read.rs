//! What is read from a registry: documents and blobs.

use super::{Call, Registry, exchange::Answer};
use crate::{
    body::{self, content_length},
    coding,
    endpoint::{blob, manifest},
    error::Error,
    html,
    retry::{Budget, TryFailure},
    transport::{Body, Environment, Redirects, Request, Transport},
};
use http::{Method, StatusCode};
use manifest::Accept;
use porthole_core::{
    descriptor::Descriptor,
    digest::{Digest, Mismatch},
    limits::Limits,
    manifest::{Document, Raw},
    reference::Reference,
};

impl<T: Transport + Environment> Registry<T> {
    /// The document that a reference names: by its digest, else by its tag.
    ///
    /// By digest the bytes are verified. By tag there is nothing to verify against but the `Docker-Content-Digest` that comes with them.
    /// Bytes that are wrong are fetched once more.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Mismatch`] or, by tag, [`Error::Contradiction`] if they are wrong twice.
    pub async fn fetch_document(&self, reference: &Reference) -> Result<Document, Error> {
        let call = self.call(reference, "manifest", reference.to_string())?;
        let families: &[Accept] =
            if self.options.short_accept { &[Accept::Oci, Accept::Docker] } else { &[Accept::All] };
        self.fetch_families(&call, reference, &reference.target(), families, reference.digest(), None).await
    }

    /// What a reference names, without the document: `HEAD`, which no registry counts as a pull; or of the document itself, where `HEAD` is
    /// not allowed or does not tell all of it. The digest of a `HEAD` is the registry's word.
    ///
    /// # Errors
    /// As [`fetch_document`](Self::fetch_document).
    pub async fn fetch_root(&self, reference: &Reference) -> Result<Descriptor, Error> {
        let call = self.call(reference, "manifest", reference.to_string())?;
        let request = manifest::request(&call.base, reference.repository(), &reference.target(), Accept::All);
        let mut request = request.map_err(Error::Relay)?;
        *request.method_mut() = Method::HEAD;
        let (answer, credentials) = self.request_any(&call, request).await?;
        let headers = answer.response.headers();
        let status = answer.response.status();
        if status.is_success() {
            let head = manifest::read(headers);
            let told = head.document_type().zip(head.digest).zip(content_length(headers));
            // Another digest than the one that was asked for is for the bytes to explain.
            if let Some(((media_type, digest), size)) = told
                && reference.digest().is_none_or(|asked| *asked == digest)
            {
                return Ok(Descriptor::new(media_type, digest, size));
            }
        } else if !manifest::refuses_head(status) {
            self.check(&call, answer, credentials).await?;
        }
        let document = self.fetch_document(reference).await?;
        let raw = document.raw();
        Ok(Descriptor::new(document.media_type().clone(), *raw.digest(), raw.size()))
    }

    /// A document that an index lists, verified against its descriptor.
    ///
    /// # Errors
    /// [`Error`]; [`Error::TooLarge`] before anything is asked for, if the descriptor is over the limit.
    pub async fn fetch_child(&self, reference: &Reference, descriptor: &Descriptor) -> Result<Document, Error> {
        let call = self.call(reference, "manifest", descriptor.digest.to_string())?;
        self.allow_size(&call, descriptor.size)?;
        if let Some(data) = &descriptor.data {
            let raw = Raw::verify(data.clone(), &descriptor.digest, Some(descriptor.size));
            let raw = raw.map_err(|mismatch| call.mismatch(mismatch))?;
            return self.parse(&call, raw, Some(descriptor.media_type.as_str()));
        }
        let short = [Accept::family(&descriptor.media_type)];
        let families: &[Accept] = if self.options.short_accept { &short } else { &[Accept::All] };
        let target = descriptor.digest.to_string();
        self.fetch_families(&call, reference, &target, families, Some(&descriptor.digest), Some(descriptor.size)).await
    }

    /// Asks for one family of media types after the other until an answer is a document. The error is that of the last family,
    /// unless an earlier one says more.
    async fn fetch_families(
        &self,
        call: &Call,
        reference: &Reference,
        target: &str,
        families: &[Accept],
        digest: Option<&Digest>,
        size: Option<u64>,
    ) -> Result<Document, Error> {
        let mut first_error = None;
        for accept in families {
            match self.fetch_accepted(call, reference, target, *accept, digest, size).await {
                Ok(document) => return Ok(document),
                // Asked for the wrong family, a registry denies the document, or converts it to schema 1.
                Err(
                    error @ (Error::NotFound { .. }
                    | Error::Status { status: 406, .. }
                    | Error::Document { .. }
                    | Error::Mismatch { .. }),
                ) => {
                    let known = matches!(first_error, Some(Error::Document { .. } | Error::Mismatch { .. }));
                    if !known || !matches!(error, Error::NotFound { .. }) {
                        first_error = Some(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(first_error.unwrap_or_else(|| call.protocol("expected a manifest".into())))
    }

    async fn fetch_accepted(
        &self,
        call: &Call,
        reference: &Reference,
        target: &str,
        accept: Accept,
        digest: Option<&Digest>,
        size: Option<u64>,
    ) -> Result<Document, Error> {
        let request = manifest::request(&call.base, reference.repository(), target, accept).map_err(Error::Relay)?;
        let most = size.map_or(u64::MAX, |size| size.saturating_add(SPARE));
        let mut wrong = None;
        for _ in 0..2 {
            let Fetched { headers, bytes, host } = self.fetch_bytes(call, &request, "manifest_bytes", most).await?;
            // A document is text: what cannot be one was compressed for the way.
            let bytes = match coding::undone(&headers, &bytes, self.limit("manifest_bytes"), &self.options.limits) {
                Some(decoded) if !bytes.trim_ascii_start().starts_with(b"{") => decoded,
                _ => bytes,
            };
            call.refuse_page(&host, &bytes)?;
            if bytes.is_empty() {
                return Err(call.protocol("expected a manifest, got no bytes".into()));
            }
            let head = manifest::read(&headers);
            let raw = match (digest, head.digest) {
                (Some(digest), _) => match Raw::verify(bytes, digest, size) {
                    Ok(raw) => raw,
                    Err(mismatch) => {
                        wrong = Some(call.mismatch(mismatch));
                        continue;
                    }
                },
                // Of a schema 1 manifest the header names the digest without its signatures; it is refused below.
                (None, Some(expected)) if head.is_document() => {
                    let got = Digest::of(expected.algorithm(), &bytes);
                    if got != expected {
                        let (registry, what) = (call.registry.clone(), call.what.clone());
                        wrong = Some(Error::Contradiction { registry, what, expected, got });
                        continue;
                    }
                    Raw::trust_on_first_use(bytes)
                }
                (None, _) => Raw::trust_on_first_use(bytes),
            };
            return self.parse(call, raw, head.content_type.as_deref());
        }
        Err(wrong.unwrap_or_else(|| call.protocol("expected a manifest".into())))
    }

    /// A small blob whole (an image config), verified; fetched once more if it is wrong. Data embedded in the descriptor spares the
    /// request.
    ///
    /// # Errors
    /// [`Error`]; [`Error::TooLarge`] before anything is asked for, if the descriptor is over the limit of a manifest.
    pub async fn fetch_small_blob(&self, reference: &Reference, descriptor: &Descriptor) -> Result<Raw, Error> {
        let call = self.call(reference, "config", descriptor.digest.to_string())?;
        self.allow_size(&call, descriptor.size)?;
        let verify = |bytes| {
            let raw = Raw::verify(bytes, &descriptor.digest, Some(descriptor.size));
            raw.map_err(|mismatch| call.mismatch(mismatch))
        };
        if let Some(data) = &descriptor.data {
            return verify(data.clone());
        }
        let request =
            blob::request(&call.base, reference.repository(), &descriptor.digest, ..).map_err(Error::Relay)?;
        // No more than it has, and what a coding or a page in its place may add.
        let most = descriptor.size.saturating_add(SPARE);
        let Fetched { headers, bytes, .. } = self.fetch_bytes(&call, &request, "manifest_bytes", most).await?;
        let decoded = coding::undone(&headers, &bytes, descriptor.size, &self.options.limits);
        if let Ok(raw) = verify(bytes) {
            return Ok(raw);
        }
        if let Some(Ok(raw)) = decoded.map(verify) {
            return Ok(raw);
        }
        let Fetched { bytes, host, .. } = self.fetch_bytes(&call, &request, "manifest_bytes", most).await?;
        let page = call.refuse_page(&host, &bytes);
        // A page whose digest is right is what was asked for.
        verify(bytes).or_else(|mismatch| page.and(Err(mismatch)))
    }

    /// Opens a blob from `offset`. The caller verifies what it reads, and opens it again where the transfer broke.
    ///
    /// The answer's status is 200 or 206, but its body starts at `offset` in either case: a registry that ignores the range has its first
    /// bytes read and dropped.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Protocol`] for a 206 with another range.
    pub async fn fetch_blob(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<http::Response<T::Body>, Error> {
        let call = self.call(reference, "blob", descriptor.digest.to_string())?;
        let request =
            blob::request(&call.base, reference.repository(), &descriptor.digest, offset..).map_err(Error::Relay)?;
        let range = offset..descriptor.size;
        let mut budget = self.budget();
        let mut answer = self.request_blob(&call, descriptor, request.clone(), &mut budget).await?;
        if !range.is_empty() && content_length(answer.response.headers()) == Some(0) {
            answer = self.request_blob(&call, descriptor, request, &mut budget).await?;
        }
        self.refuse_page_for_blob(&call, &mut answer, range.end.saturating_sub(range.start), descriptor.size).await?;
        let mut response = answer.response;
        self.refuse_coding(&call, response.headers(), range.end - range.start.min(range.end))?;
        let skip = blob::read(response.status(), response.headers(), &range, descriptor.size);
        let mut skip = skip.map_err(|refused| call.protocol(refused.to_string()))?;
        let mut buffer = vec![0; if skip > 0 { BUFFER } else { 0 }];
        while skip > 0 {
            let room = buffer.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
            let read = response.body_mut().read(&mut buffer[..room]).await.map_err(|error| call.broken(error))?;
            if read == 0 {
                return Err(call.protocol(format!("expected at least {offset} bytes, got {}", offset - skip)));
            }
            skip -= read as u64;
        }
        Ok(response)
    }

    /// A whole body within the limit of this name, or more than `most` bytes of it. What breaks on the way is fetched again, and so is an empty body, once: documents
    /// have at least two bytes, and some registries send none while they fetch the document from elsewhere.
    pub(super) async fn fetch_bytes(
        &self,
        call: &Call,
        request: &Request,
        limit: &'static str,
        most: u64,
    ) -> Result<Fetched, Error> {
        let mut budget = self.budget();
        let mut request = request.clone();
        let mut was_empty = false;
        loop {
            let Answer { response, url, .. } = self.request_within(call, request.clone(), &mut budget).await?;
            let headers = response.headers().clone();
            let mut error = match self.collect(call, response, limit, most, &mut budget).await {
                Ok(bytes) if bytes.is_empty() && !std::mem::replace(&mut was_empty, true) => continue,
                Ok(bytes) => return Ok(Fetched { headers, bytes, host: url.origin().authority() }),
                Err(error) => error,
            };
            let Error::Transport { error: broken, .. } = &mut error else { return Err(error) };
            let failure = TryFailure::Transport(broken.kind);
            let Some(delay) = budget.spend(failure, self.transport.random()) else {
                budget.conclude(broken);
                return Err(error);
            };
            let reason = self.pause(call, &budget, delay, failure, broken.to_string()).await;
            request.extensions_mut().insert(reason);
        }
    }

    /// Reads a body to its end, within the limit of this name.
    pub(super) async fn read_body(
        &self,
        call: &Call,
        response: http::Response<T::Body>,
        limit: &'static str,
    ) -> Result<Vec<u8>, Error> {
        self.collect(call, response, limit, u64::MAX, &mut self.budget()).await
    }

    /// Reads a body to its end. Bytes of a document are not progress: where it breaks, all of it is fetched again.
    async fn collect(
        &self,
        call: &Call,
        response: http::Response<T::Body>,
        limit: &'static str,
        most: u64,
        budget: &mut Budget,
    ) -> Result<Vec<u8>, Error> {
        let name = limit;
        let limit = self.limit(name);
        let too_large = || Error::TooLarge { what: call.what.clone(), limit, name };
        let length = content_length(response.headers());
        if length.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut body = response.into_body();
        let mut bytes = Vec::new();
        let mut buffer = vec![0; BUFFER];
        loop {
            let (read, waited) = body::read_within(&self.transport, &mut body, &mut buffer, budget.share()).await;
            let read = read.map_err(|error| {
                budget.stalled(waited);
                call.broken(error)
            })?;
            if read == 0 {
                return Ok(bytes);
            }
            bytes.extend_from_slice(&buffer[..read]);
            if bytes.len() as u64 > most {
                return Ok(bytes);
            }
            let pace = budget.repeated(waited, read as u64);
            if length != Some(bytes.len() as u64)
                && let Err(error) = pace
            {
                return Err(call.broken(error));
            }
            if bytes.len() as u64 > limit {
                return Err(too_large());
            }
        }
    }

    /// The start of a body, or as much of it as comes: for the words of an error.
    pub(super) async fn read_start(&self, body: &mut T::Body, limit: u64) -> Vec<u8> {
        body::read_start(&self.transport, body, limit, self.budget()).await
    }

    /// Refuses an HTML page in place of a blob's bytes, of which `expected` were asked for. A blob may be a page itself: what has the
    /// right length is for the digest to judge.
    pub(super) async fn refuse_page_for_blob(
        &self,
        call: &Call,
        answer: &mut Answer<T::Body>,
        expected: u64,
        size: u64,
    ) -> Result<(), Error> {
        let headers = answer.response.headers();
        if html::is_right_length(headers, expected, size) || !html::is_announced(headers, call.base.is_relay()) {
            return Ok(());
        }
        let start = self.read_start(answer.response.body_mut(), self.options.limits.error_body_bytes).await;
        let page = html::Page::find(&start).unwrap_or(html::Page { title: None });
        Err(call.page(answer.url.origin().authority(), page))
    }

    /// Refuses an HTML page as the answer to something that was sent. Nothing was taken then, whatever the status says.
    pub(super) async fn refuse_page_for_upload(&self, call: &Call, answer: &mut Answer<T::Body>) -> Result<(), Error> {
        if answer.response.status() != StatusCode::OK || content_length(answer.response.headers()) == Some(0) {
            return Ok(());
        }
        let start = self.read_start(answer.response.body_mut(), self.options.limits.error_body_bytes).await;
        call.refuse_page(&answer.url.origin().authority(), &start)
    }

    /// Refuses a body with a [content coding](coding::refuse).
    fn refuse_coding(&self, call: &Call, headers: &http::HeaderMap, bytes: u64) -> Result<(), Error> {
        let ours = self.transport.redirects() == Redirects::Ours;
        coding::refuse(headers, bytes, ours).map_err(|message| call.protocol(message))
    }

    fn limit(&self, name: &str) -> u64 {
        Limits::named(name).map_or(0, |limit| limit.get(&self.options.limits))
    }

    fn allow_size(&self, call: &Call, size: u64) -> Result<(), Error> {
        let limit = self.options.limits.manifest_bytes;
        let too_large = || Error::TooLarge { what: call.what.clone(), limit, name: "manifest_bytes" };
        if size > limit { Err(too_large()) } else { Ok(()) }
    }

    pub(super) fn parse(&self, call: &Call, raw: Raw, content_type: Option<&str>) -> Result<Document, Error> {
        let document = Document::parse_with_limits(raw, content_type, &self.options.limits);
        document.map_err(|error| Error::Document { what: call.what.clone(), error })
    }
}

impl Call {
    pub(super) fn mismatch(&self, mismatch: Mismatch) -> Error {
        Error::Mismatch { what: self.what.clone(), mismatch }
    }

    /// Refuses an HTML page that `host` sent.
    pub(super) fn refuse_page(&self, host: &str, body: &[u8]) -> Result<(), Error> {
        html::Page::find(body).map_or(Ok(()), |page| Err(self.page(host.to_owned(), page)))
    }

    /// The sender of an answer. Behind a relay, the registry is the nearest name of it that is known.
    pub(super) fn sender<'n>(&'n self, host: &'n str) -> &'n str {
        if self.base.is_relay() { &self.registry } else { host }
    }

    fn page(&self, host: String, page: html::Page) -> Error {
        let host = self.sender(&host).to_owned();
        Error::Page { registry: self.registry.clone(), what: self.what.clone(), host, page }
    }

    pub(super) fn broken(&self, error: crate::transport::Error) -> Error {
        Error::Transport { registry: self.registry.clone(), what: self.what.clone(), error }
    }
}

/// A whole body, and where it came from.
pub(super) struct Fetched {
    pub(super) headers: http::HeaderMap,
    pub(super) bytes: Vec<u8>,
    /// `host[:port]` that answered, after every redirect.
    pub(super) host: String,
}

/// What is read at once of a small body.
const BUFFER: usize = 32 << 10;
/// Bytes that are read of a small blob beyond its size, for the words of an error.
const SPARE: u64 = 64 << 10;
