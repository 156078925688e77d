//! Drives the page as a user does: types, clicks and reads.

use crate::{Result, program::wait_for, truth::Row, webdriver::Browser};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whether exactly the rows of the current look are drawn. The page sets a performance mark when a look begins, and another when
/// its last rows are drawn; until then the tree of the previous look may be on the screen.
const COMPLETE: &str = r"
const last = name => performance.getEntriesByName(name).at(-1)?.startTime ?? 0;
return document.querySelector('#tree')?.dataset.complete === 'true' && last('porthole:all') > last('porthole:enter')";

/// Reads every row of the expanded tree by scrolling, one window at a time. While a directory is closed, the list is still the one
/// from before the expansion, so reading starts over.
const READ_ROWS: &str = r"
const tree = document.querySelector('#tree');
const frame = () => new Promise(requestAnimationFrame);
const rows = [];
const total = () => Number(tree.dataset.total);
const deadline = performance.now() + 150000;
const closed = () => tree.querySelector('[aria-expanded=false]');
while (closed() || rows.length < total()) {
    if (closed()) {
        if (performance.now() > deadline) throw `${closed().dataset.path} stays closed`;
        rows.length = tree.scrollTop = 0;
        await frame();
        continue;
    }
    tree.scrollTop = rows.length * 24;
    const seen = new Map();
    for (const row of tree.querySelectorAll('[role=treeitem]')) seen.set(Number(row.dataset.index), row);
    const before = rows.length;
    while (seen.has(rows.length)) {
        const row = seen.get(rows.length);
        const height = row.getBoundingClientRect().height;
        if (height !== 24) throw `row ${rows.length} is ${height} px high`;
        rows.push({ ...row.dataset });
    }
    if (rows.length === before) {
        if (performance.now() > deadline) throw `row ${before} of ${total()} is never drawn`;
        await frame();
    }
}
return rows;
";

/// Names and sizes of the files in the folders of the page's origin.
const KEPT_FILES: &str = r"
const files = {};
const root = await navigator.storage.getDirectory();
for await (const [, folder] of root.entries()) {
    if (folder.kind !== 'directory') continue;
    for await (const [name, file] of folder.entries()) {
        // The file may be moved between listing and opening.
        try { files[name] = (await file.getFile()).size } catch {}
    }
}
return files";

/// Names and sizes of the files in the root folder of the page's origin, which no later visit needs.
const OWN_FILES: &str = r"
const files = {};
for await (const [name, file] of (await navigator.storage.getDirectory()).entries())
    if (file.kind === 'file') files[name] = (await file.getFile()).size;
return files";

/// An alert shown by the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The class of the failure: `network`, `malformed` and so on.
    pub kind: String,
    /// `no-cors`, `dead-host`, `preflight` or empty.
    pub cause: String,
    /// The registry named in the alert.
    pub host: String,
    /// Text of the alert.
    pub text: String,
}

/// A browser in which the page is open.
pub struct Page {
    browser: Browser,
}

impl Page {
    /// Opens the page in a fresh profile.
    pub fn open(url: &str) -> Result<Self> {
        // A tall window, so that reading all rows takes few steps.
        Self::with_window(url, 1280, 2400)
    }

    /// Opens the page laid out for a screen of this size. `script` runs before the page's own.
    pub fn on_screen(url: &str, width: u32, height: u32, script: &str) -> Result<Self> {
        let browser = Browser::start(1280, 900)?;
        browser.screen(width, height)?;
        browser.before_pages(script)?;
        browser.open(url)?;
        let page = Self { browser };
        page.until("the page starts", |page| page.browser.attribute("body", "data-page"))?;
        Ok(page)
    }

    /// Opens the page in a fresh profile and a window of this size.
    pub fn with_window(url: &str, width: u32, height: u32) -> Result<Self> {
        Self::in_browser(Browser::start(width, height)?, url)
    }

    /// Opens the page in a browser.
    pub fn in_browser(browser: Browser, url: &str) -> Result<Self> {
        browser.open(url)?;
        let page = Self { browser };
        page.started()?;
        Ok(page)
    }

    /// Waits until the page has started.
    pub fn started(&self) -> Result<()> {
        self.until("the page starts", |page| page.browser.attribute("body", "data-page"))?;
        Ok(())
    }

    /// The browser that shows the page.
    pub fn browser(&self) -> &Browser {
        &self.browser
    }

