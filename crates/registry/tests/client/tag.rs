//! A tag, looked at again and again.

use super::{ACCOUNT, HOST, REALM, client, content, private, reference, tagged, with_password};
use porthole_core::digest::Digest;
use porthole_registry::{
    Error, Options,
    client::{Known, Seen, Unseen},
    endpoint::quota::Quota,
    transport::ErrorKind,
};
use porthole_testkit::{
    executor::block_on,
    image::{Content, Image, Layer},
    registry::{Auth, Fault, Internet, Site, bearer},
};
use std::time::Duration;

fn open() -> (Internet, Digest) {
    let internet = Internet::new();
    internet.site(HOST, Site::new().repository("a/b", content()));
    (internet, root(&content()))
}

fn root(content: &Content) -> Digest {
    content.roots[0].blob.digest.parse().unwrap()
}

fn look(internet: &Internet, known: &Known) -> Result<Seen, Unseen> {
    block_on(client(internet).look_at_tag(&tagged(), known))
}

/// The requests for manifests: method, and `If-None-Match`.
fn asked(internet: &Internet) -> Vec<String> {
    let asked = internet.log().into_iter().filter(|asked| asked.url.contains("/manifests/"));
    asked
        .map(|asked| match asked.headers.get("if-none-match") {
            Some(etag) => format!("{} {}", asked.method, etag.to_str().unwrap()),
            None => asked.method.to_string(),
        })
        .collect()
}

#[test]
fn one_head_is_enough() {
    let (internet, digest) = open();
    let seen = look(&internet, &Known::default()).unwrap();
    assert_eq!((seen.digest, seen.pulled, seen.quota), (digest, false, None));
    assert_eq!(look(&internet, &seen.known).unwrap().digest, digest);
    assert_eq!(asked(&internet), ["HEAD", "HEAD"], "there was no ETag to ask with");
    let other = Image::new().layer(Layer::new("COPY a /").file("a", "other")).build().into_content("1");
    internet.change(HOST, |site| *site.content_mut("a/b") = other.clone());
    assert_eq!(look(&internet, &seen.known).unwrap().digest, root(&other));
}

