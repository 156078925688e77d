mod driven;
mod sending;
mod trust;

use super::*;
use porthole_registry::transport::{Body, Payload};
use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

fn quick() -> Options {
    let timeouts = Timeouts { connect: Duration::from_secs(5), stall: Duration::from_secs(5), ..Timeouts::default() };
    Options { timeouts, ..Options::default() }
}

fn get(url: &str) -> Request {
    http::Request::get(url).body(Payload::default()).unwrap()
}

/// Answers one request with these bytes, then waits `after` before it closes. Returns the request's head.
async fn serve_once(listener: TcpListener, answer: Vec<u8>, after: Duration) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let head = read_head(&mut stream).await;
    stream.write_all(&answer).await.unwrap();
    tokio::time::sleep(after).await;
    head
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn read_all(body: &mut NativeBody, step: usize) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    let mut buffer = vec![0; step];
    loop {
        match body.read(&mut buffer).await? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Answers every request of every connection, and counts connections.
fn serve_all(listener: TcpListener) -> Arc<AtomicU32> {
    let accepted = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                loop {
                    read_head(&mut stream).await;
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx").await.unwrap();
                }
            });
        }
    });
    accepted
}

#[tokio::test]
async fn requests_take_connections_that_were_opened_early() {
    let (listener, url) = listen().await;
    let accepted = serve_all(listener);
    let native = Native::new(quick()).unwrap();
    native.prepare(&url, 2);
    native.prepare("no origin", 2);
    let (one, other) = tokio::join!(native.send(get(&url)), native.send(get(&url)));
    assert_eq!((one.unwrap().status(), other.unwrap().status()), (StatusCode::OK, StatusCode::OK));
    while accepted.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    native.send(get(&url)).await.unwrap();
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_connection_that_failed_early_is_tried_again() {
    let (listener, url) = listen().await;
    let address = listener.local_addr().unwrap();
    drop(listener);
    let native = Native::new(quick()).unwrap();
    native.prepare(&url, 1);
    while native.connector.early(&url) != Some(true) {
        tokio::task::yield_now().await;
    }
    let accepted = serve_all(TcpListener::bind(address).await.unwrap());
    assert_eq!(native.send(get(&url)).await.unwrap().status(), StatusCode::OK);
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn no_connection_is_opened_for_a_request_that_has_its_answer() {
    let (listener, url) = listen().await;
    let accepted = serve_all(listener);
    let native = Native::new(quick()).unwrap();
    let live = native.connector.is_far(&url);
    let (answered, waiting) = (Wanted::new(true), Wanted::new(true));
    answered.answered();
    assert!(native.connector.connect_for(&url, answered).await.is_err());
    assert_eq!(accepted.load(Ordering::SeqCst), 0);
    assert!(native.connector.connect_for(&url, waiting).await.is_ok());
    drop(live);
}

/// In a relay, the connection that becomes free is another client's.
#[tokio::test]
async fn a_request_of_many_clients_waits_for_no_other_connection() {
    let (listener, url) = listen().await;
    let _accepted = serve_all(listener);
    let native = Native::new(Options { connects_at_once: true, ..quick() }).unwrap();
    let _live = native.connector.is_far(&url);
    let answered = Wanted::new(true);
    answered.answered();
    assert!(
        native.connector.connect_for(&url, answered).await.is_ok(),
        "it did not wait to see that it has its answer"
    );
}

#[tokio::test]
async fn a_body_is_read_into_buffers_of_any_size() {
    for step in [1, 3, 4096] {
        let (listener, url) = listen().await;
        let body = "x".repeat(1000);
        let answer =
            format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 1000\r\n\r\n{body}");
        let server = tokio::spawn(serve_once(listener, answer.into_bytes(), Duration::ZERO));
        let native = Native::new(quick()).unwrap();
        let mut response = native.send(get(&format!("{url}/v2/a/blobs/b?c=d"))).await.unwrap();
        assert_eq!(response.status(), 307, "redirects are the caller's business");
        assert_eq!(response.body().remaining(), Some(1000));
        assert_eq!(read_all(response.body_mut(), step).await.unwrap(), body.as_bytes());
        let head = server.await.unwrap();
        assert!(head.starts_with("GET /v2/a/blobs/b?c=d HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
        assert!(head.contains(&format!("user-agent: porthole/{}\r\n", env!("CARGO_PKG_VERSION"))), "{head}");
    }
}

#[tokio::test]
async fn a_body_in_single_bytes_ends_early() {
    for connects_at_once in [false, true] {
        let (listener, url) = listen().await;
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let answer = [head, b"1\r\nx\r\n".repeat(40_000), b"0\r\n\r\n".to_vec()].concat();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            // Fails when the client has had enough.
            let _ = stream.write_all(&answer).await;
        });
        let native = Native::new(Options { connects_at_once, ..quick() }).unwrap();
        let mut response = native.send(get(&url)).await.unwrap();
        let error = read_all(response.body_mut(), 64).await.unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ErrorKind::Slow, "32769 pieces of a body had 32769 bytes together")
        );
    }
}

