//! Reads a blob to its end, over breaks of the connection.

use super::scan::Scan;
use crate::{
    layer::{BlobRequest, WorkerReport},
    protocol::FailureKind,
};
use http::{Response, StatusCode, header};
use porthole_registry::transport::{self, Body, Environment, ErrorKind, Transport};
use std::{
    cell::RefCell,
    ops::Range,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

/// Bytes of the buffer that a body is read into.
pub(super) const CHUNK: usize = 256 << 10;

/// Why a fetch ended: a kind, and words.
pub(super) type Failed = (FailureKind, String);

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
    mut request: BlobRequest,
    link: &Link,
    scan: &mut Scan<'_>,
) -> Result<(), Failed> {
    let mut buffer = vec![0; CHUNK];
    let mut breaks = 0;
    let mut renewals = 0;
    loop {
        let offset = scan.offset();
        if offset > 0 && offset >= scan.size() {
            return Ok(());
        }
        let failed = match transport.send(build(&request, offset)?).await {
            Ok(response) if matches!(response.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT) => {
                match feed(transport, response, offset, &mut buffer, scan).await {
                    Ok(()) => return Ok(()),
                    Err(error) => broken(&error),
                }
            }
            Ok(response) => refused(response.status()),
            Err(error) => broken(&error),
        };
        match failed.0 {
            FailureKind::Unauthorized | FailureKind::NoCors | FailureKind::Preflight if renewals < RENEWALS => {
                renewals += 1;
                scan.report(WorkerReport::Stuck { job: scan.job(), kind: failed.0 });
                request = link.renewed().await;
                continue;
            }
            FailureKind::DeadHost | FailureKind::RateLimited | FailureKind::Other => {}
            _ => return Err(failed),
        }
        if scan.offset() > offset {
            breaks = 0;
        }
        breaks += 1;
        if breaks > BREAKS {
            return Err(failed);
        }
        transport.sleep(PAUSE * (1 << breaks)).await;
    }
}

/// Feeds a range of the blob to `push`, which returns whether it wants more. There is one try: the range is small, and the layer can be read
/// without it.
pub(super) async fn fetch_range<T: Transport>(
    transport: &T,
    request: &BlobRequest,
    range: Range<u64>,
    mut push: impl FnMut(&[u8]) -> bool,
) -> Result<(), Failed> {
    let mut asked = build(request, 0)?;
    let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
    let bytes = http::HeaderValue::try_from(bytes).map_err(|error| (FailureKind::Other, error.to_string()))?;
    asked.headers_mut().insert(header::RANGE, bytes);
    let response = transport.send(asked).await.map_err(|error| broken(&error))?;
    let mut skip = match response.status() {
        StatusCode::PARTIAL_CONTENT => range.start - start(&response, range.start).map_err(|error| broken(&error))?,
        StatusCode::OK => range.start,
        status => return Err(refused(status)),
    };
    let mut left = range.end - range.start;
    let mut body = response.into_body();
    let mut buffer = vec![0; CHUNK];
    while left > 0 {
        let read = body.read(&mut buffer).await.map_err(|error| broken(&error))?;
        if read == 0 {
            return Err((FailureKind::Other, "the body ended early".into()));
        }
        let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(read);
        skip -= skipped as u64;
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(read - skipped);
        left -= wanted as u64;
        if wanted > 0 && !push(&buffer[skipped..skipped + wanted]) {
            return Ok(());
        }
    }
    Ok(())
}

/// Tries in a row that bring no new byte.
const BREAKS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);
/// Fresh requests that a worker asks for: one for an expired token, one for another route, one to spare.
const RENEWALS: u32 = 3;

fn build(request: &BlobRequest, offset: u64) -> Result<transport::Request, Failed> {
    let mut builder = http::Request::get(&request.url);
    for (name, value) in &request.headers {
        if !name.eq_ignore_ascii_case("range") {
            builder = builder.header(name, value);
        }
    }
    if offset > 0 {
        builder = builder.header(header::RANGE, format!("bytes={offset}-"));
    }
    builder.body(transport::Payload::default()).map_err(|error| (FailureKind::Other, error.to_string()))
}

/// Reads the body into the scan, without the bytes that were read before.
async fn feed<B: Body>(
    clock: &impl Environment,
    response: Response<B>,
    offset: u64,
    buffer: &mut [u8],
    scan: &mut Scan<'_>,
) -> Result<(), transport::Error> {
    let mut skip = match response.status() {
        StatusCode::PARTIAL_CONTENT => offset - start(&response, offset)?,
        _ => offset,
    };
    let mut body = response.into_body();
    loop {
        let read = body.read(buffer).await?;
        if read == 0 {
            return if skip == 0 {
                Ok(())
            } else {
                Err(transport::Error { kind: ErrorKind::Interrupted, message: "the body ended early".into() })
            };
        }
        let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(read);
        skip -= skipped as u64;
        if skipped < read && !scan.push(&buffer[skipped..read], clock.now()) {
            return Ok(());
        }
    }
}

/// Where a partial answer starts: at `offset` if the header is not exposed to us, as the bytes are verified anyway.
fn start<B>(response: &Response<B>, offset: u64) -> Result<u64, transport::Error> {
    let Some(range) = response.headers().get(header::CONTENT_RANGE) else { return Ok(offset) };
    let start = range.to_str().ok().and_then(first_byte).filter(|&start| start <= offset);
    start.ok_or_else(|| transport::Error { kind: ErrorKind::Other, message: "expected another range".into() })
}

fn first_byte(content_range: &str) -> Option<u64> {
    content_range.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

fn broken(error: &transport::Error) -> Failed {
    let kind = match error.kind {
        ErrorKind::Cors | ErrorKind::Opaque => FailureKind::NoCors,
        ErrorKind::Preflight => FailureKind::Preflight,
        ErrorKind::Connect | ErrorKind::Resolve | ErrorKind::Tls | ErrorKind::Timeout => FailureKind::DeadHost,
        _ => FailureKind::Other,
    };
    let text = match kind {
        FailureKind::NoCors => "the host of its blob does not allow this page to read it",
        FailureKind::Preflight => "the registry refuses preflights",
        FailureKind::DeadHost => "the host of its blob cannot be reached",
        _ => "the connection broke, and trying again did not help",
    };
    (kind, format!("{text} ({})", error.message))
}

fn refused(status: StatusCode) -> Failed {
    let kind = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => FailureKind::Unauthorized,
        StatusCode::NOT_FOUND => FailureKind::NotFound,
        StatusCode::TOO_MANY_REQUESTS => FailureKind::RateLimited,
        _ => FailureKind::Other,
    };
    (kind, format!("the registry answered {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        assert_eq!(first_byte("bytes 100-199/200"), Some(100));
        assert_eq!(first_byte("bytes 0-199/*"), Some(0));
        for bad in ["bytes */200", "100-199/200", "bytes -5", ""] {
            assert_eq!(first_byte(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_request_goes_on_where_it_stopped() {
        let request = BlobRequest {
            url: "https://r.example/v2/a/blobs/b".into(),
            headers: vec![("Accept".into(), "x/y".into())],
        };
        assert!(build(&request, 0).unwrap().headers().get("range").is_none());
        assert_eq!(build(&request, 5).unwrap().headers()["range"], "bytes=5-");
    }
}
