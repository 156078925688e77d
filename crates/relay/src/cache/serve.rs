//! Answers out of the cache: blobs, and manifests by digest.
//!
//! A private blob must not reach a caller whom its registry would refuse. So before a caller gets bytes out of the cache, the registry is
//! asked with that caller's own authorization, by a HEAD request for that blob in that repository; the answer is remembered for a
//! minute. A registry that cannot be reached authorizes no caller.

use super::{
    Bucket, Cache, Found, Name, Stored, fetch,
    inflow::{Inflow, Rest},
};
use crate::{
    body::{Arriving, Body, Pieces},
    clients::Clients,
    headers,
    metrics::Metrics,
    pieces,
    reading::CachedFile,
    refusal::Refusal,
    route::{Call, Endpoint},
    upstream::Upstream,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use porthole_core::{
    digest::{Algorithm, Digest, Hasher},
    manifest::Document,
};
use porthole_registry::policy::Url;
use std::{fs::File, os::unix::fs::FileExt, sync::Arc};
use tokio::sync::{mpsc, watch};

/// A request for a blob, or a manifest by digest, that the cache may have.
pub(crate) struct Wish<'w> {
    pub(crate) upstream: &'w Arc<Upstream>,
    pub(crate) clients: &'w Arc<Clients>,
    pub(crate) metrics: &'w Arc<Metrics>,
    pub(crate) cache: &'w Arc<Cache>,
    pub(crate) call: &'w Call,
    pub(crate) name: Name,
    /// The blob at its registry.
    pub(crate) url: &'w Url,
    /// What goes there.
    pub(crate) sent: &'w HeaderMap,
    pub(crate) anonymous: bool,
}

/// What the cache makes of a request.
pub(crate) enum Verdict {
    Answer(Response<Body>),
    /// The registry answers; a whole blob that it sends goes through [`Wish::keep`].
    Ask(Option<fetch::Lead>),
}

/// Where the bytes of an answer are.
enum Content {
    /// In a file, which may still grow.
    File(File, Option<watch::Receiver<fetch::Progress>>),
    /// In the bucket: just the bytes that are wanted.
    Bucket(Box<Inflow>),
}

