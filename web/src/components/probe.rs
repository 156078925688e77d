//! Parts of all views that look into contents: cost, progress, and places.

use super::words::{bdi, tip};
use porthole_viewer::protocol::{
    ImageSummary, InstructionLine, LostPart, PathProblem, ProbeKind, ProbeProgress, ProbeState, ShownFate,
};
use porthole_viewer::state::{Action, ProbeCost};
use porthole_viewer::words::{count, size};
use std::rc::Rc;
use yew::prelude::*;

/// The cost, before the probe starts.
pub fn cost(cost: Option<ProbeCost>) -> Html {
    let words = match cost {
        None => String::new(),
        Some(ProbeCost { layers: 0, .. }) => "This image has no layer that can be read.".to_owned(),
        Some(ProbeCost { layers, bytes, here: true }) => {
            format!("Reads {}, {}. Nothing is fetched.", layers_of(layers), size(bytes))
        }
        Some(ProbeCost { layers, bytes, here: false }) => format!(
            "Reads {} once more, because contents are not kept: {} to fetch, less what the browser still has.",
            layers_of(layers),
            size(bytes)
        ),
    };
    let bytes = cost.map(|cost| cost.bytes.to_string());
    html! { <p class="dim" id="cost" data-bytes={bytes}>{ words }</p> }
}

/// The button that starts, or the one that stops.
pub fn switch(
    kind: ProbeKind,
    words: &'static str,
    ready: bool,
    progress: Option<&ProbeProgress>,
    dispatch: &Callback<Action>,
) -> Html {
    let running = progress.is_some_and(|progress| progress.state == ProbeState::Running);
    // A list that is there needs no second reading.
    let again = kind != ProbeKind::Search && progress.is_some();
    let stop = dispatch.reform(move |_| Action::StopProbe(kind));
    html! {
        <>
            <button class={(!again).then_some("primary")} id="start-probe" disabled={!ready}>{ words }</button>
            if running { <button type="button" id="stop-probe" onclick={stop}>{ "Stop" }</button> }
        </>
    }
}

/// What a comparison of contents costs, or how far it is. Listing a layer reads no digests of its files.
pub fn contents(
    words: &'static str,
    cost: Option<ProbeCost>,
    contents: &[Option<Rc<ProbeProgress>>; 2],
    dispatch: &Callback<Action>,
) -> Html {
    if cost.is_none() && !contents.iter().flatten().any(is_running) {
        return Html::default();
    }
    html! {
        <div class="contents-cost">
            <p class="dim">{ words }</p>
            { ask(("compare-contents", "Compare contents"), cost, contents.iter().flatten(), None, dispatch.reform(|_| Action::CompareContents)) }
        </div>
    }
}

fn is_running(progress: &Rc<ProbeProgress>) -> bool {
    progress.state == ProbeState::Running
}

/// A button, by its identifier and words, that starts probes and says what they cost; how far they are while they run. `problem` is why
/// the last ones failed, if their progress does not say so.
pub(super) fn ask<'p>(
    (id, words): (&'static str, &'static str),
    cost: Option<ProbeCost>,
    probes: impl Iterator<Item = &'p Rc<ProbeProgress>>,
    problem: Option<&String>,
    onclick: Callback<MouseEvent>,
) -> Html {
    let mut lost = None;
    for progress in probes {
        if is_running(progress) {
            return html! { <progress max={progress.total.max(1).to_string()} value={progress.read.to_string()} aria-label="Bytes read" /> };
        }
        lost = match &progress.state {
            ProbeState::Refused(why) => Some(why),
            _ => progress.lost.first().map(|lost| &lost.text),
        };
    }
    let reads =
        cost.map(|cost| format!(" · {} {}", if cost.here { "reads" } else { "fetches once more" }, size(cost.bytes)));
    html! {
        <>
            if let Some(problem) = problem.or(lost) { <p class="finding" role="alert">{ bdi(problem) }</p> }
            <button {id} data-bytes={cost.map(|cost| cost.bytes.to_string())} {onclick}>{ words }{ for reads }</button>
        </>
    }
}

