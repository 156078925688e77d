//! Which host gets what: challenges, tokens, passwords.

use crate::{ACCOUNT, CANARY, HOST, REALM, client, content, private, tagged, with_password};
use bytes::Bytes;
use porthole_core::failure::{Classify, FailureClass};
use porthole_core::{descriptor::Descriptor, digest::Digest, hint::Hint, media_type::MediaType};
use porthole_registry::{
    Error, Options, auth::Credentials, client::Destination, trace::TraceObserver, transport::ErrorKind,
};
use porthole_testkit::{
    executor::{block_on, join_all},
    registry::{Auth, Fault, Internet, Site, bearer},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

#[test]
fn anonymous_tokens() {
    let internet = private(REALM, None);
    let registry = client(&internet);
    block_on(registry.fetch_document(&tagged())).unwrap();
    let urls: Vec<String> = internet.log().into_iter().map(|asked| asked.url).collect();
    assert_eq!(
        urls,
        [
            "https://r.example.com/v2/a/b/manifests/1",
            "https://auth.example.com/token?service=r.example.com&scope=repository:a/b:pull",
            "https://r.example.com/v2/a/b/manifests/1",
        ]
    );
    assert_eq!(internet.log()[1].authorization(), None);
    assert_eq!(internet.log()[2].authorization(), Some("Bearer token-2"));
    block_on(registry.fetch_document(&tagged())).unwrap();
    assert_eq!(internet.log().len(), 4, "the token is kept");
    internet.pass(Duration::from_secs(600));
    block_on(registry.fetch_document(&tagged())).unwrap();
    assert_eq!(internet.count("/token"), 2, "it has expired");
}

#[test]
fn one_fetch_for_many_waiters() {
    let internet = private(REALM, None);
    internet.latency(3);
    let registry = client(&internet);
    let reference = tagged();
    let outcomes = block_on(join_all((0..16).map(|_| registry.fetch_document(&reference))));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 16);
    assert_eq!(internet.count("/token"), 1);

    let internet = private(REALM, None);
    internet.latency(3);
    let registry = client(&internet);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| block_on(registry.fetch_document(&reference)).unwrap());
        }
    });
    assert_eq!(internet.count("/token"), 1);
}

#[test]
fn one_refusal_for_many_waiters() {
    let internet = private(REALM, None);
    internet.latency(3).fault("/token", 99, Fault::Status(403));
    let registry = client(&internet);
    let reference = tagged();
    let outcomes = block_on(join_all((0..16).map(|_| registry.fetch_document(&reference))));
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(Error::Unauthorized { credentials: false, .. }))));
    assert_eq!(internet.count("/token"), 1);
}

#[test]
fn a_dropped_fetch_is_taken_over() {
    let internet = private(REALM, None);
    internet.fault("/token", 1, Fault::Slow(1000));
    let registry = client(&internet);
    let reference = tagged();
    block_on(async {
        let mut first = Box::pin(registry.fetch_document(&reference));
        std::future::poll_fn(|context| {
            for _ in 0..20 {
                assert!(first.as_mut().poll(context).is_pending());
            }
            std::task::Poll::Ready(())
        })
        .await;
        assert_eq!(internet.count("/token"), 1);
        drop(first);
        registry.fetch_document(&reference).await.unwrap();
    });
    assert_eq!(internet.count("/token"), 2);
}

#[test]
fn a_refused_token_is_replaced_once() {
    let internet = private(REALM, None);
    let registry = client(&internet);
    block_on(registry.fetch_document(&tagged())).unwrap();
    let refusal =
        || Fault::Answer { status: 401, headers: vec![("www-authenticate", bearer(REALM, HOST))], body: Vec::new() };
    internet.fault("/manifests/", 1, refusal());
    block_on(registry.fetch_document(&tagged())).unwrap();
    assert_eq!(internet.count("/token"), 2);
    internet.fault("/manifests/", 9, refusal());
    let error = block_on(registry.fetch_document(&tagged())).unwrap_err();
    assert!(matches!(error, Error::Unauthorized { credentials: false, .. }), "{error}");
    assert_eq!(internet.count("/token"), 3);
}

