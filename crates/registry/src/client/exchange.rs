//! One request, until it has an answer: redirects and retries.

use super::{Call, Registry};
use crate::{
    error::Error,
    policy::{self, Url},
    redirect,
    retry::{self, Failure},
    trace::{Head, Paused, Reason, Sent},
    transport::{self, Environment, ErrorKind, FinalUrl, Redirects, Request, Transport},
};
use http::{HeaderValue, header};
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
        let mut reason = request.extensions().get::<Reason>().cloned();
        loop {
            let (failure, outcome) = match self.follow(call, request, reason.take()).await {
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
                    let because = failure.to_string();
                    self.paused(call, tries + 1, delay, &because);
                    reason = Some(Reason::Retry { attempt: tries + 1, because });
                    self.transport.sleep(delay).await;
                    waited += delay;
                }
                _ => return outcome,
            }
            tries += 1;
        }
    }

    /// Tells that a step waits before it is tried once more.
    pub(super) fn paused(&self, call: &Call, attempt: u32, delay: Duration, because: &str) {
        self.options.observer.paused(|| Paused {
            registry: call.registry.clone(),
            step: call.what.step,
            name: call.what.name.clone(),
            attempt,
            delay,
            because: because.to_owned(),
        });
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
        let exchange = self.options.observer.begin(&call.registry, |number| Sent {
            number,
            registry: call.registry.clone(),
            step: call.what.step,
            method: request.method().clone(),
            url: policy::redact(&request.uri().to_string()),
            fields: Sent::fields_of(&request),
            length: request.body().length(),
            authorized,
            reason,
        });
        if let Some(exchange) = &exchange {
            request.extensions_mut().insert(exchange.ending());
        }
        let outcome = self.transport.send(request).await;
        if let Some(exchange) = &exchange {
            exchange.answered(outcome.as_ref().map(Head::of).map_err(ToString::to_string));
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

pub(super) fn content_length(headers: &http::HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
