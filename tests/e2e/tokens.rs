//! A registry with tokens, and its token server on the same host and port.

use crate::images::{self, FOR_EVERYONE, FOR_KEEPERS};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_tests::{
    Result,
    page::Page,
    program::{free_port, ours, run},
    servers::{Access, Nginx, Password, Registry, Relay, Scratch, Tokens},
    truth::Row,
};
use serde_json::{Value, json};
use std::{fs, process::Command};

/// The registry, its token server and the proxy that joins them. The proxy's address is the registry's name.
struct Joined {
    tokens: Tokens,
    proxy: Nginx,
    _registry: Registry,
}

impl Joined {
    fn start() -> Result<Self> {
        let port = free_port()?;
        let tokens = Tokens::start(format!("http://127.0.0.1:{port}/token"))?;
        let registry = Registry::start(images::storage(), &Access::Token(&tokens))?;
        let proxy = Nginx::joins(port, registry.port(), tokens.port())?;
        Ok(Self { tokens, proxy, _registry: registry })
    }
}

#[test]
fn a_token_for_everyone_is_fetched_without_asking() -> Result<()> {
    let joined = Joined::start()?;
    let relay = Relay::start(&[&joined.proxy.host()])?;
    let page = Page::open(relay.url())?;
    page.look(&format!("{}/{FOR_EVERYONE}", joined.proxy.host()))?;
    page.verified()?;
    images::debian().check("the page", &page.rows()?);
    assert_eq!(joined.tokens.issued(), 1, "one token serves manifest, config and all layers");
    Ok(())
}

#[test]
fn a_token_for_keepers_takes_their_password() -> Result<()> {
    let joined = Joined::start()?;
    let relay = Relay::start(&[&joined.proxy.host()])?;
    let page = Page::open(relay.url())?;
    page.look(&format!("{}/{FOR_KEEPERS}", joined.proxy.host()))?;
    page.sign_in(Password::USER, Password::PASSWORD)?;
    page.verified()?;
    images::sample().check("the page", &page.rows()?);
    Ok(())
}

#[test]
fn the_command_line_fetches_one_too() -> Result<()> {
    let joined = Joined::start()?;
    let porthole = ours("porthole")?.display().to_string();
    let rows = run(&porthole, ["ls", "--json", &format!("{}/{FOR_EVERYONE}", joined.proxy.host())])?;
    let rows: Vec<Row> = rows.lines().map(|line| Row::read(&serde_json::from_str(line)?)).collect::<Result<_>>()?;
    images::debian().check("porthole ls", &rows);
    Ok(())
}

/// Whether a HAR entry has all fields that a browser's network panel requires.
fn is_whole(entry: &Value) -> bool {
    let (request, response) = (&entry["request"], &entry["response"]);
    entry["startedDateTime"].is_string()
        && entry["time"].is_f64()
        && ["method", "url", "httpVersion"].iter().all(|name| request[name].is_string())
        && ["headers", "cookies", "queryString"].iter().all(|name| request[name].is_array())
        && ["headers", "cookies"].iter().all(|name| response[name].is_array())
        && response["status"].is_u64()
        && response["content"]["size"].is_u64()
        && response["content"]["mimeType"].is_string()
        && response["redirectURL"].is_string()
        && entry["cache"].is_object()
        && ["send", "wait", "receive"].iter().all(|name| entry["timings"][name].is_f64())
}

#[test]
fn a_trace_shows_every_exchange_and_no_secret() -> Result<()> {
    let joined = Joined::start()?;
    let folder = Scratch::new("trace")?;
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (trace, store, credentials) = (file("trace.har"), file("store"), file("auth.json"));
    let password = STANDARD.encode(format!("{}:{}", Password::USER, Password::PASSWORD));
    fs::write(&credentials, json!({ "auths": { joined.proxy.host(): { "auth": password } } }).to_string())?;
    let reference = format!("{}/{FOR_KEEPERS}", joined.proxy.host());
    let output = Command::new(ours("porthole")?)
        .args(["pull", "--debug", "--trace", &trace, "--store", &store, "--authfile", &credentials, &reference])
        .output()?;
    let said = String::from_utf8(output.stderr)?;
    assert!(output.status.success(), "{said}");
    let written = fs::read_to_string(&trace)?;
    for secret in [Password::PASSWORD, &password, "eyJ", "Bearer ", "Basic "] {
        assert!(!written.contains(secret) && !said.contains(secret), "{secret} in:\n{said}\n{written}");
    }
    let trace: Value = serde_json::from_str(&written)?;
    assert_eq!(trace["log"]["version"], "1.2");
    let entries = trace["log"]["entries"].as_array().ok_or("a trace has entries")?;
    assert!(entries.iter().all(is_whole), "{written}");
    let steps = |step: &str| {
        entries.iter().filter(|entry| entry["comment"].as_str().is_some_and(|it| it.starts_with(step))).count()
    };
    assert_eq!((steps("manifest"), steps("token")), (2, 1), "one challenge, one token: {written}");
    assert!(steps("blob") >= 2, "{written}");
    let sent = said.lines().filter(|line| line.contains(" > GET ")).count();
    assert_eq!(entries.len(), sent, "{said}");
    Ok(())
}
