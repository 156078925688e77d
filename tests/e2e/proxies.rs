//! The relay behind proxies: one that caches for all users, and one that requires an organisation's sign-in.

use crate::images::{self, SEVEN_LAYERS, THREE_PLATFORMS};
use porthole_tests::{
    Result,
    http::{Message, request},
    page::Page,
    program::{free_port, workspace},
    servers::{Access, Nginx, Password, Registry, Relay},
};
use serde_json::json;
use std::{
    fs,
    io::Write,
    net::{Ipv4Addr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

const CONTENT: &[u8] = b"the content of a private blob";
const DIGEST: &str = "sha256:c997dc3fbd126ccdc4635ceaca066b5221410a3fea665118f288d554d71a18ad";

/// A server that answers each request with status, headers and body.
fn serve(answer: impl Fn(&Message) -> (u16, String, Vec<u8>) + Send + 'static) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(std::io::Result::ok) {
            let Ok(asked) = Message::read(&stream) else { continue };
            let (status, headers, body) = answer(&asked);
            let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
            let _ = stream.write_all(format!("{head}{headers}\r\n").as_bytes());
            if !asked.first.starts_with("HEAD") {
                let _ = stream.write_all(&body);
            }
        }
    });
    Ok(port)
}

/// A registry with a public repository, and a private one that only the token `alice` may read. Counts the blobs that it sent.
fn registry() -> Result<(u16, Arc<AtomicUsize>)> {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let port = serve(move |asked| {
        let is_private = asked.second().contains("/private/");
        if is_private && asked.header("authorization") != Some("Bearer alice") {
            return (401, "WWW-Authenticate: Bearer realm=\"https://a.example/\"\r\n".to_owned(), Vec::new());
        }
        count.fetch_add(1, Ordering::Relaxed);
        (200, format!("Docker-Content-Digest: {DIGEST}\r\n"), CONTENT.to_vec())
    })?;
    Ok((port, sent))
}

#[test]
fn a_proxy_that_caches_never_gives_a_private_blob_to_another_user() -> Result<()> {
    let (registry, sent) = registry()?;
    let host = format!("127.0.0.1:{registry}");
    let relay = Relay::start(&[&host])?;
    let nginx = Nginx::caches(relay.host())?;
    let ask = |target: &str, user: Option<&str>| {
        let token = user.map(|user| format!("Bearer {user}"));
        let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
        request(nginx.port(), "GET", &format!("{target}?ns={host}"), &headers, &[])
    };
    for kind in ["blobs", "manifests"] {
        let target = format!("/v2/private/{kind}/{DIGEST}");
        for _ in 0..2 {
            let hers = ask(&target, Some("alice"))?;
            assert_eq!((hers.second(), hers.body.as_slice()), ("200", CONTENT), "{hers:?}");
            assert!(hers.header("cache-control").is_some_and(|value| value.starts_with("private, ")), "{hers:?}");
            for other in [Some("mallory"), None] {
                let refused = ask(&target, other)?;
                assert_eq!(refused.second(), "401", "{refused:?}");
                assert!(!refused.body.windows(7).any(|part| part == b"private"), "{refused:?}");
            }
        }
        // The proxy caches a public blob for all requests without authorization.
        let target = format!("/v2/public/{kind}/{DIGEST}");
        assert_eq!(ask(&target, None)?.header("x-cache"), Some("MISS"));
        let before = sent.load(Ordering::Relaxed);
        let again = ask(&target, None)?;
        assert_eq!((again.header("x-cache"), again.body.as_slice()), (Some("HIT"), CONTENT), "{again:?}");
        assert_eq!(sent.load(Ordering::Relaxed), before);
    }
    // A tag is never cached.
    let tag = "/v2/public/manifests/latest";
    let before = sent.load(Ordering::Relaxed);
    for _ in 0..2 {
        assert_ne!(ask(tag, None)?.header("x-cache"), Some("HIT"));
    }
    assert!(sent.load(Ordering::Relaxed) >= before + 2);
    Ok(())
}

