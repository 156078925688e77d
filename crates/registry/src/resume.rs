//! Reading a blob over breaks of the connection.
//!
//! [`ResumedBlob`] is the loop, and a [`BlobRequester`] sends its requests: a client, or a layer worker that has no client. Both have the
//! same budget, take the same answers, and fail with the same errors.

use crate::{
    body::{content_length, read_start, read_within},
    coding,
    endpoint::blob,
    error::{Error, Subject},
    html,
    quote::quote,
    retry::{Budget, TryFailure},
    trace::Reason,
    transport::{self, Body, Environment, ErrorKind, Redirects, Transport},
};
use http::{Response, StatusCode, header};
use porthole_core::{digest::Mismatch, limits::Limits};
use porthole_source::BlobStream;
use std::{
    future::Future,
    ops::{Bound, Range},
    time::Duration,
};

/// Asks for the bytes of one blob.
pub trait BlobRequester {
    /// Supplies the clock, and says who follows redirects.
    type Transport: Transport + Environment;
    /// The body of an answer.
    type Body: Body;

    /// The transport that requests are sent with.
    fn transport(&self) -> &Self::Transport;

    /// Limits for codings and error bodies.
    fn limits(&self) -> &Limits;

    /// The registry as its references name it.
    fn registry(&self) -> &str;

    /// The step and the blob, for errors.
    fn what(&self) -> &Subject;

    /// Size of the blob in bytes, as its descriptor states it.
    fn size(&self) -> u64;

    /// Whether the blob itself may be HTML. Then a body that looks like a page is not refused, and the digest decides.
    fn may_be_markup(&self) -> bool;

    /// `host[:port]` that sent the last answer, or the registry if the host is not known.
    fn sender(&self) -> &str;

    /// Sends a request, with retries and renewed credentials, until an answer has a status of success.
    fn ask(
        &mut self,
        wanted: &Wanted,
        budget: &mut Budget,
        reason: Option<Reason>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Error>>;

    /// Waits before the next try, and returns the reason for that try. `None` if another try does not help, or the budget is spent.
    fn pause(
        &mut self,
        budget: &mut Budget,
        failure: TryFailure,
        because: String,
    ) -> impl Future<Output = Option<Reason>>;

    /// Whether to decode a body that has a coding and no length. Otherwise the coding is the blob's own compression.
    fn decodes(&self) -> bool {
        true
    }
}

/// The part of a blob that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The bytes that are missing.
    pub range: Range<u64>,
    /// What the `Range` header of the request covers.
    pub extent: Extent,
}

/// What the `Range` header of a request covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Only the range.
    Range,
    /// Everything from the start of the range, wherever the registry ends the blob.
    Rest,
    /// The whole blob, without a `Range` header: this registry does not send ranges.
    Blob,
}

impl Wanted {
    /// The bytes to name in a [request](blob::request).
    pub fn bytes(&self) -> (Bound<u64>, Bound<u64>) {
        let Range { start, end } = self.range;
        match self.extent {
            Extent::Range => (Bound::Included(start), Bound::Excluded(end)),
            Extent::Rest => (Bound::Included(start), Bound::Unbounded),
            Extent::Blob => (Bound::Unbounded, Bound::Unbounded),
        }
    }

    /// Number of bytes that are missing.
    pub fn length(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }
}

/// A stream of the bytes of a range, in order and exactly as many as the range has. The bytes are not verified.
///
/// If a transfer breaks, it requests the remaining bytes. A registry that ignores ranges sends the whole blob: bytes before the
/// range are read and dropped, and bytes after it are not read. Dropping the stream ends the transfer.
pub struct ResumedBlob<R: BlobRequester> {
    requester: R,
    range: Range<u64>,
    /// The whole blob was requested: it ends where the registry ends it.
    to_its_end: bool,
    /// Position at which a body last ended early, without an error.
    ended: Option<u64>,
    /// Offset in the blob of the next byte to return.
    position: u64,
    body: Option<R::Body>,
    /// The head of the answer does not exclude that the body is an HTML page in place of the blob.
    may_be_page: bool,
    /// The next bytes are the first of the body, where a page would start.
    at_start: bool,
    /// The page that was found in place of the blob.
    page: Option<html::Page>,
    /// Decoder for the content coding of the body.
    undo: Option<coding::Undo>,
    /// Whether a coded body without a length is decoded. `None` before the first such body.
    decodes: Option<bool>,
    /// Bytes of the body that precede the range and are still to be dropped.
    skip: u64,
    /// The registry sent the whole blob in answer to a request for a part.
    whole: bool,
    /// The registry sent a part (206), even if the part is the whole blob.
    partial: bool,
    /// Requests have no `Range` header any more.
    plain: bool,
    /// Description of an answer that was neither the part nor the whole blob.
    odd: Option<String>,
    received: u64,
    budget: Budget,
    /// Reason for the next request, if it is not the first.
    reason: Option<Reason>,
}

