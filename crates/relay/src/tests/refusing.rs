use super::*;

/// Such an answer has no body, and a length that a proxy in front would take from the next answer of the connection.
#[tokio::test]
async fn an_answer_without_a_body_cannot_announce_one() {
    for status in ["204 No Content", "205 Reset Content", "100 Continue", "226 IM Used", "299 X"] {
        let upstream = Upstream::start(move |_| reply(status, &[], "hello")).await;
        let ns = upstream.address.to_string();
        let relay = Running::start(&["--allow-private", &ns]).await;
        for target in ["manifests/1".to_owned(), format!("blobs/{DIGEST}"), "tags/list".to_owned()] {
            let answer = relay.get(&format!("/v2/a/{target}?ns={ns}")).await;
            assert_eq!(answer.status, 502, "{status}: {answer:?}");
        }
    }
    let upstream = Upstream::start(|_| reply("304 Not Modified", &[], "hello")).await;
    let ns = upstream.address.to_string();
    let relay = Running::start(&["--allow-private", &ns]).await;
    let answer = relay.get(&format!("/v2/a/manifests/1?ns={ns}")).await;
    assert_eq!((answer.status, answer.header("content-length"), answer.body.len()), (304, None, 0));
}

#[tokio::test]
async fn a_registry_gets_no_more_requests_than_its_rule_allows() {
    let upstream = Upstream::start(|_| reply("200 OK", &[], "{}")).await;
    let ns = upstream.address.to_string();
    let relay = Running::start(&["--allow-private", &ns, "--registry", &format!("{ns} rate=1")]).await;
    let mut refused = None;
    for _ in 0..8 {
        let answer = relay.get(&format!("/v2/a/manifests/1?ns={ns}")).await;
        refused = (answer.status != 200).then_some(answer);
    }
    let refused = refused.unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (429, "TOOMANYREQUESTS"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(upstream.asked().len() < 8);
    let denied = Running::start(&["--allow-private", &ns, "--registry", &format!("{ns} deny")]).await;
    assert_eq!(denied.get(&format!("/v2/a/manifests/1?ns={ns}")).await.code(), "DESTINATION_DENIED");
}

/// Whatever is asked, nothing but the listed routes reaches a registry.
#[tokio::test]
async fn odd_requests_leave_the_registry_alone() {
    let upstream = Upstream::start(|_| reply("200 OK", &[], "{}")).await;
    let ns = upstream.address.to_string();
    let relay = Running::start(&["--allow-private", &ns, "--default-registry", &ns]).await;
    let rows: &[(&str, String, u16)] = &[
        ("POST", format!("/v2/a/blobs/uploads/?ns={ns}"), 405),
        ("PUT", format!("/v2/a/manifests/1?ns={ns}"), 405),
        ("DELETE", format!("/v2/a/manifests/1?ns={ns}"), 405),
        ("PATCH", format!("/v2/a/blobs/uploads/1?ns={ns}"), 405),
        ("OPTIONS", format!("/v2/a/manifests/1?ns={ns}"), 405),
        ("TRACE", format!("/v2/a/manifests/1?ns={ns}"), 405),
        ("GET", format!("/v2/../x/tags/list?ns={ns}"), 400),
        ("GET", format!("/v2/a/manifests/..%2f..?ns={ns}"), 400),
        ("GET", format!("/v2/a/blobs/x?ns={ns}"), 400),
        ("GET", format!("/v2/a?ns={ns}"), 404),
        ("GET", format!("http://{ns}/v2/"), 400),
        ("GET", "http://evil.example/".to_owned(), 400),
        ("CONNECT", ns.clone(), 400),
        ("GET", format!("/{ns}/v2/"), 404),
        ("GET", format!("/proxy?url=http://{ns}/"), 404),
        ("GET", "/.git/config".to_owned(), 404),
    ];
    for (method, target, status) in rows {
        let answer = relay.ask(method, target, &[]).await;
        assert_eq!(answer.status, *status, "{method} {target}: {answer:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    for (name, request, status) in [
        (
            "a body",
            format!(
                "GET /v2/a/tags/list HTTP/1.1\r\nHost: {}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
                relay.address
            ),
            400,
        ),
        ("no host", "GET /v2/a/tags/list HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), 421),
        (
            "two hosts",
            format!(
                "GET /v2/a/tags/list HTTP/1.1\r\nHost: {0}\r\nHost: {0}\r\nConnection: close\r\n\r\n",
                relay.address
            ),
            421,
        ),
        (
            "two lengths",
            format!("GET / HTTP/1.1\r\nHost: {}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", relay.address),
            400,
        ),
        (
            "a folded header",
            format!("GET /v2/a/tags/list HTTP/1.1\r\nHost: {}\r\nX: a\r\n b\r\n\r\n", relay.address),
            400,
        ),
        ("a bare CR", format!("GET /v2/a/tags/list HTTP/1.1\r\nHost: {}\r\nX: a\rb\r\n\r\n", relay.address), 400),
        ("many headers", format!("GET / HTTP/1.1\r\nHost: {}\r\n{}\r\n", relay.address, "X: y\r\n".repeat(200)), 431),
        (
            "a long header",
            format!("GET / HTTP/1.1\r\nHost: {}\r\nX: {}\r\n\r\n", relay.address, "y".repeat(100_000)),
            431,
        ),
        (
            "two framings",
            format!(
                "POST /token?ns={ns} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
                relay.address
            ),
            400,
        ),
        ("nonsense", "banana\r\n\r\n".to_owned(), 400),
    ] {
        assert_eq!(relay.ask_raw(request.as_bytes()).await.status, status, "{name}");
    }
    assert_eq!(upstream.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn other_names_of_this_machine_are_refused() {
    let relay = Running::start(&["--public-url", "https://relay.example.com"]).await;
    for host in ["evil.example", "127.0.0.1.nip.io", "relay.example.com.evil.example"] {
        let answer = relay.ask("GET", "/", &[&format!("Host: {host}")]).await;
        assert_eq!((answer.status, answer.code().as_str()), (421, "HOST_DENIED"), "{host}");
    }
    assert_eq!(relay.ask("GET", "/healthz", &["Host: relay.example.com"]).await.body, b"ok\n");
    assert_eq!(relay.ask("GET", "/readyz", &["Host: localhost:1"]).await.body, b"ready\n");
}

#[tokio::test]
async fn pages_of_strangers_are_refused_and_others_may_read() {
    let upstream = Upstream::start(|_| reply("200 OK", &[], "{}")).await;
    let ns = upstream.address.to_string();
    let relay = Running::start(&["--allow-private", &ns, "--allow-origin", "https://page.example.com"]).await;
    let target = format!("/v2/a/manifests/1?ns={ns}");
    let own = format!("http://{}", relay.address);
    let asks = ["Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization,range"];
    for origin in ["https://evil.example", "null", "https://page.example.com.evil.example", "http://page.example.com"] {
        let origin = format!("Origin: {origin}");
        for (method, headers) in [("GET", vec![origin.as_str()]), ("OPTIONS", vec![&origin, asks[0], asks[1]])] {
            let answer = relay.ask(method, &target, &headers).await;
            assert_eq!((answer.status, answer.code().as_str()), (403, "ORIGIN_DENIED"), "{method} {origin}");
            assert_eq!(answer.header("access-control-allow-origin"), None);
            assert_eq!(answer.header("vary"), Some("Origin"));
        }
        assert_eq!(relay.ask("GET", &format!("/token?ns={ns}"), &[&origin]).await.status, 403);
    }
    assert_eq!(relay.ask("GET", &target, &["Sec-Fetch-Site: cross-site"]).await.status, 403);
    assert!(upstream.asked().is_empty());

    for origin in ["https://page.example.com", own.as_str()] {
        let line = format!("Origin: {origin}");
        let answer = relay.ask("OPTIONS", &target, &[&line, asks[0], asks[1]]).await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD"));
        for name in ["Authorization", "Range", "If-None-Match"] {
            assert!(answer.header("access-control-allow-headers").unwrap().contains(name));
        }
        let answer = relay.ask("GET", &target, &[&line]).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(origin)));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        for name in [
            "Docker-Content-Digest",
            "Content-Range",
            "Content-Length",
            "Link",
            "WWW-Authenticate",
            "OCI-Namespace",
            "Retry-After",
        ] {
            assert!(answer.header("access-control-expose-headers").unwrap().contains(name), "{name}");
        }
        // Refusals are readable, too: the page distinguishes them.
        let answer = relay.ask("GET", "/v2/a/manifests/1?ns=10.0.0.1", &[&line]).await;
        assert_eq!(
            (answer.code().as_str(), answer.header("access-control-allow-origin")),
            ("DESTINATION_DENIED", Some(origin))
        );
    }
}

#[tokio::test]
async fn private_destinations_are_refused() {
    let upstream = Upstream::start(|_| reply("200 OK", &[], "{}")).await;
    let own = Running::start(&[]).await;
    let registries = [
        upstream.address.to_string(),
        "10.0.0.1".to_owned(),
        "169.254.169.254".to_owned(),
        "[::1]:5000".to_owned(),
        "[64:ff9b::7f00:1]".to_owned(),
        "localhost:5000".to_owned(),
        "foo.localhost".to_owned(),
        "x.test".to_owned(),
        "example.com:22".to_owned(),
        "example.com:6379".to_owned(),
    ];
    for registry in registries {
        for target in [
            format!("/v2/a/manifests/1?ns={registry}"),
            format!("/token?ns={registry}"),
            format!("/v2/{registry}/a/manifests/1"),
        ] {
            let answer = own.get(&target).await;
            assert_eq!((answer.status, answer.code().as_str()), (403, "DESTINATION_DENIED"), "{target}: {answer:?}");
        }
    }
    assert!(upstream.asked().is_empty());

    let only = Running::start(&["--allow", "ghcr.io", "--allow-private", &upstream.address.to_string()]).await;
    let answer = only.get(&format!("/v2/a/manifests/1?ns={}", upstream.address)).await;
    assert_eq!(answer.code(), "DESTINATION_DENIED");
    assert!(upstream.asked().is_empty());

    let looped = Running::start(&["--allow-private", "127.0.0.1"]).await;
    let answer = looped.get(&format!("/v2/a/manifests/1?ns={}", looped.address)).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "DESTINATION_DENIED"));
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_at_the_start() {
    let local = "127.0.0.1:1".parse().unwrap();
    for flags in [
        ["--allow", "GHCR.io"],
        ["--allow-private", "https://a.example"],
        ["--plain-http", "a.example/"],
        ["--trust-realm", "*"],
        ["--default-registry", "registry:"],
        ["--allow-origin", "*"],
        ["--allow-origin", "https://a.example/"],
        ["--public-url", "relay.example.com"],
        ["--public-url", "https://relay.example.com/x"],
        ["--ca", "/nonexistent.pem"],
    ] {
        let args = Args::parse_from(["relay"].iter().chain(&flags));
        let error = Relay::new(args, local).err().unwrap_or_default();
        assert!(error.starts_with(flags[0]), "{flags:?}: {error}");
    }
}
