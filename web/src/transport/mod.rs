//! `fetch` as a transport: sends cookies only to the relay of this page, sees no redirects, aborts when dropped.

mod body;
mod global;
mod probe;

pub use body::FetchBody;

use global::AbortGuard;
use http::{HeaderName, HeaderValue, Response, header::WWW_AUTHENTICATE};
use js_sys::{Array, Uint8Array};
use porthole_registry::transport::{Ending, Environment, Error, ErrorKind, FinalUrl, Redirects, Request, Transport};
use porthole_viewer::worker::RequestedBytes;
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReferrerPolicy, RequestCache, RequestCredentials, RequestInit, RequestRedirect};

/// HTTP through the platform's `fetch`, in a window or in a worker.
///
/// The platform follows redirects and shows none of them; the response is that of the last hop. Only headers that
/// CORS exposes can be read. A blocked request and a dead host are the same `TypeError`: after one, a probe in `no-cors`
/// mode distinguishes [`ErrorKind::Cors`] from [`ErrorKind::Resolve`], and a plain request without `Authorization` finds out
/// whether only the preflight is refused ([`ErrorKind::Preflight`]).
#[derive(Clone, Copy, Debug, Default)]
pub struct Fetch;

impl Transport for Fetch {
    type Body = FetchBody;

    async fn send(&self, request: Request) -> Result<Response<FetchBody>, Error> {
        let url = request.uri().to_string();
        let (url, is_local) = (&platform_url(&url), url.starts_with(BLOB_SCHEME));
        let guard = AbortGuard::new()?;
        let init = RequestInit::new();
        init.set_method(request.method().as_str());
        let own = is_own_relay(url, &global::origin());
        init.set_credentials(if own { RequestCredentials::SameOrigin } else { RequestCredentials::Omit });
        init.set_redirect(RequestRedirect::Follow);
        init.set_referrer_policy(ReferrerPolicy::NoReferrer);
        let bytes = request.extensions().get::<RequestedBytes>().map_or(0, |bytes| bytes.0);
        init.set_cache(cache(url, bytes));
        init.set_signal(Some(&guard.signal()));
        let headers = web_sys::Headers::new().map_err(|error| failed(&error))?;
        for (name, value) in request.headers() {
            let value = value.to_str().map_err(|_| other("a header value is not text"))?;
            headers.append(name.as_str(), value).map_err(|error| failed(&error))?;
        }
        if own {
            // With credentials the browser itself answers `WWW-Authenticate: Basic`, by a window for a password. The relay renames it.
            headers.append("porthole-page", "1").map_err(|error| failed(&error))?;
        }
        init.set_headers(headers.as_ref());
        let body = request.body().bytes().ok_or_else(|| other("a page sends no body that it does not hold"))?;
        if !body.is_empty() {
            init.set_body(&Uint8Array::from(body.as_ref()));
        }
        let js_request = web_sys::Request::new_with_str_and_init(url, &init).map_err(|error| failed(&error))?;

        let watch = guard.watch();
        let answer = JsFuture::from(global::fetch(&js_request)).await;
        let late = watch.stop();
        let answer = match answer {
            Ok(answer) => answer.unchecked_into::<web_sys::Response>(),
            Err(_) if late => return Err(stalled()),
            // There is no host to ask why.
            Err(error) if is_local => return Err(Error { kind: ErrorKind::Opaque, message: words(&error) }),
            Err(error) => {
                let authorized = request.headers().contains_key(http::header::AUTHORIZATION);
                return Err(Error { kind: probe::classify(url, authorized).await, message: words(&error) });
            }
        };

        let ending = request.extensions().get::<Ending>().cloned();
        let length = answer.headers().get("content-length").ok().flatten().and_then(|length| length.parse().ok());
        let mut response = Response::new(FetchBody::new(answer.body(), guard, ending, length));
        *response.status_mut() = http::StatusCode::from_u16(answer.status()).map_err(|_| other("no HTTP status"))?;
        response.extensions_mut().insert(FinalUrl(answer.url()));
        for pair in answer.headers().entries().into_iter().flatten() {
            let pair: Array = pair.unchecked_into();
            let (Some(name), Some(value)) = (pair.get(0).as_string(), pair.get(1).as_string()) else { continue };
            let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) else {
                continue;
            };
            let name = if own && name == "porthole-authenticate" { WWW_AUTHENTICATE } else { name };
            response.headers_mut().append(name, value);
        }
        Ok(response)
    }

    fn redirects(&self) -> Redirects {
        Redirects::Platform
    }
}