    /// Types a reference and presses Enter, and waits until the page forgets what it looked at before.
    pub fn look(&self, reference: &str) -> Result<()> {
        let looks = || self.browser.run("return performance.getEntriesByName('porthole:enter').length", json!([]));
        let before = looks()?;
        self.browser.write("#reference", &format!("{reference}\u{e007}"))?;
        self.until("the look begins", |_| Ok((looks()? != before).then_some(())))
    }

    /// Waits until every layer is finished and every row is drawn.
    pub fn complete(&self) -> Result<()> {
        self.until("every layer is settled", |page| {
            Ok((page.browser.run(COMPLETE, json!([]))? == json!(true)).then_some(()))
        })
    }

    /// Waits until the whole chain is verified.
    pub fn verified(&self) -> Result<()> {
        self.complete()?;
        self.until("the chain is verified", |page| {
            Ok(page.browser.attribute("#chain", "data-state")?.filter(|state| state == "verified"))
        })?;
        Ok(())
    }

    /// Expands every directory and reads every row of the tree.
    pub fn rows(&self) -> Result<Vec<Row>> {
        self.browser.click("#expand-all")?;
        // Expanding queries the session worker; wait until the list stops growing.
        self.settled()?;
        let rows = self.browser.run_async(READ_ROWS, json!([]))?;
        rows.as_array().ok_or("the page returned no rows")?.iter().map(Row::read).collect()
    }

    /// The route in use: `direct` or `relay`.
    pub fn route(&self) -> Result<String> {
        self.until("a route is shown", |page| page.browser.attribute("#connection", "data-route"))
    }

    /// States of the chain's steps: tag, index, manifest, config, layers.
    pub fn steps(&self) -> Result<Value> {
        self.browser.run(
            "return Object.fromEntries([...document.querySelectorAll('[data-step]')].map(s => [s.dataset.step, s.dataset.state]))",
            json!([]),
        )
    }

    /// Waits for an alert and reads it.
    pub fn alert(&self) -> Result<Alert> {
        self.alert_where("an alert", |_| true)
    }

    /// Waits for an alert that satisfies `meant`.
    pub fn alert_where(&self, what: &str, meant: impl Fn(&Alert) -> bool) -> Result<Alert> {
        self.until(what, |page| Ok(page.alerts()?.into_iter().find(&meant)))
    }

    /// The alerts that are visible now.
    pub fn alerts(&self) -> Result<Vec<Alert>> {
        let alerts = self.browser.run(
            "return [...document.querySelectorAll('[role=alert][data-kind]')].map(a => ({ ...a.dataset, text: a.innerText }))",
            json!([]),
        )?;
        let text = |alert: &Value, name: &str| alert[name].as_str().unwrap_or_default().to_owned();
        let read = |alert| Alert {
            kind: text(alert, "kind"),
            cause: text(alert, "cause"),
            host: text(alert, "host"),
            text: text(alert, "text"),
        };
        Ok(alerts.as_array().into_iter().flatten().map(read).collect())
    }

    /// Selects a platform of the index by its label, and waits until its manifest is shown.
    pub fn choose_platform(&self, platform: &str, manifest: &str) -> Result<()> {
        self.until("the platform can be chosen", |page| {
            let chosen = page.browser.run(
                "const select = document.querySelector('#platform');
                 const option = [...select?.options ?? []].find(o => o.textContent.trim() === arguments[0]);
                 if (!option) return false;
                 if (select.value !== option.value) {
                     select.value = option.value;
                     select.dispatchEvent(new Event('change', { bubbles: true }));
                 }
                 return true",
                json!([platform]),
            )?;
            Ok((chosen == json!(true)).then_some(()))
        })?;
        self.until("the platform's manifest is shown", |page| {
            let shown = page.browser.attribute("[data-step=manifest]", "data-digest")?;
            Ok(shown.filter(|shown| shown == manifest).map(|_| ()))
        })
    }

    /// Sizes of the files that the page keeps for itself while it is open.
    pub fn own_files(&self) -> Result<Vec<u64>> {
        let files = self.browser.run_async(OWN_FILES, json!([]))?;
        Ok(files.as_object().ok_or("the page lists its files")?.values().filter_map(Value::as_u64).collect())
    }

    /// Names and sizes of the files that the page keeps for the next visit.
    pub fn kept(&self) -> Result<BTreeMap<String, u64>> {
        let files = self.browser.run_async(KEPT_FILES, json!([]))?;
        let files = files.as_object().ok_or("the page lists its files")?;
        Ok(files.iter().map(|(name, size)| (name.clone(), size.as_u64().unwrap_or_default())).collect())
    }

