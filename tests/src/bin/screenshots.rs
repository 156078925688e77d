//! Takes the screenshots for the README, into the folder given as argument.

use porthole_tests::{
    Result,
    images::{DEBIAN, layout},
    page::Page,
    program::fixtures,
    servers::{Access, Nginx, Registry, Storage},
};
use std::path::PathBuf;

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: screenshots FOLDER")?);
    std::fs::create_dir_all(&folder)?;
    let storage = Storage::new()?;
    storage.push(&[(&layout(&fixtures(), DEBIAN), "latest", "library/debian:12")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let page = Page::with_window(&host.url(), 1440, 900)?;
    page.browser().screenshot(&folder.join("start.png"))?;
    page.look(&format!("{}/library/debian:12", registry.host()))?;
    page.verified()?;
    page.browser().click("[role=treeitem][data-path='opt']")?;
    page.browser().screenshot(&folder.join("inspect.png"))
}
