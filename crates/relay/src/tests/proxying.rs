use super::*;

async fn relay_to(upstream: &Upstream, more: &[&str]) -> Running {
    let allow = upstream.address.to_string();
    let flags: Vec<_> = ["--allow-private", &allow].into_iter().chain(more.iter().copied()).collect();
    Running::start(&flags).await
}

#[tokio::test]
async fn a_manifest_comes_through_with_listed_headers_only() {
    let upstream = Upstream::start(|_| {
        let headers = [
            "Content-Type: application/vnd.oci.image.manifest.v1+json; charset=utf-8",
            "Docker-Content-Digest: sha256:x",
            "ETag: \"x\"",
            "RateLimit-Remaining: 99;w=21600",
            "Access-Control-Allow-Origin: *",
            "Access-Control-Allow-Credentials: true",
            "Set-Cookie: a=b",
            "Strict-Transport-Security: max-age=1",
            "Content-Encoding: gzip",
            "X-Powered-By: x",
        ];
        reply("200 OK", &headers, "{}")
    })
    .await;
    let relay = relay_to(&upstream, &[]).await;
    let ns = upstream.address;
    let headers = [
        "Accept: application/json",
        "Authorization: Bearer abc",
        "Cookie: a=b",
        "X-Forwarded-For: 1.2.3.4",
        "Accept-Encoding: gzip",
    ];
    for target in [format!("/v2/a/b/manifests/1?ns={ns}&x=y"), format!("/v2/{ns}/a/b/manifests/1")] {
        let answer = relay.ask("GET", &target, &headers).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]), "{answer:?}");
        assert_eq!(
            answer.headers(),
            [
                "cache-control",
                "connection",
                "content-disposition",
                "content-length",
                "content-security-policy",
                "content-type",
                "cross-origin-resource-policy",
                "date",
                "docker-content-digest",
                "docker-distribution-api-version",
                "etag",
                "oci-namespace",
                "ratelimit-remaining",
                "referrer-policy",
                "vary",
                "x-content-type-options",
            ]
        );
        assert_eq!(answer.header("content-type"), Some("application/vnd.oci.image.manifest.v1+json"));
        assert_eq!(answer.header("oci-namespace"), Some(ns.to_string().as_str()));
    }
    // The coding is asked about by HEAD.
    for head in upstream.asked().into_iter().filter(|head| head.starts_with("GET")) {
        let mut lines: Vec<_> = head.trim_end().lines().map(str::to_ascii_lowercase).collect();
        lines.sort();
        let agent = concat!("user-agent: porthole/", env!("CARGO_PKG_VERSION"));
        let host = format!("host: {ns}");
        let expected = [
            "accept-encoding: identity",
            "accept: application/json",
            "authorization: bearer abc",
            "get /v2/a/b/manifests/1 http/1.1",
            &host,
            agent,
        ];
        assert_eq!(lines, expected);
    }
}

