//! The client's glue, over registries in memory.

#![allow(clippy::unwrap_used, reason = "what the tests share is test code too")]

mod access;
mod catalog;
mod delete;
mod documents;
mod field;
mod limits;
mod probe;
mod properties;
mod push;
mod put;
mod ranges;
mod refusals;
mod routes;
mod tag;

use porthole_core::{image, manifest::Document, platform::Platform, reference::Reference};
use porthole_registry::{Error, Options, Registry, auth::Credentials, plan::descent::Descent};
use porthole_testkit::{
    executor::block_on,
    image::{Content, Image, Layer},
    registry::{Auth, Internet, Site, bearer},
};

const HOST: &str = "r.example.com";
const REALM: &str = "https://auth.example.com/token";
const CANARY: &str = "canary-password";
const ACCOUNT: Option<&str> = Some("user:canary-password");

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

fn tagged() -> Reference {
    reference("r.example.com/a/b:1")
}

fn content() -> Content {
    Image::new().layer(Layer::new("COPY a /").file("a", "b")).build().into_content("1")
}

/// A registry that wants a token of this realm, and the realm.
fn private(realm: &str, account: Option<&'static str>) -> Internet {
    let internet = Internet::new();
    let auth = Auth::Bearer { challenge: bearer(realm, HOST), account };
    let site = Site::new().repository("a/b", content()).auth(auth);
    internet.site(HOST, site.clone());
    let authority = realm.split('/').nth(2).unwrap();
    internet.site(authority, site);
    internet
}

fn client(internet: &Internet) -> Registry<Internet> {
    Registry::new(internet.clone(), Options::default())
}

/// Reads the image of a reference as front ends do: document, the entry for the platform, manifest, configuration.
fn fetch_image(client: &Registry<Internet>, reference: &Reference, platform: &Platform) -> Result<image::Image, Error> {
    let mut document = block_on(client.fetch_document(reference))?;
    if let Document::Index(index) = &document {
        let descent = Descent::new(*index.raw.digest(), client.limits());
        let entry = descent.choose(&index.value, platform).unwrap();
        document = block_on(client.fetch_child(reference, entry))?;
    }
    let Document::Manifest(manifest) = document else { panic!("expected a manifest below the index") };
    let config = block_on(client.fetch_small_blob(reference, &manifest.value.config))?;
    Ok(image::Image::assemble_with_limits(manifest, config, client.limits()).unwrap())
}

fn with_password(internet: &Internet, options: Options) -> Registry<Internet> {
    let registry = Registry::new(internet.clone(), options);
    registry.set_credentials(HOST, Some(Credentials::basic("user", CANARY)));
    registry
}
