//! The blob of a layer as a source: requested as the session says, and read over breaks of the connection.

use super::{
    Failed,
    wire::{Wire, WiredBody},
};
use crate::{layer::BlobRequest, protocol::FailureCause};
use http::{Response, StatusCode, header};
use porthole_core::{
    descriptor::Descriptor,
    failure::FailureClass,
    limits::Limits,
    manifest::{Document, Raw},
};
use porthole_registry::{
    endpoint::blob,
    error::kind_of_status,
    html::Page,
    retry::{Budget, PATIENCE, TryFailure, retry_after},
    trace::Reason,
    transport::{self, Body, Environment, ErrorKind, Transport},
};
use porthole_source::{BlobStream, Capability, ImageSource, SourceKind};
use std::{
    cell::RefCell,
    ops::Range,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

/// Where a worker waits for a fresh request.
#[derive(Clone, Default)]
pub(super) struct Link(Rc<RefCell<Renewal>>);

#[derive(Default)]
struct Renewal {
    request: Option<BlobRequest>,
    waker: Option<Waker>,
}

impl Link {
    pub(super) fn renew(&self, request: BlobRequest) {
        let mut renewal = self.0.borrow_mut();
        renewal.request = Some(request);
        if let Some(waker) = renewal.waker.take() {
            waker.wake();
        }
    }

    async fn renewed(&self) -> BlobRequest {
        std::future::poll_fn(|context| {
            let mut renewal = self.0.borrow_mut();
            match renewal.request.take() {
                Some(request) => Poll::Ready(request),
                None => {
                    renewal.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// The layer of a job as a source: its blob is requested as the session says.
pub(super) struct RequestedLayer<'w, T> {
    wire: &'w Wire<'w, T>,
    limits: Limits,
    request: Rc<RefCell<BlobRequest>>,
    size: u64,
    promised: bool,
    link: Option<Link>,
}

impl<'w, T> RequestedLayer<'w, T> {
    /// A blob of `size` bytes that is requested once: there is no other try.
    pub(super) fn new(wire: &'w Wire<'w, T>, request: BlobRequest, size: u64) -> Self {
        let request = Rc::new(RefCell::new(request));
        Self { wire, limits: Limits::default(), request, size, promised: true, link: None }
    }

    /// The same layer, read within `limits` and over breaks. Fresh requests come from `link`. `promised`: it should be an archive.
    pub(super) fn resumed(self, limits: Limits, promised: bool, link: &Link) -> Self {
        Self { limits, promised, link: Some(link.clone()), ..self }
    }
}

impl<'w, T: Transport + Environment> RequestedLayer<'w, T> {
    /// A range of the blob. The end of the whole blob is where the registry ends it.
    pub(super) fn part(&self, range: Range<u64>) -> RequestedBlob<'w, T> {
        let whole = range == (0..self.size);
        RequestedBlob {
            wire: self.wire,
            request: Rc::clone(&self.request),
            link: self.link.clone(),
            size: self.size,
            // Only an archive has a table of contents, which is what is asked for in ranges.
            expects_archive: self.promised || !whole,
            whole,
            position: range.start,
            end: range.end,
            incoming: None,
            ended: None,
            budget: Budget::new(PATIENCE),
            renewals: 0,
            attempt: 1,
            reason: None,
        }
    }
}

impl<'w, T: Transport + Environment> ImageSource for RequestedLayer<'w, T> {
    type Error = Failed;
    type Blob = RequestedBlob<'w, T>;

    fn kind(&self) -> SourceKind {
        SourceKind::Layer
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    async fn root(&self) -> Result<Document, Failed> {
        Err(self.kind().cannot(Capability::Documents).into())
    }

    async fn document(&self, _: &Descriptor) -> Result<Document, Failed> {
        self.root().await
    }

    async fn small_blob(&self, _: &Descriptor) -> Result<Raw, Failed> {
        Err(self.kind().cannot(Capability::Documents).into())
    }

    async fn open_blob(&self, _: &Descriptor, range: Range<u64>) -> Result<Self::Blob, Failed> {
        Ok(self.part(range))
    }
}

/// A range of the blob of a [`RequestedLayer`], in order. After a break it resumes from the byte that was reached.
pub(super) struct RequestedBlob<'w, T: Transport + Environment> {
    wire: &'w Wire<'w, T>,
    request: Rc<RefCell<BlobRequest>>,
    link: Option<Link>,
    size: u64,
    expects_archive: bool,
    whole: bool,
    /// The next byte of the blob.
    position: u64,
    /// Where the range ends.
    end: u64,
    incoming: Option<Incoming<WiredBody<'w, T>>>,
    /// Where a body last ended early, without an error.
    ended: Option<u64>,
    budget: Budget,
    renewals: u32,
    attempt: u32,
    /// Why the next request is not the first.
    reason: Option<Reason>,
}

impl<T: Transport + Environment> BlobStream for RequestedBlob<'_, T> {
    type Error = Failed;

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failed> {
        let left = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let room = if self.whole { buffer.len() } else { buffer.len().min(left) };
        if room == 0 {
            self.incoming = None;
            return Ok(0);
        }
        loop {
            if self.incoming.is_none() && self.position > 0 && self.position >= self.end {
                return Ok(0);
            }
            match self.next(&mut buffer[..room]).await {
                // Without a Content-Length, a broken connection looks like an end: the rest is asked for once.
                Ok(0) => {
                    self.incoming = None;
                    if self.position >= self.end || self.ended.replace(self.position) == Some(self.position) {
                        return Ok(0);
                    }
                }
                Ok(read) => {
                    self.position += read as u64;
                    return Ok(read);
                }
                Err((failed, failure)) => {
                    self.incoming = None;
                    self.recover(failed, failure).await?;
                }
            }
        }
    }
}

impl<'w, T: Transport + Environment> RequestedBlob<'w, T> {
    /// The next bytes; 0 is the end of the blob, as the registry has it.
    async fn next(&mut self, buffer: &mut [u8]) -> Result<usize, (Failed, TryFailure)> {
        if self.incoming.is_none() {
            self.incoming = self.open().await?;
        }
        let Some(incoming) = &mut self.incoming else { return Ok(0) };
        let clock = self.wire.transport();
        let started = clock.now();
        let piece = incoming.next(buffer).await;
        // A clock that jumps, or a machine that slept, must not cost more than a wait could have.
        let waited = clock.now().saturating_sub(started).min(PATIENCE);
        let read = piece.inspect_err(|_| self.budget.stalled(waited))?;
        if read == 0 {
            if self.whole && incoming.skip == 0 {
                return Ok(0);
            }
            let message = "the body ended early".into();
            return Err(broken(&transport::Error { kind: ErrorKind::Interrupted, message }));
        }
        let pace = self.budget.moved(waited, read as u64);
        if self.position + (read as u64) < self.end {
            pace.map_err(|error| broken(&error))?;
        }
        Ok(read)
    }

    /// Asks for the bytes from the position on. `None` = there are none.
    async fn open(&mut self) -> Result<Option<Incoming<WiredBody<'w, T>>>, (Failed, TryFailure)> {
        let range = self.position..self.end;
        let asked = build(&self.request.borrow(), range.start, (!self.whole).then_some(range.end))?;
        match self.wire.send(asked, self.reason.take()).await {
            Ok(response) if response.status().is_success() => {
                Incoming::new(response, &range, self.size, self.expects_archive).map(Some)
            }
            // The blob is shorter than it should be: its reader says so.
            Ok(response)
                if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && self.ended == Some(range.start) =>
            {
                Ok(None)
            }
            Ok(response) => Err(refused(&response, self.wire.transport().now())),
            Err(error) => Err(broken(&error)),
        }
    }

    /// Waits for another request, or until the next try.
    async fn recover(&mut self, failed: Failed, failure: TryFailure) -> Result<(), Failed> {
        let Some(link) = &self.link else { return Err(failed) };
        let is_barred = failed.kind == FailureClass::Authentication
            || matches!(failed.cause, Some(FailureCause::NoCors | FailureCause::Preflight));
        if is_barred && self.renewals < RENEWALS {
            self.renewals += 1;
            self.wire.stuck(failed.cause);
            let request = link.renewed().await;
            self.request.replace(request);
            self.reason = Some(Reason::Challenge);
            return Ok(());
        }
        self.attempt += 1;
        self.reason = Some(Reason::Retry { attempt: self.attempt, because: failure.to_string() });
        let clock = self.wire.transport();
        let Some(delay) = self.budget.spend(failure, clock.random()) else { return Err(failed) };
        clock.sleep(delay).await;
        Ok(())
    }
}

/// Fresh requests that a worker asks for: one for an expired token, one for another route, one to spare.
const RENEWALS: u32 = 3;

/// A request for the bytes from `start` to before `end`, or to the end of the blob.
fn build(request: &BlobRequest, start: u64, end: Option<u64>) -> Result<transport::Request, (Failed, TryFailure)> {
    let mut builder = http::Request::get(&request.url);
    for (name, value) in &request.headers {
        if !name.eq_ignore_ascii_case("range") {
            builder = builder.header(name, value);
        }
    }
    builder = match end {
        Some(end) => builder.header(header::RANGE, format!("bytes={start}-{}", end.saturating_sub(1))),
        None if start > 0 => builder.header(header::RANGE, format!("bytes={start}-")),
        None => builder,
    };
    builder
        .body(transport::Payload::default())
        .map_err(|error| (Failed::new(FailureClass::Other, error.to_string()), TryFailure::Transport(ErrorKind::Other)))
}

/// The body of an answer to a request for a range of a blob.
struct Incoming<B> {
    status: StatusCode,
    body: B,
    /// Bytes to come before the range that was asked for.
    skip: u64,
    /// Until the first bytes are there: whether an HTML page may be the blob. If it has the right length, or is no archive and
    /// has none, the digest decides.
    page_may_be_right: Option<bool>,
}

impl<B: Body> Incoming<B> {
    fn new(
        response: Response<B>,
        range: &Range<u64>,
        size: u64,
        expects_archive: bool,
    ) -> Result<Self, (Failed, TryFailure)> {
        let skip = skipped(&response, range, size).map_err(|error| broken(&error))?;
        let length = response.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let may_be_right = length.map_or(!expects_archive, |length: u64| length == size);
        let status = response.status();
        // Only a whole answer starts as a page does.
        let whole = status != StatusCode::PARTIAL_CONTENT || range.start == 0;
        Ok(Self { status, body: response.into_body(), skip, page_may_be_right: whole.then_some(may_be_right) })
    }

    /// The next bytes of the range; 0 is the end of the body.
    async fn next(&mut self, buffer: &mut [u8]) -> Result<usize, (Failed, TryFailure)> {
        loop {
            let read = self.body.read(buffer).await.map_err(|error| broken(&error))?;
            if let Some(false) = self.page_may_be_right.take()
                && let Some(page) = Page::find(&buffer[..read])
            {
                let text = format!(
                    "expected a blob, got {page}: a sign-in page or a proxy may answer in place of the registry"
                );
                let failure = TryFailure::Status { status: self.status.as_u16(), retry_after: None };
                return Err((Failed::new(FailureClass::Protocol, text), failure));
            }
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(read);
            self.skip -= skipped as u64;
            if read == 0 || skipped < read {
                buffer.copy_within(skipped..read, 0);
                return Ok(read - skipped);
            }
        }
    }
}

/// Bytes of the body before the range that was asked for.
fn skipped<B>(response: &Response<B>, range: &Range<u64>, size: u64) -> Result<u64, transport::Error> {
    let skip = blob::read(response.status(), response.headers(), range, size);
    skip.map_err(|error| transport::Error { kind: ErrorKind::Other, message: error.to_string() })
}

fn broken(error: &transport::Error) -> (Failed, TryFailure) {
    let cause = FailureCause::of(error.kind);
    let text = match cause {
        Some(FailureCause::NoCors) => "the host of its blob does not allow this page to read it",
        Some(FailureCause::Preflight) => "the registry refuses preflights",
        Some(FailureCause::Offline) => "this device has no network",
        Some(FailureCause::DeadHost | FailureCause::DeadRelay) => "the host of its blob cannot be reached",
        None => "the connection broke, and trying again did not help",
    };
    // A page cannot tell a lost name from a refused connection, such as that to a relay that is being restarted.
    let tried = if error.kind == ErrorKind::Resolve { ErrorKind::Connect } else { error.kind };
    let text = format!("{text} ({})", error.message);
    (Failed { cause, ..Failed::new(FailureClass::Network, text) }, TryFailure::Transport(tried))
}

/// `now` is the time since the Unix epoch.
fn refused<B>(response: &Response<B>, now: Duration) -> (Failed, TryFailure) {
    let status = response.status();
    let asked = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = asked.and_then(|value| retry_after(value, now));
    let failure = TryFailure::Status { status: status.as_u16(), retry_after };
    (Failed::new(kind_of_status(status), format!("the registry answered {status}")), failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_resume_where_the_body_stopped() {
        let request = BlobRequest {
            url: "https://r.example/v2/a/blobs/b".into(),
            headers: vec![("Accept".into(), "x/y".into())],
        };
        let range = |start, end| build(&request, start, end).unwrap().headers().get("range").cloned();
        assert_eq!(range(0, None), None);
        assert_eq!(range(5, None).unwrap(), "bytes=5-");
        assert_eq!(range(0, Some(5)).unwrap(), "bytes=0-4");
    }
}