#[tokio::test]
async fn a_blob_is_bytes_whatever_it_says() {
    let upstream = Upstream::start(|_| {
        reply("200 OK", &["Content-Type: text/html", "Content-Disposition: inline"], "<script>alert(1)</script>")
    })
    .await;
    let relay = relay_to(&upstream, &[]).await;
    let answer = relay.get(&format!("/v2/a/blobs/{DIGEST}?ns={}", upstream.address)).await;
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    assert_eq!(answer.header("porthole-upstream-type"), Some("text/html"));
    assert_eq!(answer.header("content-disposition"), Some("attachment"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'; sandbox"));
}

#[tokio::test]
async fn a_manifest_keeps_its_general_type_or_has_none() {
    for (sent, expected) in [
        (None, None),
        (Some("text/plain; charset=utf-8"), Some("text/plain")),
        (Some("application/json"), Some("application/json")),
        (Some("text/html"), Some("application/octet-stream")),
    ] {
        let line = sent.map(|sent| format!("Content-Type: {sent}"));
        let upstream = Upstream::start(move |_| {
            let lines: Vec<&str> = line.iter().map(String::as_str).collect();
            reply("200 OK", &lines, "{}")
        })
        .await;
        let relay = relay_to(&upstream, &[]).await;
        let answer = relay.get(&format!("/v2/a/manifests/1?ns={}", upstream.address)).await;
        assert_eq!(answer.header("content-type"), expected, "{answer:?}");
    }
}

#[tokio::test]
async fn ranges_and_conditions_go_through_and_are_checked() {
    let upstream = Upstream::start(|head| {
        let lower = head.to_ascii_lowercase();
        if lower.contains("if-none-match: \"x\"") {
            return b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\nETag: \"x\"\r\n\r\n".to_vec();
        }
        if lower.contains("range: bytes=2-4") {
            return reply("206 Partial Content", &["Content-Range: bytes 2-4/10"], "cde");
        }
        if lower.contains("range: bytes=3-4") {
            return reply("206 Partial Content", &["Content-Range: bytes 2-4/10"], "cde");
        }
        if lower.contains("range: bytes=90-") {
            return reply("416 Range Not Satisfiable", &["Content-Range: bytes */10"], "");
        }
        reply("200 OK", &[], "abcdefghij")
    })
    .await;
    let relay = relay_to(&upstream, &[]).await;
    let target = format!("/v2/a/blobs/{DIGEST}?ns={}", upstream.address);
    let ask = async |header| relay.ask("GET", &target, &[header]).await;

    let answer = ask("Range: bytes=2-4").await;
    assert_eq!((answer.status, answer.body.as_slice()), (206, &b"cde"[..]));
    assert_eq!(answer.header("content-range"), Some("bytes 2-4/10"));
    let answer = ask("Range: bytes=3-4").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UPSTREAM_INVALID"));
    let answer = ask("Range: bytes=90-").await;
    assert_eq!((answer.status, answer.code().as_str()), (416, "RANGE_INVALID"));
    assert_eq!(answer.header("content-range"), Some("bytes */10"));
    let answer = ask("If-None-Match: \"x\"").await;
    assert_eq!((answer.status, answer.body.len()), (304, 0));
    assert_eq!(ask("Range: bytes=0-1,5-6").await.status, 200, "several ranges are asked for as none");
    let answer = relay.ask("HEAD", &target, &[]).await;
    assert_eq!((answer.status, answer.body.len(), answer.header("content-length")), (200, 0, Some("10")));
}

#[tokio::test]
async fn the_grammar_decides_what_a_content_range_says() {
    for (content_range, status) in [
        ("bytes 2-4/10", 206),
        ("BYTES 2-4/10", 206),
        ("bytes 2-4/*", 206),
        ("bytes 02-4/10", 206),
        ("bytes +2-4/10", 502),
        ("bytes 2-+4/10", 502),
        ("bytes 2-4/+10", 502),
        ("bytes  2-4/10", 502),
        ("bytes=2-4/10", 502),
        ("bytes 2-4", 502),
        ("bytes 2-4/4", 502),
        ("bytes */10", 502),
        ("lines 2-4/10", 502),
    ] {
        let line = format!("Content-Range: {content_range}");
        let upstream = Upstream::start(move |_| reply("206 Partial Content", &[&line], "cde")).await;
        let relay = relay_to(&upstream, &[]).await;
        let target = format!("/v2/a/blobs/{DIGEST}?ns={}", upstream.address);
        let answer = relay.ask("GET", &target, &["Range: bytes=2-4"]).await;
        assert_eq!(answer.status, status, "{content_range}");
    }
}

#[tokio::test]
async fn challenges_and_tokens_go_the_way_of_the_registry() {
    let upstream = Upstream::start(|head| {
        let lower = head.to_ascii_lowercase();
        let host = lower.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"http://{host}/auth?x=1\",service=\"svc\",scope=\"repository:a/b:pull\""
        );
        if head.starts_with("GET /auth?x=1&service=svc") {
            let extra = if lower.contains("authorization: basic") { "alice" } else { "anonymous" };
            return reply("200 OK", &[], &format!("{{\"token\":\"{extra}\",\"expires_in\":300,\"html\":\"<b>\"}}"));
        }
        if lower.contains("authorization: bearer alice") {
            return reply("200 OK", &["Content-Type: application/json"], "{\"tags\":[]}");
        }
        reply("401 Unauthorized", &[&challenge, "WWW-Authenticate: Negotiate"], "<html>no</html>")
    })
    .await;
    let relay = relay_to(&upstream, &[]).await;
    let (ns, base) = (upstream.address, relay.address);
    let answer = relay.get(&format!("/v2/a/b/tags/list?ns={ns}")).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHORIZED"));
    let expected =
        format!("Bearer realm=\"http://{base}/token?ns={ns}\",service=\"svc\",scope=\"repository:a/b:pull\"");
    assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()));

    let token =
        format!("/token?ns={ns}&service=other&scope=repository:a/b:pull&account=x&realm=http://evil.example/&evil=1");
    let answer = relay.get(&token).await;
    assert_eq!(answer.body, br#"{"expires_in":300,"token":"anonymous"}"#);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = relay.ask("GET", &token, &["Authorization: Basic YWxpY2U6c2VjcmV0"]).await;
    assert_eq!(answer.body, br#"{"expires_in":300,"token":"alice"}"#);
    let answer = relay.ask("GET", &format!("/v2/a/b/tags/list?ns={ns}"), &["Authorization: Bearer alice"]).await;
    assert_eq!(answer.body, br#"{"tags":[]}"#);
    assert!(
        upstream
            .asked()
            .iter()
            .any(|head| head.starts_with("GET /auth?x=1&service=svc&scope=repository:a/b:pull&account=x HTTP"))
    );

    // A relay that has not seen the challenge asks for it.
    let fresh = relay_to(&upstream, &[]).await;
    assert_eq!(fresh.get(&token).await.body, br#"{"expires_in":300,"token":"anonymous"}"#);
}

#[tokio::test]
async fn the_page_is_challenged_where_no_browser_answers() {
    let upstream = Upstream::start(|_| reply("401 Unauthorized", &["WWW-Authenticate: Basic realm=\"x\""], "")).await;
    let relay = relay_to(&upstream, &[]).await;
    let target = format!("/v2/a/b/tags/list?ns={}", upstream.address);
    for (page, shown, hidden) in [
        (&[][..], "www-authenticate", "porthole-authenticate"),
        (&["Porthole-Page: 1"], "porthole-authenticate", "www-authenticate"),
    ] {
        let answer = relay.ask("GET", &target, page).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.header(shown).is_some_and(|challenge| challenge.contains("realm=")), "{answer:?}");
        assert_eq!(answer.header(hidden), None, "{answer:?}");
    }
}

#[tokio::test]
async fn credentials_do_not_go_to_foreign_realms() {
    let service = Upstream::start(|_| reply("200 OK", &[], "{\"token\":\"t\"}")).await;
    let realm = service.address.to_string();
    let named = realm.clone();
    let upstream = Upstream::start(move |_| {
        reply("401 Unauthorized", &[&format!("WWW-Authenticate: Bearer realm=\"http://{named}/auth\"")], "")
    })
    .await;
    let target = format!("/token?ns={}&scope=repository:a:pull", upstream.address);
    let basic = ["Authorization: Basic YWxpY2U6c2VjcmV0"];
    // Another port of this machine is not a place to be sent to, with credentials or without.
    let relay = relay_to(&upstream, &["--allow-private", &realm]).await;
    for headers in [&basic[..], &[]] {
        let answer = relay.ask("GET", &target, headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "UPSTREAM_REFUSED"), "{answer:?}");
    }
    assert!(service.asked().is_empty());
    let trusting = relay_to(&upstream, &["--allow-private", &realm, "--trust-realm", &realm]).await;
    assert_eq!(trusting.ask("GET", &target, &basic).await.body, br#"{"token":"t"}"#);
    // Trust alone opens no private address.
    let trusting = relay_to(&upstream, &["--trust-realm", &realm]).await;
    assert_eq!(trusting.ask("GET", &target, &basic).await.code(), "UPSTREAM_REFUSED");
    assert_eq!(service.asked().len(), 1);
}

#[tokio::test]
async fn a_token_is_asked_for_by_form_too() {
    let upstream = Upstream::start(|head| {
        let lower = head.to_ascii_lowercase();
        let host = lower.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        if head.starts_with("POST /auth ") {
            let form = lower.contains("content-type: application/x-www-form-urlencoded");
            return reply("200 OK", &[], &format!("{{\"access_token\":\"{form}\"}}"));
        }
        reply("401 Unauthorized", &[&format!("WWW-Authenticate: Bearer realm=\"http://{host}/auth\",service=s")], "")
    })
    .await;
    let relay = relay_to(&upstream, &[]).await;
    let form = "grant_type=refresh_token&refresh_token=r&scope=repository:a:pull";
    let post = |kind: &str, form: &str| {
        format!(
            "POST /token?ns={} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{form}",
            upstream.address,
            relay.address,
            form.len(),
        )
    };
    let answer = relay.ask_raw(post("application/x-www-form-urlencoded", form).as_bytes()).await;
    assert_eq!(answer.body, br#"{"access_token":"true"}"#, "{answer:?}");
    assert_eq!(relay.ask_raw(post("text/plain", form).as_bytes()).await.status, 400);
    let long = "x=".to_owned() + &"y".repeat(17 << 10);
    assert_eq!(relay.ask_raw(post("application/x-www-form-urlencoded", &long).as_bytes()).await.status, 400);
}

#[tokio::test]
async fn redirects_are_followed_without_the_authorization() {
    let store = Upstream::start(|_| reply("200 OK", &["Content-Type: text/html"], "blob")).await;
    let place = store.address;
    let upstream = Upstream::start(move |head| match head.split(' ').nth(1) {
        Some(path) if path.contains("/v2/near/") => reply("307 Temporary Redirect", &["Location: /elsewhere?x=1"], ""),
        Some("/elsewhere?x=1") => reply("200 OK", &[], "near"),
        _ => reply("307 Temporary Redirect", &[&format!("Location: http://{place}/bucket/blob?sig=s%2Fs")], "moved"),
    })
    .await;
    let relay = relay_to(&upstream, &["--allow-private", &store.address.to_string()]).await;
    let headers = ["Authorization: Bearer secret", "Range: bytes=0-"];
    let answer = relay.ask("GET", &format!("/v2/far/blobs/{DIGEST}?ns={}", upstream.address), &headers).await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"blob"[..]), "{answer:?}");
    let head = store.asked().remove(0).to_ascii_lowercase();
    assert!(head.starts_with("get /bucket/blob?sig=s%2fs http/1.1\r\n"), "{head}");
    assert!(head.contains("range: bytes=0-\r\n") && !head.contains("secret"), "{head}");
    let answer = relay.ask("GET", &format!("/v2/near/blobs/{DIGEST}?ns={}", upstream.address), &headers).await;
    assert_eq!(answer.body, b"near");
    assert!(upstream.asked().last().unwrap().to_ascii_lowercase().contains("authorization: bearer secret"));
}

#[tokio::test]
async fn redirects_into_private_places_are_refused() {
    let inside = Upstream::start(|_| reply("200 OK", &[], "secret")).await;
    let place = inside.address;
    let locations = [
        format!("http://{place}/"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "https://localhost/".to_owned(),
        "http://example.com/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://user@example.com/".to_owned(),
        "gopher://example.com/".to_owned(),
        "/\\evil.example/".to_owned(),
    ];
    for location in locations {
        let header = format!("Location: {location}");
        let upstream = Upstream::start(move |_| reply("307 Temporary Redirect", &[&header], "")).await;
        let relay = relay_to(&upstream, &[]).await;
        let answer = relay.get(&format!("/v2/a/blobs/{DIGEST}?ns={}", upstream.address)).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "UPSTREAM_REFUSED"), "{location}: {answer:?}");
    }
    assert!(inside.asked().is_empty());
    let upstream = Upstream::start(|_| reply("302 Found", &["Location: /v2/again"], "")).await;
    let relay = relay_to(&upstream, &[]).await;
    let answer = relay.get(&format!("/v2/a/blobs/{DIGEST}?ns={}", upstream.address)).await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UPSTREAM_INVALID"));
    assert_eq!(upstream.asked().len(), 6, "the request and five redirects");
}

