//! A registry without CORS headers: the relay that serves the page forwards its bytes, and the tab verifies them.

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

/// Any registry client can use the relay.
#[test]
fn skopeo_pulls_through_it() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    // Docker's grammar does not allow a port in a path, so make this registry the relay's default.
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

/// The relay refuses local hosts unless an option allows them.
#[test]
fn private_hosts_are_refused_unless_allowed() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let relay = Relay::with(["--default-registry", &registry.host()])?;
    let from = format!("docker://{}/{SEVEN_LAYERS}", relay.host());
    let refusal = run("skopeo", ["inspect", "--tls-verify=false", &from]).expect_err("the relay refuses").to_string();
    assert!(refusal.contains("403"), "{refusal}");
    Ok(())
}