impl Wish<'_> {
    /// What a cache may know a request by.
    pub(crate) fn name_of(call: &Call, method: &Method) -> Option<Name> {
        match call.endpoint {
            _ if *method != Method::GET => None,
            Endpoint::Blob(digest) => Some(Name { host: call.host.clone(), digest }),
            Endpoint::Manifest(ref target) => {
                target.parse().ok().map(|digest| Name { host: call.host.clone(), digest })
            }
            _ => None,
        }
    }

    fn is_manifest(&self) -> bool {
        matches!(self.call.endpoint, Endpoint::Manifest(_))
    }

    /// Answers from the cache, if the blob is there and its registry lets this caller read it.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub(crate) async fn answer(&self) -> Result<Verdict, Refusal> {
        let range = self.range();
        // A part that is not here yet is fetched alone.
        if range.is_some() && !self.cache.holds(&self.name).await {
            return self.part(range).await;
        }
        for _ in 0..LOOKS {
            match self.cache.find(&self.name).await {
                Found::Absent(_) if range.is_some() => return Ok(Verdict::Ask(None)),
                Found::Absent(lead) => {
                    if let Some(verdict) = self.fetch_stored(lead).await? {
                        return Ok(verdict);
                    }
                    // It is on disk now, or the bucket has it no more.
                }
                Found::Held(file, size) => {
                    if !self.is_authorized().await? {
                        return Ok(Verdict::Ask(None));
                    }
                    // A file that cannot be read is no answer.
                    let Some(kind) = self.content_type(&file, size).await else { return Ok(Verdict::Ask(None)) };
                    return Ok(Verdict::Answer(self.respond(Content::File(file, None), size, range, kind)));
                }
                Found::Running(mut follow) => {
                    if !self.is_authorized().await? {
                        return Ok(Verdict::Ask(None));
                    }
                    if self.is_manifest() {
                        // Its type is known when all of it is there, which does not take long.
                        follow.ended().await;
                    } else if let Some((file, size)) = follow.begun().await {
                        let kind = Some(headers::OCTET_STREAM);
                        let content = Content::File(file, Some(follow.progress));
                        return Ok(Verdict::Answer(self.respond(content, size, None, kind)));
                    }
                    // The one before was refused, or is done: look again.
                }
            }
        }
        Ok(Verdict::Ask(None))
    }

    /// Brings a blob from the bucket to the disk. `None` when it is to be looked for again: one that is not large is checked before its
    /// first byte is sent.
    async fn fetch_stored(&self, lead: fetch::Lead) -> Result<Option<Verdict>, Refusal> {
        let Some(bucket) = &self.cache.bucket else { return Ok(Some(Verdict::Ask(Some(lead)))) };
        let stored = bucket.get(&self.name, None).await.filter(|stored| self.cache.takes(stored.size));
        let Some(stored) = stored else { return Ok(Some(Verdict::Ask(Some(lead)))) };
        if !self.is_authorized().await? {
            return Ok(Some(Verdict::Ask(None)));
        }
        let size = stored.size;
        let Ok((file, mut follow)) = lead.start(self.inflow(stored, bucket), size).await else {
            return Ok(Some(Verdict::Ask(None)));
        };
        if self.is_manifest() || size <= CHECKED_FIRST {
            follow.ended().await;
            return Ok(None);
        }
        let content = Content::File(file, Some(follow.progress));
        Ok(Some(Verdict::Answer(self.respond(content, size, None, Some(headers::OCTET_STREAM)))))
    }

    /// Answers with a part of a blob that is in the bucket and not on disk.
    async fn part(&self, range: Option<(Option<u64>, Option<u64>)>) -> Result<Verdict, Refusal> {
        let Some(bucket) = &self.cache.bucket else { return Ok(Verdict::Ask(None)) };
        let Some(stored) = bucket.get(&self.name, self.sent.get(header::RANGE)).await else {
            return Ok(Verdict::Ask(None));
        };
        if !self.is_authorized().await? {
            return Ok(Verdict::Ask(None));
        }
        let size = stored.size;
        let content = Content::Bucket(Box::new(self.inflow(stored, bucket)));
        Ok(Verdict::Answer(self.respond(content, size, range, Some(headers::OCTET_STREAM))))
    }

    fn inflow(&self, stored: Stored, bucket: &Arc<Bucket>) -> Inflow {
        let (url, sent) = (self.url.clone(), self.sent.clone());
        Inflow::of_bucket(stored, bucket, Rest { upstream: Arc::clone(self.upstream), url, sent })
    }

    /// The bytes that are wanted of it. A manifest has no parts.
    fn range(&self) -> Option<(Option<u64>, Option<u64>)> {
        self.sent.get(header::RANGE).filter(|_| !self.is_manifest()).and_then(headers::parse_range)
    }

    /// The type of what the cache has; `None` if it cannot be read. A manifest says itself what it is.
    async fn content_type(&self, file: &File, size: u64) -> Option<Option<HeaderValue>> {
        if !self.is_manifest() {
            return Some(Some(headers::OCTET_STREAM));
        }
        let file = file.try_clone().ok()?;
        let length = usize::try_from(size).ok()?;
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, 0).ok().map(|()| bytes)
        });
        let bytes = read.await.ok()??;
        let stated = Document::stated_type(&bytes).and_then(|stated| HeaderValue::from_str(stated.as_str()).ok());
        Some(stated.map(|stated| headers::safe_content_type(Some(&stated))))
    }

    /// Keeps a whole blob that its registry has begun to send to this caller, and answers from the file.
    pub(crate) async fn keep(&self, lead: fetch::Lead, arriving: Arriving) -> Result<Response<Body>, Box<Arriving>> {
        let Arriving { body, left, metrics } = arriving;
        let size = body.remaining().filter(|size| self.cache.takes(*size));
        let Some(size) = size else { return Err(Box::new(Arriving { body, left, metrics })) };
        self.cache.grant(self.key());
        match lead.start(Inflow::of_registry(body), size).await {
            Ok((file, follow)) => {
                // The registry's own type of a document is among the headers that the caller adds.
                let kind = (!self.is_manifest()).then_some(headers::OCTET_STREAM);
                Ok(self.respond(Content::File(file, Some(follow.progress)), size, None, kind))
            }
            Err(inflow) => Err(Box::new(Arriving { body: inflow.into_body(), left, metrics })),
        }
    }

    /// Whether the registry lets this caller read the blob.
    async fn is_authorized(&self) -> Result<bool, Refusal> {
        let key = self.key();
        if self.cache.is_granted(&key) {
            return Ok(true);
        }
        let mut sent = self.sent.clone();
        for name in [header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH] {
            sent.remove(name);
        }
        let answer = self.upstream.fetch(&Method::HEAD, self.url.clone(), sent).await?;
        let granted = answer.response.status() == StatusCode::OK;
        if granted {
            self.cache.grant(key);
        }
        Ok(granted)
    }

    /// Names the registry, the repository, the blob or manifest and the caller. A hash, so that no token is kept.
    fn key(&self) -> Digest {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let authorization = self.sent.get(header::AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        let (host, repository) = (self.name.host.as_bytes(), self.call.repository.as_bytes());
        for part in [
            host,
            repository,
            self.call.endpoint.step().as_bytes(),
            self.name.digest.to_string().as_bytes(),
            authorization,
        ] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finish()
    }

    fn respond(
        &self,
        content: Content,
        size: u64,
        range: Option<(Option<u64>, Option<u64>)>,
        content_type: Option<HeaderValue>,
    ) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        let head = response.headers_mut();
        pieces::identify(head, &self.name.digest);
        if !self.is_manifest() {
            head.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        headers::set_caching(head, true, self.anonymous);
        if pieces::is_known(self.sent, &self.name.digest) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        head.extend(content_type.map(|kind| (header::CONTENT_TYPE, kind)));
        // The registry's own tag is another name for the same bytes, which a digest names too.
        let Some(part) = pieces::select(&mut response, range, size) else {
            let span = response.headers_mut().remove(header::CONTENT_RANGE);
            let mut refused = Refusal::new(response.status(), "RANGE_INVALID", "no such bytes").response();
            refused.headers_mut().extend(span.map(|span| (header::CONTENT_RANGE, span)));
            return refused;
        };
        let (clients, metrics) = (Arc::clone(self.clients), Arc::clone(self.metrics));
        let (sender, receiver) = mpsc::channel(1);
        let left = part.end - part.start;
        match content {
            Content::File(file, None) => {
                *response.body_mut() = Body::Cached(Box::new(CachedFile::new(file, part, clients, metrics)));
                return response;
            }
            Content::File(file, Some(progress)) => {
                tokio::spawn(fetch::send(file, part, progress, move || clients.piece(), sender));
            }
            Content::Bucket(inflow) => {
                tokio::spawn(inflow.send(sender));
            }
        }
        *response.body_mut() = Body::File(Pieces { receiver, left, metrics });
        response
    }
}

/// How often a request looks again when the fetch that it followed failed.
const LOOKS: u32 = 8;
/// A larger blob is sent while it comes from the bucket, all but its last piece: its client would wait too long for the first one.
const CHECKED_FIRST: u64 = 16 << 20;