#[tokio::test]
async fn errors_keep_their_words_or_get_ours() {
    let upstream = Upstream::start(|head| match head.split('/').nth(2) {
        Some("own") => reply(
            "404 Not Found",
            &["Content-Type: text/plain"],
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no"}]}"#,
        ),
        Some("limit") => reply("429 Too Many Requests", &["Retry-After: 7"], "<html>"),
        Some("down") => reply("503 Service Unavailable", &["Content-Type: text/html"], "<html>"),
        Some("long") => reply("500 Internal Server Error", &[], &"x".repeat(100_000)),
        Some("odd") => reply("302 Found", &[], ""),
        Some("broken") => b"HTTP/1.1 banana\r\n\r\n".to_vec(),
        Some("cut") => b"HTTP/1.1 200 OK\r\n".to_vec(),
        _ => reply("404 Not Found", &[], ""),
    })
    .await;
    let relay = relay_to(&upstream, &[]).await;
    for (name, status, code) in [
        ("own", 404, "MANIFEST_UNKNOWN"),
        ("none", 404, "MANIFEST_UNKNOWN"),
        ("limit", 429, "TOOMANYREQUESTS"),
        ("down", 503, "UNKNOWN"),
        ("long", 500, "UNKNOWN"),
        ("odd", 502, "UPSTREAM_INVALID"),
        ("broken", 502, "UPSTREAM_INVALID"),
        ("cut", 502, "UPSTREAM_INTERRUPTED"),
    ] {
        let answer = relay.get(&format!("/v2/{name}/manifests/1?ns={}", upstream.address)).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{name}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        if name == "limit" {
            assert_eq!(answer.header("retry-after"), Some("7"));
        }
    }
    let gone = upstream.address;
    drop(upstream);
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let answer = relay.get(&format!("/v2/a/manifests/1?ns={gone}")).await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UPSTREAM_UNREACHABLE"));
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(json["errors"][0]["detail"], serde_json::json!({ "registry": gone.to_string(), "step": "manifest" }));
}