impl<R: BlobRequester> ResumedBlob<R> {
    /// Opens a range.
    ///
    /// # Errors
    /// Errors of the requester; [`Error::Protocol`] if the range exceeds the blob's size, or if the registry sends another range.
    pub async fn part(requester: R, range: Range<u64>, budget: Budget) -> Result<Self, Error> {
        Self::open_at(requester, range, false, budget).await
    }

    /// Opens the whole blob. It ends where the registry ends it, so it may be shorter or longer than its size.
    ///
    /// # Errors
    /// As [`part`](Self::part).
    pub async fn whole(requester: R, budget: Budget) -> Result<Self, Error> {
        let range = 0..requester.size();
        Self::open_at(requester, range, true, budget).await
    }

    async fn open_at(requester: R, range: Range<u64>, to_its_end: bool, budget: Budget) -> Result<Self, Error> {
        let mut blob = Self {
            requester,
            position: range.start,
            range,
            to_its_end,
            ended: None,
            body: None,
            may_be_page: false,
            at_start: false,
            page: None,
            undo: None,
            decodes: None,
            skip: 0,
            whole: false,
            partial: false,
            plain: false,
            odd: None,
            received: 0,
            budget,
            reason: None,
        };
        let (range, size) = (&blob.range, blob.requester.size());
        if range.start > range.end || range.end > size {
            return Err(blob.protocol(format!("expected a range within {size} bytes, got {range:?}")));
        }
        blob.open().await?;
        Ok(blob)
    }

