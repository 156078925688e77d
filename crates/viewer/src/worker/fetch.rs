//! Reads a blob to its end, over breaks of the connection.

use super::{Failed, scan::Scan, wire::Wire};
use crate::{
    layer::{BlobRequest, WorkerReport},
    protocol::FailureCause,
};
use http::{Response, StatusCode, header};
use porthole_core::failure::FailureClass;
use porthole_registry::{
    endpoint::blob,
    error::kind_of_status,
    html::Page,
    retry::{Budget, PATIENCE, TryFailure, retry_after},
    trace::Reason,
    transport::{self, Body, Environment, ErrorKind, Transport},
};
use std::{
    cell::RefCell,
    ops::Range,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

/// Bytes of the buffer that a body is read into.
pub(super) const CHUNK: usize = 256 << 10;

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

/// Feeds the whole blob to `scan`. After a break it resumes from the byte that was reached, so that no entry comes twice.
pub(super) async fn fetch<T: Transport + Environment>(
    transport: &T,
    wire: &Wire<'_, T>,
    mut request: BlobRequest,
    link: &Link,
    scan: &mut Scan<'_>,
) -> Result<(), Failed> {
    let mut buffer = vec![0; CHUNK];
    let mut budget = Budget::new(PATIENCE);
    let mut renewals = 0;
    let (mut ended, mut reason) = (None, None);
    let mut attempt = 1;
    loop {
        let offset = scan.offset();
        if offset > 0 && offset >= scan.size() {
            return Ok(());
        }
        let outcome = match wire.send(build(&request, offset, None)?, reason.take()).await {
            Ok(response) if response.status().is_success() => {
                feed(transport, response, &mut buffer, &mut budget, scan).await
            }
            // The blob is shorter than it should be: the scan says so.
            Ok(response) if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && ended == Some(offset) => {
                return Ok(());
            }
            Ok(response) => Err(refused(&response, transport.now())),
            Err(error) => Err(broken(&error)),
        };
        let (failed, failure) = match outcome {
            Ok(Fed::Enough) => return Ok(()),
            // Without a Content-Length, a broken connection looks like an end: the rest is asked for once.
            Ok(Fed::Ended) if scan.offset() >= scan.size() || ended.replace(scan.offset()) == Some(scan.offset()) => {
                return Ok(());
            }
            Ok(Fed::Ended) => continue,
            Err(failure) => failure,
        };
        let is_barred = failed.kind == FailureClass::Authentication
            || matches!(failed.cause, Some(FailureCause::NoCors | FailureCause::Preflight));
        if is_barred && renewals < RENEWALS {
            renewals += 1;
            scan.report(WorkerReport::Stuck { job: scan.job(), cause: failed.cause });
            request = link.renewed().await;
            reason = Some(Reason::Challenge);
            continue;
        }
        attempt += 1;
        reason = Some(Reason::Retry { attempt, because: failure.to_string() });
        let Some(delay) = budget.spend(failure, transport.random()) else { return Err(failed) };
        transport.sleep(delay).await;
    }
}

/// Feeds a range of a blob of `size` bytes to `push`, which returns whether it wants more. There is one try: the range is
/// small, and the layer can be read without it.
pub(super) async fn fetch_range<T: Transport + Environment>(
    wire: &Wire<'_, T>,
    request: &BlobRequest,
    range: Range<u64>,
    size: u64,
    mut push: impl FnMut(&[u8]) -> bool,
) -> Result<(), Failed> {
    let asked = build(request, range.start, Some(range.end))?;
    let response = wire.send(asked, None).await.map_err(|error| broken(&error).0)?;
    if !response.status().is_success() {
        return Err(refused(&response, Duration::ZERO).0);
    }
    // Only an archive has a table of contents, which is what is asked for in ranges.
    let mut incoming = Incoming::new(response, &range, size, true).map_err(|(failed, _)| failed)?;
    let mut left = range.end - range.start;
    let mut buffer = vec![0; CHUNK];
    while left > 0 {
        let piece = incoming.next(&mut buffer).await.map_err(|(failed, _)| failed)?;
        if piece.is_empty() {
            return Err(Failed::new(FailureClass::Network, "the body ended early"));
        }
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        left -= wanted as u64;
        if !push(&piece[..wanted]) {
            return Ok(());
        }
    }
    Ok(())
}

/// Fresh requests that a worker asks for: one for an expired token, one for another route, one to spare.
const RENEWALS: u32 = 3;

/// A request for the bytes from `start` to before `end`, or to the end of the blob.
fn build(request: &BlobRequest, start: u64, end: Option<u64>) -> Result<transport::Request, Failed> {
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
    builder.body(transport::Payload::default()).map_err(|error| Failed::new(FailureClass::Other, error.to_string()))
}

/// How a body ended.
enum Fed {
    /// The scan wants no more.
    Enough,
    /// No more came.
    Ended,
}

/// Reads the body into the scan, without the bytes that were read before.
async fn feed<B: Body>(
    clock: &impl Environment,
    response: Response<B>,
    buffer: &mut [u8],
    budget: &mut Budget,
    scan: &mut Scan<'_>,
) -> Result<Fed, (Failed, TryFailure)> {
    let range = scan.offset()..scan.size();
    let mut incoming = Incoming::new(response, &range, scan.size(), scan.expects_archive())?;
    loop {
        let started = clock.now();
        let piece = incoming.next(buffer).await;
        // A clock that jumps, or a machine that slept, must not cost more than a wait could have.
        let waited = clock.now().saturating_sub(started).min(PATIENCE);
        let piece = piece.inspect_err(|_| budget.stalled(waited))?;
        if piece.is_empty() && incoming.skip > 0 {
            let message = "the body ended early".into();
            return Err(broken(&transport::Error { kind: ErrorKind::Interrupted, message }));
        }
        if piece.is_empty() {
            return Ok(Fed::Ended);
        }
        let pace = budget.moved(waited, piece.len() as u64);
        if !scan.push(piece, clock.now()) {
            return Ok(Fed::Enough);
        }
        if scan.offset() < scan.size() {
            pace.map_err(|error| broken(&error))?;
        }
    }
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

    /// The next bytes of the range; none at the end of the body.
    async fn next<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b [u8], (Failed, TryFailure)> {
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
                return Ok(&buffer[skipped..read]);
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
