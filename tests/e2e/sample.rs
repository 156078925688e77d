//! The sample embedded in the page.

use crate::images;
use porthole_tests::{Result, page::Page, sample::REFERENCE, servers::Relay};

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