#[tokio::test]
async fn failures_are_told_apart() {
    let cases: [(&str, &[u8], ErrorKind); 4] = [
        ("short", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ErrorKind::Interrupted),
        ("chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ErrorKind::Malformed),
        ("no answer", b"", ErrorKind::Interrupted),
        ("not HTTP", b"SSH-2.0-OpenSSH\r\n\r\n", ErrorKind::Malformed),
    ];
    for ((name, answer, expected), connects_at_once) in cases.into_iter().flat_map(|case| [(case, false), (case, true)])
    {
        let (listener, url) = listen().await;
        tokio::spawn(serve_once(listener, answer.to_vec(), Duration::ZERO));
        let native = Native::new(Options { connects_at_once, ..quick() }).unwrap();
        let got = match native.send(get(&url)).await {
            Ok(mut response) => read_all(response.body_mut(), 64).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(got.kind, expected, "{name}: {got}");
    }
    let native = Native::new(quick()).unwrap();
    let (listener, url) = listen().await;
    drop(listener);
    assert_eq!(native.send(get(&url)).await.unwrap_err().kind, ErrorKind::Connect);
    let resolver = Resolver::from_fn(|_| Err(io::Error::other("no such name")));
    let native = Native::new(Options { resolver, ..quick() }).unwrap();
    assert_eq!(native.send(get("http://registry.example/")).await.unwrap_err().kind, ErrorKind::Resolve);
}

#[tokio::test]
async fn silence_is_a_timeout() {
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"] {
        let (listener, url) = listen().await;
        let server = tokio::spawn(serve_once(listener, answer.into(), Duration::from_secs(20)));
        let timeouts = Timeouts { stall: Duration::from_millis(200), ..quick().timeouts };
        let native = Native::new(Options { timeouts, ..quick() }).unwrap();
        let got = match native.send(get(&url)).await {
            Ok(mut response) => read_all(response.body_mut(), 64).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(got.kind, ErrorKind::Timeout);
        server.abort();
    }
}

/// A short patience is for the head and the first bytes together. A body that has begun has the usual time.
#[tokio::test]
async fn patience_ends_with_the_first_bytes() {
    for (pieces, ends) in [(["", "abc"], false), (["abc", "def"], true)] {
        let (listener, url) = listen().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n").await.unwrap();
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1500)).await;
            }
        });
        let native = Native::new(quick()).unwrap();
        let mut request = get(&url);
        request.extensions_mut().insert(Patience(Duration::from_millis(500)));
        let mut response = native.send(request).await.unwrap();
        let got = read_all(response.body_mut(), 64).await;
        assert_eq!(
            got.map_err(|error| error.kind),
            if ends { Ok(b"abcdef".to_vec()) } else { Err(ErrorKind::Timeout) }
        );
        server.abort();
    }
}

#[tokio::test]
async fn an_idle_connection_is_used_again() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        }
    });
    let native = Native::new(quick()).unwrap();
    for _ in 0..3 {
        let mut response = native.send(get(&url)).await.unwrap();
        assert_eq!(read_all(response.body_mut(), 64).await.unwrap(), b"ok");
    }
    server.await.unwrap();
}

/// Ranges of a blob must not share the window of one connection.
#[tokio::test]
async fn requests_at_once_have_a_connection_each() {
    const AT_ONCE: usize = 24;
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let mut streams = Vec::new();
        // No request is answered before all have arrived.
        for _ in 0..AT_ONCE {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            streams.push(stream);
        }
        for stream in &mut streams {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        }
    });
    let native = Native::new(quick()).unwrap();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (native, request) = (native.clone(), get(&url));
        requests.spawn(async move { native.send(request).await.map(|response| response.status()) });
    }
    for status in requests.join_all().await {
        assert_eq!(status.unwrap(), 200);
    }
    server.await.unwrap();
}

