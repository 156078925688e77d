//! One request, until it has an answer: redirects and retries.

use super::{Call, Registry};
use crate::{
    date,
    endpoint::problem,
    error::Error,
    policy::{self, Url},
    redirect,
    retry::{self, Budget, TryFailure},
    trace::{Paused, Reason, Sent, TraceHead},
    transport::{self, Brief, Environment, ErrorKind, FinalUrl, Patience, Redirects, Request, Transport},
};
use http::{HeaderValue, Method, StatusCode, header};
use porthole_core::limits;
use std::time::Duration;

/// In the extensions of a request: whether it may be sent again, if its method does not decide that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// To send it twice has the same effect as to send it once.
    Safely,
    /// The caller decides what comes next.
    Never,
}

/// In the extensions of a request: a redirect is returned, not followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stay;

/// An answer, and where it came from.
pub(super) struct Answer<B> {
    pub(super) response: http::Response<B>,
    /// Where it came from, after every redirect that this crate followed.
    pub(super) url: Url,
    /// Whether it came from the origin that was asked: only then is its 401 the registry's own.
    pub(super) same_origin: bool,
    /// Whether a host that a redirect led to asked for a token, and got one.
    pub(super) signed: bool,
    /// The start of the body, if it was read to classify a failure.
    pub(super) said: Option<Vec<u8>>,
}

impl<T: Transport + Environment> Registry<T> {
    /// Returns the budget of an operation.
    pub(super) fn budget(&self) -> Budget {
        Budget::new(self.patience()).at_least(self.options.rate)
    }

    /// Sends, follows redirects, and tries again where that may help. The answer has any status.
    pub(super) async fn exchange(&self, call: &Call, request: &Request) -> Result<Answer<T::Body>, Error> {
        self.exchange_within(call, request, &mut self.budget()).await
    }

    /// As [`exchange`](Self::exchange), within the budget of an operation.
    pub(super) async fn exchange_within(
        &self,
        call: &Call,
        request: &Request,
        budget: &mut Budget,
    ) -> Result<Answer<T::Body>, Error> {
        let mut reason = request.extensions().get::<Reason>().cloned();
        loop {
            let share = budget.share();
            let started = self.transport.now();
            let mut outcome = match self.follow(call, request, reason.take(), share).await {
                Ok(answer) => Ok(self.hear(request, answer).await),
                Err(error @ Error::Transport { .. }) => Err(error),
                Err(error) => return Err(error),
            };
            // A clock that jumps, or a machine that slept, must not cost more than the try could have.
            budget.wait(self.transport.now().saturating_sub(started).min(share));
            let failure = match &outcome {
                Ok(answer) => self.failure_of(answer),
                Err(Error::Transport { error, .. }) => TryFailure::Transport(error.kind),
                Err(_) => return outcome,
            };
            let repeatable = request.extensions().get::<Repeat>().copied();
            let safe = redirect::may_follow(request.method()) && repeatable != Some(Repeat::Never)
                || repeatable == Some(Repeat::Safely);
            if !safe || outcome.as_ref().is_ok_and(|_| !failure.is_retryable()) {
                return outcome;
            }
            let Some(delay) = budget.spend(failure, self.transport.random()) else {
                if let Err(Error::Transport { error, .. }) = &mut outcome {
                    budget.conclude(error);
                }
                return outcome;
            };
            drop(outcome);
            reason = Some(self.pause(call, budget, delay, failure, failure.to_string()).await);
        }
    }

    /// Waits before another try, as long as the budget allows, and reports the wait. Returns the reason for the try.
    pub(super) async fn pause(
        &self,
        call: &Call,
        budget: &Budget,
        delay: Duration,
        failure: TryFailure,
        because: String,
    ) -> Reason {
        let attempt = budget.failures() + 1;
        self.paused(call, attempt, delay, failure.retry_after() == Some(delay), &because);
        self.transport.sleep(delay).await;
        Reason::Retry { attempt, because }
    }

    /// Reports that a step waits before it is tried again, and whether the registry asked for the wait.
    pub(super) fn paused(&self, call: &Call, attempt: u32, delay: Duration, asked: bool, because: &str) {
        self.options.observer.paused(|| Paused {
            registry: call.registry.clone(),
            step: call.what.step,
            name: call.what.name.clone(),
            attempt,
            delay,
            asked,
            because: because.to_owned(),
        });
    }

    pub(super) fn failure_of(&self, answer: &Answer<T::Body>) -> TryFailure {
        let retry_after = self.retry_after(answer.response.headers());
        let status = answer.response.status();
        let code = answer.said.as_ref().and_then(|said| problem::read(status, said).code);
        if code.is_some_and(|code| retry::is_passing(&code)) {
            return TryFailure::Busy { retry_after };
        }
        TryFailure::Status { status: status.as_u16(), retry_after }
    }