/// The body of an upload is sent once more from its start.
#[test]
fn a_token_that_ends_during_an_upload_is_replaced() {
    let internet = private(REALM, None);
    let registry = client(&internet);
    let bytes = Bytes::from(vec![7; 10_000]);
    let descriptor = Descriptor::new(MediaType::OCI_LAYER_GZIP, Digest::sha256(&bytes), bytes.len() as u64);
    let to = Destination::new(tagged());
    for (part, chunk) in [("PUT ", None), ("PATCH ", Some(4000)), ("POST https://r", None)] {
        let tokens = internet.count("/token");
        let refusal = vec![("www-authenticate", bearer(REALM, HOST))];
        internet.fault(part, 1, Fault::Answer { status: 401, headers: refusal, body: Vec::new() });
        block_on(registry.upload_blob(&to, &descriptor, &bytes, chunk, None, &mut |_| {})).unwrap();
        assert!(internet.count("/token") > tokens, "{part}");
        let stored =
            internet.look(HOST, |site| site.content("a/b").unwrap().blobs.contains_key(&descriptor.digest.to_string()));
        assert_eq!(stored, Some(true), "{part}");
        internet.change(HOST, |site| {
            site.content_mut("a/b").blobs.remove(&descriptor.digest.to_string());
        });
    }
}

#[test]
fn passwords_right_wrong_and_missing() {
    let internet = private(REALM, ACCOUNT);
    block_on(with_password(&internet, Options::default()).fetch_document(&tagged())).unwrap();

    let registry = client(&internet);
    let error = block_on(registry.fetch_document(&tagged())).unwrap_err();
    assert_eq!(error.hints(), [Hint::SignIn { registry: HOST.into() }]);
    assert_eq!(error.kind(), FailureClass::Authentication);

    registry.set_credentials(HOST, Some(Credentials::basic("user", "wrong")));
    let error = block_on(registry.fetch_document(&tagged())).unwrap_err();
    assert_eq!(error.hints(), [Hint::CheckCredentials { registry: HOST.into() }]);
    assert!(
        error.to_string().starts_with("r.example.com refused access to token `repository:a/b:pull`: UNAUTHORIZED"),
        "{error}"
    );

    registry.set_credentials(HOST, Some(Credentials::basic("user", CANARY)));
    block_on(registry.fetch_document(&tagged())).unwrap();
}

#[test]
fn what_is_forbidden_is_not_called_a_wrong_password() {
    let internet = private(REALM, ACCOUNT);
    let registry = with_password(&internet, Options::default());
    block_on(registry.fetch_document(&tagged())).unwrap();
    internet.fault("/manifests/", 9, Fault::Status(403));
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    let said = "r.example.com refused access to manifest `r.example.com/a/b:1` without credentials: ";
    assert!(error.to_string().starts_with(said), "{error}");
    assert_eq!(error.hints(), [Hint::SignIn { registry: HOST.into() }]);
    let error = block_on(registry.fetch_document(&tagged())).unwrap_err();
    assert!(error.to_string().contains("with these credentials"), "{error}");
    let hints = error.hints();
    assert!(hints[0].to_string().contains("permission"), "{hints:?}");
    assert_eq!(hints[1..], [Hint::CheckCredentials { registry: HOST.into() }]);
}

#[test]
fn basic_is_sent_unasked_once_it_was_asked_for() {
    let internet = Internet::new();
    internet.site(HOST, Site::new().repository("a/b", content()).auth(Auth::Basic("user:canary-password")));
    let registry = with_password(&internet, Options::default());
    block_on(registry.fetch_document(&tagged())).unwrap();
    block_on(registry.fetch_document(&tagged())).unwrap();
    assert_eq!(internet.log().len(), 3);
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert!(matches!(error, Error::Unauthorized { credentials: false, .. }), "{error}");
    registry.set_credentials(HOST, Some(Credentials::basic("user", "wrong")));
    let error = block_on(registry.fetch_document(&tagged())).unwrap_err();
    assert!(matches!(error, Error::Unauthorized { credentials: true, .. }), "{error}");
}

