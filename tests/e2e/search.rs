//! Searches contents in the page, and compares the matches with those of `grep` and `porthole search`.

use crate::{
    images::{self, SEVEN_LAYERS},
    views::axe,
};
use porthole_tests::{
    Result,
    images::{DEBIAN, layout, truth},
    page::Page,
    program::{fixtures, ours, workspace},
    servers::{Access, Nginx, Registry},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt as _, process::Command};

/// A text in licences and programs of Debian, and in documents that a later layer deletes.
const PATTERN: &str = "Free Software Foundation";

/// Layer, path, line and fate of each hit on the page.
fn hits(page: &Page) -> Result<BTreeSet<(u64, String, u64, String)>> {
    let rows = page.browser().run_async(
        "const frame = () => new Promise(requestAnimationFrame);
         for (let more; (more = document.querySelector('#more')); await frame()) more.click();
         return [...document.querySelectorAll('[data-hit]')].map(hit => {
             const { layer, foundPath, fate } = hit.closest('[data-found-path]').dataset;
             return [Number(layer), foundPath, Number(hit.dataset.hit), fate];
         })",
        json!([]),
    )?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let row = |row: &Value| (number(&row[0]), text(&row[1]), number(&row[2]), text(&row[3]));
    Ok(rows.as_array().into_iter().flatten().map(row).collect())
}

fn ended(page: &Page) -> Result<()> {
    page.until("the search ends", |page| page.browser().attribute("[data-probe=done]", "data-probe"))?;
    page.until("what became of the files", |page| {
        Ok(page.browser().attribute("[data-fate=waiting]", "data-fate")?.is_none().then_some(()))
    })
}

#[test]
fn a_search_finds_what_grep_and_the_command_line_find() -> Result<()> {
    let (host, registry) = (Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?);
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    page.browser().click("#tab-search")?;
    axe(&page, "the form")?;
    let announced = page.browser().attribute("#cost", "data-bytes")?;
    let download = page.browser().run("return performance.getEntriesByType('resource').length", json!([]))?;
    page.browser().write("#find", &format!("{PATTERN}\u{e007}"))?;
    ended(&page)?;
    axe(&page, "lines")?;
    assert!(announced.is_some_and(|bytes| bytes != "0") && download != json!(0));

    let found = hits(&page)?;
    let tree = truth(&fixtures(), DEBIAN, "latest");
    let grep = Command::new("grep").args(["-raFn", PATTERN]).arg(&tree).env("LC_ALL", "C").output()?;
    let lines = String::from_utf8_lossy(&grep.stdout);
    // An archive has the content of hard links once, and grep reads it at every path.
    let file = |path: &str| fs::symlink_metadata(tree.join(path)).ok().map(|facts| facts.ino());
    let of_tree = |line: &str| {
        let (path, rest) = line.strip_prefix(&format!("{}/", tree.display()))?.split_once(':')?;
        Some((file(path)?, rest.split(':').next()?.parse::<u64>().ok()?))
    };
    let expected: BTreeSet<_> = lines.lines().filter_map(of_tree).collect();
    assert!(expected.len() > 30, "{lines}");
    let live = found.iter().filter(|hit| hit.3 == "live").map(|hit| file(&hit.1).map(|file| (file, hit.2)));
    assert_eq!(live.collect::<Option<BTreeSet<_>>>(), Some(expected), "what a container sees");

    let source = format!("oci:{}:latest", layout(&fixtures(), DEBIAN).display());
    let output = Command::new(ours("porthole")?).args(["search", "--json", "-F", &source, PATTERN]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let rows: Vec<Value> = text.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?;
    let fate = |layer: &Value, path: &Value| {
        let file = |row: &&Value| row["type"] == "file" && row["layer"] == *layer && row["path"] == *path;
        rows.iter().find(file).map(|row| row["state"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
    };
    let all = rows.iter().filter(|row| row["type"] == "match").map(|row| {
        let (layer, path, line) = (&row["layer"], &row["path"], row["line"].as_u64().unwrap_or_default());
        (layer.as_u64().unwrap_or_default(), path.as_str().unwrap_or_default().to_owned(), line, fate(layer, path))
    });
    assert_eq!(found, all.collect(), "what porthole search prints");
    assert!(found.iter().any(|hit| hit.3 == "deleted"), "deleted files are searched");

    // A line links to its file. The URL opens the same search, which does not start before the user starts it.
    let address = page.browser().url()?;
    page.browser().click("[data-fate=live] .hit")?;
    page.until("the line", |page| page.browser().attribute("#text", "id"))?;
    assert!(page.browser().url()?.contains("line="));
    let again = Page::on_screen(&address, 320, 568, "")?;
    again.until("the form", |page| page.browser().attribute("#start-probe:not(:disabled)", "id"))?;
    assert_eq!(again.browser().attribute("[data-probe]", "data-probe")?, None, "nothing is fetched unasked");
    again.browser().click("#start-probe")?;
    ended(&again)?;
    assert_eq!(hits(&again)?, found);
    axe(&again, "a small screen")?;
    Ok(())
}

/// The WebAssembly programs of the page that contain a text.
fn programs_with(text: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in fs::read_dir(workspace().join("dist"))? {
        let path = file?.path();
        let bytes = if path.extension().is_some_and(|end| end == "wasm") { fs::read(&path)? } else { continue };
        if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
            found.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    found.sort();
    Ok(found)
}

#[test]
fn engines_are_in_one_program_of_the_page_alone() -> Result<()> {
    for text in ["expected a glob of paths", "a header of rpm with name and version"] {
        assert_eq!(programs_with(text)?, ["contents_bg.wasm"], "{text}");
    }
    // The session masks secrets in the documents of an image. The program that checks signatures masks those in statements.
    let with_rules = ["contents_bg.wasm", "session_bg.wasm", "signature_bg.wasm"];
    assert_eq!(programs_with("token of Docker Hub")?, with_rules);
    Ok(())
}