/// Clients such as skopeo ask `/v2/` first, send no `ns`, and believe what they read there for every registry.
#[tokio::test]
async fn clients_that_ping_are_served() {
    let basic = "authorization: basic ywxpy2u6c2vjcmv0";
    let locked = Upstream::start(move |head| {
        if head.to_ascii_lowercase().contains(basic) {
            return reply("200 OK", &[], "{}");
        }
        reply("401 Unauthorized", &["WWW-Authenticate: Basic realm=x"], "")
    })
    .await;
    let open = Upstream::start(|_| reply("200 OK", &[], "{}")).await;
    let relay = relay_to(&locked, &["--allow-private", &open.address.to_string()]).await;
    let answer = relay.get("/v2/").await;
    let challenge = format!("Bearer realm=\"http://{0}/token\",service=\"{0}\"", relay.address);
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(challenge.as_str())));
    assert_eq!(answer.header("docker-distribution-api-version"), Some("registry/2.0"));
    assert_eq!(relay.ask("GET", "/v2/", &["Authorization: Bearer x"]).await.status, 200);

    let token = async |place: &str, headers: &[&str]| {
        let answer = relay.ask("GET", &format!("/token?service=x&scope=repository:{place}/a:pull"), headers).await;
        let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        json["token"].as_str().map(|token| format!("Authorization: Bearer {token}"))
    };
    let place = |upstream: &Upstream| upstream.address.to_string().replace(':', "_");
    let (locked_place, open_place) = (place(&locked), place(&open));
    assert_eq!(token(&locked_place, &[]).await, None);
    let key = token(&locked_place, &["Authorization: Basic YWxpY2U6c2VjcmV0"]).await.unwrap();
    assert_eq!(relay.ask("GET", &format!("/v2/{locked_place}/a/manifests/1"), &[&key]).await.status, 200);
    let anonymous = token(&open_place, &[]).await.unwrap();
    for key in [&anonymous, &key] {
        assert_eq!(relay.ask("GET", &format!("/v2/{open_place}/a/manifests/1"), &[key]).await.status, 200);
    }
    assert!(open.asked().iter().all(|head| !head.to_ascii_lowercase().contains("authorization")));
}

