//! What an operator sees and sets.

use super::*;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use porthole_native::{Native, Options};
use porthole_registry::transport::Transport;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

/// A load balancer needs a moment to see that this relay stops; requests that it still sends are served.
#[tokio::test]
async fn a_relay_that_stops_says_so_before_it_takes_no_more() {
    let mut relay = Running::start(&[]).await;
    assert_eq!(relay.get("/readyz").await.status, 200);
    relay.stop.take().unwrap().send(Duration::from_secs(2)).unwrap();
    loop {
        let ready = relay.get("/readyz").await;
        if ready.status == 503 {
            break;
        }
        assert_eq!(ready.status, 200);
    }
    assert_eq!(relay.get("/healthz").await.status, 200);
    assert_eq!((&mut relay.task).await.unwrap(), 0);
    assert!(TcpStream::connect(relay.address).await.is_err());
}

#[tokio::test]
async fn transfers_that_outlast_the_grace_are_cut_and_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc").await.unwrap();
        stream
    });
    let mut relay = Running::start(&["--allow-private", &address.to_string(), "--grace", "50ms"]).await;
    let mut client = TcpStream::connect(relay.address).await.unwrap();
    let request = format!("GET /v2/a/blobs/{DIGEST}?ns={address} HTTP/1.1\r\nHost: {}\r\n\r\n", relay.address);
    client.write_all(request.as_bytes()).await.unwrap();
    read_head(&mut client).await.unwrap();
    relay.stop.take().unwrap().send(Duration::ZERO).unwrap();
    assert_eq!((&mut relay.task).await.unwrap(), 1);
    drop(upstream);
}

#[tokio::test]
async fn methods_that_are_not_served_name_those_that_are() {
    let relay = Running::start(&[]).await;
    for (method, path, allowed) in [
        ("DELETE", "/v2/a/manifests/1?ns=ghcr.io", "GET, HEAD"),
        ("PUT", "/token", "GET, POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("OPTIONS", "/", "GET, HEAD"),
    ] {
        let answer = relay.ask(method, path, &[]).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{method} {path}");
    }
}

#[tokio::test]
async fn limits_for_one_client_are_kept_and_counted() {
    let relay = Running::start(&["--client-connections", "2", "--client-rate", "1"]).await;
    let first = TcpStream::connect(relay.address).await.unwrap();
    let statuses: Vec<_> = {
        let mut statuses = Vec::new();
        for _ in 0..8 {
            statuses.push(relay.get("/healthz").await.status);
        }
        statuses
    };
    assert_eq!((statuses[0], statuses[7]), (200, 429), "{statuses:?}");
    let second = TcpStream::connect(relay.address).await.unwrap();
    // The third is closed without an answer, once the relay has seen the other two.
    let mut third = TcpStream::connect(relay.address).await.unwrap();
    assert_eq!(third.read(&mut [0]).await.unwrap_or(0), 0);
    drop((first, second));
}

/// A registry that sends a manifest without an end would otherwise send it for as long as the client reads.
#[tokio::test]
async fn documents_without_an_end_are_cut_and_blobs_are_not() {
    let long = "x".repeat(3000);
    let upstream = Upstream::start(move |head| {
        if head.contains("/manifests/chunked") {
            let body = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
            return format!("HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
                .into_bytes();
        }
        reply("200 OK", &[], &long)
    })
    .await;
    let ns = upstream.address.to_string();
    let relay = Running::start(&["--allow-private", &ns, "--document-size", "2000"]).await;
    let sized = relay.get(&format!("/v2/a/manifests/1?ns={ns}")).await;
    assert_eq!((sized.status, sized.code().as_str()), (502, "UPSTREAM_INVALID"));
    let chunked = relay.get(&format!("/v2/a/manifests/chunked?ns={ns}")).await;
    assert!(chunked.body.len() < 3000 && !chunked.body.ends_with(b"0\r\n\r\n"), "{chunked:?}");
    assert_eq!(relay.get(&format!("/v2/a/blobs/{DIGEST}?ns={ns}")).await.body.len(), 3000);
    let metrics = String::from_utf8(relay.get("/metrics").await.body).unwrap();
    assert!(metrics.contains("porthole_relay_limited_total{limit=\"document-size\"} 2\n"), "{metrics}");
}

/// One byte now and then is always in time for the idle limit.
#[tokio::test]
async fn a_registry_that_sends_too_little_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ns = listener.local_addr().unwrap().to_string();
    let upstream = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                read_head(&mut stream).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await;
                while stream.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
        }
    });
    let relay = Running::start(&["--allow-private", &ns, "--upstream-rate-window", "200ms"]).await;
    for target in [format!("blobs/{DIGEST}"), "manifests/1".to_owned()] {
        let answer = relay.get(&format!("/v2/a/{target}?ns={ns}")).await;
        assert!(answer.status == 200 && answer.body.len() < 1000, "{}", answer.body.len());
    }
    let metrics = String::from_utf8(relay.get("/metrics").await.body).unwrap();
    assert!(metrics.contains("porthole_relay_limited_total{limit=\"upstream-min-rate\"} 2\n"), "{metrics}");
    upstream.abort();
}

