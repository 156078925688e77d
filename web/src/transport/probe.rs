//! Finds the cause of a `TypeError`.

use super::global;
use gloo_net::http::Request;
use porthole_registry::transport::ErrorKind;
use porthole_viewer::session::is_on_this_machine;
use web_sys::{ReferrerPolicy, RequestCache, RequestCredentials, RequestMode};

/// Asks the same host again, in ways that a page is always allowed.
///
/// `authorized`: the failed request carried `Authorization`, so a preflight went before it.
pub(super) async fn classify(url: &str, authorized: bool) -> ErrorKind {
    // What is on this machine needs no network.
    if !is_on_this_machine(url) && !global::on_line() {
        return ErrorKind::Offline;
    }
    if authorized && answers(url, RequestMode::Cors).await {
        return ErrorKind::Preflight;
    }
    let origin = origin(url);
    // Name, connection or certificate: the browser does not say which, and a retry helps none of them.
    if answers(&format!("{origin}/v2/"), RequestMode::NoCors).await { ErrorKind::Cors } else { ErrorKind::Resolve }
}

async fn answers(url: &str, mode: RequestMode) -> bool {
    let Ok(guard) = global::AbortGuard::new() else { return false };
    let request = Request::get(url)
        .mode(mode)
        .credentials(RequestCredentials::Omit)
        .cache(RequestCache::NoStore)
        .referrer_policy(ReferrerPolicy::NoReferrer)
        .abort_signal(Some(&guard.signal()));
    let _watch = guard.watch();
    request.send().await.is_ok()
}

/// Scheme and authority of an absolute URL.
fn origin(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find(['/', '?', '#']).map_or(url.len(), |at| authority + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        assert_eq!(origin("https://r.example/v2/a/manifests/b"), "https://r.example");
        assert_eq!(origin("http://127.0.0.1:5000?x"), "http://127.0.0.1:5000");
        assert_eq!(origin("http://[::1]:5000"), "http://[::1]:5000");
    }
}
