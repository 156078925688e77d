//! Every limit on what a registry sends: what meets it passes, and one byte or page more is refused by its name.

use crate::{HOST, REALM, content, fetch_image, private, tagged};
use porthole_core::failure::{Classify, FailureClass};
use porthole_core::{hint::Hint, limits::Limits, platform::Platform};
use porthole_registry::{Error, Options, Registry};
use porthole_testkit::{
    executor::block_on,
    image::{Content, Image, Layer},
    registry::{Fault, Internet, Site},
};

fn open(content: Content) -> Internet {
    let internet = Internet::new();
    internet.site(HOST, Site::new().repository("a/b", content));
    internet
}

fn within(internet: &Internet, name: &str, value: u64) -> Registry<Internet> {
    let mut limits = Limits::default();
    Limits::named(name).unwrap().set(&mut limits, value);
    Registry::new(internet.clone(), Options { limits, ..Options::default() })
}

/// Done at the limit; at one less refused, with the limit in the hint.
fn exact<T>(
    internet: &Internet,
    name: &'static str,
    value: u64,
    work: impl Fn(&Registry<Internet>) -> Result<T, Error>,
) {
    if let Err(error) = work(&within(internet, name, value)) {
        panic!("{name} of {value}: {error}");
    }
    let error = work(&within(internet, name, value - 1)).err().expect("one less is too little");
    let named = |hint: &Hint| matches!(hint, Hint::RaiseLimit { name: of, value: to } if *of == name && *to >= value);
    assert!(error.hints().iter().any(named), "{error}: {:?}", error.hints());
    assert_eq!(error.kind(), FailureClass::Limit);
}

fn padded(text: &str, length: usize) -> Vec<u8> {
    format!("{text:length$}").into_bytes()
}

#[test]
fn manifest_bytes() {
    let image = Image::new().layer(Layer::new("COPY a /").file("a", "b")).build();
    let size = image.manifest.bytes.len() as u64;
    exact(&open(content()), "manifest_bytes", size, |registry| block_on(registry.fetch_document(&tagged())));
    let internet = open(content());
    let config = image.config.bytes.len().max(image.manifest.bytes.len()) as u64;
    let amd64 = Platform::new("linux", "amd64", None);
    exact(&internet, "manifest_bytes", config, |registry| fetch_image(registry, &tagged(), &amd64));
}

#[test]
fn token_bytes() {
    let internet = private(REALM, None);
    for length in [Limits::default().token_bytes, 100] {
        exact(&internet, "token_bytes", length, |registry| {
            // Spaces after the token count.
            let body = [br#"{"token":"token-x"}"#.to_vec(), vec![b' '; length as usize - 19]].concat();
            internet.fault("/token", 1, Fault::Body(body));
            block_on(registry.fetch_document(&tagged()))
        });
    }
}

#[test]
fn error_body_bytes() {
    let internet = open(content());
    let body = padded(r#"{"errors":[{"code":"UNKNOWN","message":"the registry's own words"}]}"#, 200);
    // The rest is not read, and that is no error: only the message is lost, because JSON that is cut is invalid.
    for (limit, words) in [(200, true), (100, true), (50, false)] {
        internet.fault("/manifests/", 1, Fault::Answer { status: 418, headers: Vec::new(), body: body.clone() });
        let error = block_on(within(&internet, "error_body_bytes", limit).fetch_document(&tagged())).unwrap_err();
        assert_eq!(error.to_string().contains("the registry's own words"), words, "{limit}: {error}");
    }
}

#[test]
fn tags_page_bytes_and_pages() {
    let internet = open(content());
    exact(&internet, "tags_page_bytes", 300, |registry| {
        internet.fault("/tags/", 1, Fault::Body(padded(r#"{"tags":["a"]}"#, 300)));
        block_on(registry.fetch_tags(&tagged()))
    });
    exact(&internet, "pages", 2, |registry| {
        let headers = vec![("link", r#"</v2/a/b/tags/list?last=a>; rel="next""#.to_owned())];
        internet.fault("/tags/", 1, Fault::Answer { status: 200, headers, body: br#"{"tags":["a"]}"#.to_vec() });
        block_on(registry.fetch_tags(&tagged()))
    });
}
