//! The views of the page, compared with the output of other tools, and rules that apply to all views.

use crate::images::{self, SEVEN_LAYERS};
use porthole_tests::{
    Result,
    images::{DEBIAN, layout, manifest_digest},
    page::Page,
    program::{fixtures, ours, run},
    servers::{Access, Nginx, Registry},
};
use serde_json::{Value, json};
use std::{cmp::Reverse, env, fs, path::Path, process::Command};

/// The smallest supported screen, which has the narrow layout.
const NARROW: (u32, u32) = (320, 568);

/// A page that has opened the image of seven layers.
fn looking(host: &Nginx, registry: &Registry) -> Result<Page> {
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    Ok(page)
}

fn servers() -> Result<(Nginx, Registry)> {
    Ok((Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?))
}

#[test]
fn the_overview_says_what_skopeo_says() -> Result<()> {
    let (host, registry) = servers()?;
    let page = looking(&host, &registry)?;
    let config =
        run("skopeo", ["inspect", "--config", &format!("oci:{}:latest", layout(&fixtures(), DEBIAN).display())])?;
    let config: Value = serde_json::from_str(&config)?;
    let shown = |fact: &str| -> Result<Vec<String>> {
        let items = page.browser().run(
            "const fact = document.querySelector(`.overview [data-fact='${arguments[0]}']`);
             const items = [...fact?.querySelectorAll('li') ?? []];
             return (items.length ? items : fact ? [fact] : []).map(item => item.textContent)",
            json!([fact]),
        )?;
        Ok(items.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
    };
    let words = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let execution = &config["config"];
    for (fact, key) in [("entrypoint", "Entrypoint"), ("cmd", "Cmd"), ("environment", "Env")] {
        assert_eq!(shown(fact)?, words(&execution[key]), "{fact}");
    }
    let created = config["created"].as_str().unwrap_or_default();
    assert_eq!(shown("created")?.concat(), created);
    let digest = page.browser().attribute(".overview [data-document=manifest]", "data-digest")?;
    assert_eq!(digest, Some(manifest_digest(&fixtures(), DEBIAN, "latest")?));
    page.until("the findings are complete", |page| {
        Ok(page.browser().attribute(".findings", "data-settled")?.filter(|settled| settled == "true"))
    })?;
    // The image deletes packages in a later layer. The finding links to them.
    page.browser().click("[data-finding=deleted-files] button")?;
    page.until("the deleted files", |page| page.pressed("deleted"))?;
    Ok(())
}

/// `porthole analyze --json` of the image of seven layers.
fn analyze() -> Result<Value> {
    let layout = format!("oci:{}", layout(&fixtures(), DEBIAN).display());
    let output = Command::new(ours("porthole")?).args(["analyze", "--json", &layout]).output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[test]
fn waste_is_what_analyze_prints() -> Result<()> {
    let (host, registry) = servers()?;
    let page = looking(&host, &registry)?;
    let report = analyze()?;
    page.browser().click("#tab-waste")?;
    let figure =
        |name: &str| page.until(name, |page| page.browser().attribute(&format!("[data-waste={name}]"), "data-bytes"));
    assert_eq!(figure("unpacked")?, report["wasted"]["bytes"].to_string());
    assert_eq!(figure("download")?, report["wasted"]["download"].to_string());
    let efficiency = page.browser().attribute("[data-waste=efficiency]", "data-value")?;
    assert_eq!(efficiency.and_then(|value| value.parse::<f64>().ok()), report["efficiency"].as_f64());
    let blamed = page.browser().run(
        "return [...document.querySelectorAll('[data-blame]')].map(row => [Number(row.dataset.blame) + 1, Number(row.dataset.bytes)])",
        json!([]),
    )?;
    let mut layers: Vec<&Value> = report["layers"].as_array().into_iter().flatten().collect();
    layers.sort_by_key(|layer| Reverse(layer["wastes"]["bytes"].as_u64()));
    let costly = layers.iter().filter(|layer| layer["wastes"]["bytes"] != json!(0));
    let expected: Vec<Value> = costly.map(|layer| json!([layer["layer"], layer["wastes"]["bytes"]])).collect();
    assert_eq!(blamed, json!(expected));
    let (path, bytes) = (&report["wasted_paths"][0]["path"], &report["wasted_paths"][0]["bytes"]);
    assert_eq!(page.browser().attribute("[data-waste-path]", "data-waste-path")?.as_deref(), path.as_str());
    assert_eq!(page.browser().attribute("[data-waste-path]", "data-bytes")?, Some(bytes.to_string()));
    // A row links to its path among the deleted files.
    let ways = page.browser().run(
        "return [...document.querySelectorAll('[data-what-if]')].map(row => [row.dataset.whatIf, Number(row.dataset.bytes)])",
        json!([]),
    )?;
    let told = report["what_if"].as_array().into_iter().flatten();
    // Without digests of contents, copies are not known for certain. So only estimates that do not need them are compared.
    let squashed = told.filter(|way| way["change"] == "squash-all" || way["change"] == "zstd");
    for way in squashed {
        let row = json!([way["change"], way["download"]]);
        assert!(ways.as_array().is_some_and(|ways| ways.contains(&row)), "{row} of {ways}");
    }
    page.browser().click("[data-waste-path] button")?;
    page.until("the deleted files", |page| page.pressed("deleted"))?;
    Ok(())
}

#[test]
fn versions_of_a_path_are_those_of_its_layers() -> Result<()> {
    let (host, registry) = servers()?;
    let page = looking(&host, &registry)?;
    // The versions of a file that a later layer changed.
    page.browser().click("[data-view=deleted]")?;
    page.until("the deleted files", |page| page.pressed("deleted"))?;
    let rows = page.rows()?;
    let truth = fixtures().join(DEBIAN).join("latest/rootfs");
    let still = |path: &str| fs::symlink_metadata(truth.join(path)).is_ok_and(|file| file.is_file());
    let row = rows.iter().find(|row| row.kind == "file" && still(&row.path)).ok_or("a file was overwritten")?;
    page.browser().click("[data-view=merged]")?;
    page.until("the merged files", |page| page.pressed("merged"))?;
    let base = page.browser().url()?;
    let separator = if base.contains('?') { '&' } else { '?' };
    page.browser().open(&format!("{base}{separator}path={}", row.path))?;
    let versions = page.until("the versions", |page| {
        let versions = page.browser().run(
            "return [...document.querySelectorAll('[data-version]')].map(item => [item.dataset.change, item.dataset.bytes ?? null])",
            json!([]),
        )?;
        Ok(Some(versions).filter(|versions| versions.as_array().is_some_and(|versions| versions.len() > 1)))
    })?;
    let now = fs::symlink_metadata(truth.join(&row.path))?;
    assert_eq!(
        versions[0][1],
        json!(now.len().to_string()),
        "the newest is the file that umoci unpacked: {}",
        row.path
    );
    let before = versions.as_array().into_iter().flatten().any(|version| version[1] == json!(row.size.to_string()));
    assert!(before, "the one before is among the deleted files: {versions}");
    page.browser().click("[data-diff]")?;
    page.until("how they differ", |page| {
        Ok(Some(page.browser().text(".diff")?).filter(|text| !text.is_empty() && !text.contains("Reading")))
    })?;
    Ok(())
}

#[test]
fn back_goes_back_through_views_and_selections() -> Result<()> {
    let (host, registry) = servers()?;
    let page = looking(&host, &registry)?;
    let selected = |page: &Page| page.browser().attribute("[role=treeitem][aria-selected=true]", "data-path");
    page.browser().click("[role=treeitem][data-path=etc]")?;
    page.until("etc is selected", |page| Ok(selected(page)?.filter(|path| path == "etc")))?;
    // The rows of `etc` appear above the next one, which moves and must not be clicked meanwhile.
    page.until("etc is open", |page| {
        page.browser().attribute("[role=treeitem][data-path=etc][aria-expanded=true]", "data-path")
    })?;
    page.browser().click("[role=treeitem][data-path=usr]")?;
    page.until("usr is selected", |page| Ok(selected(page)?.filter(|path| path == "usr")))?;
    page.browser().click("[data-view=deleted]")?;
    page.until("the deleted files", |page| page.pressed("deleted"))?;
    page.browser().back()?;
    page.until("all files", |page| page.pressed("merged"))?;
    page.browser().back()?;
    page.until("etc again", |page| Ok(selected(page)?.filter(|path| path == "etc")))?;
    page.browser().back()?;
    page.until("nothing selected", |page| Ok(selected(page)?.is_none().then_some(())))?;
    assert!(page.shown(".overview")?, "the overview is beside the tree again");
    Ok(())
}

#[test]
fn a_line_of_a_link_is_marked_and_in_sight() -> Result<()> {
    const FILE: &str = "etc/login.defs";
    let (host, registry) = servers()?;
    let truth = fs::read_to_string(fixtures().join(DEBIAN).join("latest/rootfs").join(FILE))?;
    let line = truth.lines().count() - 5;
    let page = looking(&host, &registry)?;
    let base = page.browser().url()?;
    page.browser().open(&format!("{base}?path={FILE}&line={line}&read=1"))?;
    page.browser().reload()?;
    page.until("the file", |page| page.browser().attribute("#reader #text", "id"))?;
    let place = page.until("the mark", |page| {
        let place = page.browser().run(
            "const code = document.querySelector('.code'), mark = code.querySelector('.mark');
             if (!mark) return null;
             const [frame, box] = [code.getBoundingClientRect(), mark.getBoundingClientRect()];
             return { line: (box.top - document.querySelector('#text').getBoundingClientRect().top) / 18 + 1,
                      seen: box.top >= frame.top && box.bottom <= frame.bottom }",
            json!([]),
        )?;
        Ok(Some(place).filter(|place| place["seen"] == json!(true)))
    })?;
    assert_eq!(place["line"].as_f64().map(f64::round), Some(line as f64));
    assert_eq!(page.browser().text("#text")?, truth);
    // Search: as many lines as `grep -ci` counts.
    let count = truth.lines().filter(|line| line.to_lowercase().contains("umask")).count();
    page.browser().write("#find", "UMASK\u{e007}")?;
    page.until("the matches", |page| {
        Ok(Some(page.browser().text(".found")?).filter(|found| found.ends_with(&format!("of {count}"))))
    })?;
    page.browser().click("#back")?;
    page.until("the tree", |page| page.browser().attribute("#tree", "role"))?;
    let console = page.browser().console()?;
    assert!(!console.contains("Content Security Policy"), "{console}");
    Ok(())
}

#[test]
fn a_small_screen_has_room_for_the_tree() -> Result<()> {
    let (host, registry) = servers()?;
    for (width, height) in [NARROW, (740, 430)] {
        let page = Page::on_screen(&host.url(), width, height, "")?;
        page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
        page.until("the overview comes first", |page| {
            page.browser()
                .attribute("#panel .overview h2", "class")
                .map(|_| page.shown("#panel .overview").ok().filter(|shown| *shown))
        })?;
        page.browser().click("#tab-files")?;
        page.verified()?;
        let rows =
            page.browser().run("return Math.floor(document.querySelector('#tree').clientHeight / 24)", json!([]))?;
        assert!(rows.as_u64() >= Some(6), "{rows} rows at {width} × {height}");
        page.browser().click("[role=treeitem][data-path=etc]")?;
        page.until("the directory opens", |page| {
            let open = page.browser().attribute("[role=treeitem][data-path=etc]", "aria-expanded")?;
            Ok(open.filter(|open| open == "true"))
        })?;
        page.browser().click("[role=treeitem][data-path=usr]")?;
        let wide = page.browser().run("return document.documentElement.scrollWidth", json!([]))?;
        assert_eq!(wide.as_u64(), Some(width.into()), "nothing sticks out");
    }
    Ok(())
}

/// Collects the paths below a directory, whose path in the image is `above`.
fn walk(directory: &Path, above: &str, paths: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = format!("{above}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{path}/"), paths)?;
        }
        paths.push(path);
    }
    Ok(())
}

