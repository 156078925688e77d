//! The config: what a container of this image runs as, and how the image came to be.

use crate::time::local_time_of;
use porthole_viewer::protocol::{HistoryEntry, ImageSummary};
use std::rc::Rc;
use yew::prelude::*;

/// What the config needs.
#[derive(Properties, PartialEq)]
pub struct ConfigProps {
    /// The image, as soon as it is known.
    pub image: Option<Rc<ImageSummary>>,
}

/// The facts of the config, and the history.
#[component]
pub fn Config(props: &ConfigProps) -> Html {
    let Some(image) = &props.image else {
        return html! { <p class="note">{ "The config is not here yet." }</p> };
    };
    let facts = image.config.iter().map(|(name, values)| {
        let values = values.iter().map(|value| html! { <li><bdi>{ value }</bdi></li> });
        html! { <><dt>{ name }</dt><dd><ul>{ for values }</ul></dd></> }
    });
    html! {
        <div class="document" tabindex="0" aria-label="Config">
            <h2 class="heading">{ "Config" }</h2>
            <dl class="facts">{ created(image) }{ for facts }</dl>
            { for image.deviations.iter().map(|text| html! { <p class="finding"><bdi>{ text }</bdi></p> }) }
            <h2 class="heading">{ "History, oldest first" }</h2>
            if image.history.is_empty() {
                <p class="dim">{ "This config has no history." }</p>
            }
            <ol class="history">{ for image.history.iter().map(entry) }</ol>
        </div>
    }
}

fn created(image: &ImageSummary) -> Option<Html> {
    let text = image.created.as_ref()?;
    Some(html! { <><dt>{ "Created" }</dt><dd><time title={text.clone()}>{ local_time_of(text) }</time></dd></> })
}

fn entry(entry: &HistoryEntry) -> Html {
    let what =
        entry.instruction.as_ref().map(|it| html! { <><b>{ &it.keyword }</b>{ " " }<bdi>{ &it.arguments }</bdi></> });
    let when = entry
        .created
        .as_ref()
        .map(|text| html! { <time class="dim num" title={text.clone()}>{ local_time_of(text) }</time> });
    html! {
        <li>
            <span>
                if let Some(layer) = entry.layer {
                    <span class="chip" title={format!("made layer {}", layer + 1)}>{ layer + 1 }</span>
                } else {
                    <span class="dim" title="made no layer">{ "–" }</span>
                }
            </span>
            <span class="what">
                { for what }
                if let Some(comment) = &entry.comment {
                    <span class="comment"><bdi>{ comment }</bdi></span>
                }
            </span>
            { for when }
        </li>
    }
}