impl Environment for Fetch {
    fn now(&self) -> Duration {
        Duration::from_millis(js_sys::Date::now().max(0.0) as u64)
    }

    async fn sleep(&self, duration: Duration) {
        global::sleep(duration).await;
    }

    fn random(&self) -> u64 {
        let half = || (js_sys::Math::random() * f64::from(u32::MAX)) as u64;
        half() << 32 | half()
    }
}

/// What stands for `blob:` in the URL of a part of a file: `http::Uri` takes no scheme without `//`.
pub const BLOB_SCHEME: &str = "blob+";

/// The URL as the platform has it.
pub fn platform_url(url: &str) -> String {
    url.strip_prefix(BLOB_SCHEME).map_or_else(|| url.to_owned(), |rest| format!("blob:{rest}"))
}

/// What a digest names never changes and may stay in the browser's cache, if it has room there. A tag is requested each time.
fn cache(url: &str, bytes: u64) -> RequestCache {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let unchanging = last.contains(':') || last.contains("%3A");
    if unchanging && bytes <= MOST_CACHED { RequestCache::Default } else { RequestCache::NoStore }
}

/// Browsers write a larger body to the disk and delete it before it ends: Firefox's limit is 50 MB, Chromium's an eighth of its cache.
const MOST_CACHED: u64 = 50 << 20;

/// Whether a request goes to the relay that serves this page, which may be behind an organisation's sign-in. Its requests name
/// a registry in `ns`; a registry on the page's own origin is asked without cookies, like any other.
fn is_own_relay(url: &str, origin: &str) -> bool {
    let Some(path) = url.strip_prefix(origin).filter(|path| path.starts_with('/')) else { return false };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    path.ends_with("/relay.json") || query.split('&').any(|pair| pair.starts_with("ns="))
}

fn words(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map_or_else(|| String::from("the request failed"), |error| error.message().into())
}

fn failed(error: &JsValue) -> Error {
    other(&words(error))
}

fn other(message: &str) -> Error {
    Error { kind: ErrorKind::Other, message: message.into() }
}

fn stalled() -> Error {
    Error { kind: ErrorKind::Timeout, message: format!("no bytes for {} seconds", global::STALL.as_secs()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_go_to_the_pages_own_relay_alone() {
        let own = |url| is_own_relay(url, "https://page.example");
        assert!(own("https://page.example/relay.json"));
        assert!(own("https://page.example/sub/relay.json"));
        assert!(own("https://page.example/v2/a/manifests/1?ns=r.example"));
        assert!(own("https://page.example/token?scope=x&ns=r.example"));
        assert!(!own("https://page.example/v2/a/manifests/1"));
        assert!(!own("https://page.example.evil.example/v2/?ns=r.example"));
        assert!(!own("https://page.example:8443/v2/?ns=r.example"));
        assert!(!own("https://relay.example/v2/a/manifests/1?ns=r.example"));
    }

    #[test]
    fn a_body_that_no_browser_keeps_is_not_written_to_its_cache() {
        let blob = "https://r.example/v2/a/blobs/sha256:00";
        assert_eq!(cache(blob, 50 << 20), RequestCache::Default);
        assert_eq!(cache(blob, 185_000_000), RequestCache::NoStore);
    }

    #[test]
    fn only_digests_are_cached() {
        let cache_of = |path: &str| cache(&format!("https://r.example/{path}"), 1000);
        assert_eq!(cache_of("v2/a/manifests/latest"), RequestCache::NoStore);
        assert_eq!(cache_of("v2/a/manifests/latest?ns=b:5"), RequestCache::NoStore);
        assert_eq!(cache_of("v2/a/blobs/sha256:00?ns=b"), RequestCache::Default);
        assert_eq!(cache_of("token?service=a:b"), RequestCache::NoStore);
    }
}
