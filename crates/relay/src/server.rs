//! Connections, and what each request on them gets.

use crate::{
    body::Body,
    cors::{self, Asker, Origins},
    headers, host,
    layout::{self, Layouts},
    metrics::Metrics,
    page, proxy,
    refusal::Refusal,
    route::Route,
    stream::Guarded,
    token::{self, Realms},
    upstream::Upstream,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use std::{
    convert::Infallible,
    fmt,
    future::Future,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};

/// Everything that requests share.
pub(crate) struct Relay {
    pub(crate) upstream: Upstream,
    pub(crate) realms: Realms,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) origins: Origins,
    pub(crate) layouts: Layouts,
    /// Origin and `host[:port]` of the public URL.
    pub(crate) public: Option<(String, String)>,
    pub(crate) default_registry: Option<String>,
    pub(crate) stopping: AtomicBool,
    /// Takes a line for each request: method, template of the path, status. Never names, never secrets.
    pub(crate) log: fn(fmt::Arguments<'_>),
}

/// Serves until `stop` is ready, then lets what is in flight finish for a while.
pub(crate) async fn run(listener: TcpListener, relay: Arc<Relay>, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let connections = connections();
    let room = Arc::new(Semaphore::new(connections as usize));
    let (stopping, stopped) = watch::channel(());
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut stop => break,
            next = next => next,
        };
        match accepted {
            Ok((tcp, _)) => {
                let (relay, stopped) = (Arc::clone(&relay), stopped.clone());
                tokio::spawn(async move {
                    relay.metrics.connected();
                    serve(tcp, &relay, stopped).await;
                    relay.metrics.disconnected();
                    drop(place);
                });
            }
            // Too many open files, or a client that is gone already: neither ends the relay.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    relay.stopping.store(true, Ordering::Relaxed);
    drop(listener);
    drop(stopping);
    let all = room.acquire_many(connections);
    let _ = timeout(GRACE, all).await;
}

async fn serve(tcp: TcpStream, relay: &Arc<Relay>, mut stopped: watch::Receiver<()>) {
    let Ok(local) = tcp.local_addr() else { return };
    // Small answers must not wait for the acknowledgement of the one before. If it fails, they wait.
    let _ = tcp.set_nodelay(true);
    let service = service_fn(|request| {
        let relay = Arc::clone(relay);
        async move { Ok::<_, Infallible>(relay.handle(request, local).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(2 * HEAD_BYTES)
        .serve_connection(TokioIo::new(Guarded::new(tcp, STALL)), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// How many connections are served at once: each may need another one to a registry, and the system has its limit.
fn connections() -> u32 {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // The soft limit is for programs that still use select(2).
        let raised = Rlimit { current: limit.maximum, ..limit };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit = raised;
        }
    }
    let files = limit.current.unwrap_or(u64::MAX).saturating_sub(OWN_FILES) / 2;
    u32::try_from(files).unwrap_or(CONNECTIONS).clamp(1, CONNECTIONS)
}

const CONNECTIONS: u32 = 4096;
const OWN_FILES: u64 = 64;
const GRACE: Duration = Duration::from_secs(10);
/// For the head of a request, and so for an idle connection.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// For the head of a request; the library allows 100 headers in it.
const HEAD_BYTES: usize = 64 << 10;
/// For a client that takes nothing of what is sent to it.
const STALL: Duration = Duration::from_secs(30);
const FORM_BYTES: usize = 16 << 10;

impl Relay {
    async fn handle(&self, request: Request<Incoming>, local: SocketAddr) -> Response<Body> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let (template, mut response) = self.answer(&parts, body, local).await;
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        self.metrics.answered(template, response.status());
        let (method, status, took) = (&parts.method, response.status().as_u16(), started.elapsed().as_millis());
        (self.log)(format_args!("{method} {template} {status} {took} ms"));
        response
    }

    async fn answer(&self, parts: &Parts, body: Incoming, local: SocketAddr) -> (&'static str, Response<Body>) {
        let headers = &parts.headers;
        let public = self.public.as_ref();
        let Some(host) = host::check(headers, local, public.map(|(_, authority)| authority.as_str())) else {
            let refusal = Refusal::new(
                StatusCode::MISDIRECTED_REQUEST,
                "HOST_DENIED",
                "the Host is no name of this relay (--public-url)",
            );
            return ("-", refusal.response());
        };
        let base = match public {
            Some((origin, authority)) if authority == host => origin.clone(),
            _ => format!("http://{host}"),
        };
        let asker = self.origins.judge(headers, &base);
        let preflight = cors::is_preflight(&parts.method, headers);
        let stranger = || {
            let message = "pages of this origin may not use the relay (--allow-origin)";
            Refusal::new(StatusCode::FORBIDDEN, "ORIGIN_DENIED", message).response()
        };
        if let (true, Asker::Page(origin)) = (preflight, &asker) {
            let methods = match parts.uri.path() {
                "/token" => "GET, POST",
                _ => "GET, HEAD",
            };
            let mut response = self.origins.preflight(origin, headers, methods);
            cors::expose(origin.clone(), response.headers_mut());
            return ("-", response);
        }
        let parsed = Route::parse(&parts.method, &parts.uri, self.default_registry.as_deref());
        let template = parsed.as_ref().map_or("-", Route::template);
        let refused = asker == Asker::Stranger
            && (preflight || !matches!(parsed, Ok(Route::Page(_) | Route::About | Route::Health | Route::Ready)));
        if refused {
            return (template, stranger());
        }
        let mut response = match parsed {
            Ok(route) => self.act(route, parts, body, &base).await.unwrap_or_else(|refusal| {
                let mut response = refusal.response();
                headers::defuse(response.headers_mut());
                response
            }),
            Err(refusal) => refusal.response(),
        };
        if let Asker::Page(origin) = asker {
            cors::expose(origin, response.headers_mut());
        }
        (template, response)
    }

    async fn act(&self, route: Route, parts: &Parts, body: Incoming, base: &str) -> Result<Response<Body>, Refusal> {
        let headers = &parts.headers;
        if parts.method != Method::POST && !hyper::body::Body::is_end_stream(&body) {
            return Err(Refusal::bad_request("REQUEST_INVALID", "expected a request without a body"));
        }
        if headers.contains_key(header::TRANSFER_ENCODING) {
            // No form needs it, and two lengths for one body are how requests are smuggled past a proxy.
            return Err(Refusal::bad_request("REQUEST_INVALID", "expected a body with a Content-Length"));
        }
        match route {
            Route::Page(path) => {
                page::answer(&path, headers).ok_or_else(|| Refusal::not_found("NOT_FOUND", "nothing is here"))
            }
            Route::About => Ok(self.about()),
            Route::Health => Ok(text(StatusCode::OK, "ok\n")),
            Route::Ready if self.stopping.load(Ordering::Relaxed) => {
                Ok(text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"))
            }
            Route::Ready => Ok(text(StatusCode::OK, "ready\n")),
            Route::Metrics => Ok(text(StatusCode::OK, self.metrics.exposition())),
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
                let answer = if call.registry == layout::REGISTRY {
                    self.layouts.answer(&call, headers, &self.metrics).await
                } else {
                    proxy::answer(self, &call, &parts.method, headers, base).await
                };
                let mut response =
                    answer.unwrap_or_else(|refusal| refusal.at(&call.registry, call.endpoint.step()).response());
                let headers = response.headers_mut();
                headers::defuse(headers);
                headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
                if let Ok(registry) = HeaderValue::from_str(&call.registry) {
                    headers.insert(NAMESPACE, registry);
                }
                Ok(response)
            }
            Route::Token(call) => {
                let form = if parts.method == Method::POST { Some(read_form(headers, body).await?) } else { None };
                let mut response = token::answer(self, call, headers, form).await?;
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
            "push": false,
        });
        let mut response = text(StatusCode::OK, about.to_string());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

async fn read_form(headers: &HeaderMap, body: Incoming) -> Result<Vec<(String, String)>, Refusal> {
    let invalid = |message: &str| Refusal::bad_request("REQUEST_INVALID", message);
    let form = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        value.split(';').next().is_some_and(|v| v.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
    });
    if !form {
        return Err(invalid("expected a form (application/x-www-form-urlencoded)"));
    }
    let bytes = timeout(HEAD_TIME, Limited::new(body, FORM_BYTES).collect())
        .await
        .map_err(|_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_INVALID", "the form did not arrive in time"))?
        .map_err(|_| invalid("expected a whole form of at most 16 KiB"))?
        .to_bytes();
    Ok(form_urlencoded::parse(&bytes).into_owned().collect())
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const NAMESPACE: HeaderName = HeaderName::from_static("oci-namespace");
