//! Requests whose answers are wanted as they are.

use crate::{HOST, REALM, client, private, tagged, with_password};
use http::Method;
use porthole_registry::{
    Error, Options,
    client::{Asker, Probed},
    scope::Scopes,
    transport::Request,
};
use porthole_testkit::{executor::block_on, registry::Fault};

fn request(method: Method, url: &str) -> Request {
    let mut request = Request::default();
    *request.method_mut() = method;
    *request.uri_mut() = url.parse().unwrap();
    request
}

const MANIFEST: &str = "https://r.example.com/v2/a/b/manifests/1";

fn reader() -> Asker {
    Asker::User(Scopes::pull("a/b"))
}

#[test]
fn answers_are_taken_as_they_are() {
    let internet = private(REALM, None);
    let registry = client(&internet);
    let ask = |asker| block_on(registry.probe(&tagged(), request(Method::GET, MANIFEST), asker));
    let anyone: Probed = ask(Asker::Anyone).unwrap();
    assert_eq!((anyone.status.as_u16(), anyone.words()), (401, "UNAUTHORIZED: says the registry".to_owned()));
    assert!(anyone.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer ")));
    assert_eq!(internet.log().len(), 1);
    let shown = format!("{anyone:?}");
    assert!(shown.contains("401") && !shown.contains("says the registry"), "{shown}");
    assert_eq!(ask(reader()).unwrap().status, 200);
    for status in [302, 307, 416, 429, 500, 503] {
        let headers = vec![("location", "https://evil.example.net/x".to_owned()), ("retry-after", "1".to_owned())];
        internet.fault("/manifests/", 1, Fault::Answer { status, headers, body: b"x".to_vec() });
        let before = internet.log().len();
        let answer = ask(reader()).unwrap();
        assert_eq!((answer.status.as_u16(), answer.body), (status, b"x".to_vec()));
        assert_eq!(internet.log().len(), before + 1, "{status}: neither again nor elsewhere");
    }
    assert!(internet.slept().is_empty());
    internet.fault("/manifests/", 1, Fault::NoAnswer(porthole_registry::transport::ErrorKind::Interrupted));
    let error = ask(reader()).unwrap_err();
    assert!(
        matches!(error, Error::Transport { .. }) && error.to_string().contains("GET /v2/a/b/manifests/1"),
        "{error}"
    );
}

#[test]
fn nothing_is_proved_elsewhere() {
    let internet = private(REALM, Some("user:canary-password"));
    internet.alias("cdn.example.net", HOST);
    let registry = with_password(&internet, Options::default());
    let elsewhere = request(Method::GET, "https://cdn.example.net/v2/a/b/manifests/1");
    assert_eq!(block_on(registry.probe(&tagged(), elsewhere, reader())).unwrap().status, 200);
    assert_eq!(internet.log()[0].authorization(), None);
    // Not even a token is asked for if a stranger wants one.
    internet.fault("cdn.example.net", 1, Fault::Status(401));
    let elsewhere = request(Method::GET, "https://cdn.example.net/v2/a/b/manifests/1");
    assert_eq!(block_on(registry.probe(&tagged(), elsewhere, reader())).unwrap().status, 401);
    assert_eq!(internet.log().len(), 2);
}
