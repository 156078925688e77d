//! `porthole catalog`

use super::{Server, ends, expect};
use porthole_testkit::{
    image::Content,
    registry::{Auth, Fault, Site, bearer},
};
use std::fs;

fn site() -> Site {
    ["base/debian", "team/app", "tools"]
        .iter()
        .fold(Site::new(), |site, name| site.repository(name, Content::default()))
}

#[test]
fn lists() {
    let server = Server::new(site().page(2));
    let mut told = vec![server.told("catalog REGISTRY"), server.told("catalog --json http://REGISTRY/")];
    for status in [404, 401, 405] {
        server.becomes(site().without_catalog(status));
        told.push(server.told("catalog REGISTRY"));
    }
    server.internet.fault("_catalog", 9, Fault::Body(b"<html>".to_vec()));
    server.becomes(site());
    told.push(server.told("catalog REGISTRY"));
    told.push(server.told("catalog nginx"));
    expect("catalog", &told);
}

#[test]
fn a_token_server_that_grants_nothing() {
    let server = Server::new(Site::new());
    let challenge = bearer(&format!("http://{}/token", server.authority()), "registry");
    server.becomes(site().auth(Auth::Bearer { challenge, account: Some("keeper:s3cret") }));
    ends(&server.run("catalog REGISTRY"), 3, "lists no repositories");
    // keeper:s3cret
    let auth = format!(r#"{{"auths":{{"{}":{{"auth":"a2VlcGVyOnMzY3JldA=="}}}}}}"#, server.authority());
    fs::write(server.path("auth.json"), auth).unwrap();
    assert_eq!(server.rows("catalog --authfile auth.json REGISTRY").len(), 3);
}