#[test]
fn a_foreign_realm_never_sees_the_password() {
    let internet = private("https://evil.example.net/token", ACCOUNT);
    let error = block_on(with_password(&internet, Options::default()).fetch_document(&tagged())).unwrap_err();
    assert!(matches!(error, Error::Unauthorized { credentials: false, .. }), "{error}");
    assert!(internet.log().iter().all(|asked| asked.authorization().is_none()));

    let trusting = Options { trust_realm: vec!["evil.example.net".into()], ..Options::default() };
    block_on(with_password(&internet, trusting).fetch_document(&tagged())).unwrap();
}

#[test]
fn a_withheld_password_is_explained() {
    let challenge = vec![("www-authenticate", bearer("https://auth.example.net/token", HOST))];
    let internet = private("https://auth.example.net/token", None);
    internet.fault("/manifests/", 1, Fault::Answer { status: 401, headers: challenge, body: Vec::new() });
    internet.fault("/manifests/", 1, Fault::Status(403));
    let error = block_on(with_password(&internet, Options::default()).fetch_document(&tagged())).unwrap_err();
    assert!(matches!(&error, Error::Withheld { realm, .. } if realm == "auth.example.net"), "{error}");
    assert_eq!(error.kind(), FailureClass::Authentication);
    assert_eq!(error.hints(), [Hint::TrustRealm { realm: "auth.example.net".into() }]);
}

#[test]
fn refused_realms_are_not_asked() {
    for realm in [
        "http://auth.example.com/token",
        "https://169.254.169.254/token",
        "https://localhost/token",
        "/token",
        "file:///x",
    ] {
        let internet = Internet::new();
        let auth = Auth::Bearer { challenge: bearer(realm, HOST), account: None };
        internet.site(HOST, Site::new().repository("a/b", content()).auth(auth));
        let error = block_on(with_password(&internet, Options::default()).fetch_document(&tagged())).unwrap_err();
        assert!(matches!(error, Error::Policy { .. }), "{realm}: {error}");
        assert_eq!(internet.log().len(), 1, "{realm}");
    }
}

#[test]
fn a_realm_that_redirects_keeps_the_password() {
    let internet = private(REALM, ACCOUNT);
    internet.site("evil.example.net", Site::new());
    internet.fault("auth.example.com/token", 1, Fault::Redirect("https://evil.example.net/token".into()));
    assert!(block_on(with_password(&internet, Options::default()).fetch_document(&tagged())).is_err());
    let log = internet.log();
    let evil = log.iter().find(|asked| asked.url.contains("evil")).unwrap();
    assert_eq!(evil.authorization(), None);
}

