//! `porthole doctor`

use super::{Server, ends, expect};
use porthole_testkit::{
    image::{Compression, Content, Image, Layer},
    registry::{Auth, Deletes, Fault, Site, bearer},
};
use std::fs;

fn content() -> Content {
    let layer = Layer::new("ADD a").compression(Compression::None).file("a", "a");
    Image::new().layer(layer).build().into_content("1")
}

fn site() -> Site {
    Site::new().repository("a/b", content())
}

#[test]
fn cards() {
    let server = Server::new(site().with_referrers());
    let mut told = vec![server.told("doctor REGISTRY"), server.told("doctor --write scratch REGISTRY/a/b")];
    server.becomes(site().without_catalog(404).deletes(Deletes::Nothing));
    let cors = Fault::Header("access-control-allow-origin", "*".to_owned());
    server.internet.fault("/manifests/", 9, cors).fault("/v2/", 1, Fault::Status(200));
    told.push(server.told("doctor --write REGISTRY/scratch REGISTRY/a/b:1"));
    told.push(server.told("doctor REGISTRY/a/c:1"));
    told.push(server.told("doctor REGISTRY"));
    expect("doctor", &told);
}

#[test]
fn credentials_are_named_and_never_shown() {
    let server = Server::new(Site::new());
    let challenge = bearer(&format!("http://{}/token", server.authority()), "registry");
    server.becomes(site().auth(Auth::Bearer { challenge, account: Some("keeper:s3cret") }));
    let card = &server.told("doctor --json REGISTRY/a/b:1");
    assert!(card.contains(r#""exit_code":3"#) && card.contains(r#""usable":false"#), "{card}");
    ends(&server.run("doctor REGISTRY/a/b:1"), 3, "hint: sign in");
    // keeper:s3cret, and keeper:other
    for (auth, code) in [("a2VlcGVyOnMzY3JldA==", 0), ("a2VlcGVyOm90aGVy", 3)] {
        let file = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, server.authority());
        fs::write(server.path("auth.json"), file).unwrap();
        let output = server.run("doctor --debug --authfile auth.json REGISTRY/a/b:1");
        ends(&output, code, "");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(said.contains("from auth.json"), "{said}");
        for secret in ["s3cret", auth, "Bearer ", "token-"] {
            assert!(!said.contains(secret), "{secret}");
        }
    }
    // The error names a helper that is not installed.
    let file = format!(r#"{{"credHelpers":{{"{}":"nobody-has-it"}}}}"#, server.authority());
    fs::write(server.path("auth.json"), file).unwrap();
    let output = server.run("doctor --authfile auth.json REGISTRY/a/b:1");
    ends(&output, 3, "");
    assert!(String::from_utf8_lossy(&output.stdout).contains("docker-credential-nobody-has-it"));
}

#[test]
fn a_host_that_is_no_registry() {
    let server = Server::new(site());
    server.internet.fault("/v2/", 99, Fault::Status(404));
    ends(&server.run("doctor REGISTRY"), 4, "cannot be used: version: answers 404 to /v2/");
    let output = server.run("doctor --write ../x REGISTRY");
    ends(&output, 2, "expected a repository of");
    ends(&server.run("doctor nginx"), 2, "expected a registry");
    let dead = server.run("doctor 127.0.0.1:1/a/b");
    ends(&dead, 8, "127.0.0.1:1 cannot be used: connection");
}
