//! A client of Marionette, the protocol of Firefox for automation. Debian lacks geckodriver, which translates WebDriver to
//! Marionette.
//!
//! A message is its length in decimal, a colon, and JSON: `[0, id, command, parameters]` to Firefox, `[1, id, error, result]` from it.

use crate::{
    Result,
    program::{PATIENCE, Running, find, wait_for},
    servers::Scratch,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
};

/// A Firefox with a fresh profile.
pub(crate) struct Marionette {
    stream: Mutex<TcpStream>,
    firefox: Running,
    /// Removed once Firefox has ended.
    _profile: Scratch,
}

impl Marionette {
    /// Starts Firefox. Files are saved to `downloads` without a question.
    pub(crate) fn start(downloads: &Path) -> Result<Self> {
        let profile = Scratch::new("firefox")?;
        let preferences = [
            ("marionette.port", json!(0)),
            ("browser.download.folderList", json!(2)),
            ("browser.download.dir", json!(downloads)),
            ("browser.helperApps.neverAsk.saveToDisk", json!("application/octet-stream,application/x-tar")),
            // Turn off requests that Firefox sends by itself.
            ("network.captive-portal-service.enabled", json!(false)),
            ("network.connectivity-service.enabled", json!(false)),
            ("network.proxy.type", json!(0)),
        ];
        let lines = preferences.map(|(name, value)| format!("user_pref({}, {value});\n", json!(name)));
        fs::write(profile.path().join("user.js"), lines.concat())?;
        let mut command = Command::new(find("firefox-esr")?);
        command.args(["--marionette", "--headless", "--no-remote", "--profile"]).arg(profile.path());
        // Firefox reads settings in the home folder, and refuses one that belongs to another user.
        command.env("HOME", profile.path());
        let firefox = Running::start(&mut command)?;
        let port = wait_for("the port of Firefox", || {
            let port = fs::read_to_string(profile.path().join("MarionetteActivePort")).unwrap_or_default();
            Ok(port.trim().parse::<u16>().ok())
        })?;
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        // A script may take three minutes.
        stream.set_read_timeout(Some(2 * PATIENCE))?;
        let marionette = Self { stream: Mutex::new(stream), firefox, _profile: profile };
        let greeting = read(&mut marionette.stream.lock().unwrap_or_else(PoisonError::into_inner))?;
        if greeting["marionetteProtocol"] != json!(3) {
            return Err(format!("expected version 3 of Marionette, got {greeting}").into());
        }
        let timeouts = json!({ "script": 180_000, "pageLoad": 180_000 });
        marionette.command("WebDriver:NewSession", &json!({ "timeouts": timeouts }))?;
        Ok(marionette)
    }

    /// Process id of Firefox.
    pub(crate) fn process(&self) -> u32 {
        self.firefox.id()
    }

    /// Runs a command of WebDriver, given as its method and the path below the session.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut parameters = body.cloned().unwrap_or_else(|| json!({}));
        let command = match (method, path.split('/').skip(1).collect::<Vec<_>>().as_slice()) {
            ("POST", ["url"]) => "Navigate",
            ("GET", ["url"]) => "GetCurrentURL",
            ("POST", ["refresh"]) => "Refresh",
            ("POST", ["back"]) => "Back",
            ("POST", ["actions"]) => "PerformActions",
            ("POST", ["elements"]) => "FindElements",
            ("POST", ["execute", "sync"]) => "ExecuteScript",
            ("POST", ["execute", "async"]) => "ExecuteAsyncScript",
            ("POST", ["window", "rect"]) => "SetWindowRect",
            ("GET", ["screenshot"]) => "TakeScreenshot",
            ("POST", ["element", element, action]) => {
                parameters["id"] = json!(element);
                match *action {
                    "click" => "ElementClick",
                    "clear" => "ElementClear",
                    "value" => "ElementSendKeys",
                    other => return Err(format!("`{other}` of an element is not translated for Firefox").into()),
                }
            }
            _ => return Err(format!("`{method} {path}` is not translated for Firefox").into()),
        };
        let mut result = self.command(&format!("WebDriver:{command}"), &parameters)?;
        // Most results are in an object, lists are not.
        Ok(if result.get("value").is_some() { result["value"].take() } else { result })
    }

    fn command(&self, name: &str, parameters: &Value) -> Result<Value> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let message = json!([0, 1, name, parameters]).to_string();
        write!(stream, "{}:{message}", message.len())?;
        let mut answer = read(&mut stream)?;
        match answer[2]["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", answer[2]["message"].as_str().unwrap_or_default()).into()),
            None => Ok(answer[3].take()),
        }
    }
}

impl Drop for Marionette {
    fn drop(&mut self) {
        // Killing Firefox alone would leave its other processes running for a while.
        self.command("Marionette:Quit", &json!({ "flags": ["eForceQuit"] })).ok();
    }
}

/// Reads a message.
fn read(stream: &mut TcpStream) -> Result<Value> {
    let mut length = 0;
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        match byte[0] {
            b':' => break,
            digit @ b'0'..=b'9' => length = length * 10 + usize::from(digit - b'0'),
            other => return Err(format!("expected the length of a message of Marionette, got byte {other}").into()),
        }
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message)?;
    Ok(serde_json::from_slice(&message)?)
}
