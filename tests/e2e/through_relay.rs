//! A registry that says nothing to browsers: the relay that serves the page carries its bytes, and the tab verifies them all the same.

use crate::images::{self, SEVEN_LAYERS, THREE_PLATFORMS};
use porthole_tests::{
    Result,
    page::Page,
    program::run,
    servers::{Access, Registry, Relay, Scratch},
    truth::Truth,
};

#[test]
fn every_row_of_seven_layers_is_what_umoci_unpacks() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let relay = Relay::start(&[&registry.host()])?;
    let page = Page::open(relay.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    assert_eq!(page.route()?, "relay");
    images::debian().check("the page", &page.rows()?);
    Ok(())
}

#[test]
fn every_platform_shows_its_own_rows() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let relay = Relay::start(&[&registry.host()])?;
    let page = Page::open(relay.url())?;
    page.look(&format!("{}/{THREE_PLATFORMS}", registry.host()))?;
    for image in images::platforms() {
        page.choose_platform(image.called, &image.manifest)?;
        page.verified()?;
        image.truth.check(image.platform, &page.rows()?);
    }
    Ok(())
}

/// Any client that speaks to registries can use the relay.
#[test]
fn skopeo_pulls_through_it() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    // A port cannot stand in a path of Docker's grammar, so this registry is the relay's default one.
    let relay = Relay::with(["--allow-private", &registry.host(), "--default-registry", &registry.host()])?;
    let scratch = Scratch::new("pulled")?;
    let layout = scratch.path().join("layout");
    let (from, to) = (format!("docker://{}/{SEVEN_LAYERS}", relay.host()), format!("oci:{}:latest", layout.display()));
    run("skopeo", ["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", &from, &to])?;
    porthole_tests::images::unpack(&layout, "latest", &scratch.path().join("bundle"))?;
    let pulled = Truth::walk(&scratch.path().join("bundle/rootfs"))?;
    assert_eq!(pulled.len(), images::debian().len());
    Ok(())
}

/// A host of this machine that nobody allowed is not for whoever opens the page.
#[test]
fn private_hosts_are_refused_unless_allowed() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let relay = Relay::with(["--default-registry", &registry.host()])?;
    let from = format!("docker://{}/{SEVEN_LAYERS}", relay.host());
    let refusal = run("skopeo", ["inspect", "--tls-verify=false", &from]).expect_err("the relay refuses").to_string();
    assert!(refusal.contains("403"), "{refusal}");
    Ok(())
}
