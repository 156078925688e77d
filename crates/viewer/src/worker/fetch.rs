//! The blob of a layer as a source. The session supplies the requests, and [`ResumedBlob`] resumes broken transfers.

use super::{
    Failed,
    wire::{Wire, WiredBody},
};
use crate::{errands::Apart, layer::BlobRequest, protocol::FailureCause};
use http::{Response, header};
use porthole_core::{
    descriptor::Descriptor,
    limits::Limits,
    manifest::{Document, Raw},
};
use porthole_registry::{
    Error,
    body::read_start,
    endpoint::{blob, problem::Problem},
    error::Subject,
    html::{self, Page},
    policy::Url,
    resume::{BlobRequester, ResumedBlob, Wanted},
    retry::{Budget, PATIENCE, TryFailure, retry_after},
    trace::Reason,
    transport::{self, Environment, ErrorKind, FinalUrl, Transport},
};
use porthole_source::{Capability, ImageSource, SourceKind};
use std::{
    cell::RefCell,
    ops::Range,
    rc::Rc,
    task::{Poll, Waker},
};

/// Hands a worker the orders that its job gets while it runs.
#[derive(Clone, Default)]
pub(super) struct Link(Rc<RefCell<Renewal>>);

#[derive(Default)]
struct Renewal {
    /// The rest of the archive is to be hashed on another thread.
    beside: bool,
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

    pub(super) fn hash_beside(&self) {
        self.0.borrow_mut().beside = true;
    }

    pub(super) fn is_beside(&self) -> bool {
        self.0.borrow().beside
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

/// The layer of a job as a source. Its blob is fetched with the session's request.
pub(super) struct RequestedLayer<'w, T> {
    wire: &'w Wire<'w, T>,
    limits: Limits,
    request: Rc<RefCell<BlobRequest>>,
    size: u64,
    promised: bool,
    link: Option<Link>,
    /// The host that is asked, if it is not the registry.
    host: Option<String>,
}

impl<'w, T> RequestedLayer<'w, T> {
    /// A blob of `size` bytes that is requested only once, without retries.
    pub(super) fn new(wire: &'w Wire<'w, T>, request: BlobRequest, size: u64) -> Self {
        let request = Rc::new(RefCell::new(request));
        Self { wire, limits: Limits::default(), request, size, promised: true, link: None, host: None }
    }

    /// Adds `limits` and retries, with fresh requests from `link`. `promised` says that the blob should be an archive.
    pub(super) fn resumed(self, limits: Limits, promised: bool, link: &Link) -> Self {
        Self { limits, promised, link: Some(link.clone()), ..self }
    }
}

impl<'w, T: Transport + Environment> RequestedLayer<'w, T> {
    /// Opens the blob. If the registry does not have it, tries these URLs without credentials. Also returns the host that sends it, if that
    /// is one of these.
    pub(super) async fn open(&self, elsewhere: &[String]) -> Result<(RequestedBlob<'w, T>, Option<String>), Failed> {
        let mut outcome = match self.part(0..self.size).await {
            Err(error @ Error::NotFound { .. }) => Err(error.into()),
            outcome => return Ok((outcome?, None)),
        };
        for url in elsewhere {
            let other = self.at(url);
            outcome = match other.part(0..self.size).await {
                Ok(blob) => return Ok((blob, other.host)),
                Err(error) => Err(Failed { host: other.host, ..error.into() }),
            };
        }
        outcome
    }

    /// The same blob at another URL.
    fn at(&self, url: &str) -> Self {
        let host = Url::parse(url).map(|url| url.origin().authority()).unwrap_or_default();
        let request = Rc::new(RefCell::new(BlobRequest { url: url.to_owned(), headers: Vec::new() }));
        Self { request, host: Some(host), link: self.link.clone(), ..*self }
    }

    /// Opens a range of the blob. If the range is the whole blob, it ends where the registry ends it.
    pub(super) async fn part(&self, range: Range<u64>) -> Result<RequestedBlob<'w, T>, Error> {
        let whole = range == (0..self.size);
        let requester = JobRequester {
            wire: self.wire,
            limits: self.limits,
            request: Rc::clone(&self.request),
            link: self.link.clone(),
            what: Subject::new("blob", self.wire.digest()),
            size: self.size,
            // Ranges are requested only of tables of contents, and only an archive has one.
            may_be_markup: whole && !self.promised,
            sender: String::new(),
            // The session has no other request for another host than the registry.
            renewals: if self.host.is_some() { RENEWALS } else { 0 },
            host: self.host.clone(),
        };
        let budget = Budget::new(PATIENCE);
        if whole {
            ResumedBlob::whole(requester, budget).await
        } else {
            ResumedBlob::part(requester, range, budget).await
        }
    }
}

