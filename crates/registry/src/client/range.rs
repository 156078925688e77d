//! Ranges of blobs, read over breaks of the connection.

use super::{
    Call, Registry,
    exchange::{Repeat, content_length},
};
use crate::{
    auth::lock,
    coding,
    endpoint::blob,
    error::{Error, quote},
    policy::Url,
    retry::{Budget, TryFailure},
    trace::Reason,
    transport::{self, Brief, Environment, ErrorKind, Redirects, Transport},
};
use http::{StatusCode, header};
use porthole_core::{
    descriptor::Descriptor,
    digest::{Digest, Mismatch},
    media_type::{Compression, Role},
    reference::Reference,
};
use std::{
    collections::HashMap,
    ops::{Deref, Range},
    sync::Mutex,
    time::Duration,
};

/// A range of a blob, in order and exactly as long as it was asked for. What it reads has not been verified.
///
/// A registry that ignores ranges sends the whole blob: what stands before the range is read and dropped, what comes after
/// it is not waited for. Where a transfer breaks, the rest is asked for from the byte that was reached. Dropping it ends the
/// transfer.
pub struct BlobRange<C, T: Transport> {
    registry: C,
    call: Call,
    repository: String,
    descriptor: Descriptor,
    range: Range<u64>,
    /// All of the blob was asked for: its end is where the registry ends it.
    to_its_end: bool,
    /// Where a body last ended early, without an error.
    ended: Option<u64>,
    /// The next byte of the blob to be given.
    position: u64,
    body: Option<T::Body>,
    /// `host[:port]` that sent the body.
    host: String,
    /// The head of the answer leaves open whether the body is an HTML page in place of the blob.
    may_be_page: bool,
    /// The body has a content coding, which is undone.
    undo: Option<coding::Undo>,
    /// Whether a coded body without a length is decoded, once that is settled.
    decodes: Option<bool>,
    /// Bytes of the body before it.
    skip: u64,
    /// The registry sent the whole blob where a part was asked for.
    whole: bool,
    /// It sent what was asked for as a part, be it all of the blob.
    partial: bool,
    /// No range is asked for any more.
    plain: bool,
    /// Why not, where another range came.
    odd: Option<String>,
    received: u64,
    budget: Budget,
    /// Why the next request is not the first.
    reason: Option<Reason>,
}

impl<T: Transport + Environment> Registry<T> {
    /// Opens a range of a blob: bytes `range.start` to before `range.end`. An empty range sends no request.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Protocol`] for a range beyond the descriptor's size, a `Content-Encoding`, or another range than was asked
    /// for, [`Error::OutOfRange`] for 416: these two only of a registry that does not send the whole blob either.
    pub async fn fetch_blob_range(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
        range: Range<u64>,
    ) -> Result<BlobRange<&Self, T>, Error> {
        BlobRange::part(self, reference, descriptor, range).await
    }
}

