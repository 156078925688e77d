//! The content of the selected file.

use super::{bytes::hexadecimal, outline::nodes, text::TextView, words::bdi};
use porthole_viewer::protocol::{ShownContent, ShownPart};
use porthole_viewer::state::Action;
use porthole_viewer::words::{TextPiece, size};
use std::rc::Rc;
use yew::prelude::*;

/// Properties of [`FileContent`].
#[derive(Properties, PartialEq)]
pub struct ContentProps {
    /// The content so far.
    pub content: Rc<ShownContent>,
    /// A line to be marked, counted from 1.
    pub line: Option<u32>,
    /// There is room for sixteen bytes a line.
    #[prop_or_default]
    pub wide: bool,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// The content of the selected file: text with numbered lines, or bytes.
#[component]
pub fn FileContent(props: &ContentProps) -> Html {
    let fold = use_state(|| true);
    // A line is one of the text.
    let folded = *fold && props.line.is_none();
    let on_fold = {
        let (fold, dispatch) = (fold.clone(), props.dispatch.clone());
        move |_: MouseEvent| {
            fold.set(!folded);
            dispatch.emit(Action::Line(None));
        }
    };
    let save =
        html! { <button id="save" class="plain" onclick={props.dispatch.reform(|_| Action::Save)}>{ "Save" }</button> };
    let bytes = html! { <button id="bytes" class="plain" onclick={props.dispatch.reform(|_| Action::Offset(Some(0)))}>{ "Bytes" }</button> };
    match &*props.content {
        ShownContent::Reading => html! { <p class="note" role="status">{ "Reading…" }</p> },
        ShownContent::Costly { bytes } => html! {
            <div class="content" data-kind="costly">
                <p class="note">{ "The compression of this layer can only be undone from its start. To see this file, " }{ size(*bytes) }{ " must be fetched." }</p>
                <button data-action="read" onclick={props.dispatch.reform(|_| Action::Read)}>{ "Read " }{ size(*bytes) }</button>
            </div>
        },
        ShownContent::Text { text, pieces, outline, part } => html! {
            <div class="content" data-kind="text" data-shown={part.shown.to_string()} data-fetched={part.fetched.to_string()}>
                <p class="cost">{ cost(part) }
                    if !outline.is_empty() {
                        <button id="fold" class="plain" title="Fold it, or show its text (x)" aria-pressed={folded.to_string()} onclick={on_fold}>{ "Tree" }</button>
                    }
                    { bytes }{ save }
                </p>
                if folded && !outline.is_empty() {
                    <div class="code outline" tabindex="0" role="region" aria-label="Content">{ nodes(outline) }</div>
                } else {
                <TextView text={Rc::<str>::from(text.as_str())} pieces={Rc::<[TextPiece]>::from(pieces.as_slice())} line={props.line} dispatch={props.dispatch.clone()} />
                }
                { rest(part) }
            </div>
        },
        ShownContent::Binary { hex, part } => html! {
            <div class="content" data-kind="binary" data-shown={part.shown.to_string()} data-fetched={part.fetched.to_string()}>
                <p class="cost">{ cost(part) }{ save }</p>
                { hexadecimal(hex, *part, props.wide, &props.dispatch) }
            </div>
        },
        ShownContent::Failed { wrong, text } => html! {
            <div class="content" data-kind="failed" role="alert" data-wrong={wrong.to_string()}>
                if *wrong {
                    <p class="finding"><b>{ "These are not the bytes of this file. " }</b>{ bdi(text) }</p>
                } else {
                    <p class="finding">{ bdi(text) }</p>
                }
                <button data-action="read" onclick={props.dispatch.reform(|_| Action::Read)}>{ "Try again" }</button>
            </div>
        },
        ShownContent::Saved { .. } => Html::default(),
    }
}

/// The bytes that were fetched to show it.
fn cost(part: &ShownPart) -> Html {
    let of = if part.fetched > 0 {
        format!("{} fetched of {}", size(part.fetched), size(part.layer))
    } else {
        "nothing fetched".to_owned()
    };
    html! { <span class="verdict" data-state="verified"><span class="glyph" aria-hidden="true">{ "✓" }</span>{ " verified · " }{ of }</span> }
}

/// The part that is not shown.
fn rest(part: &ShownPart) -> Html {
    if part.shown >= part.size {
        return Html::default();
    }
    html! { <p class="note">{ "The first " }{ size(part.shown) }{ " of " }{ size(part.size) }{ ". Save it to have it all." }</p> }
}
