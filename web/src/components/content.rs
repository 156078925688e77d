//! What is in the selected file.

use porthole_viewer::protocol::{ShownContent, ShownPart};
use porthole_viewer::size::size;
use porthole_viewer::state::Action;
use std::rc::Rc;
use yew::prelude::*;

/// What the content needs.
#[derive(Properties, PartialEq)]
pub struct ContentProps {
    /// The content, as far as it is known.
    pub content: Rc<ShownContent>,
    /// A line to be marked, counted from 1.
    pub line: Option<u32>,
    /// Takes actions.
    pub dispatch: Callback<Action>,
}

/// What is in the selected file: text with numbered lines, or bytes.
#[component]
pub fn FileContent(props: &ContentProps) -> Html {
    let save =
        html! { <button id="save" class="plain" onclick={props.dispatch.reform(|_| Action::Save)}>{ "Save" }</button> };
    match &*props.content {
        ShownContent::Reading => html! { <p class="note" role="status">{ "Reading…" }</p> },
        ShownContent::Costly { bytes } => html! {
            <div class="content" data-kind="costly">
                <p class="note">{ "The compression of this layer can only be undone from its start. To see this file, " }{ size(*bytes) }{ " must be fetched." }</p>
                <button data-action="read" onclick={props.dispatch.reform(|_| Action::Read)}>{ "Read " }{ size(*bytes) }</button>
            </div>
        },
        ShownContent::Text { text, part } => html! {
            <div class="content" data-kind="text" data-shown={part.shown.to_string()} data-fetched={part.fetched.to_string()}>
                <p class="cost">{ cost(part) }{ save }</p>
                <div class="code" tabindex="0" aria-label="Content">
                    if let Some(line) = props.line {
                        <i class="mark" style={format!("top: calc({} * var(--line-height))", line.saturating_sub(1))} />
                    }
                    <pre class="numbers" aria-hidden="true">{ numbers(text) }</pre>
                    <pre id="text">{ text }</pre>
                </div>
                { rest(part) }
            </div>
        },
        ShownContent::Binary { hex, part } => html! {
            <div class="content" data-kind="binary" data-shown={part.shown.to_string()} data-fetched={part.fetched.to_string()}>
                <p class="cost">{ cost(part) }{ save }</p>
                <div class="code" tabindex="0" aria-label="Content"><pre id="hex">{ hex }</pre></div>
                { rest(part) }
            </div>
        },
        ShownContent::Failed { wrong, text } => html! {
            <div class="content" data-kind="failed" role="alert" data-wrong={wrong.to_string()}>
                if *wrong {
                    <p class="finding"><b>{ "These are not the bytes of this file. " }</b><bdi>{ text }</bdi></p>
                } else {
                    <p class="finding"><bdi>{ text }</bdi></p>
                }
                <button data-action="read" onclick={props.dispatch.reform(|_| Action::Read)}>{ "Try again" }</button>
            </div>
        },
        ShownContent::Saved { .. } => Html::default(),
    }
}

/// What it cost to see this.
fn cost(part: &ShownPart) -> Html {
    let of = if part.fetched > 0 {
        format!("{} fetched of {}", size(part.fetched), size(part.layer))
    } else {
        "nothing fetched".to_owned()
    };
    html! { <span class="verdict" data-state="verified"><span class="glyph" aria-hidden="true">{ "✓" }</span>{ " verified · " }{ of }</span> }
}

/// What is not shown.
fn rest(part: &ShownPart) -> Html {
    if part.shown >= part.size {
        return Html::default();
    }
    html! { <p class="note">{ "The first " }{ size(part.shown) }{ " of " }{ size(part.size) }{ ". Save it to have it all." }</p> }
}

/// One number a line.
fn numbers(text: &str) -> String {
    let lines = text.lines().count().max(1);
    (1..=lines).fold(String::with_capacity(lines * 5), |all, line| all + &line.to_string() + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered() {
        assert_eq!(numbers(""), "1\n");
        assert_eq!(numbers("a\nb\n"), "1\n2\n");
        assert_eq!(numbers("a\n\nb"), "1\n2\n3\n");
    }
}
