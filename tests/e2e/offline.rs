//! The page on a static host over HTTPS starts without a network.

use crate::images;
use porthole_tests::{
    Result,
    page::Page,
    program::{free_port, workspace},
    servers::{Authority, Nginx, Scratch},
    webdriver::Browser,
};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// A host name that does not count as this machine.
const HOST: &str = "page.porthole.test";

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Makes another version of the page: its document differs, and the service worker has the new digest and another version.
fn renew(folder: &Path) -> Result<()> {
    let (index, worker) = (folder.join("index.html"), folder.join("offline.js"));
    let before = porthole_tests::program::run("sha256sum", [&index])?;
    fs::write(&index, fs::read_to_string(&index)?.replace("</html>", "<!-- newer --></html>"))?;
    let after = porthole_tests::program::run("sha256sum", [&index])?;
    let script = fs::read_to_string(&worker)?;
    let renewed = script.replace(&before[..64], &after[..64]).replace("const VERSION = \"", "const VERSION = \"newer-");
    assert_ne!(script, renewed);
    Ok(fs::write(&worker, renewed)?)
}

fn is_kept(page: &Page) -> Result<Option<()>> {
    is_true(page.browser().run_async(
        "return !!navigator.serviceWorker.controller
            && (await caches.keys()).length === 1 && !(await navigator.serviceWorker.getRegistration())?.installing",
        json!([]),
    ))
}

/// Whether a script returned `true`. An error counts as not yet, because a page that is being loaded runs no script.
fn is_true(said: Result<Value>) -> Result<Option<()>> {
    Ok(said.is_ok_and(|said| said == json!(true)).then_some(()))
}

#[test]
fn page_and_sample_work_without_a_network() -> Result<()> {
    let (folder, authority, port) = (Scratch::new("page")?, Authority::new()?, free_port()?);
    copy(&workspace().join("dist"), folder.path())?;
    let host = Nginx::secure_folder(port, folder.path(), HOST, &authority)?;
    let flags = [
        format!("--host-resolver-rules=MAP {HOST} 127.0.0.1"),
        format!("--ignore-certificate-errors-spki-list={}", authority.key_digest()?),
    ];
    let page = Page::in_browser(Browser::chromium(1280, 2400, &flags)?, &format!("https://{HOST}:{port}/"))?;
    page.until("the page is kept", is_kept)?;

    // A newer version is kept beside the current one, and takes over when the user agrees.
    renew(folder.path())?;
    page.browser().reload()?;
    page.started()?;
    page.until("the newer version is offered", |page| page.browser().attribute("#update", "id"))?;
    let marked = |page: &Page| {
        let marked = "return [...document.childNodes, ...document.documentElement.childNodes].some(node => node.data?.includes('newer'))";
        page.browser().run(marked, json!([]))
    };
    assert_eq!(marked(&page)?, json!(false), "all of the page is of one version");
    page.browser().click("#update")?;
    page.until("the newer version is shown", |page| is_true(marked(page)))?;
    page.started()?;
    page.until("the older version is gone", is_kept)?;

    drop(host);
    page.browser().reload()?;
    page.started()?;
    page.browser().click("#sample")?;
    page.verified()?;
    images::sample().check("the sample, offline", &page.rows()?);

    // A service worker of another version than the page is removed.
    let host = Nginx::secure_folder(port, folder.path(), HOST, &authority)?;
    let broken = "const cache = await caches.open((await caches.keys())[0]);
        const index = new URL('index.html', document.baseURI);
        const text = await (await cache.match(index)).text();
        await cache.put(index, new Response(text.replaceAll(/app-[0-9a-f]+/g, 'app-other'), { headers: { 'content-type': 'text/html' } }));";
    page.browser().run_async(broken, json!([]))?;
    page.browser().open(&format!("https://{HOST}:{port}/?"))?;
    page.until("it cannot start, and forgets what is kept", |page| {
        is_true(page.browser().run_async("return (await caches.keys()).length === 0", json!([])))
    })?;
    page.browser().open(&format!("https://{HOST}:{port}/"))?;
    page.started()?;
    page.until("the page is kept again", is_kept)?;
    drop(host);
    Ok(())
}

#[test]
fn nothing_is_kept_of_a_page_on_this_machine() -> Result<()> {
    let host = Nginx::page()?;
    let page = Page::open(&host.url())?;
    page.until("the workers are loaded", |page| page.loaded())?;
    let kept = "return (await navigator.serviceWorker.getRegistrations()).length + (await caches.keys()).length";
    assert_eq!(page.browser().run_async(kept, json!([]))?, json!(0));
    Ok(())
}
