//! The config: what a container of this image runs, and how the image was built.

use super::{
    layers::boundary,
    words::{bdi, lines},
};
use crate::hooks::copy::{Copied, use_copy};
use porthole_viewer::protocol::{BaseLayers, HistoryEntry, ImageSummary};
use porthole_viewer::state::Action;
use porthole_viewer::words::size;
use yew::prelude::*;

/// The facts of the config, and the history. `base` is the image that this one was built on, where that is proved.
pub fn config(image: Option<&ImageSummary>, base: Option<&BaseLayers>, dispatch: &Callback<Action>) -> Html {
    let Some(image) = image else {
        return html! { <p class="note">{ "The config has not arrived yet." }</p> };
    };
    let facts = image.config.iter().map(|(name, values)| {
        let values = values.iter().map(|value| html! { <li>{ bdi(value) }</li> });
        html! { <><dt>{ name }</dt><dd><ul>{ for values }</ul></dd></> }
    });
    html! {
        <div class="document" tabindex="0" role="region" aria-label="Config">
            <h2 class="heading">{ "Config" }</h2>
            <dl class="facts">{ created(image) }{ for facts }</dl>
            { for image.deviations.iter().map(|text| html! { <p class="finding">{ bdi(text) }</p> }) }
            <div class="line">
                <h2 class="heading">{ "History as a Dockerfile, oldest first" }</h2>
                <CopyText text={dockerfile(image)} label="Copy the history" />
            </div>
            if image.history.is_empty() {
                <p class="dim">{ "This config has no history." }</p>
            }
            <ol class="history">{ for image.history.iter().enumerate().map(|(place, it)| html! {
                <>{ entry(it, image, dispatch) }{ for base.filter(|base| ends_at(base, image) == Some(place)).map(boundary) }</>
            }) }</ol>
        </div>
    }
}

fn created(image: &ImageSummary) -> Option<Html> {
    let text = image.created.as_ref()?;
    Some(html! { <><dt>{ "created" }</dt><dd><time>{ bdi(text) }</time></dd></> })
}

fn entry(entry: &HistoryEntry, image: &ImageSummary, dispatch: &Callback<Action>) -> Html {
    let what = entry.instruction.as_ref().map(|it| {
        html! { <><b>{ bdi(&it.keyword) }</b>{ " " }<span class="arguments">{ lines(&it.arguments) }</span></> }
    });
    let cost = entry.layer.and_then(|index| image.layers.iter().find(|layer| layer.index == index));
    let layer = match entry.layer {
        Some(index) => {
            let onclick = dispatch.reform(move |_| Action::Layer(index));
            html! { <button class="chip" title={format!("Show the files of layer {}", index + 1)} {onclick}>{ index + 1 }</button> }
        }
        None => html! { <span class="dim" title="made no layer">{ "–" }</span> },
    };
    html! {
        <li>
            <span>{ layer }</span>
            <span class="what">
                { for what }
                if let Some(comment) = &entry.comment {
                    <span class="comment">{ bdi(comment) }</span>
                }
                if let Some(created) = &entry.created {
                    <time class="comment">{ bdi(created) }</time>
                }
            </span>
            <span class="num" title="download">{ cost.map(|layer| size(layer.size)).unwrap_or_default() }</span>
        </li>
    }
}

/// The last entry of the history that belongs to the base.
fn ends_at(base: &BaseLayers, image: &ImageSummary) -> Option<usize> {
    match base.history {
        0 => image.history.iter().position(|entry| entry.layer == Some(base.layers - 1)),
        entries => Some(entries as usize - 1),
    }
}

/// The history as lines of a Dockerfile. It shows how the image was built, not how to build it: contents of copies are not in it.
fn dockerfile(image: &ImageSummary) -> String {
    let line = |entry: &HistoryEntry| {
        let it = entry.instruction.as_ref()?;
        Some(lines(format!("{} {}\n", it.keyword, it.arguments).trim_start()))
    };
    image.history.iter().filter_map(line).collect()
}

/// Properties of [`CopyText`].
#[derive(Properties, PartialEq)]
pub struct CopyTextProps {
    /// What it copies.
    pub text: String,
    /// What that is, for the tooltip and for screen readers.
    pub label: AttrValue,
}

/// A button that copies a text.
#[component]
pub fn CopyText(props: &CopyTextProps) -> Html {
    let (copied, copy) = use_copy();
    let text = props.text.clone();
    let sign = match copied {
        Copied::No => html! {
            <svg width="12" height="12" viewBox="0 0 12 12" fill="none" stroke="currentColor" aria-hidden="true">
                <rect x="3.5" y="3.5" width="8" height="8" rx="1.5" /><path d="M8.5 1.5v-.5a.5.5 0 0 0-.5-.5H1a.5.5 0 0 0-.5.5v7a.5.5 0 0 0 .5.5h.5" />
            </svg>
        },
        Copied::Yes => html! { "✓" },
        Copied::Refused => html! { "✗" },
    };
    html! {
        <button class="copy" title={props.label.clone()} aria-label={props.label.clone()} onclick={move |_| copy.emit(text.clone())}>{ sign }</button>
    }
}