#[tokio::test]
async fn bodies_beyond_the_memory_for_them_are_refused() {
    let upstream = Upstream::start(|_| reply("200 OK", &[], "{}")).await;
    let ns = upstream.address.to_string();
    // Less than two bodies take.
    let relay = Running::start(&["--allow-private", &ns, "--buffers", "60KiB"]).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let held = Running::start(&["--allow-private", "127.0.0.1", "--buffers", "60KiB"]).await;
    let mut client = TcpStream::connect(held.address).await.unwrap();
    let waiting = silent.local_addr().unwrap();
    let request = format!("GET /v2/a/blobs/{DIGEST}?ns={waiting} HTTP/1.1\r\nHost: {}\r\n\r\n", held.address);
    client.write_all(request.as_bytes()).await.unwrap();
    let _held = silent.accept().await.unwrap();
    let refused = held.get(&format!("/v2/a/manifests/1?ns={ns}")).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "BUSY"));
    assert_eq!(refused.header("retry-after"), Some("5"));
    let metrics = String::from_utf8(held.get("/metrics").await.body).unwrap();
    assert!(metrics.contains("porthole_relay_refused_total{code=\"BUSY\"} 1\n"), "{metrics}");
    assert!(metrics.contains("porthole_relay_streams 1\n"), "{metrics}");
    // The next is served when the one before has ended.
    for _ in 0..3 {
        assert_eq!(relay.get(&format!("/v2/a/manifests/1?ns={ns}")).await.status, 200);
    }
}

#[tokio::test]
async fn the_relay_serves_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = crate::identity::tests::write(folder.path());
    let upstream =
        Upstream::start(|_| reply("401 Unauthorized", &["WWW-Authenticate: Bearer realm=\"https://a.example/\""], ""))
            .await;
    let ns = upstream.address.to_string();
    let (path, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let relay = Running::start(&["--tls-cert", path, "--tls-key", key, "--allow-private", &ns]).await;
    let native = Native::new(Options { ca: vec![certificate.clone().into()], ..Options::default() }).unwrap();
    let base = format!("https://localhost:{}", relay.address.port());
    let ask = async |path: &str| {
        let mut request = http::Request::new(bytes::Bytes::new().into());
        *request.uri_mut() = format!("{base}{path}").parse().unwrap();
        native.send(request).await.unwrap()
    };
    assert_eq!(ask("/healthz").await.status(), 200);
    let challenged = ask(&format!("/v2/a/tags/list?ns={ns}")).await;
    let expected = format!("Bearer realm=\"{base}/token?ns={ns}\"");
    assert_eq!(challenged.headers()["www-authenticate"], expected.as_str());
}

#[tokio::test]
async fn the_operator_is_warned_of_an_exposed_relay() {
    let warnings = |flags: &[&str], listen: &str| {
        let args = Args::parse_from(["relay"].iter().chain(flags));
        let listen = listen.parse().unwrap();
        Relay::new(args, listen).unwrap().warnings(&listen).join("\n")
    };
    assert_eq!(warnings(&[], "127.0.0.1:8090"), "");
    assert_eq!(warnings(&[], "[::1]:8090"), "");
    let open = warnings(&[], "0.0.0.0:8090");
    for part in ["every public registry", "without TLS", "--public-url"] {
        assert!(open.contains(part), "{open}");
    }
    let closed = warnings(&["--allow", "ghcr.io", "--public-url", "https://relay.example.com"], "0.0.0.0:8090");
    assert!(!closed.contains("every public registry") && !closed.contains("--public-url"), "{closed}");
}

