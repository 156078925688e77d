//! Refusals that are not the registry's own, and lists that repeat themselves.

use crate::{HOST, REALM, client, content, fetch_image, private, push, tagged, with_password};
use porthole_core::{
    failure::{Blame, Classify, FailureClass},
    hint::Hint,
};
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
fn what_another_host_does_not_have_is_not_missed_in_its_name() {
    for part in ["/manifests/", "/blobs/", "/tags/"] {
        let internet = serving();
        internet.fault(part, 9, Fault::Redirect(format!("https://{STORAGE}/bucket/x?signature=secret")));
        let client = client(&internet);
        let error = match part {
            "/manifests/" => block_on(client.fetch_document(&tagged())).map(drop).unwrap_err(),
            "/tags/" => block_on(client.fetch_tags(&tagged())).map(drop).unwrap_err(),
            _ => {
                let (descriptor, _) = push::blob();
                block_on(client.fetch_small_blob(&tagged(), &descriptor)).map(drop).unwrap_err()
            }
        };
        let failure = error.failure();
        assert_eq!((failure.kind, failure.blame), (FailureClass::NotFound, Blame::Registry), "{error}");
        let text = error.to_string();
        assert!(text.ends_with(&format!("{STORAGE}, to which {HOST} redirects, answered 404")), "{text}");
    }
    let internet = serving();
    internet.fault("/manifests/", 9, Fault::Status(404));
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert_eq!(error.to_string(), format!("manifest not found: `{HOST}/a/b:1`"));
    assert_eq!(error.failure().blame, Blame::Input);
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
        // No password would change that.
        let helps =
            error.hints().iter().any(|hint| matches!(hint, Hint::SignIn { .. } | Hint::CheckCredentials { .. }));
        assert_eq!(helps, named.is_none(), "{:?}", error.hints());
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
