//! Where requests go: redirects, relays, plain HTTP, and what a page sees of it.

use crate::{ACCOUNT, HOST, REALM, client, content, private, reference, tagged, with_password};
use porthole_core::failure::Classify;
use porthole_core::{hint::Hint, manifest::Document};
use porthole_registry::{Error, Options, Registry, Route, policy::Scheme, transport::ErrorKind};
use porthole_testkit::{
    executor::block_on,
    registry::{Auth, Fault, Internet, Site, bearer},
};

#[test]
fn redirects_leave_the_token_behind() {
    let internet = private(REALM, None);
    internet.site("cdn.example.net", Site::new().repository("a/b", content()));
    let registry = client(&internet);
    internet.fault("/v2/a/b/manifests/1", 1, Fault::Slow(0));
    internet.fault(
        "r.example.com/v2/a/b/manifests/1",
        1,
        Fault::Redirect("https://cdn.example.net/v2/a/b/manifests/1?sig=x".into()),
    );
    block_on(registry.fetch_document(&tagged())).unwrap();
    let log = internet.log();
    assert!(log[2].authorization().is_some());
    assert!(log[3].url.starts_with("https://cdn.example.net/") && log[3].authorization().is_none());
}

/// Without credentials, for one request, and only where the challenge is visible.
#[test]
fn a_challenge_of_the_storage_is_answered_by_nobody() {
    let strangers = "https://auth.example.net/token";
    for (realm, as_platform, answered) in [
        (strangers, false, true),
        (strangers, true, false),
        ("http://auth.example.net/token", false, false),
        ("https://127.0.0.1/token", false, false),
    ] {
        let internet = private(REALM, ACCOUNT);
        internet.site("cdn.example.net", Site::new().repository("a/b", content()));
        internet.site(
            "auth.example.net",
            Site::new().auth(Auth::Bearer { challenge: bearer(strangers, HOST), account: None }),
        );
        let registry = with_password(&internet, Options::default());
        block_on(registry.fetch_document(&tagged())).unwrap();
        if as_platform {
            internet.as_platform();
        }
        let before = internet.log().len();
        internet.fault(
            "r.example.com/v2/a/b/manifests/1",
            2,
            Fault::Redirect("https://cdn.example.net/v2/a/b/manifests/1".into()),
        );
        let challenge = vec![("www-authenticate", bearer(realm, "cdn"))];
        internet.fault("cdn.example.net", 1, Fault::Answer { status: 401, headers: challenge, body: Vec::new() });
        let outcome = block_on(registry.fetch_document(&tagged()));
        assert_eq!(outcome.is_ok(), answered, "{realm}: {outcome:?}");
        let log = internet.log();
        let asked: Vec<_> = log[before..].iter().map(|asked| (asked.url.as_str(), asked.authorization())).collect();
        if answered {
            assert_eq!(asked.len(), 4, "{asked:?}");
            assert_eq!(asked[2], ("https://auth.example.net/token?service=cdn&scope=repository:a/b:pull", None));
            assert!(asked[3].0.starts_with("https://cdn.example.net/") && asked[3].1.unwrap().starts_with("Bearer "));
            // The registry itself keeps its own token, and the storage gets none that it has not asked for.
            block_on(registry.fetch_document(&tagged())).unwrap();
            let log = internet.log();
            assert_eq!(log[log.len() - 1].authorization(), None);
            assert_eq!(log[log.len() - 2].authorization(), log[before].authorization());
        } else {
            assert_eq!(asked.len(), 2, "{asked:?}");
            assert!(matches!(outcome, Err(Error::Unauthorized { .. })), "{outcome:?}");
        }
    }
}

#[test]
fn redirects_are_bounded_and_judged() {
    let internet = private(REALM, None);
    internet.fault("/manifests/", 99, Fault::Redirect("/v2/a/b/manifests/1".into()));
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert!(matches!(error, Error::RedirectLoop { .. }), "{error}");
    assert_eq!(internet.log().len(), 6);
    for location in
        ["http://r.example.com/x", "https://127.0.0.1/x", "https://[::1]/", "https://metadata/x", "ftp://a.b/"]
    {
        let internet = private(REALM, None);
        internet.fault("/manifests/", 1, Fault::Redirect(location.into()));
        let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
        assert!(matches!(error, Error::Policy { role: "redirect", .. }), "{location}: {error}");
        assert_eq!(internet.log().len(), 1);
    }
}

fn relayed(base: &str, account: Option<&'static str>) -> Internet {
    let internet = Internet::new();
    let authority = base.split('/').nth(2).unwrap();
    let auth = Auth::Bearer { challenge: bearer("https://elsewhere.example.net/token", HOST), account };
    internet.site(authority, Site::new().repository("a/b", content()).auth(auth));
    internet
}