#[test]
fn identity_tokens_are_exchanged() {
    let internet = private(REALM, Some("user:identity"));
    let registry = client(&internet);
    let credentials = Credentials { identity_token: Some("identity".into()), ..Credentials::basic("user", "") };
    registry.set_credentials(HOST, Some(credentials));
    let answer = Fault::Answer { status: 200, headers: Vec::new(), body: br#"{"access_token":"token-x"}"#.to_vec() };
    internet.fault("/token", 1, answer);
    block_on(registry.fetch_document(&tagged())).unwrap();
    let post = internet.log().remove(1);
    assert_eq!(post.method, "POST");
    assert_eq!(post.url, REALM);
    assert!(String::from_utf8(post.body).unwrap().contains("grant_type=refresh_token"));

    internet.pass(Duration::from_secs(600));
    block_on(registry.fetch_document(&tagged())).unwrap();
    let methods: Vec<String> =
        internet.log().iter().filter(|a| a.url.contains("token")).map(|a| a.method.to_string()).collect();
    assert_eq!(methods, ["POST", "POST", "GET"], "a server that knows only GET");
}

/// The identity token that an exchange returns replaces the one that was sent.
#[test]
fn an_identity_token_may_be_good_for_once() {
    let internet = private(REALM, Some("user:identity"));
    let registry = client(&internet);
    let credentials = Credentials { identity_token: Some("first".into()), ..Credentials::basic("user", "") };
    registry.set_credentials(HOST, Some(credentials));
    for body in [r#"{"access_token":"token-x","refresh_token":"second"}"#, r#"{"access_token":"token-y"}"#] {
        let answer = Fault::Answer { status: 200, headers: Vec::new(), body: body.as_bytes().to_vec() };
        internet.fault("POST https://auth", 1, answer);
    }
    block_on(registry.fetch_document(&tagged())).unwrap();
    internet.pass(Duration::from_secs(600));
    block_on(registry.fetch_document(&tagged())).unwrap();
    let forms: Vec<String> = internet
        .log()
        .into_iter()
        .filter(|asked| asked.method == "POST")
        .map(|asked| String::from_utf8(asked.body).unwrap())
        .collect();
    assert!(forms[0].ends_with("&refresh_token=first") && forms[1].ends_with("&refresh_token=second"), "{forms:?}");
}

#[test]
fn a_token_of_the_registry_is_shown_to_it_alone() {
    let internet = private(REALM, None);
    let registry = client(&internet);
    let token = |token: &str| Credentials { registry_token: Some(token.into()), ..Credentials::basic("", "") };
    registry.set_credentials(HOST, Some(token("token-x")));
    block_on(registry.fetch_document(&tagged())).unwrap();
    block_on(registry.fetch_document(&tagged())).unwrap();
    let log = internet.log();
    let shown: Vec<_> = log.iter().map(|asked| asked.authorization()).collect();
    assert_eq!(shown, [None, Some("Bearer token-x"), Some("Bearer token-x")], "unasked, once it was asked for");
    assert_eq!(internet.count("/token"), 0);

    registry.set_credentials(HOST, Some(token("over")));
    for requests in [2, 1] {
        let before = internet.log().len();
        let error = block_on(registry.fetch_document(&tagged())).unwrap_err();
        assert_eq!(error.hints(), [Hint::CheckCredentials { registry: HOST.into() }]);
        assert_eq!(internet.log().len() - before, requests);
    }
    assert_eq!(internet.count("/token"), 0);
}

#[test]
fn a_token_server_may_know_only_post() {
    let internet = private(REALM, ACCOUNT);
    internet.fault("GET https://auth", 1, Fault::Status(405));
    let answer = Fault::Answer { status: 200, headers: Vec::new(), body: br#"{"access_token":"token-x"}"#.to_vec() };
    internet.fault("POST https://auth", 1, answer);
    block_on(with_password(&internet, Options::default()).fetch_document(&tagged())).unwrap();
    let post = internet.log().into_iter().find(|asked| asked.method == "POST").unwrap();
    let form = String::from_utf8(post.body).unwrap();
    assert!(form.ends_with("&grant_type=password&username=user&password=canary-password"), "{form}");
    assert_eq!(post.url, REALM);
}

/// The scope of ECR Public names no repository: the token is requested for that scope.
#[test]
fn a_scope_of_the_registrys_own_making() {
    let internet = private(REALM, None);
    let challenge = format!(r#"{},scope="aws""#, bearer(REALM, HOST));
    let refusal = Fault::Answer { status: 401, headers: vec![("www-authenticate", challenge)], body: Vec::new() };
    internet.fault("/manifests/", 1, refusal);
    block_on(client(&internet).fetch_document(&tagged())).unwrap();
    assert_eq!(internet.log()[1].url, "https://auth.example.com/token?service=r.example.com&scope=aws");
}

#[test]
fn all_challenges_count_and_one_is_met() {
    let basic = "Basic realm=\"x\"".to_owned();
    let refused = bearer("https://169.254.169.254/token", HOST);
    for challenges in [
        vec![refused.clone(), basic.clone()],
        vec!["Negotiate, NTLM abc==".to_owned(), basic.clone()],
        vec![format!("{refused}, {basic}")],
    ] {
        let internet = Internet::new();
        internet.site(HOST, Site::new().repository("a/b", content()).auth(Auth::Basic("user:canary-password")));
        let [first, rest @ ..] = &challenges[..] else { panic!() };
        // One header with commas equals several.
        let value = rest.iter().fold(first.clone(), |all, next| format!("{all}, {next}"));
        internet.fault(
            "/manifests/",
            1,
            Fault::Answer { status: 401, headers: vec![("www-authenticate", value)], body: Vec::new() },
        );
        block_on(with_password(&internet, Options::default()).fetch_document(&tagged())).unwrap();
        assert_eq!(internet.log().len(), 2, "{challenges:?}");
    }
}

#[test]
fn token_answers_are_bounded() {
    let internet = private(REALM, None);
    internet.fault("/token", 1, Fault::Body(vec![b' '; 2 << 20]));
    assert!(matches!(block_on(client(&internet).fetch_document(&tagged())), Err(Error::TooLarge { .. })));
    internet.fault("/token", 1, Fault::Body(b"{}".to_vec()));
    assert!(matches!(block_on(client(&internet).fetch_document(&tagged())), Err(Error::Protocol { .. })));
}

/// Some registries repeat what they refuse.
#[test]
fn what_a_registry_was_told_is_not_repeated() {
    let internet = private(REALM, ACCOUNT);
    let registry = with_password(&internet, Options::default());
    for (part, secrets) in
        [("/token", "canary-password dXNlcjpjYW5hcnktcGFzc3dvcmQ="), ("/manifests/", "Bearer token-3, canary-password")]
    {
        let body = format!(r#"{{"errors":[{{"code":"DENIED","message":"bad: {secrets}"}}]}}"#).into_bytes();
        internet.fault(
            part,
            if part == "/token" { 1 } else { 0 },
            Fault::Answer { status: 403, headers: Vec::new(), body: body.clone() },
        );
        internet.fault("/manifests/", 1, Fault::Slow(0));
        internet.fault("/manifests/", 1, Fault::Answer { status: 403, headers: Vec::new(), body });
        let error = block_on(registry.fetch_document(&tagged())).unwrap_err().to_string();
        assert!(error.contains("DENIED: bad: ***") || error.contains("DENIED: bad: Bearer ***, ***"), "{error}");
        assert!(!error.contains("canary") && !error.contains("dXNl") && !error.contains("token-"), "{error}");
    }
}

/// Everything that the client can print, over right and wrong answers, holds no secret.
#[test]
fn no_secret_is_ever_printed() {
    let seen: Arc<Mutex<String>> = Arc::default();
    let sink = Arc::clone(&seen);
    let observer = TraceObserver::new(move |exchange| sink.lock().unwrap().push_str(&format!("{exchange:?}\n")));
    for fault in [
        None,
        Some(Fault::Status(403)),
        Some(Fault::NoAnswer(ErrorKind::Tls)),
        Some(Fault::Body(b"canary-password".to_vec())),
    ] {
        let internet = private(REALM, ACCOUNT);
        internet.site("cdn.example.net", Site::new());
        if let Some(fault) = fault {
            internet.fault("/token", 1, fault);
        }
        internet.fault("/manifests/", 1, Fault::Slow(0));
        internet.fault("/manifests/", 1, Fault::Redirect("https://cdn.example.net/x?token=canary-signature".into()));
        let registry = with_password(&internet, Options { observer: observer.clone(), ..Options::default() });
        let error = block_on(registry.fetch_document(&tagged())).unwrap_err();
        seen.lock().unwrap().push_str(&format!("{error} {error:?} {:?}\n", error.hints()));
    }
    let seen = seen.lock().unwrap();
    assert!(seen.contains("https://cdn.example.net/x?token=***") && seen.contains("authorized: true"), "{seen}");
    assert!(!seen.contains("canary") && !seen.contains("Bearer") && !seen.contains("dXNlcjpjYW5hcnk"), "{seen}");
}