impl<'w, T: Transport + Environment> ImageSource for RequestedLayer<'w, T> {
    type Error = Error;
    type Blob = RequestedBlob<'w, T>;

    fn kind(&self) -> SourceKind {
        SourceKind::Layer
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    async fn root(&self) -> Result<Document, Error> {
        Err(self.kind().cannot(Capability::Documents).into())
    }

    async fn document(&self, _: &Descriptor) -> Result<Document, Error> {
        self.root().await
    }

    async fn small_blob(&self, _: &Descriptor) -> Result<Raw, Error> {
        Err(self.kind().cannot(Capability::Documents).into())
    }

    async fn open_blob(&self, _: &Descriptor, range: Range<u64>) -> Result<Self::Blob, Error> {
        self.part(range).await
    }
}

/// A range of the blob of a [`RequestedLayer`].
pub(super) type RequestedBlob<'w, T> = ResumedBlob<JobRequester<'w, T>>;

/// Number of bytes that a request asks for, as an extension of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestedBytes(pub u64);

/// Sends the requests of a job.
pub(super) struct JobRequester<'w, T> {
    wire: &'w Wire<'w, T>,
    limits: Limits,
    request: Rc<RefCell<BlobRequest>>,
    /// `None` if the blob is requested only once.
    link: Option<Link>,
    what: Subject,
    size: u64,
    may_be_markup: bool,
    /// The host that sent the last answer, if it is not the one that was asked.
    sender: String,
    renewals: u32,
    host: Option<String>,
}

impl<'w, T: Transport + Environment> BlobRequester for JobRequester<'w, T> {
    type Transport = T;
    type Body = WiredBody<'w, T>;

    fn transport(&self) -> &T {
        self.wire.transport()
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn registry(&self) -> &str {
        self.host.as_deref().unwrap_or_else(|| self.wire.registry())
    }

    fn what(&self) -> &Subject {
        &self.what
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn may_be_markup(&self) -> bool {
        self.may_be_markup
    }

    fn sender(&self) -> &str {
        if self.sender.is_empty() { self.registry() } else { &self.sender }
    }

    async fn ask(
        &mut self,
        wanted: &Wanted,
        budget: &mut Budget,
        reason: Option<Reason>,
    ) -> Result<Response<WiredBody<'w, T>>, Error> {
        let answer: Apart<'_, _> = Box::pin(self.ask_again(wanted, budget, reason));
        answer.await
    }

    /// Waits for a fresh request if this one is refused, otherwise until the next try.
    async fn pause(&mut self, budget: &mut Budget, failure: TryFailure, because: String) -> Option<Reason> {
        let link = self.link.as_ref()?;
        let cause = match failure {
            TryFailure::Status { status: 401 | 403, .. } => Some(None),
            TryFailure::Transport(kind) => Some(FailureCause::of(kind))
                .filter(|cause| matches!(cause, Some(FailureCause::NoCors | FailureCause::Preflight))),
            _ => None,
        };
        if let Some(cause) = cause.filter(|_| self.renewals < RENEWALS) {
            self.renewals += 1;
            self.wire.stuck(cause);
            let request = link.renewed().await;
            self.request.replace(request);
            return Some(Reason::Challenge);
        }
        let failure = match failure {
            // A page cannot distinguish a failed look-up from a refused connection, such as that to a restarting relay.
            TryFailure::Transport(ErrorKind::Resolve) => TryFailure::Transport(ErrorKind::Connect),
            failure => failure,
        };
        let clock = self.wire.transport();
        let delay = budget.spend(failure, clock.random())?;
        clock.sleep(delay).await;
        Some(Reason::Retry { attempt: budget.failures() + 1, because })
    }
}

impl<'w, T: Transport + Environment> JobRequester<'w, T> {
    /// Asks until there is an answer with a body, within the budget.
    async fn ask_again(
        &mut self,
        wanted: &Wanted,
        budget: &mut Budget,
        mut reason: Option<Reason>,
    ) -> Result<Response<WiredBody<'w, T>>, Error> {
        let clock = self.wire.transport();
        loop {
            let request = build(&self.request.borrow(), wanted).map_err(|error| self.broken(error))?;
            let (share, started) = (budget.share(), clock.now());
            let outcome = self.wire.send(request, reason.take()).await;
            // If the clock jumps or the machine sleeps, the cost is still at most one share.
            budget.wait(clock.now().saturating_sub(started).min(share));
            let (mut error, failure) = match outcome {
                Ok(response) if response.status().is_success() => return self.accept(response, wanted, budget).await,
                Ok(response) => self.refused(&response),
                Err(error) => {
                    let failure = TryFailure::Transport(error.kind);
                    (self.broken(error), failure)
                }
            };
            reason = self.pause(budget, failure, failure.to_string()).await;
            if reason.is_none() {
                if let Error::Transport { error, .. } = &mut error {
                    budget.conclude(error);
                }
                return Err(error);
            }
        }
    }

