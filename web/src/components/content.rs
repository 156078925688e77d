//! What is in the selected file.

use super::{text::TextView, words::bdi};
use porthole_viewer::highlight::TextPiece;
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
    /// There is room for sixteen bytes a line.
    #[prop_or_default]
    pub wide: bool,
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
        ShownContent::Text { text, pieces, part } => html! {
            <div class="content" data-kind="text" data-shown={part.shown.to_string()} data-fetched={part.fetched.to_string()}>
                <p class="cost">{ cost(part) }{ save }</p>
                <TextView text={Rc::<str>::from(text.as_str())} pieces={Rc::<[TextPiece]>::from(pieces.as_slice())} line={props.line} dispatch={props.dispatch.clone()} />
                { rest(part) }
            </div>
        },
        ShownContent::Binary { hex, part } => html! {
            <div class="content" data-kind="binary" data-shown={part.shown.to_string()} data-fetched={part.fetched.to_string()}>
                <p class="cost">{ cost(part) }{ save }</p>
                <div class="code" tabindex="0" role="region" aria-label="Content"><pre id="hex">{ if props.wide { hex.clone() } else { halves(hex) } }</pre></div>
                { rest(part) }
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

/// Lines of sixteen bytes as lines of eight, which fit beside the tree with their ASCII.
fn halves(hex: &str) -> String {
    let mut lines = String::with_capacity(hex.len() * 5 / 4);
    for line in hex.lines() {
        let parts = (line.get(..8), line.get(10..34), line.get(34..58), line.get(59..));
        let (Some(offset), Some(first), Some(second), Some(ascii)) = parts else {
            lines.push_str(line);
            lines.push('\n');
            continue;
        };
        let (left, right) = ascii.split_at(ascii.len().min(8));
        lines.push_str(&format!("{offset}  {first} {left}\n"));
        if !right.is_empty() {
            let offset = u64::from_str_radix(offset, 16).unwrap_or_default() + 8;
            lines.push_str(&format!("{offset:08x}  {second} {right}\n"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_a_line() {
        let sixteen = "00000010  7f 45 4c 46 20 61 6e 64 20 73 6f 6d 65 20 6d 6f  .ELF and some mo\n\
                       00000020  72 65                                            re\n";
        let eight = "00000010  7f 45 4c 46 20 61 6e 64  .ELF and\n\
                     00000018  20 73 6f 6d 65 20 6d 6f   some mo\n\
                     00000020  72 65                    re\n";
        assert_eq!(halves(sixteen), eight);
    }
}