#[tokio::test]
async fn only_checked_addresses_are_connected_to() {
    let (listener, url) = listen().await;
    let own = listener.local_addr().unwrap();
    let port = own.port();
    let public = |allow: &[String]| Options { addresses: Addresses::Public { allow: allow.to_vec() }, ..quick() };
    let kind = async |options: Options, url: &str| Native::new(options).unwrap().send(get(url)).await.unwrap_err().kind;

    assert_eq!(kind(public(&[]), &url).await, ErrorKind::Forbidden);
    assert_eq!(kind(public(&["127.0.0.1:1".into()]), &url).await, ErrorKind::Forbidden);
    let stub = |answer: &'static [[u8; 4]]| {
        Resolver::from_fn(move |_| Ok(answer.iter().map(|a| IpAddr::V4(Ipv4Addr::from(*a))).collect()))
    };
    let named = format!("http://multi.example:{port}/");
    let mixed = Options { resolver: stub(&[[1, 1, 1, 1], [10, 0, 0, 1]]), ..public(&[]) };
    assert_eq!(kind(mixed, &named).await, ErrorKind::Forbidden);
    let nothing = Options { resolver: stub(&[]), ..public(&[]) };
    assert_eq!(kind(nothing, &named).await, ErrorKind::Resolve);
    let never = Options { never: vec![own], ..quick() };
    assert_eq!(kind(never, &url).await, ErrorKind::Forbidden);
    let never = Options { never: vec![SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)], ..quick() };
    assert_eq!(kind(never, &url).await, ErrorKind::Forbidden);

    for allow in ["127.0.0.1".to_owned(), own.to_string()] {
        let native = Native::new(public(&[allow])).unwrap();
        let (answer, _) = tokio::join!(native.send(get(&url)), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        });
        assert_eq!(answer.unwrap().status(), 204);
    }
}

/// A name that resolves to a public address at the first look-up, and to a private one at the second: only the address
/// that was checked is returned, and [`connect`] dials nothing else.
#[tokio::test]
async fn a_name_is_resolved_once_per_connection() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let resolver = Resolver::from_fn(move |_| {
        let public = count.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        Ok(vec![if public { [1, 1, 1, 1].into() } else { [127, 0, 0, 1].into() }])
    });
    let addresses = Addresses::Public { allow: Vec::new() };
    let rules = resolve::Rules { addresses, never: Vec::new(), resolver };
    for turn in 0..1000 {
        match rules.resolve("flip.example", 443).await {
            Ok(found) => assert_eq!(found, [SocketAddr::from(([1, 1, 1, 1], 443))]),
            Err(error) => assert_eq!(error.kind, ErrorKind::Forbidden),
        }
        assert_eq!(asked.load(Ordering::Relaxed), turn + 1);
    }
}

#[tokio::test]
async fn a_proxy_sees_whole_urls_or_opens_a_tunnel() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let mut heads = Vec::new();
        for answer in
            ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 407 No\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"]
        {
            let (mut stream, _) = listener.accept().await.unwrap();
            heads.push(read_head(&mut stream).await);
            stream.write_all(answer.as_bytes()).await.unwrap();
            if heads.len() == 3 {
                // The first record of a TLS handshake.
                assert_eq!(stream.read_u8().await.unwrap(), 22);
            }
        }
        heads
    });
    let proxy = url.replace("http://", "http://alice:secret@");
    let variable =
        |name: &str| name.ends_with("_proxy").then(|| if name == "no_proxy" { String::new() } else { proxy.clone() });
    let native = Native::new(Options { proxies: Proxies::from_environment(variable), ..quick() }).unwrap();
    let mut response = native.send(get("http://registry.example/v2/?n=1")).await.unwrap();
    assert_eq!(read_all(response.body_mut(), 64).await.unwrap(), b"ok");
    drop(response);
    let named = format!("the proxy {}", url.trim_start_matches("http://"));
    let refused = native.send(get("https://registry.example/v2/")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Proxy);
    assert!(refused.message.contains(&named) && !refused.message.contains("secret"), "{refused}");
    let broken = native.send(get("https://registry.example/v2/")).await.unwrap_err();
    assert_eq!(broken.kind, ErrorKind::NotTls);
    assert!(broken.message.contains(&named), "{broken}");
    let heads = server.await.unwrap();
    assert!(heads[0].starts_with("GET http://registry.example/v2/?n=1 HTTP/1.1\r\n"), "{}", heads[0]);
    assert!(heads[0].contains("proxy-authorization: Basic YWxpY2U6c2VjcmV0\r\n"), "{}", heads[0]);
    assert!(heads[1].starts_with("CONNECT registry.example:443 HTTP/1.1\r\n"), "{}", heads[1]);
    assert!(heads[1].contains("Proxy-Authorization: Basic YWxpY2U6c2VjcmV0\r\n"), "{}", heads[1]);
}

