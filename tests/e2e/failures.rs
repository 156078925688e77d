//! Unreachable hosts: each cause has its own message, because the remedies differ.

use crate::images::{self, SEVEN_LAYERS, SEVEN_LAYERS_ZSTD};
use porthole_tests::{
    Result,
    page::Page,
    program::free_port,
    servers::{Access, Nginx, Registry, Relay},
};

#[test]
fn a_dead_host_and_a_host_that_refuses_pages_get_different_words() -> Result<()> {
    let host = Nginx::page()?;
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let dead = format!("127.0.0.1:{}", free_port()?);

    let page = Page::open(&host.url())?;
    page.look(&format!("{dead}/{SEVEN_LAYERS}"))?;
    let unreachable = page.alert()?;
    assert_eq!((unreachable.cause.as_str(), unreachable.host.as_str()), ("dead-host", dead.as_str()));

    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    let refused = page.alert()?;
    assert_eq!((refused.cause.as_str(), refused.host), ("no-cors", registry.host()));
    assert!(page.offers("use-relay")?, "the remedy is the relay: {}", refused.text);

    assert_eq!((unreachable.kind.as_str(), refused.kind.as_str()), ("network", "network"));

    let without = |text: &str, host: &str| text.replace(host, "");
    assert_ne!(without(&unreachable.text, &dead), without(&refused.text, &registry.host()));
    Ok(())
}

#[test]
fn a_missing_image_is_reported_as_missing() -> Result<()> {
    let (host, registry) = (Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?);
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/porthole/nothing:here", registry.host()))?;
    let alert = page.alert()?;
    assert_eq!((alert.kind.as_str(), alert.host), ("not-found", registry.host()));
    Ok(())
}

#[test]
fn an_invalid_reference_is_rejected_without_a_request() -> Result<()> {
    let host = Nginx::page()?;
    let page = Page::open(&host.url())?;
    page.look("No/Such Reference!")?;
    assert_eq!(page.alert()?.kind, "input");
    Ok(())
}

#[test]
fn a_relay_that_has_ended_is_blamed_and_not_the_registry() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let relay = Relay::start(&[&registry.host()])?;
    let page = Page::open(relay.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    drop(relay);
    page.look(&format!("{}/{SEVEN_LAYERS_ZSTD}", registry.host()))?;
    let alert = page.alert()?;
    assert_eq!((alert.kind.as_str(), alert.cause.as_str()), ("network", "dead-relay"), "{}", alert.text);
    assert!(
        alert.text.contains("The relay does not answer") && !alert.text.contains("Nothing answers"),
        "{}",
        alert.text
    );
    Ok(())
}

/// The host has a name that never resolves (RFC 6761), so its requests fail even if the browser assumes that there is a network.
#[test]
fn a_device_without_network_is_blamed_for_what_is_not_on_it() -> Result<()> {
    let (host, registry) = (Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?);
    let (far, near) = ("registry.invalid/a/b:1", format!("{}/{SEVEN_LAYERS}", registry.host()));
    let page = Page::open(&host.url())?;
    let caused = |cause: &str| page.alert_where(cause, |alert| alert.cause == cause);
    page.look(far)?;
    caused("dead-host")?;
    page.browser().without_network(true)?;
    page.remedy("retry")?;
    let alert = caused("offline")?;
    assert!(alert.text.contains("no network") && page.offers("retry")?, "{}", alert.text);
    // A registry on this machine can still be read.
    page.look(&near)?;
    page.verified()?;
    page.look(far)?;
    caused("offline")?;
    page.browser().without_network(false)?;
    page.remedy("retry")?;
    caused("dead-host")?;
    Ok(())
}