#[tokio::test]
async fn pages_of_listed_origins_may_frame_the_page() {
    let plain = Running::start(&[]).await;
    let absent = plain.get("/").await;
    assert!(absent.header("content-security-policy").is_some());
    let args = Args::parse_from(["relay", "--frame-ancestors", "https://portal.example.com"]);
    let relay = Relay::new(args, plain.address).unwrap();
    assert_eq!(relay.frames, "frame-ancestors https://portal.example.com");
}

/// A registry that asks for a password says whether it is right; a token for a wrong one would look like a sign-in.
#[tokio::test]
async fn a_wrong_password_gets_no_token() {
    let upstream = Upstream::start(|head| {
        let lower = head.to_ascii_lowercase();
        if lower.contains("authorization: basic ywxpy2u6c2vjcmv0") {
            return reply("200 OK", &[], "{}");
        }
        reply("401 Unauthorized", &["WWW-Authenticate: Basic realm=\"x\""], "")
    })
    .await;
    let ns = upstream.address.to_string();
    let relay = Running::start(&["--allow-private", &ns]).await;
    let target = format!("/token?scope=repository:{}/a:pull", ns.replace(':', "_"));
    let answer = relay.ask("GET", &target, &["Authorization: Basic YWxpY2U6c2VjcmV0"]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = relay.ask("GET", &target, &["Authorization: Basic YWxpY2U6d3Jvbmc="]).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHORIZED"));
    assert_eq!(relay.get(&target).await.status, 401);
}

#[tokio::test]
async fn a_range_that_ends_before_it_begins_is_not_passed_on() {
    let upstream = Upstream::start(|_| reply("200 OK", &[], "0123456789")).await;
    let ns = upstream.address.to_string();
    let relay = Running::start(&["--allow-private", &ns]).await;
    for range in ["bytes=500-0", "bytes=0-1,3-4", "bytes=-"] {
        let answer = relay.ask("GET", &format!("/v2/a/blobs/{DIGEST}?ns={ns}"), &[&format!("Range: {range}")]).await;
        assert_eq!((answer.status, answer.body.len()), (200, 10), "{range}");
    }
    assert!(upstream.asked().iter().all(|head| !head.to_ascii_lowercase().contains("range:")));
}

/// A connection of HTTP/2 with the relay, that checks its certificate.
async fn connect_h2(relay: &Running, certificate: &std::path::Path) -> SendRequest<Empty<bytes::Bytes>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let tcp = TcpStream::connect(relay.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    // Less than a body, so that one that is not read stops.
    let builder = builder.initial_stream_window_size(64 << 10);
    let (sender, connection) = builder.handshake(TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn browsers_speak_http_2_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = crate::identity::tests::write(folder.path());
    let upstream = Upstream::start(|_| reply("200 OK", &[], &"x".repeat(200_000))).await;
    let ns = upstream.address.to_string();
    let (path, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let flags = ["--tls-cert", path, "--tls-key", key, "--allow-private", &ns, "--client-idle", "300ms"];
    let relay = Running::start(&flags).await;
    let mut sender = connect_h2(&relay, &certificate).await;
    let base = format!("https://localhost:{}", relay.address.port());
    let blob = format!("{base}/v2/a/blobs/{DIGEST}?ns={ns}");
    let request = |url: &str| Request::get(url).body(Empty::new()).unwrap();
    let (first, second) = (sender.send_request(request(&blob)), sender.send_request(request(&blob)));
    for answer in [first.await.unwrap(), second.await.unwrap()] {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), 200_000);
    }
    // The name in the request is judged like a Host header: a page whose name was made to resolve to this relay is refused.
    let rebound = blob.replace("localhost", "evil.example");
    assert_eq!(sender.send_request(request(&rebound)).await.unwrap().status(), 421);
    let mut both = request(&blob);
    both.headers_mut().insert("host", "127.0.0.1".parse().unwrap());
    assert_eq!(sender.send_request(both).await.unwrap().status(), 421);
    let large = Request::get(&blob).header("x", "y".repeat(20_000)).body(Empty::new()).unwrap();
    assert!(sender.send_request(large).await.map_or(true, |answer| answer.status() == 431));

    // A stream that is not read ends with its connection, although the connection itself is free.
    let mut sender = connect_h2(&relay, &certificate).await;
    let stalled = sender.send_request(request(&blob)).await.unwrap();
    sender.ready().await.unwrap();
    while sender.ready().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(stalled.into_body().collect().await.is_err());
}
