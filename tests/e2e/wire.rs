//! The *Wire* tab, compared with the server's log and with `porthole trace`.

use crate::{
    images::{self, SEVEN_LAYERS},
    views::axe,
};
use porthole_tests::{
    Result,
    page::Page,
    program::ours,
    servers::{Access, Fault, Faulty, Nginx, Registry, Scratch},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

/// Exchanges as target, status and bytes, each with the number of its occurrences.
type Exchanges = BTreeMap<(String, u64, u64), usize>;

fn count(all: impl Iterator<Item = (String, u64, u64)>) -> Exchanges {
    let mut exchanges = Exchanges::new();
    all.for_each(|exchange| *exchanges.entry(exchange).or_default() += 1);
    exchanges
}

/// The exchanges of an HTTP Archive, with the target in place of the URL.
fn archived(har: &Value, host: &str) -> Exchanges {
    let entries = har["log"]["entries"].as_array().into_iter().flatten();
    count(entries.map(|entry| {
        let url = entry["request"]["url"].as_str().unwrap_or_default();
        let target = url.strip_prefix(&format!("http://{host}")).unwrap_or(url);
        let request = format!("{} {target}", entry["request"]["method"].as_str().unwrap_or_default());
        let bytes = entry["response"]["content"]["size"].as_u64().unwrap_or_default();
        (request, entry["response"]["status"].as_u64().unwrap_or_default(), bytes)
    }))
}

/// Clicks a button that saves, and returns the bytes, so that the browser writes no file.
const SAVED: &str = "
const [selector] = args;
const click = HTMLAnchorElement.prototype.click;
return await new Promise(resolve => {
    HTMLAnchorElement.prototype.click = function () {
        HTMLAnchorElement.prototype.click = click;
        fetch(this.href).then(answer => answer.text()).then(text => resolve([this.download, text]));
    };
    document.querySelector(selector).click();
});
";

#[test]
fn the_page_shows_each_exchange_that_the_server_saw() -> Result<()> {
    let host = Nginx::page()?;
    let registry = Registry::start(images::storage(), &Access::OpenToPages)?;
    let line = Faulty::before(registry.port())?;
    // One request for a blob fails with a status that the page can read, and is sent again.
    line.fault("/blobs/", 1, Fault::Status(503, vec![("Access-Control-Allow-Origin", "*".to_owned())]));
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", line.host()))?;
    page.verified()?;
    page.browser().click("#tab-wire")?;
    page.until("the end of every exchange", |page| {
        let left = page.browser().run(
            "return [document.querySelectorAll('.wire li.done').length, document.querySelectorAll('.wire li.open').length]",
            json!([]),
        )?;
        Ok((left[0].as_u64() > Some(8) && left[1] == json!(0)).then_some(()))
    })?;
    axe(&page, "wire")?;
    let served = line.heal();
    let seen = count(served.iter().map(|served| (served.request.clone(), u64::from(served.status), served.bytes)));
    let saved = page.browser().run_async(SAVED, json!(["#save-har"]))?;
    assert_eq!(saved[0], json!("porthole-trace.har"));
    let har: Value = serde_json::from_str(saved[1].as_str().unwrap_or_default())?;
    assert_eq!(archived(&har, &line.host()), seen);

    // The rows equal the entries of the archive, each with its meaning.
    let meanings = page.browser().run(
        "return [...document.querySelectorAll('.wire li:not(.note) .what > bdi')].map(cell => cell.textContent)",
        json!([]),
    )?;
    let entries = har["log"]["entries"].as_array().into_iter().flatten();
    let comments: Vec<_> = entries.map(|entry| entry["comment"].clone()).collect();
    let shown: Vec<_> = meanings.as_array().into_iter().flatten().cloned().collect();
    assert_eq!(shown, comments);
    assert!(comments.iter().any(|comment| comment == "reads layer 7 of 7"), "{comments:?}");
    assert!(
        comments.iter().any(|comment| comment.as_str().is_some_and(|comment| comment.starts_with("try 2: reads "))),
        "{comments:?}"
    );

    // The keyboard opens a row, and its curl command sends the same request.
    page.browser().run("document.querySelector('.wire li.done button').focus()", json!([]))?;
    page.browser().press("\u{e007}")?;
    let curl = page.until("the details", |page| {
        let text = page.browser().text(".wire .curl code")?;
        Ok((!text.is_empty()).then_some(text))
    })?;
    assert!(curl.starts_with("curl ") && curl.contains(&line.host()), "{curl}");
    axe(&page, "an open row")?;

    // The URL opens this tab, and the command below prints the same steps.
    assert!(page.browser().url()?.contains("tab=wire"), "{}", page.browser().url()?);
    assert!(page.browser().text(".foot")?.contains("porthole trace --full "), "{}", page.browser().text(".foot")?);
    let scratch = Scratch::new("wire")?;
    let trace = scratch.path().join("trace.har");
    let reference = format!("{}/{SEVEN_LAYERS}", line.host());
    let output = Command::new(ours("porthole")?)
        .args(["trace", "--full", "--no-cache", "--platform", "linux/amd64", "--har"])
        .arg(&trace)
        .arg(&reference)
        .output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let traced: Value = serde_json::from_slice(&fs::read(&trace)?)?;
    let served = line.heal();
    let seen = count(served.iter().map(|served| (served.request.clone(), u64::from(served.status), served.bytes)));
    assert_eq!(archived(&traced, &line.host()), seen);
    // Both read the same layers, whole or in ranges.
    let layers = |har: &Value| -> BTreeSet<String> {
        let entries = har["log"]["entries"].as_array().into_iter().flatten();
        let comments =
            entries.filter_map(|entry| entry["comment"].as_str()).filter(|comment| comment.contains("reads "));
        let layer = |comment: &str| {
            let words = comment[comment.find("layer ")?..].split([' ', ':', ',']);
            Some(words.take(4).collect::<Vec<_>>().join(" "))
        };
        comments.filter_map(layer).collect()
    };
    let (own, other) = (layers(&har), layers(&traced));
    assert_eq!(own.len(), 7, "{own:?}");
    assert_eq!(own, other);
    Ok(())
}
