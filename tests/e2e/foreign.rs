//! A foreign layer: the registry lacks it, and the manifest names another host for it. The page asks before it requests anything there.

use porthole_testkit::image::{Built, Image, Layer};
use porthole_tests::{
    Result,
    page::{Alert, Page},
    servers::{Nginx, Relay, Scratch},
};
use serde_json::{Value, json};
use std::fs;

const FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
const TO_PAGES: &str = "add_header Access-Control-Allow-Origin * always;";
/// Refuses requests with headers that identify the person or the image.
const REFUSES_NAMES: &str = r#"if ($http_authorization$http_cookie$http_referer) { return 400; }"#;

fn image() -> Built {
    Image::new()
        .layer(Layer::new("Base").file("windows/notepad.txt", "the needle\n"))
        .layer(Layer::new("COPY").file("app.txt", "app\n"))
        .build()
}

/// A static registry without the lower layer, which its manifest places at `url`.
fn registry(image: &Built, url: &str) -> Result<(Scratch, Nginx)> {
    let folder = Scratch::new("foreign")?;
    let repository = folder.path().join("v2/a/b");
    fs::create_dir_all(repository.join("manifests"))?;
    fs::create_dir_all(repository.join("blobs"))?;
    for blob in [&image.config, &image.layers[1].blob] {
        fs::write(repository.join("blobs").join(&blob.digest), &blob.bytes)?;
    }
    let mut manifest: Value = serde_json::from_slice(&image.manifest.bytes)?;
    manifest["layers"][0]["mediaType"] = FOREIGN.into();
    manifest["layers"][0]["urls"] = json!([url]);
    fs::write(repository.join("manifests/1"), manifest.to_string())?;
    let registry = Nginx::files(folder.path(), TO_PAGES)?;
    Ok((folder, registry))
}

/// Serves the lower layer at a path.
fn publisher(image: &Built, path: &str, line: &str) -> Result<(Scratch, Nginx)> {
    let folder = Scratch::new("publisher")?;
    let file = folder.path().join(path);
    fs::create_dir_all(file.parent().ok_or("a path has a parent")?)?;
    fs::write(file, &image.layers[0].blob.bytes)?;
    let publisher = Nginx::files(folder.path(), line)?;
    Ok((folder, publisher))
}

/// Looks at the image, and waits until the page asks for the lower layer.
fn asked(page: &Page, registry: &Nginx, publisher: &Nginx) -> Result<()> {
    page.look(&format!("{}/a/b:1", registry.host()))?;
    let alert = page.alert_where("the question", |alert| alert.text.contains("Fetch it from"))?;
    assert_eq!((alert.kind.as_str(), &alert.host), ("not-found", &registry.host()));
    assert!(alert.text.contains(&format!("Fetch it from {}", publisher.host())), "{}", alert.text);
    page.complete()?;
    assert!(publisher.sent()?.is_empty(), "nothing is fetched before the person allows it");
    Ok(())
}

#[test]
fn the_page_fetches_a_foreign_layer_when_the_person_allows_it() -> Result<()> {
    let image = image();
    let (_files, publisher) = publisher(&image, "base.tar.gz", &format!("{TO_PAGES} {REFUSES_NAMES}"))?;
    let (_documents, registry) = registry(&image, &format!("{}base.tar.gz", publisher.url()))?;
    let host = Nginx::page()?;
    let page = Page::open(&host.url())?;
    // Browsers send cookies to every port of a host.
    page.browser().run("document.cookie = 'session=secret'", json!([]))?;
    asked(&page, &registry, &publisher)?;
    page.remedy("allow-foreign")?;
    page.verified()?;
    let mut paths: Vec<_> = page.rows()?.into_iter().map(|row| row.path).collect();
    paths.sort();
    assert_eq!(paths, ["app.txt", "windows", "windows/notepad.txt"]);

    page.browser()
        .run("location.hash += (location.hash.includes('?') ? '&' : '?') + 'path=windows%2Fnotepad.txt'", json!([]))?;
    page.until("the file in the layer", |page| {
        Ok(page.browser().text(".content[data-kind='text']")?.contains("the needle").then_some(()))
    })?;
    page.browser().click("#tab-search")?;
    page.browser().write("#find", "needle\u{e007}")?;
    page.until("the match in the layer", |page| {
        page.browser().attribute("[data-found-path='windows/notepad.txt']", "data-layer")
    })?;
    assert!(publisher.sent()?.len() >= 3, "the layer was listed, read and searched");
    Ok(())
}

/// Microsoft's registry sends no CORS headers either.
#[test]
fn the_relay_reads_a_foreign_layer_of_a_registry_without_cors() -> Result<()> {
    let image = image();
    let path = format!("v2/x/y/blobs/{}", image.layers[0].blob.digest);
    let (_files, publisher) = publisher(&image, &path, REFUSES_NAMES)?;
    let (_documents, registry) = registry(&image, &format!("{}{path}", publisher.url()))?;
    let relay = Relay::start(&[&publisher.host()])?;
    let page = Page::open(relay.url())?;
    asked(&page, &registry, &publisher)?;
    page.remedy("allow-foreign")?;
    page.verified()?;
    assert_eq!(page.rows()?.len(), 3);
    Ok(())
}

#[test]
fn a_publisher_that_lets_no_page_read_it_leaves_the_command_line() -> Result<()> {
    let image = image();
    let (_files, publisher) = publisher(&image, "base.tar.gz", "")?;
    let (_documents, registry) = registry(&image, &format!("{}base.tar.gz", publisher.url()))?;
    let host = Nginx::page()?;
    let page = Page::open(&host.url())?;
    asked(&page, &registry, &publisher)?;
    page.remedy("allow-foreign")?;
    let explains = |alert: &Alert| alert.cause == "no-cors" && alert.host == publisher.host();
    let alert = page.alert_where("the reason", explains)?;
    assert!(alert.text.contains("porthole pull --foreign"), "{}", alert.text);
    Ok(())
}
