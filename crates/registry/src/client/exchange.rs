//! One request, until it has an answer: redirects and retries.

use super::{Call, Registry};
use crate::{
    error::Error,
    policy::{self, Url},
    redirect,
    retry::{self, Failure},
    trace::{Exchange, Reason},
    transport::{self, Environment, ErrorKind, FinalUrl, Redirects, Request, Transport},
};
use http::{HeaderValue, Method, header};
use porthole_core::limits;
use std::time::Duration;

/// In the extensions of a request: whether it may be sent again, where its method does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It changes nothing that a second one would not leave as it is.
    Safely,
    /// Whoever sends it knows better what comes next.
    Never,
}

/// An answer, and where it came from.
pub(super) struct Answer<B> {
    pub(super) response: http::Response<B>,
    /// It came from the origin that was asked: only then is its 401 the registry's own.
    pub(super) same_origin: bool,
}

impl<T: Transport + Environment> Registry<T> {
    /// Sends, follows redirects, and tries again where that may help. The answer has any status.
    pub(super) async fn exchange(&self, call: &Call, request: &Request) -> Result<Answer<T::Body>, Error> {
        let mut tries = 1;
        let mut waited = Duration::ZERO;
        loop {
            let reason = (tries > 1).then_some(Reason::Retry { attempt: tries });
            let (failure, outcome) = match self.follow(call, request, reason).await {
                Ok(answer) => (self.failure_of(&answer), Ok(answer)),
                Err(Error::Transport { registry, what, error }) => {
                    (Failure::Transport(error.kind), Err(Error::Transport { registry, what, error }))
                }
                Err(error) => return Err(error),
            };
            let repeatable = request.extensions().get::<Repeat>().copied();
            let safe = redirect::may_follow(request.method()) && repeatable != Some(Repeat::Never)
                || repeatable == Some(Repeat::Safely);
            match retry::delay(tries, waited, failure, self.transport.random()) {
                Some(delay) if safe => {
                    drop(outcome);
                    self.transport.sleep(delay).await;
                    waited += delay;
                }
                _ => return outcome,
            }
            tries += 1;
        }
    }

    pub(super) fn failure_of(&self, answer: &Answer<T::Body>) -> Failure {
        Failure::Status {
            status: answer.response.status().as_u16(),
            retry_after: self.retry_after(answer.response.headers()),
        }
    }

    /// What an answer's `Retry-After` asks for.
    pub(super) fn retry_after(&self, headers: &http::HeaderMap) -> Option<Duration> {
        let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        retry::retry_after(value, self.transport.now())
    }

    async fn follow(&self, call: &Call, request: &Request, reason: Option<Reason>) -> Result<Answer<T::Body>, Error> {
        let refused = |error| Error::Policy { registry: call.registry.clone(), role: "redirect", error };
        let asked = Url::parse(&request.uri().to_string()).map_err(|error| refused(error.into()))?;
        let mut url = asked.clone();
        let mut request = request.clone();
        let mut reason = reason;
        for hop in 1..=limits::REDIRECTS + 1 {
            let response = self.send(call, &request, reason).await?;
            if self.transport.redirects() == Redirects::Platform {
                let last = response.extensions().get::<FinalUrl>().and_then(|last| Url::parse(&last.0).ok());
                let same_origin = last.is_none_or(|last| last.origin() == asked.origin());
                return Ok(Answer { response, same_origin });
            }
            let next = match redirect::target(&url, response.status(), response.headers()) {
                Some(next) if redirect::may_follow(request.method()) => next.map_err(refused)?,
                _ => return Ok(Answer { response, same_origin: url.origin() == asked.origin() }),
            };
            request = redirect::follow(&request, &url, &next).map_err(refused)?;
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
        let range = request.headers().get(header::RANGE).and_then(|range| range.to_str().ok()).map(str::to_owned);
        let method: Method = request.method().clone();
        let url = policy::redact(&request.uri().to_string());
        let started = self.transport.now();
        let outcome = self.transport.send(request).await;
        self.options.observer.tell(|| Exchange {
            registry: call.registry.clone(),
            method,
            url,
            range,
            authorized,
            outcome: match &outcome {
                Ok(response) => Ok(response.status().as_u16()),
                Err(error) => Err(error.to_string()),
            },
            length: outcome.as_ref().ok().and_then(|response| content_length(response.headers())),
            started,
            elapsed: self.transport.now().saturating_sub(started),
            reason,
        });
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

pub(super) fn content_length(headers: &http::HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