#[test]
fn a_filter_takes_globs_and_expressions_and_names_what_is_deleted() -> Result<()> {
    let (host, registry) = servers()?;
    let page = looking(&host, &registry)?;
    let truth = fixtures().join(DEBIAN).join("latest/rootfs");
    let mut paths = Vec::new();
    walk(&truth, "", &mut paths)?;
    let found = |filter: &str, expected: usize| {
        page.browser().write("#filter", filter)?;
        page.until(filter, |page| {
            let matches = page.browser().attribute("#found", "data-matches")?;
            Ok(matches.filter(|matches| *matches == expected.to_string()))
        })
    };
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let number = |fits: &dyn Fn(&str) -> bool| paths.iter().filter(|path| fits(path)).count();
    found("*.conf", number(&|path| name(path).ends_with(".conf")))?;
    found("etc/**/*.conf", number(&|path| path.starts_with("etc/") && path.ends_with(".conf")))?;
    found(
        r"/^usr\/bin\/[a-c]+$/",
        number(&|path| {
            path.strip_prefix("usr/bin/").is_some_and(|name| {
                !name.is_empty() && name.bytes().all(|byte| (b'a'..=b'c').contains(&byte.to_ascii_lowercase()))
            })
        }),
    )?;
    // The merged files do not have the deleted packages.
    found("*.deb", 0)?;
    page.browser().click("#in-deleted")?;
    page.until("the deleted files", |page| page.pressed("deleted"))?;
    page.until("a package", |page| page.browser().attribute("[role=treeitem][data-path$='.deb']", "data-path"))?;
    Ok(())
}