#[tokio::test]
async fn pages_of_lists_lead_to_the_next() {
    let upstream = Upstream::start(|head| {
        assert!(head.starts_with("GET /v2/a/tags/list?n=2&last=x%26y HTTP"), "{head}");
        reply("200 OK", &["Link: </v2/a/tags/list?n=2&last=z&ns=evil.example>; rel=\"next\""], "{\"tags\":[]}")
    })
    .await;
    let relay = relay_to(&upstream, &[]).await;
    let ns = upstream.address.to_string();
    let answer = relay.get(&format!("/v2/a/tags/list?n=2&ns={ns}&last=x%26y")).await;
    let expected = format!("</v2/a/tags/list?ns={}&n=2&last=z>; rel=\"next\"", ns.replace(':', "%3A"));
    assert_eq!(answer.header("link"), Some(expected.as_str()), "{answer:?}");
}

#[tokio::test]
async fn a_link_to_the_registrys_own_path_does_not_cut_the_list() {
    let upstream = Upstream::start(|head| {
        let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_owned();
        let link = match head.split(' ').nth(1).unwrap_or_default() {
            "/v2/own/tags/list" => format!("<http://{host}/artifactory/api/docker/r/v2/own/tags/list?last=b&n=2>"),
            "/v2/elsewhere/tags/list" => "<http://evil.example/v2/elsewhere/tags/list?last=b>".to_owned(),
            "/v2/bare/tags/list" => format!("<http://{host}/artifactory/api/docker/r/v2/bare/tags/list>"),
            other => panic!("{other}"),
        };
        reply("200 OK", &[&format!("Link: {link}; rel=\"next\"")], "{\"tags\":[\"a\",\"b\"]}")
    })
    .await;
    let relay = relay_to(&upstream, &[]).await;
    let ns = upstream.address.to_string();
    let ask = async |name: &str| relay.get(&format!("/v2/{name}/tags/list?ns={ns}")).await;
    let expected = format!("</v2/own/tags/list?ns={}&last=b&n=2>; rel=\"next\"", ns.replace(':', "%3A"));
    let own = ask("own").await;
    assert_eq!((own.status, own.header("link")), (200, Some(expected.as_str())), "{own:?}");
    for name in ["elsewhere", "bare"] {
        let answer = ask(name).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "UPSTREAM_INVALID"), "{answer:?}");
    }
}