#[test]
fn a_relay_is_asked_for_everything() {
    let internet = relayed("http://127.0.0.1:8090", ACCOUNT);
    let registry = with_password(&internet, Options::default());
    registry.set_route(HOST, Route::Relay("http://127.0.0.1:8090".into()));
    block_on(registry.fetch_document(&tagged())).unwrap();
    let urls: Vec<String> = internet.log().into_iter().map(|asked| asked.url).collect();
    assert_eq!(
        urls,
        [
            "http://127.0.0.1:8090/v2/a/b/manifests/1?ns=r.example.com",
            "http://127.0.0.1:8090/token?ns=r.example.com&service=r.example.com&scope=repository:a/b:pull",
            "http://127.0.0.1:8090/v2/a/b/manifests/1?ns=r.example.com",
        ]
    );
    let descriptor = block_on(registry.fetch_document(&tagged())).unwrap();
    let Document::Manifest(manifest) = descriptor else { panic!("not a manifest") };
    let request = registry.blob_request(&tagged(), &manifest.value.layers[0]).unwrap();
    let digest = manifest.value.layers[0].digest;
    assert_eq!(request.uri().to_string(), format!("http://127.0.0.1:8090/v2/a/b/blobs/{digest}?ns=r.example.com"));
    assert_eq!(request.headers()["authorization"], "Bearer token-2");
    registry.set_route(HOST, Route::Direct);
    let request = registry.blob_request(&tagged(), &manifest.value.layers[0]).unwrap();
    assert!(request.headers().is_empty(), "tokens are not carried from one route to another");
    assert_eq!(request.uri().to_string(), format!("https://r.example.com/v2/a/b/blobs/{digest}"));
}

#[test]
fn passwords_do_not_travel_in_the_clear() {
    for (base, sent) in [
        ("http://192.168.0.2:8090", false),
        ("http://relay.example.org", false),
        ("https://relay.example.org", true),
        ("http://localhost:8090", true),
        ("http://[::1]:8090", true),
    ] {
        let internet = relayed(base, ACCOUNT);
        let registry = with_password(&internet, Options::default());
        registry.set_route(HOST, Route::Relay(base.into()));
        let outcome = block_on(registry.fetch_document(&tagged()));
        assert_eq!(outcome.is_ok(), sent, "{base}: {:?}", outcome.err());
        if !sent {
            assert!(matches!(outcome, Err(Error::PlainRelay { .. })), "{base}");
            assert!(internet.log().iter().all(|asked| asked.authorization().is_none()));
        }
    }
}

#[test]
fn what_a_page_cannot_read() {
    let internet = private(REALM, None);
    internet.as_platform();
    internet.fault("/manifests/", 1, Fault::Status(401));
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert!(matches!(error, Error::UnreadableChallenge { .. }), "{error}");
    assert_eq!(error.hints(), [Hint::UseRelay { registry: HOST.into() }]);

    internet.fault("/manifests/", 1, Fault::Slow(0));
    internet.fault("/manifests/", 1, Fault::NoAnswer(ErrorKind::Opaque));
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert!(matches!(&error, Error::Transport { error, .. } if error.kind == ErrorKind::Preflight), "{error}");

    internet.fault("/manifests/", 1, Fault::NoAnswer(ErrorKind::Opaque));
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert!(matches!(&error, Error::Transport { error, .. } if error.kind == ErrorKind::Opaque), "{error}");
    assert_eq!(error.hints(), [Hint::UseRelay { registry: HOST.into() }]);
}

#[test]
fn plain_http_only_where_it_is_allowed() {
    for (text, options, origin) in [
        ("127.0.0.1:5000/a/b:1", Options::default(), "http://127.0.0.1:5000/"),
        ("[::1]:5000/a/b:1", Options::default(), "http://[::1]:5000/"),
        ("localhost:5000/a/b:1", Options::default(), "https://localhost:5000/"),
        ("10.0.0.1:5000/a/b:1", Options::default(), "https://10.0.0.1:5000/"),
        (
            "r.local:5000/a/b:1",
            Options { plain_http: vec!["r.local:5000".into()], ..Options::default() },
            "http://r.local:5000/",
        ),
        (
            "r.local:5001/a/b:1",
            Options { plain_http: vec!["r.local:5000".into()], ..Options::default() },
            "https://r.local:5001/",
        ),
        (
            "r.local:5001/a/b:1",
            Options { plain_http: vec!["r.local".into()], ..Options::default() },
            "http://r.local:5001/",
        ),
        ("r.local/a/b:1", Options { plain_http_all: true, ..Options::default() }, "http://r.local/"),
        ("nginx:1", Options::default(), "https://registry-1.docker.io/v2/library/nginx/"),
    ] {
        let internet = Internet::new();
        let registry = Registry::new(internet.clone(), options);
        assert!(block_on(registry.fetch_document(&text.parse().unwrap())).is_err());
        assert!(internet.log()[0].url.starts_with(origin), "{text}: {}", internet.log()[0].url);
    }
}

#[test]
fn the_scheme_of_one_registry_says_nothing_of_another() {
    let internet = Internet::new();
    for host in ["127.0.0.1:5000", "localhost:5001", "localhost:5002"] {
        internet.site(host, Site::new().repository("a/b", content()));
    }
    let registry = client(&internet);
    registry.set_scheme("127.0.0.1:5000", Scheme::Https);
    registry.set_scheme("localhost:5001", Scheme::Http);
    for (name, url) in [
        ("127.0.0.1:5000/a/b:1", "https://127.0.0.1:5000/"),
        ("localhost:5001/a/b:1", "http://localhost:5001/"),
        ("localhost:5002/a/b:1", "https://localhost:5002/"),
    ] {
        block_on(registry.fetch_document(&reference(name))).unwrap();
        assert!(internet.log().last().unwrap().url.starts_with(url), "{:?}", internet.log().last());
    }
}