#[test]
fn an_etag_makes_the_next_question_conditional() {
    let (internet, digest) = open();
    internet.fault("HEAD ", 1, Fault::Header("etag", r#""one""#.into()));
    let seen = look(&internet, &Known::default()).unwrap();
    let unchanged = |headers| Fault::Answer { status: 304, headers, body: Vec::new() };
    internet.fault("HEAD ", 1, unchanged(vec![("ratelimit-remaining", "7;w=60".to_owned())]));
    let seen = look(&internet, &seen.known).unwrap();
    assert_eq!(seen.digest, digest);
    assert_eq!(seen.quota, Some(Quota { remaining: 7, limit: None, window: Some(Duration::from_secs(60)) }));
    internet.fault("HEAD ", 1, unchanged(vec![("etag", r#""two""#.to_owned())]));
    let seen = look(&internet, &seen.known).unwrap();
    look(&internet, &seen.known).unwrap();
    assert_eq!(asked(&internet), ["HEAD", r#"HEAD "one""#, r#"HEAD "one""#, r#"HEAD "two""#]);
    // What is not known cannot be unchanged.
    let (internet, _) = open();
    look(&internet, &Known { digest: None, ..seen.known }).unwrap();
    assert_eq!(asked(&internet), ["HEAD"]);
}

#[test]
fn where_head_tells_nothing_the_manifest_is_fetched() {
    let method_not_allowed = Fault::Status(405);
    for fault in [method_not_allowed, Fault::Status(403), Fault::Status(501), Fault::NoHeader("docker-content-digest")]
    {
        let (internet, digest) = open();
        internet.fault("HEAD ", 1, fault.clone());
        internet.fault("GET ", 1, Fault::Header("etag", r#""one""#.into()));
        let seen = look(&internet, &Known::default()).unwrap();
        assert_eq!((seen.digest, seen.pulled), (digest, true), "{fault:?}");
        // From now on HEAD is not tried first, and an ETag spares the body.
        internet.fault("GET ", 1, Fault::Answer { status: 304, headers: Vec::new(), body: Vec::new() });
        let seen = look(&internet, &seen.known).unwrap();
        assert_eq!((seen.digest, seen.pulled), (digest, false), "{fault:?}");
        look(&internet, &seen.known).unwrap();
        assert_eq!(asked(&internet), ["HEAD", "GET", r#"GET "one""#, r#"GET "one""#], "{fault:?}");
    }
}

#[test]
fn the_bytes_decide_where_they_are_fetched() {
    let (internet, digest) = open();
    internet.change(HOST, |site| *site = site.clone().without_digest_header());
    assert_eq!(look(&internet, &Known::default()).unwrap().digest, digest);
    let (internet, digest) = open();
    internet.fault("HEAD ", 1, Fault::Status(405));
    let sha512 = Digest::of(porthole_core::digest::Algorithm::Sha512, b"something else");
    internet.fault("GET ", 1, Fault::Header("docker-content-digest", sha512.to_string()));
    let seen = look(&internet, &Known::default()).unwrap().digest;
    assert!(seen.algorithm() == sha512.algorithm() && seen != sha512 && seen != digest, "{seen}");
}

#[test]
fn what_a_proxy_answers_to_everyone_is_no_image() {
    let (internet, _) = open();
    let portal = || Fault::Answer {
        status: 200,
        headers: vec![("content-type", "text/html".to_owned())],
        body: b"<html>Welcome to this hotel".to_vec(),
    };
    internet.fault("/manifests/", 2, portal());
    let unseen = look(&internet, &Known::default()).unwrap_err();
    assert!(matches!(*unseen.error, Error::Page { .. }), "{unseen}");
}

#[test]
fn nothing_is_tried_again_and_the_registry_says_how_long_to_wait() {
    let (internet, _) = open();
    let headers = vec![("retry-after", "120".to_owned()), ("ratelimit-remaining", "0;w=21600".to_owned())];
    internet.fault("HEAD ", 2, Fault::Answer { status: 429, headers, body: Vec::new() });
    let unseen = look(&internet, &Known::default()).unwrap_err();
    assert!(matches!(*unseen.error, Error::RateLimited { .. }), "{unseen}");
    assert_eq!(unseen.retry_after, Some(Duration::from_secs(120)));
    assert_eq!(unseen.quota.unwrap().remaining, 0);
    assert_eq!(asked(&internet), ["HEAD"]);

    let (internet, _) = open();
    let headers = vec![("retry-after", "Fri, 02 Jan 2026 03:05:05 GMT".to_owned())];
    internet.fault("HEAD ", 1, Fault::Answer { status: 503, headers, body: Vec::new() });
    internet.fault("HEAD ", 1, Fault::NoAnswer(ErrorKind::Connect));
    assert_eq!(look(&internet, &Known::default()).unwrap_err().retry_after, Some(Duration::from_secs(60)));
    assert!(matches!(*look(&internet, &Known::default()).unwrap_err().error, Error::Transport { .. }));
    assert_eq!(asked(&internet).len(), 2);
    assert!(internet.slept().is_empty(), "{:?}", internet.slept());
}

#[test]
fn a_tag_that_is_not_there_and_one_that_is_nobodys_business() {
    let (internet, _) = open();
    let missing = block_on(client(&internet).look_at_tag(&reference("r.example.com/a/b:2"), &Known::default()));
    assert!(matches!(*missing.unwrap_err().error, Error::NotFound { .. }));
    assert_eq!(asked(&internet), ["HEAD", "GET"], "some registries know tags only by GET");
    let denied = Fault::Answer {
        status: 403,
        headers: Vec::new(),
        body: br#"{"errors":[{"code":"DENIED","message":"not for you"}]}"#.to_vec(),
    };
    internet.fault("/manifests/", 2, denied);
    let unseen = look(&internet, &Known::default()).unwrap_err();
    assert!(unseen.to_string().contains("DENIED: not for you"), "a body says why: {unseen}");
}

#[test]
fn one_token_serves_every_look() {
    let internet = private(REALM, ACCOUNT);
    let client = with_password(&internet, Options::default());
    let seen = block_on(client.look_at_tag(&tagged(), &Known::default())).unwrap();
    for _ in 0..3 {
        block_on(client.look_at_tag(&tagged(), &seen.known)).unwrap();
    }
    assert_eq!((internet.count("/token"), internet.count("/manifests/")), (1, 5));
    assert!(
        internet.log().iter().filter(|asked| asked.url.contains("/token")).all(|asked| asked.url.ends_with(":pull"))
    );
    // Another one when that has expired.
    internet.pass(Duration::from_secs(3600));
    let auth = Auth::Bearer { challenge: bearer(REALM, HOST), account: ACCOUNT };
    internet.change(HOST, |site| *site = site.clone().auth(auth));
    block_on(client.look_at_tag(&tagged(), &seen.known)).unwrap();
    assert_eq!(internet.count("/token"), 2);
}