/// The configuration in `deploy/`, with the ports of this test and without TLS.
#[test]
fn the_relay_works_behind_a_sign_in() -> Result<()> {
    let (registry, _) = registry()?;
    let host = format!("127.0.0.1:{registry}");
    let relay = Relay::with(["--allow-private", &host, "--public-url", "https://relay.example.com"])?;
    let sign_in = serve(|asked| match asked.header("cookie") {
        Some("session=ok") => (202, String::new(), Vec::new()),
        _ => (401, String::new(), Vec::new()),
    })?;
    let example = fs::read_to_string(workspace().join("deploy/nginx.conf"))?;
    let port = free_port()?;
    let settings = example
        .replace("127.0.0.1:8090", relay.host())
        .replace("127.0.0.1:4180", &format!("127.0.0.1:{sign_in}"))
        .replace("listen 443 ssl;", &format!("listen 127.0.0.1:{port};"))
        .replace("    ssl_certificate", "    #");
    let nginx = Nginx::example(port, &settings)?;
    let ask = |target: &str, headers: &[(&str, &str)]| {
        request(nginx.port(), "GET", target, &[&[("host", "relay.example.com")], headers].concat(), &[])
    };
    let (cookie, alice) = (("cookie", "session=ok"), ("authorization", "Bearer alice"));
    let stranger = ask("/", &[])?;
    assert_eq!((stranger.second(), stranger.header("location").is_some()), ("302", true), "{stranger:?}");
    let blob = format!("/v2/private/blobs/{DIGEST}?ns={host}");
    assert_eq!(ask(&blob, &[alice])?.second(), "302", "a token of a registry is no sign-in here");
    assert_eq!(ask("/", &[cookie])?.second(), "200");
    assert_eq!(ask("/relay.json", &[cookie])?.second(), "200");
    let read = ask(&blob, &[cookie, alice])?;
    assert_eq!((read.second(), read.body.as_slice()), ("200", CONTENT));
    // The registry's own 401 reaches the page. Its challenge names a token server behind the same proxy.
    let refused = ask(&blob, &[cookie])?;
    assert_eq!(refused.second(), "401", "{refused:?}");
    let challenge = refused.header("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with("Bearer realm=\"https://relay.example.com/token?ns="), "{challenge}");
    assert_eq!(ask("/metrics", &[cookie])?.second(), "403");
    Ok(())
}

/// The page has cookies, and the browser would show its own password dialog if it saw a registry's Basic challenge.
#[test]
fn the_page_asks_for_a_registrys_password_behind_a_sign_in() -> Result<()> {
    let password = Password::new()?;
    let registry = Registry::start(images::storage(), &Access::Basic(&password))?;
    let port = free_port()?;
    let public = format!("http://127.0.0.1:{port}");
    let relay = Relay::with(["--allow-private", &registry.host(), "--public-url", &public])?;
    let sign_in = Nginx::signs_in(port, relay.host())?;
    let stranger = request(port, "GET", "/relay.json", &[], &[])?;
    assert_eq!((stranger.second(), stranger.header("location").is_some()), ("302", true), "{stranger:?}");

    let page = Page::open(&public)?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.sign_in(Password::USER, Password::PASSWORD)?;
    page.verified()?;
    assert_eq!(page.route()?, "relay");
    let sent = sign_in.sent()?;
    assert!(sent.iter().any(|(path, bytes)| path.contains("/blobs/") && *bytes > 0), "{sent:?}");
    Ok(())
}

/// The sign-in ends while the page is open: the page says so, and a reload leads to the sign-in.
#[test]
fn the_page_says_that_its_sign_in_has_expired() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let port = free_port()?;
    let public = format!("http://127.0.0.1:{port}");
    let relay = Relay::with(["--allow-private", &registry.host(), "--public-url", &public])?;
    let host = relay.host();
    let _sign_in = Nginx::example(
        port,
        &format!(
            "server {{ listen 127.0.0.1:{port};
                location = /sign-in {{ default_type text/html; return 200 '<!doctype html><title>Sign in</title>'; }}
                location = /signed-in {{ add_header Set-Cookie 'session=ok; Path=/'; return 302 /; }}
                location / {{
                    if ($cookie_session != ok) {{ return 302 /sign-in; }}
                    proxy_pass http://{host}; proxy_set_header Host $http_host;
                }}
            }}"
        ),
    )?;
    let page = Page::open(&format!("{public}/signed-in"))?;
    let reference = format!("{}/{SEVEN_LAYERS}", registry.host());
    page.look(&reference)?;
    page.verified()?;
    page.browser().run("document.cookie = 'session=; Path=/; Max-Age=0'", json!([]))?;
    page.look(&format!("{}/{THREE_PLATFORMS}", registry.host()))?;
    let alert = page.alert_where("the sign-in has expired", |alert| alert.text.contains("has expired"))?;
    assert_eq!(alert.kind, "authentication");
    page.remedy("reload")?;
    page.until("the sign-in is shown", |page| {
        // A page that is being loaded runs no script.
        Ok(page.browser().run("return document.title", json!([])).is_ok_and(|title| title == "Sign in").then_some(()))
    })?;
    Ok(())
}
