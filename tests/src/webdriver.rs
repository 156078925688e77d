//! A client of the W3C WebDriver protocol for Chromium and Firefox.

use crate::{
    Result,
    http::request,
    marionette::Marionette,
    program::{PATIENCE, Running, find, wait_for},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

/// Key of an element reference in WebDriver.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The Enter key, which submits a form.
const ENTER: &str = "\u{e007}";

/// A browser with a fresh profile, closed on drop.
pub struct Browser(Remote);

/// How commands reach a browser.
enum Remote {
    Chromium(Driver),
    Firefox(Marionette),
}

/// A driver with a session of Chromium.
struct Driver {
    port: u16,
    session: String,
    process: Running,
}

/// Starts chromedriver. Returns its port.
fn listening() -> Result<(Running, u16)> {
    let process = Running::start(Command::new(find("chromedriver")?).arg("--port=0"))?;
    let port = process.line(|line| {
        let (_, rest) = line.split_once("started successfully on port ")?;
        rest.trim_end_matches('.').parse().ok()
    })?;
    Ok((process, port))
}

impl Browser {
    /// Starts a driver and Chromium with a window of the given size.
    pub fn start(width: u32, height: u32) -> Result<Self> {
        Self::chromium(width, height, &[])
    }

    /// As [`start`](Self::start), with further flags of Chromium.
    pub fn chromium(width: u32, height: u32, flags: &[String]) -> Result<Self> {
        Self::session(width, height, flags, None)
    }

    /// Starts a session that records the console of the page or, with `tracing`, a trace.
    fn session(width: u32, height: u32, flags: &[String], tracing: Option<Value>) -> Result<Self> {
        // It takes a port that is free for IPv6, and gives up if another program has that one for IPv4.
        let (process, port) = listening().or_else(|_| listening()).or_else(|_| listening())?;
        let mut driver = Driver { port, session: String::new(), process };
        let mut arguments = vec![
            "--headless=new".to_owned(),
            // Chromium's sandbox does not run as root. The pages here are our own.
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--no-first-run".to_owned(),
            "--no-proxy-server".to_owned(),
            format!("--window-size={width},{height}"),
        ];
        arguments.extend_from_slice(flags);
        let mut options = json!({ "binary": find("chromium")?, "args": arguments });
        let log = if tracing.is_some() { "performance" } else { "browser" };
        if let Some(tracing) = tracing {
            options["perfLoggingPrefs"] = tracing;
        }
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { log: "ALL" },
            "timeouts": { "script": 180_000, "pageLoad": 180_000 },
        } } });
        let session = driver.send("POST", "/session", Some(&capabilities))?;
        driver.session = session["sessionId"].as_str().ok_or("chromedriver opened no session")?.to_owned();
        Ok(Self(Remote::Chromium(driver)))
    }

    /// As [`start`](Self::start), but records the tasks of the browser's threads.
    pub fn traced(width: u32, height: u32) -> Result<Self> {
        let tracing = json!({
            "enableNetwork": false,
            "enablePage": false,
            "traceCategories": "blink.user_timing,disabled-by-default-devtools.timeline",
        });
        Self::session(width, height, &[], Some(tracing))
    }

    /// Starts Firefox with a window of the given size. Files are saved to `downloads` without a question.
    pub fn firefox(width: u32, height: u32, downloads: &Path) -> Result<Self> {
        let browser = Self(Remote::Firefox(Marionette::start(downloads)?));
        browser.call("POST", "/window/rect", Some(&json!({ "width": width, "height": height })))?;
        Ok(browser)
    }

    /// Saves downloads to this folder (Chromium).
    pub fn download_to(&self, folder: &Path) -> Result<()> {
        let path = folder.display().to_string();
        self.developer("Browser.setDownloadBehavior", &json!({ "behavior": "allow", "downloadPath": path }))?;
        Ok(())
    }

    /// Loads the page again.
    pub fn reload(&self) -> Result<()> {
        self.call("POST", "/refresh", Some(&json!({})))?;
        Ok(())
    }

    /// Drops local files or folders on the middle of the page, as a user does (Chromium).
    pub fn drop_paths(&self, paths: &[&Path]) -> Result<()> {
        let files: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        for kind in ["dragEnter", "dragOver", "drop"] {
            let data = json!({ "items": [], "files": files, "dragOperationsMask": 1 });
            self.developer("Input.dispatchDragEvent", &json!({ "type": kind, "x": 300, "y": 300, "data": data }))?;
        }
        Ok(())
    }

    /// Loads a URL and waits for the load event.
    pub fn open(&self, url: &str) -> Result<()> {
        self.call("POST", "/url", Some(&json!({ "url": url })))?;
        Ok(())
    }

    /// The current URL.
    pub fn url(&self) -> Result<String> {
        Ok(self.call("GET", "/url", None)?.as_str().unwrap_or_default().to_owned())
    }

    /// Runs a function body in the page. Arguments are `arguments[0]` and so on.
    pub fn run(&self, script: &str, arguments: Value) -> Result<Value> {
        self.call("POST", "/execute/sync", Some(&json!({ "script": script, "args": arguments })))
    }

    /// Runs an async function body in the page and waits for its result.
    pub fn run_async(&self, script: &str, arguments: Value) -> Result<Value> {
        let script = format!(
            "const given = [...arguments]; const done = given.pop();\
             (async (...args) => {{ {script} }})(...given).then(value => done({{ value }}), error => done({{ error: String(error) }}));"
        );
        let answer = self.call("POST", "/execute/async", Some(&json!({ "script": script, "args": arguments })))?;
        match answer["error"].as_str() {
            Some(error) => Err(format!("in the page: {error}").into()),
            None => Ok(answer["value"].clone()),
        }
    }

    /// Waits until an element is visible, and clicks it like a user.
    pub fn click(&self, selector: &str) -> Result<()> {
        wait_for(&format!("clicking {selector}"), || {
            let Some(element) = self.find(selector)? else { return Ok(None) };
            Ok(self.call("POST", &format!("/element/{element}/click"), Some(&json!({}))).ok())
        })?;
        Ok(())
    }

    /// Replaces the text of a field by typing. `\u{e007}` at the end is Enter. If the page draws the field again during typing and
    /// so resets its text, types once more.
    pub fn write(&self, selector: &str, text: &str) -> Result<()> {
        let typed = text.trim_end_matches(ENTER);
        let words = |text: &str| text.split_whitespace().collect::<String>();
        wait_for(&format!("writing into {selector}"), || {
            let Some(element) = self.find(selector)? else { return Ok(None) };
            let send =
                |text: &str| self.call("POST", &format!("/element/{element}/value"), Some(&json!({ "text": text })));
            let cleared = self.call("POST", &format!("/element/{element}/clear"), Some(&json!({})));
            if cleared.and_then(|_| send(typed)).is_err() {
                return Ok(None);
            }
            let held = self.run("return document.querySelector(arguments[0])?.value", json!([selector]))?;
            if held.as_str().map(words) != Some(words(typed)) {
                return Ok(None);
            }
            Ok(if typed == text { Some(()) } else { send(ENTER).ok().map(|_| ()) })
        })
    }

    /// Chooses a file in an input for files, which may be hidden.
    pub fn choose(&self, selector: &str, file: &Path) -> Result<()> {
        let element = self.find(selector)?.ok_or("no such input")?;
        self.call("POST", &format!("/element/{element}/value"), Some(&json!({ "text": file.display().to_string() })))?;
        Ok(())
    }

    /// An attribute of the first matching element, if both exist.
    pub fn attribute(&self, selector: &str, name: &str) -> Result<Option<String>> {
        let value = self.run(
            "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) ?? null",
            json!([selector, name]),
        )?;
        Ok(value.as_str().map(str::to_owned))
    }

    /// Text of the first matching element. Empty if there is none.
    pub fn text(&self, selector: &str) -> Result<String> {
        let value = self.run("return document.querySelector(arguments[0])?.textContent ?? ''", json!([selector]))?;
        Ok(value.as_str().unwrap_or_default().to_owned())
    }

    /// Console output since the last call (Chromium).
    pub fn console(&self) -> Result<String> {
        let entries = self.call("POST", "/se/log", Some(&json!({ "type": "browser" })))?;
        let lines = entries.as_array().into_iter().flatten().filter_map(|entry| entry["message"].as_str());
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    /// The durations of each task of the page's own thread since one of its marks, in milliseconds of wall time and of CPU time. The
    /// browser must be [`traced`](Self::traced).
    pub fn tasks_since(&self, mark: &str) -> Result<Vec<(f64, f64)>> {
        let entries = self.call("POST", "/se/log", Some(&json!({ "type": "performance" })))?;
        let message = |entry: &Value| serde_json::from_str::<Value>(entry["message"].as_str()?).ok();
        let events: Vec<Value> = entries
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(message)
            .map(|mut message| message["message"]["params"].take())
            .collect();
        let start = events.iter().rfind(|event| event["name"] == mark).ok_or("the trace lacks the mark")?;
        let milliseconds = |event: &Value, key: &str| event[key].as_f64().unwrap_or_default() / 1000.0;
        let own = |event: &&Value| {
            event["name"] == "RunTask"
                && ["pid", "tid"].iter().all(|key| event[*key] == start[*key])
                && milliseconds(event, "ts") + milliseconds(event, "dur") >= milliseconds(start, "ts")
        };
        Ok(events.iter().filter(own).map(|task| (milliseconds(task, "dur"), milliseconds(task, "tdur"))).collect())
    }

    /// Saves a screenshot of the window as PNG.
    pub fn screenshot(&self, file: &Path) -> Result<()> {
        let png = self.call("GET", "/screenshot", None)?;
        std::fs::write(file, STANDARD.decode(png.as_str().ok_or("chromedriver sent no picture")?)?)?;
        Ok(())
    }

    /// Presses a key at the element with the focus: a character, or a key of WebDriver such as `\u{e00c}` (Escape).
    pub fn press(&self, key: &str) -> Result<()> {
        let keys = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": keys }] });
        self.call("POST", "/actions", Some(&actions))?;
        Ok(())
    }

    /// Goes back in the history.
    pub fn back(&self) -> Result<()> {
        self.call("POST", "/back", Some(&json!({})))?;
        Ok(())
    }

    /// The tab in use.
    pub fn tab(&self) -> Result<String> {
        Ok(self.call("GET", "/window", None)?.as_str().ok_or("a tab has a name")?.to_owned())
    }

    /// Opens a URL in another tab of the same profile, and returns that tab. The tab in use stays the same. Each tab is in a window
    /// of its own, because a hidden tab draws no frames.
    pub fn open_tab(&self, url: &str) -> Result<String> {
        let (before, opened) = (self.tab()?, self.call("POST", "/window/new", Some(&json!({ "type": "window" })))?);
        let opened = opened["handle"].as_str().ok_or("a tab has a name")?.to_owned();
        self.switch_to(&opened)?;
        self.open(url)?;
        self.switch_to(&before)?;
        Ok(opened)
    }

    /// Uses another tab from now on.
    pub fn switch_to(&self, tab: &str) -> Result<()> {
        self.call("POST", "/window", Some(&json!({ "handle": tab })))?;
        Ok(())
    }

    /// Closes the tab in use.
    pub fn close_tab(&self) -> Result<()> {
        self.call("DELETE", "/window", None)?;
        Ok(())
    }

    /// Lays the page out for a screen of this size, which may be smaller than any window.
    pub fn screen(&self, width: u32, height: u32) -> Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.developer("Emulation.setDeviceMetricsOverride", &size)?;
        Ok(())
    }

    /// Asks pages for dark colours, or for light ones (Chromium).
    pub fn prefer_dark(&self, dark: bool) -> Result<()> {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.developer("Emulation.setEmulatedMedia", &json!({ "features": features }))?;
        Ok(())
    }

    /// Saves a screenshot of the window as WebP, which is a quarter of the size of PNG (Chromium).
    pub fn picture(&self, file: &Path) -> Result<()> {
        let answer = self.developer("Page.captureScreenshot", &json!({ "format": "webp", "quality": 80 }))?;
        let picture = answer["data"].as_str().ok_or("the browser sent no picture")?;
        std::fs::write(file, STANDARD.decode(picture)?)?;
        Ok(())
    }

    /// Runs a script in every page that is opened from now on, before its own scripts.
    pub fn before_pages(&self, script: &str) -> Result<()> {
        self.developer("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": script }))?;
        Ok(())
    }

    /// Makes the browser report that the device has no network, or has one again. Pages and workers see this in `navigator.onLine`.
    /// It does not block requests of workers, so a test also needs a host that does not answer.
    pub fn without_network(&self, without: bool) -> Result<()> {
        let conditions = json!({ "offline": without, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.developer("Network.enable", &json!({}))?;
        self.developer("Network.emulateNetworkConditions", &conditions)?;
        Ok(())
    }

    /// A command of the Chrome DevTools Protocol.
    fn developer(&self, command: &str, parameters: &Value) -> Result<Value> {
        self.call("POST", "/goog/cdp/execute", Some(&json!({ "cmd": command, "params": parameters })))
    }

    /// Process id of Firefox, or of the driver whose child is Chromium.
    pub fn process(&self) -> u32 {
        match &self.0 {
            Remote::Chromium(driver) => driver.process.id(),
            Remote::Firefox(firefox) => firefox.process(),
        }
    }

    fn find(&self, selector: &str) -> Result<Option<String>> {
        let found = self.call("POST", "/elements", Some(&json!({ "using": "css selector", "value": selector })))?;
        Ok(found[0][ELEMENT].as_str().map(str::to_owned))
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        match &self.0 {
            Remote::Chromium(driver) => driver.call(method, path, body),
            Remote::Firefox(firefox) => firefox.call(method, path, body),
        }
    }
}

impl Driver {
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        self.send(method, &format!("/session/{}{path}", self.session), body)
    }

    fn send(&self, method: &str, target: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let answer = request(self.port, method, target, &[("content-type", "application/json")], &body)?;
        let mut value: Value = serde_json::from_slice(&answer.body)?;
        match value["value"]["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", value["value"]["message"].as_str().unwrap_or_default()).into()),
            None => Ok(value["value"].take()),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // Killing the driver would leave its browser running.
            self.call("DELETE", "", None).ok();
        }
    }
}

const _: () = assert!(PATIENCE.as_secs() >= 30, "a browser takes its time on a busy machine");
