//! Local archives, opened in the page by drag and drop and by the dialog, without a server.

use crate::{images, views::axe};
use porthole_tests::{
    Result,
    images::{DEBIAN, SAMPLE, layout, manifest_digest},
    page::Page,
    program::{fixtures, ours, run},
    servers::{Nginx, Scratch},
};
use serde_json::json;
use std::{fs, path::Path};

/// Drops the file of an input on the page.
const DROP: &str = "
const transfer = new DataTransfer();
transfer.items.add(document.querySelector('#dropped').files[0]);
for (const type of ['dragover', 'drop'])
    document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
document.querySelector('#dropped').remove();
";

/// Drops a file on the page.
fn drop_on(page: &Page, file: &Path) -> Result<()> {
    let input = "const input = document.createElement('input'); input.type = 'file'; input.id = 'dropped'; document.body.append(input)";
    page.browser().run(input, json!([]))?;
    page.browser().choose("#dropped", file)?;
    page.browser().run(DROP, json!([]))?;
    Ok(())
}

/// A page whose server has stopped, so that any request would fail.
fn alone() -> Result<Page> {
    let host = Nginx::page()?;
    let page = Page::open(&host.url())?;
    page.until("the program of the layers is fetched", |_| {
        let is_layer = |path: &str| path.contains("layer") && path.ends_with(".wasm");
        Ok(host.sent()?.iter().any(|(path, _)| is_layer(path)).then_some(()))
    })?;
    page.until("the workers are loaded", |page| page.loaded())?;
    drop(host);
    Ok(page)
}

#[test]
fn an_archive_is_dropped_and_another_is_chosen() -> Result<()> {
    let scratch = Scratch::new("opened")?;
    let path = |name: &str| scratch.path().join(name);
    let source = |image: &str| format!("oci:{}:latest", layout(&fixtures(), image).display());
    let [docker, oci, damaged] = [path("Debian 12.tar"), path("sample.tar"), path("damaged.tar")];
    let to = format!("docker-archive:{}", docker.display());
    run(&ours("porthole")?.display().to_string(), ["copy", &source(DEBIAN), &format!("{to}:some/name:1")])?;
    let to = format!("oci-archive:{}", oci.display());
    run("skopeo", ["--insecure-policy", "copy", "--quiet", &source(SAMPLE), &to])?;
    let whole = fs::read(&oci)?;
    fs::write(&damaged, &whole[..whole.len() / 2])?;

    let page = alone()?;
    drop_on(&page, &docker)?;
    page.verified()?;
    assert_eq!(page.browser().attribute("html", "data-drop")?, None);
    images::debian().check("a dropped docker-archive", &page.rows()?);
    assert!(
        page.browser().text(".foot")?.contains("porthole ls './Debian 12.tar'"),
        "{}",
        page.browser().text(".foot")?
    );
    page.browser().click("[role=treeitem][data-path='etc/debian_version']")?;
    page.until("the file is read", |page| page.browser().attribute(".content[data-kind=text]", "data-kind"))?;

    page.browser().choose("#file-input", &oci)?;
    page.until("the other file is shown", |page| {
        Ok(page.browser().text("h1")?.contains("./sample.tar").then_some(()))
    })?;
    page.verified()?;
    images::sample().check("a chosen OCI archive", &page.rows()?);
    let manifest = manifest_digest(&fixtures(), SAMPLE, "latest")?;
    assert_eq!(page.browser().attribute("[data-step=manifest]", "data-digest")?, Some(manifest));

    page.browser().choose("#file-input", &damaged)?;
    let alert = page.alert_where("the archive ends early", |alert| alert.text.contains("archive is broken"))?;
    assert_eq!(alert.kind, "malformed");
    assert!(page.offers("choose-file")?);
    Ok(())
}

#[test]
fn a_file_is_asked_for_again_after_a_reload() -> Result<()> {
    let host = Nginx::page()?;
    let page = Page::open(&format!("{}#/v1/file.localhost/app.tar", host.url()))?;
    let alert = page.alert()?;
    assert_eq!((alert.kind.as_str(), alert.text.contains("app.tar is a file on this machine")), ("not-found", true));
    assert!(page.offers("choose-file")?);
    Ok(())
}

