//! A registry in token mode, with a token server behind the same host and port.

use crate::images::{self, FOR_EVERYONE, FOR_KEEPERS};
use porthole_tests::{
    Result,
    page::Page,
    program::{free_port, ours, run},
    servers::{Access, Nginx, Password, Registry, Relay, Tokens},
    truth::Row,
};

/// The registry, its token server and the proxy that joins them; the proxy's address is the registry's name.
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
