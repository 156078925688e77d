//! A registry with htpasswd: wrong and right passwords, with and without the relay.

use crate::images::{self, SEVEN_LAYERS};
use porthole_tests::{
    Result,
    page::Page,
    servers::{Access, Nginx, Password, Registry, Relay},
};

const WRONG: &str = "open barley";

/// Signs in with a wrong password, then with the right one, and reads the whole image.
fn wrong_then_right(page: &Page) -> Result<()> {
    page.alert_where("a request to sign in", |alert| alert.kind == "authentication").or_else(|error| {
        // The dialog may open without an alert.
        if page.shown("#signin-user")? { page.alert() } else { Err(error) }
    })?;
    page.sign_in(Password::USER, WRONG)?;
    page.until("the wrong password is refused", |page| page.refused_password())?;
    page.sign_in(Password::USER, Password::PASSWORD)?;
    page.verified()?;
    images::debian().check("the page", &page.rows()?);
    let shown =
        page.browser().run("return document.documentElement.outerHTML + location.href", serde_json::json!([]))?;
    assert!(!shown.to_string().contains("sesame"), "the password stays out of the page and its address");
    Ok(())
}

#[test]
fn through_the_relay() -> Result<()> {
    let password = Password::new()?;
    let registry = Registry::start(images::storage(), &Access::Basic(&password))?;
    let relay = Relay::start(&[&registry.host()])?;
    let page = Page::open(relay.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    wrong_then_right(&page)?;
    assert_eq!(page.route()?, "relay");
    assert!(!relay.said().contains("sesame"), "the relay logs no password");
    Ok(())
}

#[test]
fn directly_behind_a_proxy_that_answers_preflights() -> Result<()> {
    let password = Password::new()?;
    let registry = Registry::start(images::storage(), &Access::Basic(&password))?;
    let (host, proxy) = (Nginx::page()?, Nginx::answers_preflights(registry.port())?);
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", proxy.host()))?;
    wrong_then_right(&page)?;
    assert_eq!(page.route()?, "direct");
    Ok(())
}

/// The page can read the registry's 401, but every authorised request fails in the preflight. That must not be reported as a wrong
/// password.
#[test]
fn a_registry_that_refuses_preflights_is_named_as_such() -> Result<()> {
    let password = Password::new()?;
    let registry = Registry::start(images::storage(), &Access::BasicToPages(&password))?;
    let host = Nginx::page()?;
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.sign_in(Password::USER, Password::PASSWORD)?;
    let alert = page.alert_where("an alert about preflights", |alert| alert.cause == "preflight")?;
    assert_eq!(alert.host, registry.host());
    assert!(page.offers("use-relay")?, "the remedy is the relay: {alert:?}");
    Ok(())
}