impl<C, T> BlobRange<C, T>
where
    C: Deref<Target = Registry<T>>,
    T: Transport + Environment,
{
    /// Opens a range, exactly as long as it was asked for.
    pub(super) async fn part(
        registry: C,
        reference: &Reference,
        descriptor: &Descriptor,
        range: Range<u64>,
    ) -> Result<Self, Error> {
        let mut blob = Self::new(registry, reference, descriptor, range)?;
        blob.open().await?;
        Ok(blob)
    }

    /// Opens all of a blob. It ends where the registry ends it, which may be before or behind its descriptor's size.
    pub(super) async fn whole(registry: C, reference: &Reference, descriptor: &Descriptor) -> Result<Self, Error> {
        let mut blob = Self::new(registry, reference, descriptor, 0..descriptor.size)?;
        blob.to_its_end = true;
        blob.open().await?;
        Ok(blob)
    }

    fn new(registry: C, reference: &Reference, descriptor: &Descriptor, range: Range<u64>) -> Result<Self, Error> {
        let call = registry.call(reference, "blob", descriptor.digest.to_string())?;
        if range.start > range.end || range.end > descriptor.size {
            let message = format!("expected a range within {} bytes, got {range:?}", descriptor.size);
            return Err(call.protocol(message));
        }
        Ok(Self {
            budget: registry.budget(),
            registry,
            call,
            repository: reference.repository().to_owned(),
            descriptor: descriptor.clone(),
            position: range.start,
            range,
            to_its_end: false,
            ended: None,
            body: None,
            host: String::new(),
            may_be_page: false,
            undo: None,
            decodes: None,
            skip: 0,
            whole: false,
            partial: false,
            plain: false,
            odd: None,
            received: 0,
            reason: None,
        })
    }

    /// Reads the next bytes into `buffer` and returns how many; 0 is the end of the range.
    ///
    /// # Errors
    /// As [`fetch_blob_range`](Registry::fetch_blob_range), after what could be tried.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let left = self.range.end.saturating_sub(self.position);
        let left = if self.to_its_end { u64::MAX } else { left };
        let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if room == 0 {
            self.body = None;
            return Ok(0);
        }
        loop {
            match self.poll(&mut buffer[..room]).await {
                Ok(0) if self.to_its_end => {
                    if self.position >= self.range.end || self.ended.replace(self.position) == Some(self.position) {
                        return Ok(0);
                    }
                    // Without a Content-Length a broken connection looks like an end: the rest is asked for once. Where
                    // there is none, the blob is too short, and its verifier says so.
                    if self.open().await.is_err() {
                        self.body = None;
                        return Ok(0);
                    }
                    continue;
                }
                // The registry ignores ranges, and its blob ends here.
                Ok(0) if self.plain => return Err(self.out_of_range()),
                // Answers of no known length ended here again and again, without an error: there is no more of the blob.
                Ok(0) if self.ended == Some(self.position) && self.budget.failures() >= ENDS => {
                    return Err(self.out_of_range());
                }
                Ok(0) => {
                    self.ended = Some(self.position).filter(|position| *position > self.range.start);
                    self.pause(self.ended_early()).await?;
                }
                Ok(read) => {
                    if self.position == 0 {
                        self.refuse_page(&buffer[..read])?;
                    }
                    self.position += read as u64;
                    return Ok(read);
                }
                Err(error) => self.pause(error).await?,
            }
            self.open().await?;
        }
    }

    /// Bytes of bodies that were received so far, those included that stand before the range.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes of the range that were read so far.
    pub(super) fn given(&self) -> u64 {
        self.position - self.range.start
    }

    /// Whether the registry, asked for a part, began to send the whole blob: more ranges of it would cost as much each.
    pub fn is_whole_blob(&self) -> bool {
        self.whole
    }

    /// Whether the registry sends parts of the blob; `None` if this answer does not tell.
    pub fn heeds_ranges(&self) -> Option<bool> {
        if self.whole { Some(false) } else { self.partial.then_some(true) }
    }

    /// The answer to a request for a part, if it was neither the part nor the whole blob.
    pub fn odd_answer(&self) -> Option<&str> {
        self.odd.as_deref()
    }

    /// How often the registry asked for fewer requests (429, 503) before it answered.
    pub fn refusals(&self) -> u32 {
        self.budget.refusals()
    }

    /// Reads to `end` from now on, and asks for no more where a transfer breaks. The end moves forward only if the registry
    /// [sends the whole blob](Self::is_whole_blob), and not before a byte that was read.
    pub fn end_at(&mut self, end: u64) {
        let most = if self.whole { self.descriptor.size } else { self.range.end };
        self.range.end = end.min(most).max(self.position);
    }

    /// Reads to where the registry ends the blob, if it [sends all of it](Self::is_whole_blob) and nothing was read yet.
    #[must_use]
    pub fn to_its_end(mut self) -> Self {
        if self.whole && self.position == 0 {
            (self.range.end, self.to_its_end) = (self.descriptor.size, true);
        }
        self
    }

    async fn open(&mut self) -> Result<(), Error> {
        let range = self.position..self.range.end;
        if range.is_empty() && !self.to_its_end {
            return Ok(());
        }
        // Dropped first, so that two transfers never run at once.
        (self.body, self.undo) = (None, None);
        let (mut response, skip) = loop {
            let refused = match self.ask(&range).await {
                // Some registries send nothing while they fetch the blob from elsewhere. A blob without a byte is nothing else.
                Ok(response) if content_length(response.headers()) == Some(0) && !range.is_empty() => {
                    self.pause(self.ended_early()).await?;
                    continue;
                }
                // A part of what was coded as a whole cannot be decoded.
                Ok(response) if self.is_coded_part(&response, &range) && !self.plain => {
                    self.call.protocol("expected bytes of the blob as they are".to_owned())
                }
                Ok(response) => match self.skipped(&response, &range) {
                    Ok(skip) => break (response, skip),
                    Err(odd) => {
                        self.odd = Some(odd.clone());
                        self.call.protocol(odd)
                    }
                },
                Err(Error::Status { status: 416, .. }) => self.out_of_range(),
                Err(error) => return Err(error),
            };
            // Some have the blob, but no ranges of it, or other ones than they are asked for.
            if std::mem::replace(&mut self.plain, true) {
                return Err(refused);
            }
        };
        let (headers, size) = (response.headers(), self.descriptor.size);
        let partial = response.status() == StatusCode::PARTIAL_CONTENT;
        let expected = if partial { range.end - range.start } else { size };
        let ours = self.registry.transport.redirects() == Redirects::Ours;
        self.may_be_page = match content_length(headers).filter(|_| ours && coding::of(headers).is_none()) {
            Some(length) => length != expected && length != size,
            None => !self.may_be_markup(),
        };
        let coding = coding::of(headers).and_then(coding::compression).filter(|_| !partial);
        match coding.filter(|_| ours) {
            Some(compression) if self.decodes(content_length(headers)) => {
                self.undo = Some(coding::Undo::new(compression, size, &self.registry.options.limits));
                (self.skip, self.whole) = (range.start, range != (0..size));
                self.body = Some(response.into_body());
                return Ok(());
            }
            // The blob's own compression, announced as a coding: the digest says whether it is.
            Some(_) => {}
            None => self.registry.refuse_coding(&self.call, headers, expected)?,
        }
        let call = &self.call;
        // Before a byte of the body is read; what is too short is found out by reading, and may only be cut off. A page sees the length of
        // what a proxy packed for the way, and the bytes without that packing.
        match content_length(headers).filter(|_| ours && !self.to_its_end) {
            Some(length) if !partial && length <= range.start => return Err(self.out_of_range()),
            Some(got) if got > expected => {
                let limit = self.registry.options.limits.error_body_bytes;
                let start = self.registry.read_start(response.body_mut(), limit).await;
                self.refuse_page(&start)?;
                return Err(call.mismatch(Mismatch::Size { expected, got }));
            }
            _ => {}
        }
        self.skip = skip;
        (self.whole, self.partial) = (!partial && range != (0..size), partial);
        self.body = Some(response.into_body());
        Ok(())
    }

    /// Whether a coded body is compressed for the way; else the coding is the blob's own compression.
    fn decodes(&mut self, length: Option<u64>) -> bool {
        if let Some(length) = length {
            return length != self.descriptor.size;
        }
        let digest = self.descriptor.digest;
        *self.decodes.get_or_insert_with(|| {
            let mut decoded = lock(&self.registry.decoded);
            // Taken as it is, if decoding it failed before.
            let again = decoded.remove(&digest);
            if !again && decoded.len() < PLACES {
                decoded.insert(digest);
            }
            !again
        })
    }

    fn is_coded_part(&self, response: &http::Response<T::Body>, range: &Range<u64>) -> bool {
        let (headers, expected) = (response.headers(), range.end - range.start);
        response.status() == StatusCode::PARTIAL_CONTENT
            && self.registry.refuse_coding(&self.call, headers, expected).is_err()
    }

    /// The next bytes of the body, and how long they were waited for.
    async fn piece(&mut self, buffer: &mut [u8]) -> (Result<usize, transport::Error>, Duration) {
        let mut waited = Duration::ZERO;
        let Some(body) = &mut self.body else { return (Ok(0), waited) };
        let Some(undo) = &mut self.undo else {
            return self.registry.read_within(body, buffer, self.budget.share()).await;
        };
        let mut room = vec![0; RAW];
        loop {
            match undo.take(buffer) {
                Ok(0) => {}
                taken => return (taken, waited),
            }
            let (read, took) = self.registry.read_within(body, &mut room, self.budget.share()).await;
            waited += took;
            match read {
                Ok(0) => return (undo.finish().map(|()| 0), waited),
                Ok(count) => undo.push(&room[..count]),
                Err(error) => return (Err(error), waited),
            }
        }
    }

    /// Bytes of an answer's body that stand before the range, or why it is another range.
    fn skipped(&self, response: &http::Response<T::Body>, range: &Range<u64>) -> Result<u64, String> {
        let (status, headers) = (response.status(), response.headers());
        if let Some(kind) = headers.get(header::CONTENT_TYPE).filter(|_| status == StatusCode::PARTIAL_CONTENT)
            && kind.as_bytes().starts_with(b"multipart/")
        {
            return Err(format!("expected one range, got `{}`", quote(&String::from_utf8_lossy(kind.as_bytes()))));
        }
        blob::read(status, headers, range, self.descriptor.size).map_err(|refused| refused.to_string())
    }

    /// Asks for a part of the blob: where the registry sent us for another part of it, else the registry itself.
    async fn ask(&mut self, range: &Range<u64>) -> Result<http::Response<T::Body>, Error> {
        let (registry, call) = (&*self.registry, &self.call);
        let digest = &self.descriptor.digest;
        let request = if self.plain {
            blob::request(&call.base, &self.repository, digest, ..)
        } else if self.to_its_end {
            blob::request(&call.base, &self.repository, digest, range.start..)
        } else {
            blob::request(&call.base, &self.repository, digest, range.clone())
        };
        let mut request = request.map_err(Error::Relay)?;
        let key = (call.registry.clone(), self.repository.clone(), *digest);
        // A read that starts again, or that failed, may have been redirected to a place that is out of order.
        let fresh = range.start == 0 || self.budget.failures() > 0;
        if let Some(place) = registry.places.get(&key).filter(|_| !fresh) {
            let mut elsewhere = request.clone();
            *elsewhere.uri_mut() = place.to_uri().map_err(Error::Relay)?;
            elsewhere.extensions_mut().insert(Repeat::Never);
            match registry.exchange_within(call, &elsewhere, &mut self.budget).await {
                Ok(answer) if answer.response.status().is_success() => return Ok(answer.response),
                // A sign of life, which silence is not.
                Ok(_) => self.budget.stir(),
                Err(_) => {}
            }
            // As a rule, the signature of the URL has expired.
            registry.places.forget(&key);
        }
        // A redirect, as long as the registry is not known to send blobs itself.
        if !registry.met(&call.registry).sends_blobs {
            request.extensions_mut().insert(Brief);
        }
        if let Some(reason) = self.reason.take() {
            request.extensions_mut().insert(reason);
        }
        let mut answer = registry.request_blob(call, &self.descriptor, request, &mut self.budget).await?;
        registry.meet_blobs(call, &self.descriptor, &answer);
        let expected = range.end.saturating_sub(range.start);
        registry.refuse_page_for_blob(call, &mut answer, expected, self.descriptor.size).await?;
        self.host = answer.url.origin().authority();
        if registry.transport.redirects() == Redirects::Ours && !answer.same_origin && !answer.signed {
            registry.places.keep(key, answer.url);
        }
        Ok(answer.response)
    }

    /// Bytes of the range, however many stand before them.
    async fn poll(&mut self, buffer: &mut [u8]) -> Result<usize, transport::Error> {
        loop {
            // Only the time spent waiting counts: the caller may have read late.
            let (read, waited) = self.piece(buffer).await;
            let read = read.inspect_err(|_| self.budget.stalled(waited))?;
            self.received += read as u64;
            let before = self.skip.min(read as u64);
            self.skip -= before;
            // `before` is at most `read`, which is at most the length of the buffer.
            let before = before as usize;
            let new = read - before;
            let pace = match new {
                0 if read == 0 => return Ok(0),
                0 => self.budget.repeated(waited, before as u64),
                _ => self.budget.moved(waited, new as u64),
            };
            let complete = new > 0 && self.position + new as u64 >= self.range.end;
            if !complete {
                pace?;
            }
            if new > 0 {
                buffer.copy_within(before..read, 0);
                return Ok(new);
            }
        }
    }

    /// Waits before the next try, or gives up.
    async fn pause(&mut self, mut error: transport::Error) -> Result<(), Error> {
        let (registry, failure) = (&*self.registry, TryFailure::Transport(error.kind));
        let Some(delay) = self.budget.spend(failure, registry.transport.random()) else {
            self.budget.conclude(&mut error);
            return Err(self.call.broken(error));
        };
        self.reason = Some(registry.pause(&self.call, &self.budget, delay, failure, error.to_string()).await);
        Ok(())
    }

    /// Whether the blob may be a page itself: then only its digest can tell. Old clients push any file as an archive that is not compressed.
    fn may_be_markup(&self) -> bool {
        !matches!(self.descriptor.media_type.role(), Role::Config | Role::Layer(Compression::Gzip | Compression::Zstd))
    }

    /// Refuses an HTML page in place of the blob, whatever its `Content-Type`: `start` are its first bytes.
    fn refuse_page(&self, start: &[u8]) -> Result<(), Error> {
        if self.may_be_page { self.call.refuse_page(&self.host, start) } else { Ok(()) }
    }

    fn out_of_range(&self) -> Error {
        let (registry, what) = (self.call.registry.clone(), self.call.what.clone());
        Error::OutOfRange { registry, what, range: self.position..self.range.end, size: self.descriptor.size }
    }

    fn ended_early(&self) -> transport::Error {
        let Range { start, end } = self.range;
        let message = format!("expected {} bytes, got {}", end - start, self.position - start);
        transport::Error { kind: ErrorKind::Interrupted, message }
    }
}

/// Where registries redirected requests for their blobs. Other parts of a blob are fetched from there directly. Such URLs expire, and may be
/// secrets.
#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<Place, Url>>);

/// Registry, repository and blob.
type Place = (String, String, Digest);

impl Places {
    fn get(&self, place: &Place) -> Option<Url> {
        lock(&self.0).get(place).cloned()
    }

    fn keep(&self, place: Place, url: Url) {
        let mut places = lock(&self.0);
        if places.len() >= PLACES {
            places.clear();
        }
        places.insert(place, url);
    }

    fn forget(&self, place: &Place) {
        lock(&self.0).remove(place);
    }

    pub(super) fn count(&self) -> usize {
        lock(&self.0).len()
    }
}

/// Ends at one byte after which a blob is taken to end there.
const ENDS: u32 = 2;
/// What is read at once of a body that has a coding.
const RAW: usize = 32 << 10;
/// Blobs whose place is remembered.
const PLACES: usize = 256;