    /// Accepts an answer, unless its head says that it is an HTML page in place of the blob.
    async fn accept(
        &mut self,
        mut response: Response<WiredBody<'w, T>>,
        wanted: &Wanted,
        budget: &Budget,
    ) -> Result<Response<WiredBody<'w, T>>, Error> {
        let origin = |url: &str| Url::parse(url).ok().map(|url| url.origin().clone());
        let last = response.extensions().get::<FinalUrl>().and_then(|last| origin(&last.0));
        let elsewhere = last.filter(|last| origin(&self.request.borrow().url).as_ref() != Some(last));
        self.sender = elsewhere.map(|origin| origin.authority()).unwrap_or_default();
        if html::is_right_length(response.headers(), wanted.length(), self.size)
            || !html::is_announced(response.headers(), true)
        {
            return Ok(response);
        }
        let (clock, limit) = (self.wire.transport(), self.limits.error_body_bytes);
        let start = read_start(clock, response.body_mut(), limit, budget.clone()).await;
        let page = Page::find(&start).unwrap_or(Page { title: None });
        let (registry, host) = (self.registry().to_owned(), self.sender().to_owned());
        Err(Error::Page { registry, what: self.what.clone(), host, page })
    }

    fn broken(&self, error: transport::Error) -> Error {
        Error::Transport { registry: self.registry().to_owned(), what: self.what.clone(), error }
    }

    /// Converts a status other than success. Does not read the body: it may repeat a token, and only the session knows what to mask.
    fn refused(&self, response: &Response<WiredBody<'w, T>>) -> (Error, TryFailure) {
        let (status, headers) = (response.status(), response.headers());
        let asked = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = asked.and_then(|value| retry_after(value, self.wire.transport().now()));
        let credentials =
            self.request.borrow().headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let seconds = retry_after.map(|wait| wait.as_secs());
        let error = Problem::of_status(status).error(status, self.registry(), &self.what, credentials, seconds);
        (error, TryFailure::Status { status: status.as_u16(), retry_after })
    }
}

/// Number of fresh requests that a worker may ask for: one for an expired token, one for another route, one in reserve.
const RENEWALS: u32 = 3;

/// Returns the session's request, with the `Range` header for the wanted bytes.
fn build(request: &BlobRequest, wanted: &Wanted) -> Result<transport::Request, transport::Error> {
    let mut builder = http::Request::get(&request.url);
    for (name, value) in &request.headers {
        if !name.eq_ignore_ascii_case("range") {
            builder = builder.header(name, value);
        }
    }
    if let Some(range) = blob::range_header(wanted.bytes()) {
        builder = builder.header(header::RANGE, range);
    }
    let invalid = |error: http::Error| transport::Error { kind: ErrorKind::Other, message: error.to_string() };
    builder = builder.extension(RequestedBytes(wanted.length()));
    builder.body(transport::Payload::default()).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_registry::resume::Extent;

    #[test]
    fn requests_say_how_many_bytes_they_ask_for() {
        let request = BlobRequest { url: "https://r.example/v2/a/blobs/b".into(), headers: Vec::new() };
        let request = build(&request, &Wanted { range: 5..9, extent: Extent::Rest }).unwrap();
        assert_eq!(request.extensions().get(), Some(&RequestedBytes(4)));
    }

    #[test]
    fn requests_resume_where_the_body_stopped() {
        let request = BlobRequest {
            url: "https://r.example/v2/a/blobs/b".into(),
            headers: vec![("Accept".into(), "x/y".into()), ("Range".into(), "bytes=7-".into())],
        };
        let range = |range, extent| {
            let request = build(&request, &Wanted { range, extent }).unwrap();
            request.headers().get("range").map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(range(0..9, Extent::Rest), None);
        assert_eq!(range(5..9, Extent::Blob), None);
        assert_eq!(range(5..9, Extent::Rest).as_deref(), Some("bytes=5-"));
        assert_eq!(range(0..5, Extent::Range).as_deref(), Some("bytes=0-4"));
    }
}
