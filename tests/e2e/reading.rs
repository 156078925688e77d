//! Reading files: the colours of common types, and symbolic links that are followed.

use crate::{
    images::{self, SEVEN_LAYERS},
    views::axe,
};
use porthole_tests::{
    Result,
    images::DEBIAN,
    page::Page,
    program::fixtures,
    servers::{Access, Nginx, Registry},
};
use serde_json::{Value, json};
use std::fs;

/// A script of Debian, and a link to a file in another directory.
const SCRIPT: &str = "etc/profile";
const LINK: &str = "etc/os-release";

/// The texts that are coloured as pieces of a kind.
fn coloured(page: &Page, kind: &str) -> Result<Vec<String>> {
    let texts = page.browser().run(
        "return [...(CSS.highlights.get(arguments[0]) ?? [])].map(range =>
            range.startContainer.data.slice(range.startOffset, range.endOffset))",
        json!([kind]),
    )?;
    Ok(texts.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
}

#[test]
fn a_script_is_coloured_and_a_link_is_followed() -> Result<()> {
    let (host, registry) = (Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?);
    let page = Page::on_screen(&host.url(), 1480, 900, "")?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    let base = page.browser().url()?;
    let root = fixtures().join(DEBIAN).join("latest/rootfs");

    page.browser().open(&format!("{base}?path={SCRIPT}"))?;
    page.until("colours", |page| {
        Ok(Some(()).filter(|()| coloured(page, "code-keyword").is_ok_and(|all| !all.is_empty())))
    })?;
    let text = fs::read_to_string(root.join(SCRIPT))?;
    let comments: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
    let shown = coloured(&page, "code-comment")?;
    assert!(
        !comments.is_empty() && comments.iter().all(|comment| shown.iter().any(|text| text == comment)),
        "{shown:?}"
    );
    let keywords = coloured(&page, "code-keyword")?;
    let words = ["if", "then", "else", "elif", "fi", "for", "in", "do", "done", "export", "unset"];
    assert!(keywords.iter().all(|word| words.contains(&word.as_str())), "{keywords:?}");
    axe(&page, "a script")?;

    page.browser().open(&format!("{base}?path={LINK}"))?;
    page.until("the link", |page| page.browser().attribute("#follow", "id"))?;
    page.browser().press("f")?;
    let target = fs::canonicalize(root.join(LINK))?;
    let target = target.strip_prefix(fs::canonicalize(&root)?)?.display().to_string();
    page.until("its target", |page| {
        Ok(Some(()).filter(|()| page.browser().url().is_ok_and(|url| url.contains(&format!("path={target}")))))
    })?;
    Ok(())
}
