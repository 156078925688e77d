//! The line at the bottom: the same on a command line, what was fetched, keys.

use super::words::{bdi, tip};
use crate::hooks::copy::{Copied, use_copy};
use porthole_viewer::protocol::ExportWish;
use porthole_viewer::size::size;
use porthole_viewer::state::Action;
use yew::prelude::*;

/// What the line needs.
#[derive(Properties, PartialEq)]
pub struct FootProps {
    /// The command that prints what the page shows.
    pub command: Option<String>,
    /// What that command prints as JSON, where it can be saved.
    pub export: Option<ExportWish>,
    /// Takes actions.
    pub dispatch: Callback<Action>,
    /// Bytes received in this look.
    pub fetched: u64,
}

/// The line at the bottom.
#[component]
pub fn Foot(props: &FootProps) -> Html {
    let (copied, copy) = use_copy();
    let command = props.command.clone().map(|command| {
        let text = command.clone();
        let words = match copied {
            Copied::No => "Copy",
            Copied::Yes => "Copied",
            Copied::Refused => "Select it to copy",
        };
        html! {
            <>
                <code id="command" class="command cut" title={tip(&command)}>{ bdi(&command) }</code>
                <button class="plain" id="copy-command" onclick={move |_| copy.emit(text.clone())}>{ words }</button>
            </>
        }
    });
    let save = props.export.clone().map(|wish| {
        let onclick = props.dispatch.reform(move |_| Action::Export(wish.clone()));
        html! { <button class="plain" id="save-json" title="What this command prints with --json" {onclick}>{ "Save JSON" }</button> }
    });
    html! {
        <footer class="foot">
            { for command }
            { for save }
            <span class="right">
                if props.fetched > 0 {
                    <span id="fetched" class="num" data-bytes={props.fetched.to_string()}>{ "fetched " }{ size(props.fetched) }</span>
                }
                <span class="keys"><kbd>{ "t" }</kbd>{ " files " }<kbd>{ "/" }</kbd>{ " filter " }<kbd>{ "[" }</kbd>{ " " }<kbd>{ "]" }</kbd>{ " layer " }<kbd>{ "?" }</kbd>{ " keys" }</span>
            </span>
        </footer>
    }
}
