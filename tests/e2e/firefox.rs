//! The main flow in Debian's Firefox: opens the sample and an image of a registry, reads a file, and saves the image without a
//! dialog.

use crate::{
    images::{self, SEVEN_LAYERS},
    saved_image::{downloaded, saved_by_the_command_line},
};
use porthole_tests::{
    Result,
    page::Page,
    servers::{Access, Nginx, Registry, Scratch},
    webdriver::Browser,
};

#[test]
fn the_main_flow_works_in_firefox() -> Result<()> {
    let host = Nginx::page()?;
    let registry = Registry::start(images::storage(), &Access::OpenToPages)?;
    let (scratch, downloads) = (Scratch::new("firefox")?, Scratch::new("downloads")?);
    let page = Page::in_browser(Browser::firefox(1280, 2000, downloads.path())?, &host.url())?;
    page.browser().click("#sample")?;
    page.verified()?;
    images::sample().check("the sample in Firefox", &page.rows()?);

    let reference = format!("{}/{SEVEN_LAYERS}", registry.host());
    page.look(&reference)?;
    page.verified()?;
    images::debian().check("an image of a registry in Firefox", &page.rows()?);
    page.browser().click("[role=treeitem][data-path='etc/debian_version']")?;
    page.until("the file is read", |page| page.browser().attribute(".content[data-kind=text]", "data-kind"))?;
    page.keeps(7)?;

    page.browser().press("\u{e00c}")?;
    page.browser().click(".overview [data-save=docker-archive]")?;
    page.until("the image is saved", |page| page.browser().attribute("[data-saved=yes]", "data-saved"))?;
    let expected = saved_by_the_command_line(&reference, &scratch)?;
    assert!(downloaded(downloads.path())? == expected, "the bytes are those of the command line");
    page.until("the page keeps no archive", |page| Ok(page.own_files()?.is_empty().then_some(())))
}
