use super::*;

fn parse(method: &str, target: &str) -> Result<Route, Refusal> {
    Route::parse(&method.parse().unwrap(), &target.parse().unwrap(), None, false)
}

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What goes to a registry: `registry host path`.
fn upstream(target: &str) -> String {
    match parse("GET", target) {
        Ok(Route::Registry(call)) => format!("{} {} {}", call.registry, call.host, call.upstream_path()),
        other => format!("{other:?}"),
    }
}

#[test]
fn both_forms_lead_to_the_same_place() {
    let rows = [
        ("/v2/a/b/manifests/1.0?ns=ghcr.io", "ghcr.io ghcr.io /v2/a/b/manifests/1.0"),
        ("/v2/ghcr.io/a/b/manifests/1.0", "ghcr.io ghcr.io /v2/a/b/manifests/1.0"),
        ("/v2/library/nginx/tags/list?ns=docker.io", "docker.io registry-1.docker.io /v2/library/nginx/tags/list"),
        ("/v2/docker.io/nginx/tags/list", "docker.io registry-1.docker.io /v2/library/nginx/tags/list"),
        ("/v2/127.0.0.1:5000/a/tags/list", "127.0.0.1:5000 127.0.0.1:5000 /v2/a/tags/list"),
        ("/v2/localhost:5000/a/tags/list", "localhost:5000 localhost:5000 /v2/a/tags/list"),
        (
            "/v2/gcr.io/a/tags/list?ns=mirror.example.com",
            "mirror.example.com mirror.example.com /v2/gcr.io/a/tags/list",
        ),
        ("/v2/?ns=ghcr.io", "ghcr.io ghcr.io /v2/"),
        ("/v2?ns=ghcr.io", "ghcr.io ghcr.io /v2/"),
        ("/v2/_catalog?ns=ghcr.io&n=3", "ghcr.io ghcr.io /v2/_catalog"),
        ("/v2/ghcr.io/", "ghcr.io ghcr.io /v2/"),
        ("/v2/127.0.0.1_5000/", "127.0.0.1:5000 127.0.0.1:5000 /v2/"),
        ("/v2/ghcr.io/_catalog", "ghcr.io ghcr.io /v2/_catalog"),
    ];
    for (target, expected) in rows {
        assert_eq!(upstream(target), expected, "{target}");
    }
    let digest = format!("/v2/a/blobs/{DIGEST}?ns=ghcr.io");
    assert_eq!(upstream(&digest), format!("ghcr.io ghcr.io /v2/a/blobs/{DIGEST}"));
    let referrers = format!("/v2/ghcr.io/a/referrers/{DIGEST}?artifactType=x");
    assert_eq!(upstream(&referrers), format!("ghcr.io ghcr.io /v2/a/referrers/{DIGEST}"));
    let by_digest = format!("/v2/a/manifests/{DIGEST}?ns=ghcr.io");
    assert_eq!(upstream(&by_digest), format!("ghcr.io ghcr.io /v2/a/manifests/{DIGEST}"));
}

#[test]
fn a_default_registry_takes_what_names_none() {
    let route = Route::parse(&Method::GET, &"/v2/a/tags/list".parse().unwrap(), Some("ghcr.io"), false);
    let Ok(Route::Registry(call)) = route else { panic!("{route:?}") };
    assert_eq!((call.registry.as_str(), call.by_query), ("ghcr.io", false));
    assert_eq!(parse("GET", "/v2/"), Ok(Route::Version));
    assert_eq!(parse("GET", "/v2/a/tags/list").unwrap_err().code, "NAMESPACE_REQUIRED");
    assert_eq!(parse("GET", "/v2/_catalog").unwrap_err().code, "NAMESPACE_REQUIRED");
    assert_eq!(parse("GET", "/v2/a_1/b/tags/list").unwrap_err().code, "NAMESPACE_REQUIRED");
}

#[test]
fn registries_have_one_spelling() {
    let rows = [
        "GHCR.io",
        "ghcr.io.",
        "user@ghcr.io",
        "ghcr.io:0443",
        "ghcr.io:0",
        "ghcr.io:99999",
        "ghcr.io:-1",
        "ghcr.io/a",
        "",
        ".",
        "registry",
        "index.docker.io",
        "0177.0.0.1",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "[::1",
        "[::1]x",
        "[0:0:0:0:0:0:0:1]:5000",
        "[v1.x]",
        "a..b",
        "-a.b",
        "b%C3%BCcher.de",
        "a%20b.c",
        "%2531.0.0.1",
        "https://ghcr.io",
    ];
    for registry in rows {
        let refusal = parse("GET", &format!("/v2/a/tags/list?ns={registry}")).unwrap_err();
        assert!(matches!(refusal.code, "NAMESPACE_INVALID" | "NAME_INVALID"), "{registry}: {refusal:?}");
        assert_eq!(refusal.status, 400);
        assert!(parse("GET", &format!("/token?ns={registry}")).is_err(), "{registry}");
    }
    assert_eq!(parse("GET", "/v2/a/tags/list?ns=a.b&ns=c.d").unwrap_err().code, "REQUEST_INVALID");
    assert_eq!(parse("GET", "/v2/a/tags/list?ns=a.b%0a").unwrap_err().code, "REQUEST_INVALID");
}