#[test]
fn a_tag_beside_a_digest_is_verified_only_when_it_stands_for_it() -> Result<()> {
    let (host, registry) = servers()?;
    let digest = manifest_digest(&fixtures(), DEBIAN, "latest")?;
    let (name, tag) = SEVEN_LAYERS.split_once(':').ok_or("the image has a tag")?;
    let tag_state = |page: &Page| page.browser().attribute("[data-step=tag]", "data-state");
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{name}:{tag}@{digest}", registry.host()))?;
    page.verified()?;
    page.until("the tag was looked up", |page| Ok(tag_state(page)?.filter(|state| state == "verified")))?;
    page.look(&format!("{}/{name}:nowhere@{digest}", registry.host()))?;
    page.until("the other reference", |page| {
        Ok(Some(page.browser().text("[data-step=tag]")?).filter(|text| text.contains("nowhere")))
    })?;
    page.verified()?;
    page.until("the tag was not found", |page| Ok(tag_state(page)?.filter(|state| state == "unchecked")))?;
    let text = page.browser().text("[data-step=tag]")?;
    assert!(text.contains("not checked"), "{text}");
    Ok(())
}

#[test]
fn a_session_that_dies_is_started_again_with_a_word() -> Result<()> {
    let (host, registry) = servers()?;
    let keep = "const Original = Worker; window.started = [];
        window.Worker = class extends Original { constructor(...all) { super(...all); window.started.push(this); } };";
    let page = Page::on_screen(&host.url(), 1280, 900, keep)?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    page.browser().run("started.at(-1).dispatchEvent(new Event('error'))", json!([]))?;
    page.until("a word", |page| {
        Ok(Some(page.browser().text(".notice")?).filter(|text| text.contains("started again")))
    })?;
    page.verified()?;
    assert_eq!(page.browser().run("return started.length", json!([]))?, json!(2));
    page.browser().click("#expand-all")?;
    let all = images::debian().len().to_string();
    page.until("every row", |page| Ok(page.browser().attribute("#tree", "data-total")?.filter(|total| *total == all)))?;
    Ok(())
}

