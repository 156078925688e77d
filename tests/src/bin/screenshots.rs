//! Takes the screenshots of the README as WebP, and saves them in the folder given as argument: every view on a wide screen, light
//! and dark, and some on a phone.

use porthole_tests::{
    Result,
    images::{DEBIAN, layout},
    page::Page,
    program::{fixtures, run},
    servers::{Access, Nginx, Registry, Scratch, Storage},
};
use std::path::PathBuf;

/// A view: its name, the rest of the URL of the image, and a selector of an element that exists once the view is drawn.
type View = (&'static str, &'static str, &'static str);

const VIEWS: &[View] = &[
    ("overview", "?view=merged", "#tree[data-complete=true]"),
    ("layer", "?view=only&layer=4", "#tree[data-complete=true]"),
    ("deleted", "?view=deleted", "#tree[data-complete=true]"),
    ("file", "?path=etc/profile", ".content[data-kind=text]"),
    ("reading", "?path=etc/profile&read=1", ".content[data-kind=text]"),
    ("hex", "?path=usr/bin/less", ".content[data-kind]"),
    ("map", "?map=/", "[data-tile]"),
    ("waste", "?tab=waste", ".document.waste"),
    ("manifest", "?tab=manifest", ".document"),
    ("config", "?tab=config", ".document"),
    ("tags", "?tab=tags", "table.names"),
    ("wire", "?tab=wire", "#wire-totals"),
];

/// Views that a click starts: the tab, the button, and a selector of an element that exists at the end.
const PROBES: &[View] = &[
    ("packages", "#start-probe", "[data-probe=done]"),
    ("secrets", "#start-probe", "[data-probe=done]"),
    ("search", "#find", "[data-probe=done]"),
];

/// Views for a phone.
const NARROW: &[&str] = &["overview", "layer", "file", "waste", "config"];

/// Waits until an element is visible.
fn drawn_at(page: &Page, name: &str, element: &str) -> Result<()> {
    page.until(name, |page| Ok(page.shown(element)?.then_some(())))
}

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: screenshots FOLDER")?);
    std::fs::create_dir_all(&folder)?;
    let scratch = Scratch::new("screenshots")?;
    let (storage, image) = (Storage::new()?, layout(&fixtures(), DEBIAN));
    let older = scratch.path().join("older");
    run("cp", ["-r".as_ref(), image.as_os_str(), older.as_os_str()])?;
    let changed = scratch.path().join("profile");
    std::fs::write(&changed, "# what every shell reads first\nexport HARBOUR=/opt/harbour\n")?;
    let target = format!("{}:latest", older.display());
    run(
        "umoci",
        ["insert".as_ref(), "--image".as_ref(), target.as_ref(), changed.as_os_str(), "/etc/profile".as_ref()],
    )?;
    storage.push(&[(&image, "latest", "library/debian:12"), (&older, "latest", "library/debian:11")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let reference = format!("{}/library/debian:12", registry.host());
    for dark in [false, true] {
        let page = Page::on_screen(&host.url(), 1480, 900, "")?;
        page.browser().prefer_dark(dark)?;
        let scheme = if dark { "-dark" } else { "" };
        let save = |page: &Page, name: &str| page.browser().picture(&folder.join(format!("{name}{scheme}.webp")));
        save(&page, "start")?;
        page.look(&reference)?;
        page.verified()?;
        let base = page.browser().url()?;
        for (name, address, drawn) in VIEWS {
            page.browser().open(&format!("{base}{address}"))?;
            drawn_at(&page, name, drawn)?;
            save(&page, name)?;
        }
        for (name, button, drawn) in PROBES {
            page.browser().click(&format!("#tab-{name}"))?;
            if *name == "search" {
                page.browser().write(button, "Free Software Foundation\u{e007}")?;
            } else {
                page.browser().click(button)?;
            }
            drawn_at(&page, name, drawn)?;
            save(&page, name)?;
        }
        page.browser().open(&format!("{base}?tab=compare&with={}/library/debian:11", registry.host()))?;
        drawn_at(&page, "compare", "[data-files=done]")?;
        save(&page, "compare")?;

        page.browser().screen(390, 844)?;
        for (name, address, drawn) in VIEWS.iter().filter(|(name, ..)| NARROW.contains(name)) {
            page.browser().open(&format!("{base}{address}"))?;
            drawn_at(&page, name, drawn)?;
            save(&page, &format!("phone-{name}"))?;
        }
    }
    Ok(())
}