#[test]
fn a_folder_is_chosen_and_two_archives_are_compared() -> Result<()> {
    let scratch = Scratch::new("folder")?;
    let path = |name: &str| scratch.path().join(name);
    let [before, after] = [path("before.tar"), path("after.tar")];
    for (image, file) in [(SAMPLE, &before), (DEBIAN, &after)] {
        let from = format!("oci:{}:latest", layout(&fixtures(), image).display());
        let to = format!("oci-archive:{}", file.display());
        run("skopeo", ["--insecure-policy", "copy", "--quiet", &from, &to])?;
    }
    let page = alone()?;
    page.browser().choose("#folder-input", &layout(&fixtures(), SAMPLE))?;
    page.verified()?;
    images::sample().check("the folder of a layout", &page.rows()?);

    // Two files at once: WebDriver takes their paths one a line.
    let both = format!("{}\n{}", before.display(), after.display());
    page.browser().choose("#file-input", Path::new(&both))?;
    page.until("the files are compared", |page| page.browser().attribute(".compare [data-files=done]", "data-files"))?;
    let sums = page.browser().run(
        "return ['added', 'removed', 'changed'].map(change => Number(document.querySelector(`[data-sum=${change}]`)?.dataset.count ?? 0))",
        json!([]),
    )?;
    let output =
        std::process::Command::new(ours("porthole")?).args(["diff", "--json"]).args([&before, &after]).output()?;
    let rows: Vec<serde_json::Value> =
        String::from_utf8(output.stdout)?.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?;
    let count = |change: &str| rows.iter().filter(|row| row["kind"] == "file" && row["change"] == change).count();
    assert_eq!(sums, json!(["added", "removed", "changed"].map(count)));
    Ok(())
}

/// Drops a file or folder on the page, and waits until it is verified.
fn dropped(page: &Page, path: &Path) -> Result<()> {
    page.browser().drop_paths(&[path])?;
    let name = path.file_name().and_then(|name| name.to_str()).ok_or("a name")?.to_owned();
    page.until("what was dropped is shown", |page| {
        Ok(page.browser().text("h1")?.contains(&format!("./{name}")).then_some(()))
    })?;
    page.verified()
}

#[test]
fn packed_archives_folders_and_layers_are_dropped() -> Result<()> {
    let scratch = Scratch::new("packed")?;
    let path = |name: &str| scratch.path().join(name);
    let source = |image: &str| format!("oci:{}:latest", layout(&fixtures(), image).display());
    let docker = path("debian.tar");
    let to = format!("docker-archive:{}", docker.display());
    run(&ours("porthole")?.display().to_string(), ["copy", &source(DEBIAN), &format!("{to}:some/name:1")])?;
    let docker_name = docker.display().to_string();
    run("sh", ["-c", &format!("gzip -1 -k '{docker_name}' && xz -0 -k '{docker_name}'")])?;

    let page = alone()?;
    dropped(&page, &path("debian.tar.gz"))?;
    images::debian().check("a packed docker-archive", &page.rows()?);
    let size = docker.metadata()?.len();
    assert_eq!(page.own_files()?, [size], "what it unpacks to is in the storage of the page");
    page.browser().click("[role=treeitem][data-path='etc/debian_version']")?;
    page.until("the file is read", |page| page.browser().attribute(".content[data-kind=text]", "data-kind"))?;

    dropped(&page, &layout(&fixtures(), SAMPLE))?;
    images::sample().check("a dropped folder", &page.rows()?);

    let (root, layer) = (path("root"), path("layer.tar.gz"));
    fs::create_dir_all(root.join("etc"))?;
    fs::write(root.join("etc/motd"), "hello\n")?;
    run("tar", ["-C", &root.display().to_string(), "-czf", &layer.display().to_string(), "etc"])?;
    dropped(&page, &layer)?;
    let rows: Vec<String> = page.rows()?.into_iter().map(|row| row.path).collect();
    assert_eq!(rows, ["etc", "etc/motd"]);
    let line = page.browser().text(".foot")?;
    assert!(line.contains("porthole ls layer:./layer.tar.gz"), "{line}");
    axe(&page, "a single layer")?;

    page.browser().drop_paths(&[&path("debian.tar.xz")])?;
    let alert = page.alert_where("xz is refused", |alert| alert.text.contains("compressed with xz"))?;
    assert!(alert.text.contains("porthole ls ./debian.tar.xz"), "{}", alert.text);
    Ok(())
}