/// axe-core, as `cargo xtask setup` installs it.
pub(crate) fn axe(page: &Page, view: &str) -> Result<()> {
    let script = fs::read_to_string(
        env::var("PORTHOLE_AXE").map_err(|_| "PORTHOLE_AXE names no script; run `cargo xtask test`")?,
    )?;
    page.browser().run(&script, json!([]))?;
    let violations = page.browser().run_async(
        "const found = await axe.run(document, { resultTypes: ['violations'] });
         return found.violations.map(rule => `${rule.id}: ${rule.nodes.map(node => node.html.slice(0, 160)).join(' | ')}`)",
        json!([]),
    )?;
    assert_eq!(violations, json!([]), "{view}");
    Ok(())
}

#[test]
fn no_view_breaks_a_rule_of_accessibility() -> Result<()> {
    let (host, registry) = servers()?;
    for (width, height) in [(1280, 900), NARROW] {
        let page = Page::on_screen(&host.url(), width, height, "")?;
        axe(&page, "start")?;
        page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
        page.until("the image", |page| page.browser().attribute("#copy-link", "data-link"))?;
        page.browser().click("#tab-files")?;
        page.verified()?;
        for tab in ["search", "packages", "secrets", "referrers", "waste", "manifest", "config", "wire", "files"] {
            page.browser().click(&format!("#tab-{tab}"))?;
            axe(&page, &format!("{tab} at {width}"))?;
        }
        page.browser().write("#filter", "nothing fits this")?;
        page.until("nothing", |page| page.browser().attribute("#found[data-matches='0']", "id"))?;
        axe(&page, &format!("an empty list at {width}"))?;
        let base = page.browser().url()?;
        page.browser().open(&format!("{base}?path=etc/login.defs"))?;
        page.until("the text", |page| page.browser().attribute("#text", "id"))?;
        axe(&page, &format!("a file beside the tree at {width}"))?;
        page.browser().click("#read")?;
        page.until("the text over the pane", |page| page.browser().attribute("#reader #text", "id"))?;
        axe(&page, &format!("a file over the pane at {width}"))?;
    }
    Ok(())
}
