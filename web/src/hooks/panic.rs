//! After a panic, the page shows a message and a button to reload it.

use std::panic;
use wasm_bindgen::{JsCast as _, closure::Closure};
use web_sys::{Document, HtmlElement};

/// Shows a message when this thread panics.
pub fn show_panics() {
    panic::set_hook(Box::new(|info| {
        let text = format!("internal error (a bug in porthole): {info}");
        web_sys::console::error_1(&text.as_str().into());
        let document = web_sys::window().and_then(|window| window.document());
        if let Some(document) = document.filter(|document| document.get_element_by_id(ID).is_none()) {
            let _ = show(&document, &text);
        }
    }));
}

fn show(document: &Document, text: &str) -> Option<()> {
    let element = |name: &str, text: &str| {
        let element = document.create_element(name).ok()?;
        element.set_text_content(Some(text));
        Some(element)
    };
    let card = element("section", "")?;
    card.set_id(ID);
    card.set_class_name("crash");
    card.set_attribute("role", "alert").ok()?;
    card.append_child(&*element("h2", "This page broke")?).ok()?;
    card.append_child(&*element(
        "p",
        "That is a bug in Porthole. Reload the page to continue: its address names what you look at.",
    )?)
    .ok()?;
    card.append_child(&*element("pre", text)?).ok()?;
    let reload = element("button", "Reload")?.dyn_into::<HtmlElement>().ok()?;
    let on_click = Closure::<dyn FnMut()>::new(|| {
        if let Some(window) = web_sys::window() {
            let _ = window.location().reload();
        }
    });
    reload.set_onclick(Some(on_click.as_ref().unchecked_ref()));
    // The page has ended; the button lives until it is loaded again.
    on_click.forget();
    card.append_child(&reload).ok()?;
    document.body()?.append_child(&card).ok()?;
    Some(())
}

const ID: &str = "crash";