    /// Waits until the indexes of this many layers are kept, and none is being written.
    pub fn keeps(&self, layers: usize) -> Result<()> {
        self.until("the indexes are kept", |page| {
            let files = page.kept()?;
            let indexes = files.keys().filter(|name| name.starts_with("sha256-")).count();
            let still = files.contains_key("used") && !files.keys().any(|name| name.starts_with("new-"));
            Ok((indexes == layers && still).then_some(()))
        })
    }

    /// `Some` if the button of a view is pressed.
    pub fn pressed(&self, view: &str) -> Result<Option<()>> {
        let pressed = self.browser.attribute(&format!("[data-view={view}]"), "aria-pressed")?;
        Ok(pressed.filter(|pressed| pressed == "true").map(|_| ()))
    }

    /// `Some` if the page says that the password was refused.
    pub fn refused_password(&self) -> Result<Option<()>> {
        let text =
            self.browser.text("#signin")? + &self.alerts()?.iter().map(|alert| alert.text.as_str()).collect::<String>();
        let text = text.to_lowercase();
        Ok(["wrong", "refused", "rejected", "not accepted", "did not accept"]
            .iter()
            .any(|word| text.contains(word))
            .then_some(()))
    }

    /// `Some` once the page has fetched all of its own files: the file of its session was fetched, and no further request followed for
    /// a while. Requests of workers are not counted.
    pub fn loaded(&self) -> Result<Option<()>> {
        let quiet = self.browser.run(
            "const files = performance.getEntriesByType('resource');
             const last = Math.max(...files.map(file => file.responseEnd));
             return files.some(file => file.name.includes('session')) && performance.now() - last > 5000",
            json!([]),
        )?;
        Ok((quiet == json!(true)).then_some(()))
    }

    /// Clicks the button of a remedy.
    pub fn remedy(&self, action: &str) -> Result<()> {
        self.browser.click(&format!("[data-action={action}]"))
    }

    /// Whether the page offers a remedy.
    pub fn offers(&self, action: &str) -> Result<bool> {
        Ok(self.browser.attribute(&format!("[data-action={action}]"), "data-action")?.is_some())
    }

    /// Fills in and submits the sign-in dialog. Opens it first if it is closed.
    pub fn sign_in(&self, user: &str, password: &str) -> Result<()> {
        let dialog = self.until("a way to sign in", |page| {
            let dialog = page.shown("#signin-user")?;
            Ok((dialog || page.shown("[data-action=sign-in]")?).then_some(dialog))
        })?;
        if !dialog {
            // Click only once: an open dialog would cover the button.
            self.remedy("sign-in")?;
        }
        self.until("the dialog to sign in", |page| Ok(page.shown("#signin-user")?.then_some(())))?;
        self.browser.write("#signin-user", user)?;
        self.browser.write("#signin-password", password)?;
        self.browser.click("#signin-submit")
    }

    /// Whether an element exists and is visible.
    pub fn shown(&self, selector: &str) -> Result<bool> {
        let script = "return !!document.querySelector(arguments[0])?.getClientRects().length";
        Ok(self.browser.run(script, json!([selector]))? == json!(true))
    }

    /// The link that "Copy link" copies.
    pub fn link(&self) -> Result<String> {
        self.until("a link to copy", |page| page.browser.attribute("#copy-link", "data-link"))
    }

    /// Repeats a question until it has an answer. The error shows the text of the page.
    pub fn until<T>(&self, what: &str, question: impl Fn(&Self) -> Result<Option<T>>) -> Result<T> {
        wait_for(what, || question(self)).map_err(|error| {
            let shown = self.browser.run("return document.body.innerText", json!([])).unwrap_or_default();
            let shown: String = shown.as_str().unwrap_or_default().chars().take(1500).collect();
            let console = self.browser.console().unwrap_or_default();
            format!("{error}\nthe page shows:\n{shown}\nits console:\n{console}").into()
        })
    }

    /// Waits until the number of rows is stable over several frames.
    fn settled(&self) -> Result<()> {
        self.browser.run_async(
            "const frame = () => new Promise(requestAnimationFrame);
             const tree = document.querySelector('#tree');
             let total = -1, calm = 0;
             while (calm < 20) { await frame(); if (tree.dataset.total === total) calm += 1; else { calm = 0; total = tree.dataset.total; } }",
            json!([]),
        )?;
        Ok(())
    }
}
