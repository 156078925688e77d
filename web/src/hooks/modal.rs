//! Dialogs that the browser keeps in front, with the focus inside.

use web_sys::HtmlDialogElement;
use yew::prelude::*;

/// Opens the dialog element behind the reference as a modal one, as long as the component lives.
#[hook]
pub fn use_modal() -> NodeRef {
    let node = use_node_ref();
    use_effect_with(node.clone(), |node| {
        let dialog = node.cast::<HtmlDialogElement>();
        if let Some(dialog) = dialog.as_ref().filter(|dialog| !dialog.open()) {
            let _ = dialog.show_modal();
        }
        move || {
            if let Some(dialog) = dialog.filter(HtmlDialogElement::open) {
                dialog.close();
            }
        }
    });
    node
}
