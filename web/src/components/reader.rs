//! A file over the whole middle pane.

use super::{content::FileContent, facts::trail};
use porthole_viewer::protocol::ShownContent;
use porthole_viewer::state::Action;
use std::rc::Rc;
use web_sys::HtmlElement;
use yew::prelude::*;

/// Properties of [`Reader`].
#[derive(Properties, PartialEq)]
pub struct ReaderProps {
    /// Escaped path of the file.
    pub path: String,
    /// What is in it, by its path.
    pub content: Option<(String, Rc<ShownContent>)>,
    /// A line of it to be marked.
    pub line: Option<u32>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// A file over the whole middle pane.
#[component]
pub fn Reader(props: &ReaderProps) -> Html {
    let node = use_node_ref();
    use_effect_with(node.clone(), |node| {
        if let Some(node) = node.cast::<HtmlElement>() {
            let _ = node.focus();
        }
    });
    let content = props.content.as_ref().filter(|(path, _)| *path == props.path);
    html! {
        <article id="reader" class="reader" ref={node} tabindex="-1" aria-label="File">
            <header class="bar">
                <button id="back" class="small" onclick={props.dispatch.reform(|_| Action::Reading(false))}>{ "← Files" }</button>
                <h2>{ trail(&props.path, &props.dispatch) }</h2>
            </header>
            if let Some((_, content)) = content {
                <FileContent content={Rc::clone(content)} line={props.line} wide=true dispatch={props.dispatch.clone()} />
            } else {
                <p class="note">{ "This file can be read once its layer has arrived." }</p>
            }
        </article>
    }
}
