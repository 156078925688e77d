//! What each request gets.

use crate::{
    body::Body,
    cache::Cache,
    clients::{Clients, Place},
    cors::{self, Asker, Origins},
    headers, host,
    identity::Identity,
    layout::{self, Layouts},
    limits::Limits,
    log::Log,
    metrics::{Gauges, Metrics},
    page, proxy,
    refusal::{Refusal, Refused},
    route::{self, Route},
    seal::Seal,
    tally::{Tallied, Tally},
    token::{self, Realms},
    upstream::Upstream,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use porthole_native::Resolver;
use porthole_registry::relay_code;
use serde_json::json;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};
use tokio::time::timeout;

/// Everything that requests share.
pub(crate) struct Relay {
    pub(crate) limits: Limits,
    pub(crate) clients: Arc<Clients>,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) cache: Option<Arc<Cache>>,
    /// Where registries may be written to: seals the URLs of uploads.
    pub(crate) pushes: Option<Seal>,
    pub(crate) resolver: Resolver,
    pub(crate) realms: Realms,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) origins: Origins,
    pub(crate) layouts: Layouts,
    /// Origin and `host[:port]` of the public URL.
    pub(crate) public: Option<(String, String)>,
    pub(crate) default_registry: Option<String>,
    /// Where pages may frame the page: sources of `frame-ancestors`.
    pub(crate) frames: HeaderValue,
    /// The certificate, where the relay speaks TLS itself.
    pub(crate) identity: Option<Identity>,
    pub(crate) stopping: AtomicBool,
    /// Takes a line for each answer. Never secrets, and names only where they were asked for.
    pub(crate) log: Log,
}

/// Both ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) local: SocketAddr,
    pub(crate) tls: bool,
}

const FORM_BYTES: usize = 16 << 10;

