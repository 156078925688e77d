//! The repositories of a registry.

use crate::{ACCOUNT, HOST, REALM, client, content, reference, tagged, with_password};
use porthole_registry::{Error, Options};
use porthole_testkit::{
    executor::block_on,
    image::Content,
    registry::{Auth, Fault, Internet, Site, bearer},
};

fn site() -> Site {
    ["a/b", "a/c", "b", "c/d", "e"].iter().fold(Site::new(), |site, name| site.repository(name, content()))
}

#[test]
fn repositories_are_read_page_by_page() {
    let internet = Internet::new();
    internet.site(HOST, site().page(2));
    let registry = client(&internet);
    assert_eq!(block_on(registry.fetch_catalog(&tagged())).unwrap(), ["a/b", "a/c", "b", "c/d", "e"]);
    let urls: Vec<String> = internet.log().into_iter().map(|asked| asked.url).collect();
    assert_eq!(
        urls,
        [
            "https://r.example.com/v2/_catalog",
            "https://r.example.com/v2/_catalog?last=a/c",
            "https://r.example.com/v2/_catalog?last=c/d"
        ]
    );
    internet.site(HOST, Site::new());
    assert_eq!(block_on(registry.fetch_catalog(&tagged())).unwrap().len(), 0);
    internet.site("empty.example.com", Site::new().repository("x", Content::default()));
    assert_eq!(block_on(registry.fetch_catalog(&reference("empty.example.com/any"))).unwrap(), ["x"]);
}

#[test]
fn pages_that_lead_nowhere_end() {
    let internet = Internet::new();
    internet.site(HOST, site());
    let registry = client(&internet);
    let next = |link: &str| Fault::Header("link", format!("<{link}>; rel=\"next\""));
    internet.fault("_catalog", 2, next("/v2/_catalog?last=a"));
    let error = block_on(registry.fetch_catalog(&tagged())).unwrap_err();
    assert!(
        error.to_string().contains("expected another page of repositories, got one that was read before"),
        "{error}"
    );
    internet.fault("_catalog", 1, next("https://evil.example.net/v2/_catalog?last=a"));
    let error = block_on(registry.fetch_catalog(&tagged())).unwrap_err();
    assert!(matches!(error, Error::Policy { role: "next page", .. }), "{error}");
    assert_eq!(internet.count("evil"), 0);
    internet.fault("_catalog", 1, Fault::Body(b"[]".to_vec()));
    let error = block_on(registry.fetch_catalog(&tagged())).unwrap_err();
    assert!(error.to_string().contains("expected a JSON object with repositories"), "{error}");
}

#[test]
fn a_token_is_asked_for_by_its_scope() {
    let internet = Internet::new();
    let auth = Auth::Bearer { challenge: bearer(REALM, HOST), account: ACCOUNT };
    internet.site(HOST, site().auth(auth.clone())).site("auth.example.com", Site::new().auth(auth));
    let registry = with_password(&internet, Options::default());
    assert_eq!(block_on(registry.fetch_catalog(&tagged())).unwrap().len(), 5);
    assert_eq!(internet.count("&scope=registry:catalog:%2A"), 1);
    assert_eq!(internet.count("scope=repository"), 0);
}

#[test]
fn a_registry_without_a_catalog_says_so() {
    let internet = Internet::new();
    for status in [401, 404, 405] {
        internet.site(HOST, site().without_catalog(status));
        let error = block_on(client(&internet).fetch_catalog(&tagged())).unwrap_err();
        let right = match status {
            401 => matches!(error, Error::Unauthorized { credentials: false, .. }),
            404 => matches!(error, Error::NotFound { .. }),
            _ => matches!(error, Error::Status { status: 405, .. }),
        };
        assert!(right, "{error}");
    }
}
