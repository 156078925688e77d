//! A registry with CORS headers: the tab accesses it directly, without a relay.

use crate::images::{self, SEVEN_LAYERS, SEVEN_LAYERS_ZSTD, THREE_PLATFORMS};
use porthole_testkit::image::{Compression, Entry, Image, Layer};
use porthole_tests::{
    Result,
    images::unpack,
    page::Page,
    program::run,
    servers::{Access, Nginx, Registry, Scratch, Storage},
    truth::Truth,
};
use serde_json::json;
use std::{fs::File, io::Read as _};

#[test]
fn every_row_of_seven_layers_is_what_umoci_unpacks() -> Result<()> {
    let host = Nginx::page()?;
    let registry = Registry::start(images::storage(), &Access::OpenToPages)?;
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    assert_eq!(page.route()?, "direct");
    let steps = page.steps()?;
    for step in ["tag", "manifest", "config", "layers"] {
        assert_eq!(steps[step], json!("verified"), "{step} of {steps}");
    }
    images::debian().check("the page", &page.rows()?);
    Ok(())
}

#[test]
fn the_zstd_twin_shows_the_same_rows() -> Result<()> {
    let host = Nginx::page()?;
    let registry = Registry::start(images::storage(), &Access::OpenToPages)?;
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS_ZSTD}", registry.host()))?;
    page.verified()?;
    images::debian().check("the page", &page.rows()?);
    Ok(())
}

#[test]
fn every_platform_shows_its_own_rows() -> Result<()> {
    let host = Nginx::page()?;
    let registry = Registry::start(images::storage(), &Access::OpenToPages)?;
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{THREE_PLATFORMS}", registry.host()))?;
    page.verified()?;
    assert_eq!(page.steps()?["index"], json!("verified"));
    for image in images::platforms() {
        page.choose_platform(image.called, &image.manifest)?;
        page.verified()?;
        image.truth.check(image.platform, &page.rows()?);
    }
    Ok(())
}

/// Random content, so that nothing can be cached or precomputed.
#[test]
fn a_layer_of_random_content_is_read_as_it_is() -> Result<()> {
    let mut random = vec![0; 3_000_000];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let mut layer = Layer::new("COPY random /").dir("random");
    for (index, content) in random.chunks(97_531).enumerate() {
        let name = content[..6].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mode = u32::from(content[6]) | 0o400;
        layer = layer.entry(Entry::file(format!("random/{index}-{name}"), content).mode(mode));
    }
    let scratch = Scratch::new("random")?;
    let (layout, bundle) = (scratch.path().join("layout"), scratch.path().join("bundle"));
    let image = |compression| Image::new().layer(layer.clone().compression(compression)).build();
    image(Compression::Gzip).into_content("latest").write_layout(&layout)?;
    unpack(&layout, "latest", &bundle)?;
    let truth = Truth::walk(&bundle.join("rootfs"))?;
    let zstd = scratch.path().join("zstd");
    image(Compression::Zstd).into_content("latest").write_layout(&zstd)?;
    assert!(run("skopeo", ["inspect", "--raw", &format!("oci:{}:latest", zstd.display())])?.contains("zstd"));

    let storage = Storage::new()?;
    storage.push(&[(&layout, "latest", "random/gzip:1"), (&zstd, "latest", "random/zstd:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    for name in ["random/gzip:1", "random/zstd:1"] {
        let page = Page::open(&host.url())?;
        page.look(&format!("{}/{name}", registry.host()))?;
        page.verified()?;
        truth.check(name, &page.rows()?);
    }
    Ok(())
}
