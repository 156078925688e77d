//! The documents of the chain as JSON: laid out for reading, or byte for byte as they were served.

use super::{
    chain::shorten,
    words::{bdi, lines},
};
use porthole_viewer::protocol::{DocumentText, ImageSummary, ProofStep};
use porthole_viewer::words::{TokenKind, pretty, size};
use std::rc::Rc;
use yew::prelude::*;

/// Bytes of a document that are shown at most.
const SHOWN: usize = 256 * 1024;
/// Bytes of a document that are coloured at most: every piece is an element.
const COLOURED: usize = 48 * 1024;

/// Properties of [`Documents`].
#[derive(Properties, PartialEq)]
pub struct DocumentsProps {
    /// The image, as soon as it is known.
    pub image: Option<Rc<ImageSummary>>,
}

/// Manifest and, where there is one, index.
#[component]
pub fn Documents(props: &DocumentsProps) -> Html {
    let step = use_state(|| ProofStep::Manifest);
    let served = use_state(|| false);
    let Some(image) = &props.image else {
        return html! { <p class="note">{ "The manifest has not arrived yet." }</p> };
    };
    let documents = image.documents.iter().filter(|document| document.step != ProofStep::Tag);
    let choices = documents.clone().map(|document| {
        let (this, step) = (document.step, step.clone());
        let pressed = (*step == this).to_string();
        html! { <button aria-pressed={pressed} onclick={move |_| step.set(this)}>{ title(this) }</button> }
    });
    let Some(document) = documents.clone().find(|document| document.step == *step) else { return Html::default() };
    let forms = [(false, "Laid out"), (true, "As served")].map(|(this, words)| {
        let served = served.clone();
        html! { <button aria-pressed={(*served == this).to_string()} onclick={move |_| served.set(this)}>{ words }</button> }
    });
    html! {
        <>
            <div class="bar">
                <div class="group" role="group" aria-label="Document">{ for choices }</div>
                <div class="group" role="group" aria-label="Form">{ for forms }</div>
                <span class="dim cut">{ bdi(&document.media_type) }</span>
                <code title={document.digest.clone()}>{ shorten(&document.digest) }</code>
                <span class="dim num">{ size(length(document)) }</span>
            </div>
            <div class="document" tabindex="0" role="region" aria-label={title(document.step)}>
                <Text text={document.text.clone()} served={*served} />
                if document.text.len() > SHOWN {
                    <p class="note">{ format!("The first {} of {}.", size(SHOWN as u64), size(length(document))) }</p>
                }
            </div>
        </>
    }
}

fn length(document: &DocumentText) -> u64 {
    u64::try_from(document.text.len()).unwrap_or(u64::MAX)
}

fn title(step: ProofStep) -> &'static str {
    match step {
        ProofStep::Tag => "Tag",
        ProofStep::Index => "Index",
        ProofStep::Manifest => "Manifest",
        ProofStep::Config => "Config",
        ProofStep::Layers => "Layers",
    }
}

/// What the text of a document needs.
#[derive(Properties, PartialEq)]
struct TextProps {
    text: String,
    served: bool,
}

/// Drawn again only when the text is another.
#[component]
fn Text(props: &TextProps) -> Html {
    let mut end = props.text.len().min(SHOWN);
    while !props.text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &props.text[..end];
    if props.served {
        return html! { <pre data-form="served">{ lines(text) }</pre> };
    }
    let tokens = pretty(text);
    if end > COLOURED {
        let text: String = tokens.into_iter().map(|token| token.text).collect();
        return html! { <pre data-form="pretty">{ text }</pre> };
    }
    let pieces = tokens.into_iter().map(|token| match token.kind {
        TokenKind::Punctuation => html! { token.text },
        TokenKind::Key => html! { <span class="key">{ token.text }</span> },
        TokenKind::Text => html! { <span class="text">{ token.text }</span> },
        TokenKind::Literal => html! { <span class="number">{ token.text }</span> },
    });
    html! { <pre data-form="pretty">{ for pieces }</pre> }
}
