//! Refusals that are not the registry's own, and lists that repeat themselves.

use crate::{HOST, REALM, client, content, fetch_image, private, push, tagged, with_password};
use porthole_core::failure::{Blame, Classify, FailureClass};
use porthole_registry::{Error, Options};
use porthole_testkit::{
    executor::block_on,
    registry::{Fault, Internet, Site},
};

const STORAGE: &str = "storage.example.net";

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Fault {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Fault::Answer { status, headers, body: body.into() }
}

fn serving() -> Internet {
    let internet = Internet::new();
    internet.site(HOST, Site::new().repository("a/b", content()));
    internet.site(STORAGE, Site::new());
    internet
}

/// What reading the image of a registry ends with.
fn failure(internet: &Internet) -> Error {
    let platform = "linux/amd64".parse().unwrap();
    fetch_image(&with_password(internet, Options::default()), &tagged(), &platform).unwrap_err()
}

#[test]
fn storage_that_refuses_is_named_and_asks_for_no_password() {
    for status in [401, 403] {
        let internet = serving();
        internet.fault("/blobs/", 9, Fault::Redirect(format!("https://{STORAGE}/bucket/x?X-Amz-Signature=secret")));
        let words =
            "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
        internet.fault("/bucket/", 9, answer(status, &[("content-type", "application/xml")], words));
        let error = failure(&internet);
        assert!(matches!(error, Error::Elsewhere { .. }), "{error}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("{STORAGE} answered {status} to the request for config")), "{text}");
        assert!(text.ends_with("of r.example.com: AccessDenied: Request has expired"), "{text}");
        let failure = error.failure();
        assert_eq!((failure.kind, failure.blame), (FailureClass::Protocol, Blame::Registry));
        assert!(!format!("{:?}", error.hints()).contains("SignIn"), "{:?}", error.hints());
        assert!(!format!("{text}{:?}", error.hints()).contains("secret"));
    }
}

#[test]
fn a_token_server_that_is_not_there_is_no_missing_image() {
    let internet = private(REALM, None);
    internet.fault("/token", 9, answer(404, &[("content-type", "text/html")], "<html><title>404 Not Found</title>"));
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert_eq!(error.kind(), FailureClass::Protocol, "{error}");
    let text = error.to_string();
    assert!(text.starts_with("auth.example.com answered 404 to the request for token"), "{text}");
}

#[test]
fn a_way_to_sign_in_that_is_not_known_is_named() {
    let challenges = [("Negotiate", Some("`negotiate`")), ("Digest realm=\"x\", nonce=\"1\"", Some("`digest`"))];
    for (challenge, named) in challenges.into_iter().chain([("Basic realm=\"x\"", None)]) {
        let internet = serving();
        internet.fault("/manifests/", 9, answer(401, &[("www-authenticate", challenge)], ""));
        let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
        assert_eq!(error.kind(), FailureClass::Authentication);
        let asks = named.map(|named| format!("it asks for {named}, expected Basic or Bearer"));
        let text = error.to_string();
        assert_eq!(text.contains("it asks for"), asks.is_some(), "{text}");
        assert!(asks.is_none_or(|asks| text.ends_with(&asks)), "{text}");
    }
}

#[test]
fn a_page_of_tags_that_begins_with_the_last_one_repeats_none() {
    let internet = serving();
    let page = |tags: &str, next: &str| {
        answer(
            200,
            &[("link", &format!("</v2/a/b/tags/list?last={next}>; rel=\"next\""))],
            &format!("{{\"tags\":{tags}}}"),
        )
    };
    internet.fault("/tags/", 1, page(r#"["a","b"]"#, "b"));
    internet.fault("/tags/", 1, page(r#"["b"]"#, "bb"));
    internet.fault("/tags/", 1, answer(200, &[], r#"{"tags":["b","c"]}"#));
    assert_eq!(block_on(client(&internet).fetch_tags(&tagged())).unwrap(), ["a", "b", "c"]);
}

#[test]
fn a_push_to_a_repository_that_is_not_there_has_the_words_of_the_registry() {
    let internet = serving();
    let words = "The repository with name 'a/b' does not exist";
    let body = format!("{{\"errors\":[{{\"code\":\"NAME_UNKNOWN\",\"message\":\"{words}\"}}]}}");
    internet.fault("/uploads/", 9, answer(404, &[("content-type", "application/json")], &body));
    let (descriptor, bytes) = push::blob();
    let (to, client) = (push::destination(), client(&internet));
    let error = block_on(client.upload_blob(&to, &descriptor, &bytes, None, None, &mut |_| {})).unwrap_err();
    assert_eq!(error.kind(), FailureClass::NotFound);
    assert!(error.to_string().ends_with(&format!("NAME_UNKNOWN: {words}")), "{error}");
}