impl Relay {
    pub(crate) async fn handle(&self, request: Request<Incoming>, peer: Peer) -> Response<Tallied> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let (route, mut response) =
            if self.clients.may_ask(peer.address) { self.answer(&parts, body, peer).await } else { ("-", too_fast()) };
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        vary_by_origin(headers);
        let status = response.status();
        self.metrics.answered(route, status);
        let extensions = response.extensions_mut();
        if let Some(Refused(code)) = extensions.remove() {
            self.metrics.refused(code);
        }
        let tally = Tally {
            log: self.log.clone(),
            metrics: Arc::clone(&self.metrics),
            route,
            target: parts.uri.path().to_owned(),
            method: parts.method,
            status,
            started,
            bytes: 0,
            complete: false,
            _place: extensions.remove::<Arc<Place>>(),
        };
        response.map(|body| Tallied { body, tally })
    }

    async fn answer(&self, parts: &Parts, body: Incoming, peer: Peer) -> (&'static str, Response<Body>) {
        let headers = &parts.headers;
        let public = self.public.as_ref();
        let Some(host) = host::check(headers, peer.local, public.map(|(_, authority)| authority.as_str())) else {
            let refusal = Refusal::new(
                StatusCode::MISDIRECTED_REQUEST,
                relay_code::HOST_DENIED,
                "the Host is no name of this relay (--public-url)",
            );
            return ("-", refusal.response());
        };
        let base = match public {
            Some((origin, authority)) if authority == host => origin.clone(),
            _ => format!("{}://{host}", if peer.tls { "https" } else { "http" }),
        };
        let asker = self.origins.judge(headers, &base);
        let preflight = cors::is_preflight(&parts.method, headers);
        let stranger = || {
            let message = "pages of this origin may not use the relay (--allow-origin)";
            Refusal::new(StatusCode::FORBIDDEN, relay_code::ORIGIN_DENIED, message).response()
        };
        let pushes = self.pushes.is_some();
        let read = Route::read(&parts.uri, self.default_registry.as_deref());
        let methods = read.as_ref().map_or(route::READS, |route| route.methods(pushes));
        if let (true, Asker::Page(origin)) = (preflight, &asker) {
            let mut response = self.origins.preflight(origin, headers, route::list(methods));
            cors::expose(origin.clone(), response.headers_mut());
            return ("-", response);
        }
        let parsed = read.and_then(|route| route.admit(&parts.method, pushes).map(|()| route));
        let template = parsed.as_ref().map_or("-", Route::template);
        let refused = asker == Asker::Stranger
            && (preflight || !matches!(parsed, Ok(Route::Page(_) | Route::About | Route::Health | Route::Ready)));
        if refused {
            return (template, stranger());
        }
        let mut response = match parsed {
            Ok(route) => self.act(route, parts, body, &base, peer.address).await.unwrap_or_else(|refusal| {
                let mut response = refusal.response();
                headers::defuse(response.headers_mut());
                response
            }),
            Err(refusal) => refusal.response(),
        };
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, route::list(methods));
        }
        if headers.contains_key(headers::PAGE) {
            headers::rename_challenges(response.headers_mut());
        }
        if let Asker::Page(origin) = asker {
            cors::expose(origin, response.headers_mut());
        }
        (template, response)
    }

    async fn act(
        &self,
        route: Route,
        parts: &Parts,
        body: Incoming,
        base: &str,
        client: IpAddr,
    ) -> Result<Response<Body>, Refusal> {
        let headers = &parts.headers;
        let writes = matches!(&route, Route::Registry(call) if call.endpoint.is_write(&parts.method));
        if parts.method != Method::POST && !writes && !hyper::body::Body::is_end_stream(&body) {
            return Err(Refusal::bad_request("REQUEST_INVALID", "expected a request without a body"));
        }
        if headers.contains_key(header::TRANSFER_ENCODING) && !writes {
            // No form needs it.
            return Err(Refusal::bad_request("REQUEST_INVALID", "expected a body with a Content-Length"));
        }
        match route {
            Route::Page(path) => page::answer(&path, headers, &self.frames)
                .ok_or_else(|| Refusal::not_found("NOT_FOUND", "there is no such file")),
            Route::About => Ok(self.about()),
            Route::Health => Ok(text(StatusCode::OK, "ok\n")),
            Route::Ready if self.stopping.load(Ordering::Relaxed) => {
                Ok(text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"))
            }
            Route::Ready => Ok(text(StatusCode::OK, "ready\n")),
            Route::Metrics => Ok(text(StatusCode::OK, self.metrics.exposition_with(&self.gauges()))),
            Route::Version => {
                let mut response = text(StatusCode::OK, "{}");
                if !headers.contains_key(header::AUTHORIZATION) {
                    let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "tokens are made at /token");
                    response = refusal.response();
                    if let Some(challenge) = token::own_challenge(base) {
                        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                    }
                }
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
                Ok(response)
            }
            Route::Registry(call) => {
                let place = self.clients.stream(client).ok_or_else(|| {
                    let message = "too many bodies are on their way (--buffers, --client-buffers)";
                    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "BUSY", message)
                })?;
                let answer = if writes && call.registry == layout::REGISTRY {
                    let message = "layouts are served read-only";
                    Err(Refusal::new(StatusCode::FORBIDDEN, "DENIED", message))
                } else if call.registry == layout::REGISTRY {
                    Box::pin(self.layouts.answer(&call, headers, &self.metrics)).await
                } else if writes {
                    Box::pin(proxy::write(self, &call, parts, body, base)).await
                } else {
                    Box::pin(proxy::answer(self, &call, &parts.method, headers, base)).await
                };
                let mut response =
                    answer.unwrap_or_else(|refusal| refusal.at(&call.registry, call.endpoint.step()).response());
                let headers = response.headers_mut();
                headers::defuse(headers);
                headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
                if let Ok(registry) = HeaderValue::from_str(&call.registry) {
                    headers.insert(NAMESPACE, registry);
                }
                response.extensions_mut().insert(Arc::new(place));
                Ok(response)
            }
            Route::Token(call) => {
                let form = if parts.method == Method::POST {
                    Some(Box::pin(self.read_form(headers, body)).await?)
                } else {
                    None
                };
                let mut response = Box::pin(token::answer(self, call, headers, form)).await?;
                headers::defuse(response.headers_mut());
                Ok(response)
            }
        }
    }

    /// Says that a relay serves this page, and what it serves besides.
    fn about(&self) -> Response<Body> {
        let about = json!({
            "relay": "porthole",
            "version": env!("CARGO_PKG_VERSION"),
            "default_registry": self.default_registry,
            "layouts": self.layouts.references(),
            "push": self.pushes.is_some(),
        });
        let mut response = text(StatusCode::OK, about.to_string());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    fn gauges(&self) -> Gauges {
        Gauges {
            streams: self.clients.streams(),
            dropped_lines: self.log.dropped(),
            lookups: self.resolver.counts().unwrap_or_default(),
            cache: self.cache.as_ref().map(|cache| cache.counts()),
        }
    }

    async fn read_form(&self, headers: &HeaderMap, body: Incoming) -> Result<Vec<(String, String)>, Refusal> {
        let invalid = |message: &str| Refusal::bad_request("REQUEST_INVALID", message);
        let form = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            value.split(';').next().is_some_and(|v| v.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
        });
        if !form {
            return Err(invalid("expected a form (application/x-www-form-urlencoded)"));
        }
        let bytes = timeout(self.limits.header_time, Limited::new(body, FORM_BYTES).collect())
            .await
            .map_err(|_| {
                Refusal::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_INVALID", "the form did not arrive in time")
            })?
            .map_err(|_| invalid("expected a whole form of at most 16 KiB"))?
            .to_bytes();
        Ok(form_urlencoded::parse(&bytes).into_owned().collect())
    }
}

/// Every answer depends on the origin of the page that asks.
fn vary_by_origin(headers: &mut HeaderMap) {
    let vary = match headers.get(header::VARY).and_then(|names| names.to_str().ok()) {
        Some(names) => HeaderValue::from_str(&format!("{names}, Origin")).ok(),
        None => None,
    };
    headers.insert(header::VARY, vary.unwrap_or(HeaderValue::from_static("Origin")));
}

fn too_fast() -> Response<Body> {
    let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", "too many requests (--client-rate)");
    refusal.response()
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const NAMESPACE: HeaderName = HeaderName::from_static("oci-namespace");