    /// Reads why a request failed, if its status alone does not decide whether another try may help.
    async fn hear(&self, request: &Request, mut answer: Answer<T::Body>) -> Answer<T::Body> {
        let status = answer.response.status();
        let plain = TryFailure::Status { status: status.as_u16(), retry_after: None };
        let refusal = status.is_client_error() || status.is_server_error();
        if !refusal || status == StatusCode::UNAUTHORIZED || plain.is_retryable() || request.method() == Method::HEAD {
            return answer;
        }
        answer.said = Some(self.read_start(answer.response.body_mut(), self.options.limits.error_body_bytes).await);
        answer
    }

    /// Returns the wait that an answer's `Retry-After` asks for. A date in it is compared with the clock of the server,
    /// if the answer has its time.
    pub(super) fn retry_after(&self, headers: &http::HeaderMap) -> Option<Duration> {
        let now = clock_of(headers).unwrap_or_else(|| self.transport.now());
        retry::retry_after(headers.get(header::RETRY_AFTER)?.to_str().ok()?, now)
    }

    async fn follow(
        &self,
        call: &Call,
        request: &Request,
        reason: Option<Reason>,
        patience: Duration,
    ) -> Result<Answer<T::Body>, Error> {
        let refused = |error| Error::Policy { registry: call.registry.clone(), role: "redirect", error };
        let asked = Url::parse(&request.uri().to_string()).map_err(|error| refused(error.into()))?;
        let mut url = asked.clone();
        let mut request = request.clone();
        if request.extensions().get::<Patience>().is_none() {
            request.extensions_mut().insert(Patience(patience));
        }
        let mut reason = reason;
        let may_follow = redirect::may_follow(request.method()) && request.extensions().get::<Stay>().is_none();
        for hop in 1..=limits::REDIRECTS + 1 {
            let response = self.send(call, &request, reason).await?;
            if self.transport.redirects() == Redirects::Platform {
                let last = response.extensions().get::<FinalUrl>().and_then(|last| Url::parse(&last.0).ok());
                let same_origin = last.as_ref().is_none_or(|last| last.origin() == asked.origin());
                return Ok(Answer { response, url: last.unwrap_or(asked), same_origin, signed: false, said: None });
            }
            let next = match redirect::target(&url, response.status(), response.headers()) {
                Some(next) if may_follow => next.map_err(refused)?,
                _ => {
                    let same_origin = url.origin() == asked.origin();
                    return Ok(Answer { response, url, same_origin, signed: false, said: None });
                }
            };
            request = redirect::follow(&request, &url, &next).map_err(refused)?;
            request.extensions_mut().remove::<Brief>();
            url = next;
            reason = Some(Reason::Redirect { hop });
        }
        Err(Error::RedirectLoop { registry: call.registry.clone(), what: call.what.clone(), limit: limits::REDIRECTS })
    }

    async fn send(
        &self,
        call: &Call,
        request: &Request,
        reason: Option<Reason>,
    ) -> Result<http::Response<T::Body>, Error> {
        let mut request = request.clone();
        if self.transport.redirects() == Redirects::Ours {
            // A coded body would be hashed as such; a browser decodes by itself and forbids the header.
            request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let authorized = request.headers().contains_key(header::AUTHORIZATION);
        let exchange = self.options.observer.begin(&call.registry, |number| Sent {
            number,
            registry: call.registry.clone(),
            step: call.what.step,
            name: call.what.name.clone(),
            method: request.method().clone(),
            url: policy::redact(&request.uri().to_string()),
            fields: Sent::fields_of(&request),
            length: request.body().length().unwrap_or(0),
            authorized,
            reason,
        });
        if let Some(exchange) = &exchange {
            request.extensions_mut().insert(exchange.ending());
        }
        let outcome = self.transport.send(request).await;
        if let Some(exchange) = &exchange {
            exchange.answered(outcome.as_ref().map(TraceHead::of).map_err(ToString::to_string));
        }
        outcome.map_err(|error| call.transport_error(error, authorized))
    }
}

impl Call {
    /// In a page a request with `Authorization` needs a preflight. The registry has answered without one before (there was a challenge),
    /// so a blocked request means that it refuses preflights, not that it is dead.
    fn transport_error(&self, mut error: transport::Error, authorized: bool) -> Error {
        if authorized && matches!(error.kind, ErrorKind::Opaque | ErrorKind::Cors) && self.what.step != "token" {
            error.kind = ErrorKind::Preflight;
        }
        Error::Transport { registry: self.registry.clone(), what: self.what.clone(), error }
    }
}

/// The time of the host that answered, since the Unix epoch.
pub(super) fn clock_of(headers: &http::HeaderMap) -> Option<Duration> {
    date::http(headers.get(header::DATE)?.to_str().ok()?).map(Duration::from_secs)
}

/// A request that may be sent twice.
pub(super) fn safely(mut request: Request) -> Request {
    request.extensions_mut().insert(Repeat::Safely);
    request
}

/// The URL of a request.
pub(super) fn parse(request: &Request) -> Result<Url, policy::UrlError> {
    Url::parse(&request.uri().to_string())
}