#[tokio::test]
async fn a_proxy_that_wants_credentials_for_plain_http_is_named() {
    let (listener, url) = listen().await;
    let answer = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n".to_vec();
    let server = tokio::spawn(serve_once(listener, answer, Duration::ZERO));
    let proxies = Proxies::from_environment(|name| (name == "http_proxy").then(|| url.clone()));
    let native = Native::new(Options { proxies, ..quick() }).unwrap();
    let error = native.send(get("http://registry.example/v2/")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Proxy);
    let authority = url.trim_start_matches("http://");
    assert_eq!(error.message, format!("the proxy {authority} wants other credentials"));
    server.await.unwrap();
}

#[tokio::test]
async fn a_dead_proxy_is_named_and_not_the_registry_blamed() {
    let (listener, url) = listen().await;
    drop(listener);
    for scheme in ["http", "https", "socks5"] {
        let proxy = url.replace("http", scheme);
        let proxies = Proxies::from_environment(|name| (name == "all_proxy").then(|| proxy.clone()));
        let native = Native::new(Options { proxies, ..quick() }).unwrap();
        for target in ["https://registry.example/v2/", "http://registry.example/v2/"] {
            let error = native.send(get(target)).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Proxy);
            let authority = url.trim_start_matches("http://");
            assert!(error.message.contains("proxy") && error.message.contains(authority), "{scheme}: {error}");
        }
    }
}

#[tokio::test]
async fn a_socks_proxy_connects_by_name() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut greeting = [0; 3];
        stream.read_exact(&mut greeting).await.unwrap();
        // Version 5, one method: user and password (RFC 1928, RFC 1929).
        assert_eq!(greeting, [5, 1, 2]);
        stream.write_all(&[5, 2]).await.unwrap();
        let mut login = [0; 3 + 5 + 6];
        stream.read_exact(&mut login).await.unwrap();
        assert_eq!(&login, b"\x01\x05alice\x06secret");
        stream.write_all(&[1, 0]).await.unwrap();
        let mut request = [0; 5 + 16 + 2];
        stream.read_exact(&mut request).await.unwrap();
        assert_eq!(&request, b"\x05\x01\x00\x03\x10registry.example\x00\x50");
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        let head = read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        head
    });
    let proxy = url.replace("http://", "socks5h://alice:secret@");
    let proxies = Proxies::from_environment(|name| (name == "all_proxy").then(|| proxy.clone()));
    let native = Native::new(Options { proxies, ..quick() }).unwrap();
    let mut response = native.send(get("http://registry.example/v2/")).await.unwrap();
    assert_eq!(read_all(response.body_mut(), 64).await.unwrap(), b"ok");
    let head = server.await.unwrap();
    assert!(head.starts_with("GET /v2/ HTTP/1.1\r\n"), "no whole URL: {head}");
    assert!(!head.to_ascii_lowercase().contains("proxy-authorization"), "{head}");
}

/// `registry` puts no `Send` bound on a transport. Its futures over this transport must be `Send` nevertheless.
#[test]
fn the_futures_of_a_client_are_send() {
    use porthole_core::{descriptor::Descriptor, reference::Reference};
    use porthole_registry::Registry;

    fn assert_send<T: Send>(_: &T) {}
    fn futures(client: &Registry<Native>, reference: &Reference, descriptor: &Descriptor) {
        assert_send(client);
        assert_send(&client.fetch_document(reference));
        assert_send(&client.fetch_child(reference, descriptor));
        assert_send(&client.fetch_small_blob(reference, descriptor));
        assert_send(&client.fetch_blob(reference, descriptor, 0));
        assert_send(&client.fetch_blob_range(reference, descriptor, 0..1));
        assert_send(&client.fetch_tags(reference));
    }
    let _ = futures;
}
