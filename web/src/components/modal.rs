//! A dialog over the page, which keeps the focus until it is closed.

use crate::hooks::modal::use_modal;
use yew::prelude::*;

/// Properties of a [`Modal`].
#[derive(Properties, PartialEq)]
pub(crate) struct ModalProps {
    /// `id` of the element.
    pub(crate) id: AttrValue,
    /// The name of the dialog for screen readers.
    pub(crate) label: AttrValue,
    /// Called when it is closed with Escape.
    pub(crate) on_close: Callback<()>,
    /// The content of the dialog.
    pub(crate) children: Html,
}

/// A modal dialog.
#[component]
pub(crate) fn Modal(props: &ModalProps) -> Html {
    let node = use_modal();
    let on_close = props.on_close.clone();
    html! {
        <dialog ref={node} id={props.id.clone()} aria-label={props.label.clone()} onclose={move |_| on_close.emit(())}>
            { props.children.clone() }
        </dialog>
    }
}
