//! Requests to registries and to the hosts that they point at.

use crate::{
    metrics::{Limit, Metrics},
    policy::Policy,
    refusal::Refusal,
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Response, StatusCode};
use porthole_core::limits::REDIRECTS;
use porthole_native::{Native, NativeBody};
use porthole_registry::{
    policy::Url,
    redirect, relay_code,
    transport::{ErrorKind, Patience, Payload, Request, Transport},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// How the relay speaks to others.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) native: Native,
    pub(crate) policy: Policy,
    /// For a registry to begin its answer.
    pub(crate) first_byte: Duration,
    pub(crate) metrics: Arc<Metrics>,
    /// What the policy said of the last registries.
    pub(crate) judged: Mutex<HashMap<String, Url>>,
}

/// An answer, and the URL that gave it after all redirects.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) url: Url,
    pub(crate) response: Response<NativeBody>,
}

impl Upstream {
    /// The base URL of a registry's API: see [`Policy::registry`].
    ///
    /// # Errors
    /// The policy refuses the registry.
    pub(crate) fn registry(&self, registry: &str, host: &str) -> Result<Url, Refusal> {
        let judged = || self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(url) = judged().get(registry) {
            return Ok(url.clone());
        }
        let url = self.policy.registry(registry, host)?;
        let mut judged = judged();
        if judged.len() >= JUDGED {
            judged.clear();
        }
        judged.insert(registry.to_owned(), url.clone());
        Ok(url)
    }

    /// Refuses a request to a registry that gets as many as its rule allows.
    ///
    /// # Errors
    /// 429, until a second later.
    pub(crate) fn admit(&self, registry: &str) -> Result<(), Refusal> {
        if self.policy.rules.may_ask(registry) {
            return Ok(());
        }
        self.metrics.limited(Limit::RegistryRate);
        let message = format!("this relay sends {registry} no more requests now (--registry)");
        Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message))
    }

    /// Sends a request and follows where the answer points: every hop is checked, and the authorization stays with the
    /// origin that it was meant for.
    pub(crate) async fn fetch(&self, method: &Method, mut url: Url, headers: HeaderMap) -> Result<Answer, Refusal> {
        let mut request = request(method, &url, headers, Bytes::new())?;
        for _ in 0..=REDIRECTS {
            let response = self.send(&request).await?;
            let Some(next) = redirect::target(&url, response.status(), response.headers()) else {
                return Ok(Answer { url, response });
            };
            let next = self.policy.hop(&url, next)?;
            Box::pin(drain(response.into_body())).await;
            request = redirect::follow(&request, &url, &next)
                .map_err(|error| Refusal::upstream(relay_code::UPSTREAM_INVALID, error.to_string()))?;
            url = next;
        }
        let host = url.origin().authority();
        Err(Refusal::upstream(
            relay_code::UPSTREAM_INVALID,
            format!("more than {REDIRECTS} redirects, the last from {host}"),
        ))
    }

    /// Sends one request.
    pub(crate) async fn send(&self, request: &Request) -> Result<Response<NativeBody>, Refusal> {
        let started = Instant::now();
        let answer = self.send_once_or_twice(request).await;
        self.metrics.upstream_answered(started.elapsed());
        answer
    }

    async fn send_once_or_twice(&self, request: &Request) -> Result<Response<NativeBody>, Refusal> {
        let copy = || {
            let mut copy = request.clone();
            if copy.extensions().get::<Patience>().is_none() {
                copy.extensions_mut().insert(Patience(self.first_byte));
            }
            copy
        };
        match self.native.send(copy()).await {
            // The other end may have closed an idle connection just now.
            Err(error) if error.kind == ErrorKind::Interrupted && redirect::may_follow(request.method()) => {
                Ok(Box::pin(self.native.send(copy())).await?)
            }
            answer => Ok(answer?),
        }
    }
}

/// A request built from nothing but these parts.
pub(crate) fn request(
    method: &Method,
    url: &Url,
    headers: HeaderMap,
    body: impl Into<Payload>,
) -> Result<Request, Refusal> {
    let mut request = Request::new(body.into());
    *request.method_mut() = method.clone();
    *request.uri_mut() =
        url.to_uri().map_err(|error| Refusal::upstream(relay_code::UPSTREAM_INVALID, error.to_string()))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Reads a body of at most `limit` bytes; `None` if it is longer.
///
/// # Errors
/// The body broke off, or did not arrive in time: an error or a token is short, and a byte now and then must not keep it open.
pub(crate) async fn read(body: NativeBody, limit: u64) -> Result<Option<Bytes>, Refusal> {
    let late =
        || Refusal::new(StatusCode::GATEWAY_TIMEOUT, relay_code::UPSTREAM_TIMEOUT, "the answer did not arrive in time");
    timeout(READ, read_all(body, limit)).await.map_err(|_| late())?
}

async fn read_all(mut body: NativeBody, limit: u64) -> Result<Option<Bytes>, Refusal> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = body.chunk().await? {
        if (whole.len() + chunk.len()) as u64 > limit {
            return Ok(None);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(Some(whole.freeze()))
}

/// Reads a short body to its end, so that the connection can be used again.
pub(crate) async fn drain(body: NativeBody) {
    if body.remaining().is_some_and(|rest| rest <= DRAINED) {
        let _ = read(body, DRAINED).await;
    }
}

/// Registries that are remembered.
const JUDGED: usize = 256;
const DRAINED: u64 = 16 << 10;
const READ: Duration = Duration::from_secs(30);
