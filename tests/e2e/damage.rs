//! Flips one byte of a layer on the registry's disk.

use porthole_tests::{
    Result,
    images::{self, DEBIAN},
    page::Page,
    program::{fixtures, ours, run},
    servers::{Access, Nginx, Registry, Storage},
};
use serde_json::{Value, json};
use std::{fs, process::Command};

const NAME: &str = "damaged/debian:latest";
/// Index of the damaged layer; 0 is the bottom one.
const LAYER: usize = 2;

/// A storage folder with one damaged layer. Returns the layer's digest.
fn damaged() -> Result<(Storage, String)> {
    let layout = images::layout(&fixtures(), DEBIAN);
    let storage = Storage::new()?;
    storage.push(&[(&layout, "latest", NAME)])?;
    let manifest = run("skopeo", ["inspect", "--raw", &format!("oci:{}:latest", layout.display())])?;
    let manifest: Value = serde_json::from_str(&manifest)?;
    let digest = manifest["layers"][LAYER]["digest"].as_str().ok_or("the layer has no digest")?.to_owned();
    let blob = storage.blob(&digest)?;
    let mut bytes = fs::read(&blob)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(blob, bytes)?;
    Ok((storage, digest))
}

#[test]
fn the_page_names_the_layer_and_never_calls_it_verified() -> Result<()> {
    let (storage, digest) = damaged()?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let page = Page::open(&host.url())?;
    // Record every state that the page shows from its first frame on, even if only for a moment.
    page.browser().run(
        "window.claims = [];
         const look = () => {
             const layer = document.querySelector(`[data-layer='${arguments[0]}'][data-state]`);
             const chain = document.querySelector('#chain'), step = document.querySelector('[data-step=layers]');
             claims.push(layer?.dataset.state, chain?.dataset.state, step?.dataset.state);
         };
         const rounds = () => { look(); requestAnimationFrame(rounds); };
         rounds();
         new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });",
        json!([LAYER]),
    )?;
    page.look(&format!("{}/{NAME}", registry.host()))?;
    let alert = page.alert_where("an alert about a digest", |alert| alert.kind == "malformed")?;
    page.complete()?;
    let layer = format!("[data-layer='{LAYER}'][data-state]");
    assert_eq!(page.browser().attribute(&layer, "data-state")?.as_deref(), Some("wrong"));
    assert_eq!(page.browser().attribute(&layer, "data-digest")?.as_deref(), Some(digest.as_str()));
    assert_eq!(page.browser().attribute("#chain", "data-state")?.as_deref(), Some("wrong"));
    assert_eq!(page.steps()?["layers"], json!("wrong"));
    let claims = page.browser().run("return [...new Set(claims)]", json!([]))?;
    assert!(!claims.as_array().into_iter().flatten().any(|claim| claim == "verified"), "it claimed {claims}");

    let words = alert.text.to_lowercase();
    assert!(words.contains(&format!("layer {}", LAYER + 1)), "which layer: {}", alert.text);
    assert!(words.contains("expected") && words.contains("got"), "expected and got: {}", alert.text);
    assert!(alert.text.contains(&digest), "the digest it should have: {}", alert.text);
    Ok(())
}

#[test]
fn the_command_line_exits_with_7() -> Result<()> {
    let (storage, digest) = damaged()?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let output = Command::new(ours("porthole")?).args(["verify", &format!("{}/{NAME}", registry.host())]).output()?;
    let report = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(7), "{report}");
    assert!(report.contains(&format!("expected {digest}, got sha256:")), "{report}");
    Ok(())
}
