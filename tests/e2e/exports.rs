//! Files that the page saves, compared with the `--json` output of the command that it shows.

use crate::{contents::with_secrets, views::axe};
use porthole_tests::{
    Result,
    images::{SAMPLE, layout},
    page::Page,
    program::{fixtures, ours, run},
    servers::{Access, Nginx, Registry, Scratch, Storage},
};
use serde_json::{Deserializer, Value, json};
use std::{env, path::Path, process::Command};

/// Keeps the files that the page saves in `window.saved`, so that the browser shows no dialog.
const READ_SAVED: &str = "
window.saved = [];
const click = HTMLElement.prototype.click;
HTMLElement.prototype.click = function () {
    if (!this.download) return click.call(this);
    const name = this.download;
    fetch(this.href).then(file => file.text()).then(text => saved.push({ name, text }));
};";

/// Clicks a button that saves, and reads the file.
fn saved(page: &Page, button: &str) -> Result<String> {
    page.browser().run("saved.length = 0", json!([]))?;
    page.browser().click(button)?;
    let text = page.until("a file is saved", |page| {
        let file = page.browser().run("return saved[0]?.text ?? null", json!([]))?;
        Ok(file.as_str().map(str::to_owned))
    })?;
    Ok(text)
}

/// Runs a command of the page in a shell, as a user does who copies it.
fn printed(command: &str, option: &str) -> Result<String> {
    let programs = ours("porthole")?.parent().map(Path::to_owned).unwrap_or_default();
    let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap_or_default());
    let output = Command::new("bash").args(["-c", &format!("{command} {option}")]).env("PATH", path).output()?;
    // A comparison ends with 1 if there are differences.
    if !output.status.success() && (output.status.code() != Some(1) || output.stdout.is_empty()) {
        return Err(format!("{command}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn values(text: &str) -> Result<Vec<Value>> {
    Ok(Deserializer::from_str(text).into_iter().collect::<std::result::Result<_, _>>()?)
}

/// Checks that the file which the open view saves equals the output of its command. Returns the number of values.
fn check(page: &Page, view: &str) -> Result<usize> {
    let command = page.browser().text("#command")?;
    let saved = saved(page, "#save-json")?;
    assert_eq!(page.browser().text("#command")?, command, "{view} is another by now");
    let printed = printed(&command, "--json")?;
    let (saved, printed) = (values(&saved)?, values(&printed)?);
    for (number, (saved, printed)) in saved.iter().zip(&printed).enumerate() {
        assert_eq!(saved, printed, "{view}, value {number}: {command}");
    }
    assert_eq!(saved.len(), printed.len(), "{view}: {command}");
    Ok(saved.len())
}

/// Opens a URL of the same image that has another command.
fn show(page: &Page, base: &str, query: &str) -> Result<()> {
    let before = page.browser().text("#command")?;
    page.browser().open(&format!("{base}{query}"))?;
    page.until(&format!("the command of {query}"), |page| {
        Ok((![&before, ""].contains(&page.browser().text("#command")?.as_str())).then_some(()))
    })?;
    page.verified()
}

/// Waits until the page shows a command with this verb. The file that it saves then is the output of that command.
fn names(page: &Page, verb: &str) -> Result<()> {
    page.until(&format!("the command {verb}"), |page| {
        Ok(page.browser().text("#command")?.starts_with(&format!("porthole {verb} ")).then_some(()))
    })
}

/// Opens a tab, whose command has this verb.
fn open(page: &Page, tab: &str, verb: &str) -> Result<()> {
    page.browser().click(&format!("#tab-{tab}"))?;
    names(page, verb)
}

#[test]
fn every_view_saves_what_its_command_prints() -> Result<()> {
    let scratch = Scratch::new("exports")?;
    let image = with_secrets(&scratch)?;
    let sample = layout(&fixtures(), SAMPLE);
    let digest = run(&ours("porthole")?.display().to_string(), ["digest", &format!("oci:{image}:latest")])?;
    let tag = format!("porthole/exports:{}.sig", digest.trim().replace(':', "-"));
    let storage = Storage::new()?;
    storage.push(&[
        (Path::new(&image), "latest", "porthole/exports:1"),
        (&sample, "latest", &tag),
        (&sample, "latest", "porthole/exports:sample"),
    ])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let page = Page::on_screen(&host.url(), 1480, 900, READ_SAVED)?;
    page.look(&format!("{}/porthole/exports:1", registry.host()))?;
    page.verified()?;
    let base = page.browser().url()?;
    let layers = page.browser().run("return document.querySelectorAll('.layers li').length", json!([]))?;
    let layers = layers.as_u64().ok_or("layers")?;

    assert!(check(&page, "files")? > 5_000);
    for layer in 1..=layers {
        show(&page, &base, &format!("?view=only&layer={layer}"))?;
        check(&page, &format!("files of layer {layer}"))?;
    }
    show(&page, &base, "?view=deleted")?;
    assert!(check(&page, "deleted files")? > 400);
    show(&page, &base, "?path=etc/apt")?;
    page.until("the directory", |page| {
        Ok(Some(page.browser().text("#command")?).filter(|text| text.ends_with(" etc/apt")))
    })?;
    check(&page, "a directory")?;
    for tab in ["manifest", "config", "referrers"] {
        open(&page, tab, tab)?;
        assert!(check(&page, tab)? > 0, "{tab}");
    }
    // Contents are read once for all views that compare them.
    open(&page, "waste", "analyze")?;
    page.until("its cost", |page| Ok(Some(page.browser().text("#save-json")?).filter(|text| text.contains("reads"))))?;
    assert_eq!(check(&page, "waste")?, 1);
    page.until("copies", |page| page.browser().attribute("[data-copies]", "data-copies"))?;
    axe(&page, "waste with copies")?;
    page.browser().open(&format!("{base}?tab=overview"))?;
    page.until("the overview, whose contents are known", |page| {
        Ok(page
            .browser()
            .attribute("#tab-overview[aria-selected=true]", "id")?
            .filter(|_| page.browser().text("#save-json").is_ok_and(|words| words == "Save JSON")))
    })?;
    names(&page, "inspect")?;
    assert_eq!(check(&page, "overview")?, 1);
    page.browser().click("#tab-search")?;
    page.browser().write("#find", "Free Software Foundation\u{e007}")?;
    page.until("the search ends", |page| page.browser().attribute("[data-probe=done]", "data-probe"))?;
    names(&page, "search")?;
    assert!(check(&page, "search")? > 100);
    page.browser().open(&format!("{base}?tab=compare&with={}/porthole/exports:sample", registry.host()))?;
    page.until("the files are compared", |page| page.browser().attribute("[data-files=done]", "data-files"))?;
    names(&page, "diff")?;
    assert!(check(&page, "comparison")? > 5_000);
    show(&page, &base, "")?;
    for tab in ["packages", "secrets"] {
        open(&page, tab, tab)?;
        page.browser().click("#start-probe")?;
        page.until(tab, |page| page.browser().attribute("[data-probe=done]", "data-probe"))?;
        assert!(check(&page, tab)? > 0, "{tab}");
    }
    open(&page, "packages", "packages")?;
    page.browser().write("#package-name", "lib")?;
    page.until("the address has the name", |page| {
        Ok(Some(page.browser().text("#command")?).filter(|command| command.contains("--name lib")))
    })?;
    let source = page.browser().text("#command")?.replace(" --name lib", "");
    check(&page, "packages of a name")?;
    for format in ["spdx", "cyclonedx"] {
        let bill = saved(&page, &format!("#save-{format}"))?;
        assert_eq!(bill, printed(&source, &format!("--format {format}"))?, "{format}");
    }
    let console = page.browser().console()?;
    assert!(!console.contains("Content Security Policy"), "{console}");

    // One of several platforms.
    page.look(&format!("{}/porthole/exports:sample", registry.host()))?;
    page.verified()?;
    for (tab, verb) in [("files", "ls"), ("manifest", "manifest"), ("referrers", "referrers")] {
        open(&page, tab, verb)?;
        check(&page, &format!("{tab} of the sample"))?;
    }
    Ok(())
}