/// How far it is, and what could not be read. `found` says what was found so far.
pub fn status(progress: &ProbeProgress, found: &str) -> Html {
    let (state, words) = match &progress.state {
        ProbeState::Running => ("running", String::new()),
        ProbeState::Done => ("done", format!("{found}.")),
        ProbeState::Stopped => ("stopped", format!("Stopped. {found} so far.")),
        ProbeState::Refused(_) => ("refused", String::new()),
    };
    html! {
        <div class="probed" data-probe={state} data-found={progress.sums.found.to_string()}>
            if let ProbeState::Refused(why) = &progress.state {
                <p class="finding" role="alert">{ bdi(why) }</p>
            } else {
                // The figures change too often to be read aloud: only the end is.
                <p class="verdict" role="status">{ words }</p>
                if progress.state == ProbeState::Running {
                    <p class="num">{ format!("{found} · {} of {} · {} of {} layers read", size(progress.read), size(progress.total), progress.ended, progress.layers) }</p>
                    <progress max={progress.total.max(1).to_string()} value={progress.read.to_string()} aria-label="Bytes read" />
                } else {
                    <p class="dim">{ format!("{} read, {}.", files_of(progress.sums.searched), size(progress.sums.bytes)) }</p>
                }
            }
            { for progress.lost.iter().map(lost) }
            { for progress.skipped.iter().map(|(layer, why)| html! { <p class="dim">{ format!("Layer {} was not read: {why}.", layer + 1) }</p> }) }
        </div>
    }
}

fn lost(part: &LostPart) -> Html {
    let name = part.layer.map_or_else(|| "The configuration".to_owned(), |layer| format!("Layer {}", layer + 1));
    html! { <p class="finding" role="alert" data-lost={name.clone()}>{ format!("{name} could not be read, so nothing of it is listed: ") }{ bdi(&part.text) }</p> }
}

/// The number of a layer, which leads to its files.
pub fn layer_chip(layer: u32, instruction: Option<&InstructionLine>, dispatch: &Callback<Action>) -> Html {
    let title = match instruction {
        Some(it) => format!("Show the files of layer {}: {}", layer + 1, tip(&it.created_by)),
        None => format!("Show the files of layer {}", layer + 1),
    };
    html! { <button class="chip" {title} onclick={dispatch.reform(move |_| Action::Layer(layer))}>{ layer + 1 }</button> }
}

/// Files that could not be read, and what follows from it.
pub fn unread(problems: &[PathProblem], therefore: &'static str) -> Html {
    if problems.is_empty() {
        return Html::default();
    }
    let problem = |of: &PathProblem| html! { <li>{ format!("layer {}: ", of.layer + 1) }<code>{ bdi(&of.path) }</code>{ ": " }{ bdi(&of.why) }</li> };
    html! {
        <details class="unread"><summary class="finding">{ format!("{} could not be read, so their {therefore}", files_of(problems.len() as u64)) }</summary>
            <ul>{ for problems.iter().map(problem) }</ul>
        </details>
    }
}

/// A layer and what made it, over what was found there.
pub fn layer_heading(layer: u32, instruction: Option<&InstructionLine>, dispatch: &Callback<Action>) -> Html {
    html! {
        <h2 class="line from" title={instruction.map(|it| tip(&it.created_by))}>
            { layer_chip(layer, None, dispatch) }
            if let Some(it) = instruction { <span class="cut mono"><b>{ bdi(&it.keyword) }</b>{ " " }{ bdi(&it.arguments) }</span> }
        </h2>
    }
}

/// What made a layer.
pub fn instruction(image: Option<&ImageSummary>, layer: u32) -> Option<&InstructionLine> {
    image?.layers.iter().find(|of| of.index == layer)?.instruction.as_ref()
}

/// What later layers did to a file, unless a container sees it.
pub fn fate(fate: Option<ShownFate>) -> Html {
    let words = match fate {
        None | Some(ShownFate::Visible | ShownFate::Unknown) => return Html::default(),
        Some(ShownFate::Deleted(by)) => format!("deleted by layer {}, still downloadable", by + 1),
        Some(ShownFate::Replaced(by)) => format!("replaced by layer {}, still downloadable", by + 1),
        Some(ShownFate::Hidden) => "in no list of files, still downloadable".to_owned(),
    };
    html! { <span class="fate deleted">{ " " }{ words }</span> }
}

/// The word of `data-fate`.
pub fn fate_name(fate: Option<ShownFate>) -> &'static str {
    match fate {
        None => "waiting",
        Some(ShownFate::Visible) => "live",
        Some(ShownFate::Deleted(_)) => "deleted",
        Some(ShownFate::Replaced(_)) => "replaced",
        Some(ShownFate::Hidden) => "hidden",
        Some(ShownFate::Unknown) => "unknown",
    }
}

/// Of rows that are not all drawn, or not all held.
pub fn more(drawn: usize, held: u64, found: u64, on_more: Callback<MouseEvent>) -> Html {
    if (drawn as u64) < held {
        return html! { <button id="more" onclick={on_more}>{ "Show more" }</button> };
    }
    if held < found {
        return html! { <p class="dim">{ format!("The first {} of {}. The command below prints all of them.", count(held), count(found)) }</p> };
    }
    Html::default()
}

fn layers_of(layers: u32) -> String {
    if layers == 1 { "the layer".to_owned() } else { format!("{layers} layers") }
}

/// `1 file`, `1 284 files`
pub fn files_of(files: u64) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{} files", count(files)) }
}