/// Requests that an attacker, a confused client or a push would send: none of them may reach a registry.
#[test]
fn odd_requests_end_here() {
    let upload = "/v2/a/blobs/uploads/?ns=ghcr.io";
    let blob = &format!("/v2/a/blobs/{DIGEST}?ns=ghcr.io");
    let manifest = "/v2/a/manifests/1?ns=ghcr.io";
    let rows: &[(&str, &str, u16)] = &[
        ("POST", upload, 405),
        ("GET", upload, 405),
        ("PATCH", "/v2/a/blobs/uploads/123?ns=ghcr.io", 405),
        ("PUT", "/v2/a/blobs/uploads/123?ns=ghcr.io", 405),
        ("DELETE", "/v2/a/blobs/uploads/123?ns=ghcr.io", 405),
        ("GET", "/v2/a/blobs/uploads/123?ns=ghcr.io", 405),
        ("PUT", manifest, 405),
        ("DELETE", manifest, 405),
        ("POST", manifest, 405),
        ("PATCH", manifest, 405),
        ("TRACE", manifest, 405),
        ("OPTIONS", manifest, 405),
        ("PROPFIND", manifest, 405),
        ("get", manifest, 405),
        ("DELETE", blob, 405),
        ("PUT", "/token?ns=ghcr.io", 405),
        ("DELETE", "/token?ns=ghcr.io", 405),
        ("HEAD", "/token?ns=ghcr.io", 405),
        ("POST", "/", 405),
        ("POST", "/relay.json", 405),
        ("DELETE", "/metrics", 405),
        ("PUT", "/healthz", 405),
        ("GET", "http://evil.example/", 400),
        ("GET", "http://169.254.169.254/latest/meta-data", 400),
        ("GET", "https://ghcr.io/v2/", 400),
        ("CONNECT", "ghcr.io:443", 400),
        ("GET", "/v2/a?ns=ghcr.io", 404),
        ("GET", "/v2/a/b?ns=ghcr.io", 404),
        ("GET", "/v2/a/tags?ns=ghcr.io", 404),
        ("GET", "/v2/a/tags/?ns=ghcr.io", 404),
        ("GET", "/v2/a/tags/list/?ns=ghcr.io", 404),
        ("GET", "/v2/a/tags/all?ns=ghcr.io", 404),
        ("GET", "/v2/tags/list?ns=ghcr.io", 404),
        ("GET", "/v2/manifests/1?ns=ghcr.io", 404),
        ("GET", "/v2/a/manifests?ns=ghcr.io", 404),
        ("GET", "/v2/a/manifests/?ns=ghcr.io", 400),
        ("GET", "/v2/a/signatures/1?ns=ghcr.io", 404),
        ("GET", "/v2/_catalog/?ns=ghcr.io", 404),
        ("GET", "/v2/_oci/ext/discover?ns=ghcr.io", 404),
        ("GET", "/v2//a/tags/list?ns=ghcr.io", 400),
        ("GET", "/v2/a//tags/list?ns=ghcr.io", 400),
        ("GET", "/v2/../a/tags/list?ns=ghcr.io", 400),
        ("GET", "/v2/a/../../tags/list?ns=ghcr.io", 400),
        ("GET", "/v2/a/./b/tags/list?ns=ghcr.io", 400),
        ("GET", "/v2/a%2fb/tags/list?ns=ghcr.io", 400),
        ("GET", "/v2/%2e%2e/tags/list?ns=ghcr.io", 400),
        ("GET", "/v2/a/manifests/..%2f..%2f_catalog?ns=ghcr.io", 400),
        ("GET", "/v2/a/manifests/a%20b?ns=ghcr.io", 400),
        ("GET", "/v2/a/manifests/-x?ns=ghcr.io", 400),
        ("GET", "/v2/a/manifests/sha256:abc?ns=ghcr.io", 400),
        ("GET", "/v2/a/manifests/1@sha256:abc?ns=ghcr.io", 400),
        ("GET", "/v2/a/blobs/latest?ns=ghcr.io", 400),
        ("GET", "/v2/a/blobs/sha256:../../x?ns=ghcr.io", 404),
        ("GET", "/v2/a/blobs/sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855?ns=ghcr.io", 400),
        ("GET", "/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e?ns=ghcr.io", 400),
        ("GET", "/v2/a/referrers/1?ns=ghcr.io", 400),
        ("GET", "/v2/A/tags/list?ns=ghcr.io", 400),
        ("GET", "/v2/a:b/tags/list?ns=ghcr.io", 400),
        ("GET", "/v2/a@b/tags/list?ns=ghcr.io", 400),
        ("GET", "/v2/user@ghcr.io/a/tags/list", 400),
        ("GET", "/v2/GHCR.io/a/tags/list", 400),
        ("GET", "/v2/0x7f.1/a/tags/list", 400),
        ("GET", "/v2/999.999.999.999/a/tags/list", 400),
        ("GET", "/v2/[:::::]/a/tags/list", 400),
        ("GET", "/v2/localhost:99999/a/tags/list", 400),
    ];
    let wrong = |(method, target, status): &&(&str, &str, u16)| {
        parse(method, target).map_err(|refusal| refusal.status.as_u16()) != Err(*status)
    };
    let wrong: Vec<_> =
        rows.iter().filter(wrong).map(|(method, target, _)| (method, target, parse(method, target))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // These are not routes of an API: they look for a file of the page, and find none.
    for target in [
        "/v1/",
        "/v2x/a",
        "/V2/a/tags/list",
        "/proxy?url=http://evil.example",
        "/token/x",
        "/.git/config",
        "/v2.html",
        "/%2e%2e/v2/",
    ] {
        assert!(matches!(parse("GET", target), Ok(Route::Page(_))), "{target}");
    }
    let long = format!("/v2/a/tags/list?ns=ghcr.io&last={}", "x".repeat(5000));
    assert_eq!(parse("GET", &long).unwrap_err().status, 400);
    let long = format!("/v2/{}/tags/list?ns=ghcr.io", "a/".repeat(5000) + "a");
    assert_eq!(parse("GET", &long).unwrap_err().status, 400);
}
