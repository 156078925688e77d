//! The image saved from the page: the same bytes as `porthole save`, and no file when a byte is wrong.

use crate::{
    images::{self, SEVEN_LAYERS},
    views::axe,
};
use porthole_tests::{
    Result,
    page::Page,
    program::{ours, run, wait_for},
    servers::{ALWAYS, Access, Fault, Faulty, Nginx, Registry, Scratch},
};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};

/// Replaces the browser's dialog by a file in the storage of the page, which a script can read.
const DIALOG: &str = "
window.showSaveFilePicker = async ({ suggestedName }) => {
    window.suggestedName = suggestedName;
    return (await navigator.storage.getDirectory()).getFileHandle('chosen.tar', { create: true });
};
";

/// Size and digest of the saved file; `null` if there is none.
const CHOSEN: &str = "
try {
    const folder = await navigator.storage.getDirectory();
    const file = await (await folder.getFileHandle('chosen.tar')).getFile();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
    return [file.size, [...digest].map(byte => byte.toString(16).padStart(2, '0')).join('')];
} catch {
    return null;
}
";

/// Starts to save the image in a format.
fn save(page: &Page, format: &str) -> Result<()> {
    page.browser().click(&format!(".overview [data-save={format}]"))
}

/// Waits until saving has ended. Returns whether it produced a file.
fn saved(page: &Page) -> Result<bool> {
    let saved = page.until("the end of saving", |page| page.browser().attribute("[data-saved]", "data-saved"))?;
    Ok(saved == "yes")
}

#[test]
fn the_saved_image_is_that_of_the_command_line() -> Result<()> {
    let host = Nginx::page()?;
    let registry = Registry::start(images::storage(), &Access::OpenToPages)?;
    let line = Faulty::before(registry.port())?;
    let reference = format!("{}/{SEVEN_LAYERS}", line.host());
    let page = Page::open(&host.url())?;
    page.browser().run(DIALOG, json!([]))?;
    page.look(&reference)?;
    page.verified()?;
    let scratch = Scratch::new("saved")?;
    for format in ["docker-archive", "oci-archive"] {
        save(&page, format)?;
        let file = scratch.path().join(format);
        let output = Command::new(ours("porthole")?)
            .args(["save", "--platform", "linux/amd64", "--format", format, "--output"])
            .arg(&file)
            .arg("--store")
            .arg(scratch.path().join("store"))
            .arg(&reference)
            .output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let path = file.display().to_string();
        let sum = run("sha256sum", [path.as_str()])?;
        let size = file.metadata()?.len();
        let expected: Value = json!([size, sum.split(' ').next()]);
        // The page may still show the result for the previous archive, so wait for the file itself.
        page.until(&format!("the file of {format}, {expected}"), |page| {
            Ok((page.browser().run_async(CHOSEN, json!([]))? == expected).then_some(()))
        })?;
        assert!(saved(&page)?, "{format}");
        run("skopeo", ["inspect", &format!("{format}:{path}")])?;
    }
    let name = page.browser().run("return window.suggestedName", json!([]))?;
    assert!(name.as_str().is_some_and(|name| name.ends_with("-amd64.tar")), "{name}");
    axe(&page, "a saved image")?;

    // The last byte of the last layer is wrong: no file is saved.
    let manifest: Value = serde_json::from_str(&run(
        &ours("porthole")?.display().to_string(),
        ["manifest", "--platform", "linux/amd64", reference.as_str()],
    )?)?;
    let top = manifest["layers"].as_array().and_then(|layers| layers.last()).ok_or("layers")?;
    let (digest, bytes) = (top["digest"].as_str().unwrap_or_default(), top["size"].as_u64().unwrap_or_default());
    line.fault(digest, ALWAYS, Fault::FlipAt(bytes - 1));
    let page = Page::open(&host.url())?;
    page.browser().run(DIALOG, json!([]))?;
    page.look(&reference)?;
    page.alert_where("a layer is wrong", |alert| alert.kind == "malformed")?;
    save(&page, "docker-archive")?;
    assert!(!saved(&page)?);
    page.until("the file is gone", |page| Ok(page.browser().run_async(CHOSEN, json!([]))?.is_null().then_some(())))?;
    let said = page.browser().text("[data-saved=no]")?;
    assert!(said.contains(digest) && said.contains("porthole save -o image.tar --format docker-archive"), "{said}");
    Ok(())
}

/// Waits until the browser has saved one file in a folder, and returns its bytes.
pub(crate) fn downloaded(folder: &Path) -> Result<Vec<u8>> {
    wait_for("the download", || {
        let mut names: Vec<_> = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        // An incomplete file has a temporary name of the browser.
        names.retain(|path| path.extension().is_some_and(|extension| extension == "tar"));
        let [only] = names.as_slice() else { return Ok(None) };
        let bytes = fs::read(only)?;
        Ok(bytes.ends_with(&[0; 1024]).then_some(bytes))
    })
}

/// The archive that `porthole save` writes for an image.
pub(crate) fn saved_by_the_command_line(reference: &str, scratch: &Scratch) -> Result<Vec<u8>> {
    let (file, store) = (scratch.path().join("expected"), scratch.path().join("store"));
    let output = Command::new(ours("porthole")?)
        .args(["save", "--platform", "linux/amd64", "--format", "docker-archive", "--output"])
        .arg(&file)
        .arg("--store")
        .arg(store)
        .arg(reference)
        .output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(fs::read(file)?)
}

#[test]
fn without_a_dialog_the_browser_downloads_the_image_and_the_page_keeps_nothing() -> Result<()> {
    let host = Nginx::page()?;
    let registry = Registry::start(images::storage(), &Access::OpenToPages)?;
    let reference = format!("{}/{SEVEN_LAYERS}", registry.host());
    let (scratch, downloads) = (Scratch::new("saved")?, Scratch::new("downloads")?);
    let page = Page::open(&host.url())?;
    page.browser().download_to(downloads.path())?;
    page.browser().run("delete window.showSaveFilePicker; window.showSaveFilePicker = undefined", json!([]))?;
    page.look(&reference)?;
    page.verified()?;
    save(&page, "docker-archive")?;
    assert!(saved(&page)?);
    let expected = saved_by_the_command_line(&reference, &scratch)?;
    assert!(downloaded(downloads.path())? == expected, "the bytes are those of the command line");
    page.until("the page keeps no archive", |page| Ok(page.own_files()?.is_empty().then_some(())))
}