/// A proxy before the registry compresses bodies, although the relay accepts no coding.
#[tokio::test]
async fn bodies_that_were_compressed_on_the_way_arrive_as_they_were() {
    use std::io::Write;
    let packed = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let layer = packed(&b"a layer, which is compressed itself ".repeat(10_000));
    let document = b"{\"schemaVersion\":2}".to_vec();
    for (content, path, declared, whole) in [
        (layer.clone(), format!("blobs/{DIGEST}"), layer.len(), true),
        (document.clone(), "manifests/1".to_owned(), document.len(), true),
        // The blob's own compression, announced as a coding: the lengths are the same.
        (layer.clone(), format!("blobs/{DIGEST}"), packed(&layer).len(), false),
        // It decodes to more than the registry has, or to less.
        (layer.clone(), format!("blobs/{DIGEST}"), layer.len() - 1, false),
        (layer.clone(), format!("blobs/{DIGEST}"), layer.len() + 1, false),
    ] {
        let coded = packed(&content);
        let sent = coded.clone();
        let upstream = Upstream::start(move |head| {
            if head.starts_with("HEAD") {
                return format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {declared}\r\n\r\n")
                    .into_bytes();
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                sent.len()
            );
            [head.as_bytes(), &sent].concat()
        })
        .await;
        let relay = relay_to(&upstream, &[]).await;
        let answer = relay.get(&format!("/v2/a/{path}?ns={}", upstream.address)).await;
        assert_eq!(answer.header("content-encoding"), None);
        if whole {
            assert_eq!(answer.status, 200);
            assert!(answer.body == content, "{} bytes", answer.body.len());
            assert_eq!(answer.header("content-length"), Some(content.len().to_string().as_str()));
        } else if declared == coded.len() {
            assert!(answer.body == coded);
        } else {
            // Broken off: never a wrong body that looks whole.
            assert!(answer.body.len() < declared, "{} of {declared}", answer.body.len());
        }
    }
}
