//! The layers, bottom first: the instruction, the size and the progress of each.

use super::{
    chain::{glyph, shorten, shorten_digests},
    words::{bdi, lines, tip},
};
use porthole_viewer::protocol::{
    BaseLayers, FailureNotice, ImageLayer, ImageSummary, LayerProgress, LayerState, LinkState,
};
use porthole_viewer::state::Action;
use porthole_viewer::words::{count, percent, size};
use std::{collections::BTreeMap, rc::Rc};
use yew::prelude::*;

/// Properties of [`Layers`].
#[derive(Properties, PartialEq)]
pub struct LayersProps {
    /// The image, as soon as it is known.
    pub image: Option<Rc<ImageSummary>>,
    /// Progress, one for each layer.
    pub progress: Rc<Vec<LayerProgress>>,
    /// What is wrong with single layers.
    pub failures: Rc<BTreeMap<u32, FailureNotice>>,
    /// The image that this one was built on, where that is proved.
    pub base: Option<BaseLayers>,
    /// The layer that the view is about.
    pub chosen: Option<u32>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// The list of layers.
#[component]
pub fn Layers(props: &LayersProps) -> Html {
    let layers = props.image.as_ref().map_or(&[][..], |image| &image.layers);
    let largest = layers.iter().map(|layer| layer.size).max().unwrap_or(0);
    let items = layers.iter().zip(props.progress.iter()).map(|(layer, progress)| {
        let failure = props.failures.get(&layer.index);
        let item = item(layer, progress, failure, props.chosen == Some(layer.index), largest, &props.dispatch);
        let last = props.base.as_ref().filter(|base| base.layers == layer.index + 1);
        html! { <>{ item }{ for last.map(boundary) }</> }
    });
    let since = props.progress.iter().any(|layer| layer.since.is_some());
    let listed = props.progress.iter().any(|layer| layer.state == LayerState::Listed);
    html! {
        <nav class="layers" aria-label="Layers">
            <header>
                <h2 class="heading">{ "Layers" }</h2>
                if props.image.is_some() {
                    <span class="heading">{ format!("{} · bottom first", layers.len()) }</span>
                }
            </header>
            <ol>{ for items }</ol>
            if since {
                <div class="audit" role="note">
                    <p>{ "Layers with a date were verified on that day. They are listed from what this browser kept, and were not fetched again." }</p>
                    <button data-action="verify-again" onclick={props.dispatch.reform(|_| Action::Audit)}>{ "Verify again" }</button>
                </div>
            }
            if listed {
                <div class="audit" role="note">
                    <p>{ "Layers marked ≡ are listed from their tables of contents. What a container gets is in their archives, which were not read." }</p>
                    <button data-action="audit" onclick={props.dispatch.reform(|_| Action::Audit)}>{ "Audit: read and compare" }</button>
                </div>
            }
        </nav>
    }
}

/// The line over the layers of the base image.
pub fn boundary(base: &BaseLayers) -> Html {
    let how = if base.opened { "opened before in this tab" } else { "as you named it" };
    let title = format!("Its {} layers unpack to the same as the lowest ones here. {}", base.layers, base.resolved);
    html! {
        <li class="boundary" data-base={base.layers.to_string()} title={tip(&title)}>
            <span class="cut">{ "↑ base image " }<b>{ bdi(&base.given) }</b></span>
            <span class="dim">{ "proved by its layers, " }{ how }</span>
        </li>
    }
}

fn item(
    layer: &ImageLayer,
    progress: &LayerProgress,
    failure: Option<&FailureNotice>,
    chosen: bool,
    largest: u64,
    dispatch: &Callback<Action>,
) -> Html {
    let index = layer.index;
    let instruction = layer.instruction.as_ref();
    let title = tip(instruction.map_or(&*layer.digest, |it| &*it.created_by));
    let what = match instruction {
        Some(it) => html! { <><b>{ bdi(&it.keyword) }</b>{ " " }{ bdi(&it.arguments) }</> },
        None => html! { <span class="dim">{ shorten(&layer.digest) }</span> },
    };
    let state = LinkState::from(progress.state);
    let (glyph, words) = glyph(state);
    let words = if state == LinkState::Progress {
        format!("{} %", percent(progress.compressed, progress.total))
    } else {
        words.to_owned()
    };
    let quiet = state == LinkState::Verified;
    let findings = match failure {
        Some(failure) if progress.findings.is_empty() => vec![failure.text.clone()],
        _ => progress.findings.clone(),
    };
    html! {
        <li key={index} data-layer={index.to_string()} data-state={progress.state.as_str()} data-digest={layer.digest.clone()}
            data-diff-id={layer.diff_id.clone()} data-entries={progress.entries.to_string()} data-since={progress.since.clone()} aria-current={chosen.then_some("true")}>
            <button class="layer" onclick={dispatch.reform(move |_| Action::Layer(index))} {title}>
                <span class="number">{ index + 1 }</span>
                <span class="instruction cut">{ what }</span>
                <span class="figure num" title="download">{ size(layer.size) }</span>
                <span class="second" data-state={progress.state.as_str()}>
                    <span class="glyph" aria-hidden="true">{ glyph }</span>
                    <span class={if quiet { "sr" } else { "dim num" }}>{ words }</span>
                    if state == LinkState::Progress {
                        <progress max={progress.total.max(1).to_string()} value={progress.compressed.to_string()} aria-label={format!("Layer {}", index + 1)} />
                    } else if largest > 0 {
                        <progress class="share" max={largest.to_string()} value={layer.size.to_string()} aria-hidden="true" />
                    }
                    { counts(progress) }
                    if progress.uncompressed > 0 {
                        <span class="figure num" title="unpacked">{ size(progress.uncompressed) }</span>
                    }
                </span>
            </button>
            if let Some(it) = instruction.filter(|_| chosen) {
                <pre class="whole">{ lines(&it.created_by) }</pre>
            }
            if let Some(day) = &progress.since {
                <p class="note">{ "verified on " }{ day }</p>
            }
            if let Some(note) = &progress.note {
                <p class="note">{ bdi(note) }</p>
            }
            { for findings.into_iter().map(|finding| html! { <p class="finding">{ bdi(&shorten_digests(&finding)) }</p> }) }
        </li>
    }
}

fn counts(progress: &LayerProgress) -> Html {
    let figures = [
        ("added", "+", progress.added, "added"),
        ("modified", "~", progress.modified, "modified"),
        ("deleted", "−", progress.removed, "removed"),
    ];
    let figures = figures.into_iter().filter(|(_, _, number, _)| *number > 0).map(|(class, sign, number, word)| {
        html! { <span class={classes!(class, "num", "counts")} title={word}>{ sign }{ count(number) }</span> }
    });
    html! { <>{ for figures }</> }
}