    /// Reads the next bytes into `buffer` and returns how many; 0 is the end of the range.
    ///
    /// # Errors
    /// As [`part`](Self::part), after the retries that the budget allows.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.read_until_broken(buffer).await? {
                Some(read) => return Ok(read),
                None => self.resume().await?,
            }
        }
    }

    /// As [`read`](Self::read), for callers that move the [end](Self::end_at): returns `None` after the transfer broke
    /// off and the pause before the next try has passed. Call [`resume`](Self::resume) then.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_until_broken(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        let left = self.range.end.saturating_sub(self.position);
        let left = if self.to_its_end { u64::MAX } else { left };
        let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if room == 0 {
            self.body = None;
            return Ok(Some(0));
        }
        let broken = loop {
            let polled = self.poll(&mut buffer[..room]).await;
            if let Some(page) = self.page.take() {
                return Err(self.refuse(page));
            }
            match polled {
                Ok(0) if self.to_its_end => {
                    if self.position >= self.range.end || self.ended.replace(self.position) == Some(self.position) {
                        return Ok(Some(0));
                    }
                    // Without a Content-Length a broken connection looks like an end, so request the rest once. If
                    // there is no rest, the blob is too short, and its verifier reports that.
                    match self.open().await {
                        Ok(()) => continue,
                        Err(Error::OutOfRange { .. } | Error::Protocol { .. }) => {
                            self.body = None;
                            return Ok(Some(0));
                        }
                        Err(error) => return Err(error),
                    }
                }
                // The registry ignores ranges, and its blob ends here.
                Ok(0) if self.plain => return Err(self.out_of_range()),
                // Answers without a length ended here repeatedly, without an error: the blob ends here.
                Ok(0) if self.ended == Some(self.position) && self.budget.failures() >= ENDS => {
                    return Err(self.out_of_range());
                }
                Ok(0) => {
                    self.ended = Some(self.position).filter(|position| *position > self.range.start);
                    break self.ended_early();
                }
                Ok(read) => {
                    self.position += read as u64;
                    return Ok(Some(read));
                }
                // All bytes of the blob have arrived.
                Err(_) if self.to_its_end && self.position > 0 && self.position >= self.range.end => {
                    self.body = None;
                    return Ok(Some(0));
                }
                Err(error) => break error,
            }
        };
        // Before the pause, so that a stalled connection brings no byte that another request takes over meanwhile.
        (self.body, self.undo) = (None, None);
        self.pause(broken).await?;
        Ok(None)
    }

    /// Requests what is still missing of the range.
    ///
    /// # Errors
    /// As [`part`](Self::part), after the retries that the budget allows.
    pub async fn resume(&mut self) -> Result<(), Error> {
        self.open().await
    }

    /// Bytes of bodies received so far, including bytes before the range.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes of the range returned so far.
    fn given(&self) -> u64 {
        self.position - self.range.start
    }

    /// Whether the registry sends the whole blob in answer to a request for a part. Each further range would cost as much.
    pub fn is_whole_blob(&self) -> bool {
        self.whole
    }

    /// Whether the registry sends parts of the blob. `None` if this answer does not show that.
    pub fn heeds_ranges(&self) -> Option<bool> {
        if self.whole { Some(false) } else { self.partial.then_some(true) }
    }

    /// Description of an answer that was neither the requested part nor the whole blob.
    pub fn odd_answer(&self) -> Option<&str> {
        self.odd.as_deref()
    }

    /// How often the registry asked for fewer requests (429, 503) before it answered.
    pub fn refusals(&self) -> u32 {
        self.budget.refusals()
    }

    /// Moves the end of the range to `end`, but not before a byte that was returned. It moves forward only if the registry
    /// [sends the whole blob](Self::is_whole_blob).
    pub fn end_at(&mut self, end: u64) {
        let most = if self.whole { self.requester.size() } else { self.range.end };
        self.range.end = end.min(most).max(self.position);
    }

    /// Reads to where the registry ends the blob, if the registry [sends the whole blob](Self::is_whole_blob) and no byte was read yet.
    #[must_use]
    pub fn to_its_end(mut self) -> Self {
        if self.whole && self.position == 0 {
            (self.range.end, self.to_its_end) = (self.requester.size(), true);
        }
        self
    }

    async fn open(&mut self) -> Result<(), Error> {
        let range = self.position..self.range.end;
        if range.is_empty() && !self.to_its_end {
            return Ok(());
        }
        // Drop the old body first, so that two transfers never run at once.
        (self.body, self.undo) = (None, None);
        let (mut response, skip) = loop {
            let extent = match (self.plain, self.to_its_end) {
                (true, _) => Extent::Blob,
                (false, true) => Extent::Rest,
                (false, false) => Extent::Range,
            };
            let wanted = Wanted { range: range.clone(), extent };
            let refused = match self.requester.ask(&wanted, &mut self.budget, self.reason.take()).await {
                // Some registries send an empty body while they fetch the blob from elsewhere. Only for an empty blob is it correct.
                Ok(response) if content_length(response.headers()) == Some(0) && !range.is_empty() => {
                    self.pause(self.ended_early()).await?;
                    continue;
                }
                // A part of a coded body cannot be decoded.
                Ok(response) if self.is_coded_part(&response, &range) && !self.plain => {
                    self.protocol("expected bytes of the blob as they are".to_owned())
                }
                Ok(response) => match self.skipped(&response, &range) {
                    Ok(skip) => break (response, skip),
                    Err(odd) => {
                        self.odd = Some(odd.clone());
                        self.protocol(odd)
                    }
                },
                Err(Error::Status { status: 416, .. }) => self.out_of_range(),
                Err(error) => return Err(error),
            };
            // Some registries have the blob but refuse ranges, or send wrong ones: request the whole blob, once.
            if std::mem::replace(&mut self.plain, true) {
                return Err(refused);
            }
        };
        let (headers, size) = (response.headers(), self.requester.size());
        let partial = response.status() == StatusCode::PARTIAL_CONTENT;
        let expected = if partial { range.end - range.start } else { size };
        let ours = self.requester.transport().redirects() == Redirects::Ours;
        self.at_start = !partial || range.start == 0;
        self.may_be_page = match content_length(headers).filter(|_| ours && coding::of(headers).is_none()) {
            Some(length) => length != expected && length != size,
            None => !self.requester.may_be_markup(),
        };
        let coding = coding::of(headers).and_then(coding::compression).filter(|_| !partial);
        match coding.filter(|_| ours) {
            Some(compression) if self.decodes(content_length(headers)) => {
                self.undo = Some(coding::Undo::new(compression, size, self.requester.limits()));
                (self.skip, self.whole) = (range.start, range != (0..size));
                self.body = Some(response.into_body());
                return Ok(());
            }
            // The registry announces the blob's own compression as a coding. The digest decides.
            Some(_) => {}
            None => coding::refuse(headers, expected, ours).map_err(|message| self.protocol(message))?,
        }
        // Refuse a body that is too long before reading it. One that is too short may only be cut off, so it is read. In a
        // browser this check does not apply: it sees the length of the coded body, and decoded bytes.
        match content_length(headers).filter(|_| ours && !self.to_its_end) {
            Some(length) if !partial && length <= range.start => return Err(self.out_of_range()),
            Some(got) if got > expected => {
                let limit = self.requester.limits().error_body_bytes;
                let (body, budget) = (response.body_mut(), self.budget.clone());
                let start = read_start(self.requester.transport(), body, limit, budget).await;
                if let Some(page) = html::Page::find(&start).filter(|_| self.may_be_page) {
                    return Err(self.refuse(page));
                }
                let mismatch = Mismatch::Size { expected, got };
                return Err(Error::Mismatch { what: self.requester.what().clone(), mismatch });
            }
            _ => {}
        }
        self.skip = skip;
        (self.whole, self.partial) = (!partial && range != (0..size), partial);
        self.body = Some(response.into_body());
        Ok(())
    }

    /// Whether to decode a coded body. Otherwise the coding is the blob's own compression.
    fn decodes(&mut self, length: Option<u64>) -> bool {
        match length {
            Some(length) => length != self.requester.size(),
            None => *self.decodes.get_or_insert_with(|| self.requester.decodes()),
        }
    }

    fn is_coded_part(&self, response: &Response<R::Body>, range: &Range<u64>) -> bool {
        let ours = self.requester.transport().redirects() == Redirects::Ours;
        response.status() == StatusCode::PARTIAL_CONTENT
            && coding::refuse(response.headers(), range.end - range.start, ours).is_err()
    }

    /// Reads the next bytes of the body. Also returns the time spent waiting.
    async fn piece(&mut self, buffer: &mut [u8]) -> (Result<usize, transport::Error>, Duration) {
        let mut waited = Duration::ZERO;
        let environment = self.requester.transport();
        let Some(body) = &mut self.body else { return (Ok(0), waited) };
        let Some(undo) = &mut self.undo else {
            return read_within(environment, body, buffer, self.budget.share()).await;
        };
        let mut room = vec![0; RAW];
        loop {
            match undo.take(buffer) {
                Ok(0) => {}
                taken => return (taken, waited),
            }
            let (read, took) = read_within(environment, body, &mut room, self.budget.share()).await;
            waited += took;
            match read {
                Ok(0) => return (undo.finish().map(|()| 0), waited),
                Ok(count) => undo.push(&room[..count]),
                Err(error) => return (Err(error), waited),
            }
        }
    }

    /// Returns the number of bytes in the body before the range, or why the answer has another range.
    fn skipped(&self, response: &Response<R::Body>, range: &Range<u64>) -> Result<u64, String> {
        let (status, headers) = (response.status(), response.headers());
        if let Some(kind) = headers.get(header::CONTENT_TYPE).filter(|_| status == StatusCode::PARTIAL_CONTENT)
            && kind.as_bytes().starts_with(b"multipart/")
        {
            return Err(format!("expected one range, got `{}`", quote(&String::from_utf8_lossy(kind.as_bytes()))));
        }
        blob::read(status, headers, range, self.requester.size()).map_err(|refused| refused.to_string())
    }

    /// Reads bytes of the range, and drops those before it. Also returns 0 if the body is a [page](Self::page).
    async fn poll(&mut self, buffer: &mut [u8]) -> Result<usize, transport::Error> {
        loop {
            // Count only the time spent waiting: the caller may be slow.
            let (read, waited) = self.piece(buffer).await;
            let read = read.inspect_err(|_| self.budget.stalled(waited))?;
            self.received += read as u64;
            if std::mem::take(&mut self.at_start) && self.may_be_page {
                self.page = html::Page::find(&buffer[..read]);
                if self.page.is_some() {
                    return Ok(0);
                }
            }
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

    /// Waits before the next try, or fails if there is none.
    async fn pause(&mut self, mut error: transport::Error) -> Result<(), Error> {
        let failure = TryFailure::Transport(error.kind);
        self.reason = self.requester.pause(&mut self.budget, failure, error.to_string()).await;
        if self.reason.is_some() {
            return Ok(());
        }
        self.budget.conclude(&mut error);
        let (registry, what) = self.subject();
        Err(Error::Transport { registry, what, error })
    }

    /// The error for an HTML page in place of the blob, whatever its `Content-Type`.
    fn refuse(&self, page: html::Page) -> Error {
        let (registry, what) = self.subject();
        Error::Page { registry, what, host: self.requester.sender().to_owned(), page }
    }

    fn protocol(&self, message: String) -> Error {
        let (registry, what) = self.subject();
        Error::Protocol { registry, what, message }
    }

    fn out_of_range(&self) -> Error {
        let (registry, what) = self.subject();
        Error::OutOfRange { registry, what, range: self.position..self.range.end, size: self.requester.size() }
    }

    fn subject(&self) -> (String, Subject) {
        (self.requester.registry().to_owned(), self.requester.what().clone())
    }

    fn ended_early(&self) -> transport::Error {
        let Range { start, end } = self.range;
        let message = format!("expected {} bytes, got {}", end - start, self.position - start);
        transport::Error { kind: ErrorKind::Interrupted, message }
    }
}

impl<R: BlobRequester> BlobStream for ResumedBlob<R> {
    type Error = Error;

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        Self::read(self, buffer).await
    }

    fn overhead(&self) -> u64 {
        self.received().saturating_sub(self.given())
    }
}

/// Number of ends at the same byte after which the blob counts as ended there.
const ENDS: u32 = 2;
/// Bytes of a coded body to read at a time.
const RAW: usize = 32 << 10;
