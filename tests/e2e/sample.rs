//! The sample embedded in the page.

use crate::images;
use porthole_tests::{Result, http::request, page::Page, sample::REFERENCE, servers::Relay};

/// Once loaded, the page needs no server.
#[test]
fn the_sample_opens_offline() -> Result<()> {
    let relay = Relay::start(&[])?;
    let page = Page::open(relay.url())?;
    page.until("the workers are loaded", |page| page.loaded())?;
    drop(relay);
    page.browser().click("#sample")?;
    page.verified()?;
    images::sample().check("the sample", &page.rows()?);
    let (repository, _) = REFERENCE.split_once(':').ok_or("the reference has a tag")?;
    assert!(page.link()?.contains("sample"), "{} is in the link: {}", repository, page.link()?);
    Ok(())
}

/// Maximum compressed size in bytes of the program that draws the page. All other files are loaded when they are needed.
const APP_BYTES: usize = 300_000;

#[test]
fn the_first_program_of_the_page_stays_small() -> Result<()> {
    let relay = Relay::start(&[])?;
    let port = relay.host().rsplit(':').next().ok_or("expected a port")?.parse()?;
    let page = String::from_utf8(request(port, "GET", "/", &[], b"")?.body)?;
    let name = page.split('"').find(|word| word.ends_with(".wasm")).ok_or("expected a program in the page")?;
    let target = format!("/{}", name.trim_start_matches("./"));
    let app = request(port, "GET", &target, &[("accept-encoding", "br")], b"")?;
    assert_eq!((app.second(), app.header("content-encoding")), ("200", Some("br")), "{target}");
    assert!(app.body.len() <= APP_BYTES, "{target}: expected at most {APP_BYTES} bytes, got {}", app.body.len());
    Ok(())
}
