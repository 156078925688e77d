//! The line at the bottom: the equal command, the bytes fetched, the keys.

use super::words::{bdi, tip};
use crate::hooks::copy::{Copied, use_copy};
use porthole_viewer::protocol::{ExportWish, ProbeProgress, ProbeState};
use porthole_viewer::state::{Action, ProbeCost};
use porthole_viewer::words::size;
use std::rc::Rc;
use yew::prelude::*;

/// Properties of [`Foot`].
#[derive(Properties, PartialEq)]
pub struct FootProps {
    /// The command that prints what the page shows.
    pub command: Option<String>,
    /// What that command prints as JSON, where it can be saved.
    pub export: Option<ExportWish>,
    /// What is read before that is saved.
    pub cost: Option<ProbeCost>,
    /// How far those contents are read.
    pub contents: [Option<Rc<ProbeProgress>>; 2],
    /// Receives the actions of the component.
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
        let (words, title) = match props.cost {
            Some(cost) => (
                format!("Save JSON · reads {}", size(cost.bytes)),
                "What this command prints with --json. It compares contents, so every layer is read once more.",
            ),
            None => ("Save JSON".to_owned(), "What this command prints with --json"),
        };
        html! { <button class="plain" id="save-json" {title} {onclick}>{ words }</button> }
    });
    let reading = reading(&props.contents, &props.dispatch);
    let save = if reading.is_some() { None } else { save };
    html! {
        <footer class="foot">
            { for command }
            { for save }
            { for reading }
            <span class="right">
                if props.fetched > 0 {
                    <span id="fetched" class="num" data-bytes={props.fetched.to_string()}>{ "fetched " }{ size(props.fetched) }</span>
                }
                <span class="keys"><kbd>{ "t" }</kbd>{ " files " }<kbd>{ "/" }</kbd>{ " filter " }<kbd>{ "[" }</kbd>{ " " }<kbd>{ "]" }</kbd>{ " layer " }<kbd>{ "?" }</kbd>{ " keys" }</span>
            </span>
        </footer>
    }
}

/// How far contents are read, and how to stop that.
fn reading(contents: &[Option<Rc<ProbeProgress>>; 2], dispatch: &Callback<Action>) -> Option<Html> {
    let running = |progress: &&Rc<ProbeProgress>| progress.state == ProbeState::Running;
    let progress = contents.iter().flatten().find(running)?;
    let kind = progress.kind;
    let words = format!("Reading contents: {} of {}", size(progress.read), size(progress.total));
    Some(html! {
        <>
            <span id="reading-contents" class="num dim">{ words }</span>
            <button class="plain" id="stop-contents" onclick={dispatch.reform(move |_| Action::StopProbe(kind))}>{ "Stop" }</button>
        </>
    })
}
