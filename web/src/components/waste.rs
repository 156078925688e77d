//! Waste: bytes in the image that a container does not see, ranked and explained.

use super::{
    probe::contents,
    words::{bdi, decimal, tip},
};
use porthole_viewer::protocol::{
    CopiedContent, FindingLink, LayerWasteFacts, ProbeProgress, ViewMode, WasteFacts, WastedPath, WhatIfFact,
};
use porthole_viewer::state::{Action, ProbeCost};
use porthole_viewer::words::{count, size};
use std::rc::Rc;
use yew::prelude::*;

/// Properties of [`Waste`].
#[derive(Properties, PartialEq)]
pub struct WasteProps {
    /// The waste, once every layer is settled.
    pub waste: Option<Rc<WasteFacts>>,
    /// What a comparison of contents costs, if they are not compared.
    pub cost: Option<ProbeCost>,
    /// How far it is.
    pub contents: [Option<Rc<ProbeProgress>>; 2],
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// The waste of the image.
#[component]
pub fn Waste(props: &WasteProps) -> Html {
    let Some(waste) = &props.waste else {
        return html! { <p class="note" role="status">{ "Waste is known when all layers are read." }</p> };
    };
    let mut costly: Vec<_> = waste.layers.iter().filter(|layer| layer.wastes > 0).collect();
    costly.sort_unstable_by_key(|layer| (std::cmp::Reverse(layer.wastes), layer.layer));
    let rest = waste.paths_total.saturating_sub(waste.paths.len() as u64);
    html! {
        <div class="document waste" tabindex="0" role="region" aria-label="Waste">
            <dl class="figures">
                <div data-waste="unpacked" data-bytes={waste.wasted.to_string()}><dd class="num">{ size(waste.wasted) }</dd><dt>{ "wasted of " }{ size(waste.files) }{ " unpacked" }</dt></div>
                <div data-waste="download" data-bytes={waste.wasted_download.to_string()}><dd class="num">{ "≈ " }{ size(waste.wasted_download) }</dd><dt>{ "of " }{ size(waste.download) }{ " download" }</dt></div>
                <div data-waste="efficiency" data-value={decimal(waste.efficiency)}><dd class="num">{ per_mille(waste) }</dd><dt>{ "efficiency" }</dt></div>
            </dl>
            <p class="dim">{ "Efficiency: " }{ bdi(&waste.definition) }{ "." }</p>
            if !waste.missing.is_empty() {
                <p class="finding">{ format!("{} of the layers are not counted: they are wrong or were not read.", waste.missing.len()) }</p>
            }
            if !waste.compared {
                { contents(NOT_COMPARED, props.cost, &props.contents, &props.dispatch) }
            }
            if waste.paths.is_empty() {
                <p>{ "A container sees every byte of every file in this image." }</p>
            } else {
                <h2 class="heading">{ "Layers to blame" }</h2>
                <ol class="ranked">{ for costly.into_iter().map(|layer| blame(layer, waste.wasted, &props.dispatch)) }</ol>
                <h2 class="heading">{ format!("Paths, most bytes first · {}", count(waste.paths_total)) }</h2>
                <table>
                    <thead><tr><th scope="col">{ "Path" }</th><th scope="col">{ "Why" }</th><th scope="col" class="right">{ "Unpacked" }</th><th scope="col" class="right">{ "Download" }</th></tr></thead>
                    <tbody>{ for waste.paths.iter().take(SHOWN).map(|path| row(path, &props.dispatch)) }</tbody>
                </table>
                if rest > 0 || waste.paths.len() > SHOWN {
                    <p class="dim">{ "The command below prints all of them." }</p>
                }
            }
            if !waste.what_if.is_empty() {
                <h2 class="heading">{ "What if" }</h2>
                <p class="dim">{ "Other ways to build the image, and what each would save. They are alternatives: their savings do not add up." }</p>
                <table class="what-if">
                    <thead><tr><th scope="col">{ "Change" }</th><th scope="col" class="right">{ "Unpacked" }</th><th scope="col" class="right">{ "Download" }</th></tr></thead>
                    <tbody>{ for waste.what_if.iter().map(what_if) }</tbody>
                </table>
            }
            if !waste.copies.is_empty() {
                <h2 class="heading">{ format!("Same content at several paths · {}", count(waste.copies_total)) }</h2>
                <p class="dim">{ "Hard links instead of copies would save these bytes." }</p>
                <table class="copies">
                    <thead><tr><th scope="col">{ "Paths" }</th><th scope="col" class="right">{ "Each" }</th><th scope="col" class="right">{ "To save" }</th></tr></thead>
                    <tbody>{ for waste.copies.iter().take(COPIES).map(|copies| copied(copies, &props.dispatch)) }</tbody>
                </table>
            }
        </div>
    }
}

fn what_if(way: &WhatIfFact) -> Html {
    html! {
        <tr data-what-if={way.change.clone()} data-layer={way.layer.map(|layer| layer.to_string())} data-bytes={way.download.to_string()}>
            <td>{ &way.text }</td>
            <td class="num right">{ if way.unpacked == 0 { "–".to_owned() } else { size(way.unpacked) } }</td>
            <td class="num right">{ "≈ " }{ size(way.download) }<div class="dim">{ format!("{} to {}", size(way.least), size(way.most)) }</div></td>
        </tr>
    }
}

fn copied(copies: &CopiedContent, dispatch: &Callback<Action>) -> Html {
    let path = |path: &String| {
        let target = FindingLink::Files { mode: ViewMode::Merged, layer: None, path: Some(path.clone()) };
        let onclick = dispatch.reform(move |_| Action::Follow(target.clone()));
        html! { <div><button class="plain mono" title="Show it among the files" {onclick}><bdi>{ path }</bdi></button></div> }
    };
    let more = copies.count.saturating_sub(NAMED as u64);
    html! {
        <tr data-copies={copies.count.to_string()} data-bytes={copies.bytes.to_string()}>
            <td>{ for copies.paths.iter().take(NAMED).map(path) }
                if more > 0 { <span class="dim">{ format!("and {} more", count(more)) }</span> }
            </td>
            <td class="num right">{ size(copies.bytes) }</td>
            <td class="num right">{ size(copies.spare) }</td>
        </tr>
    }
}

/// Rows that are drawn at most.
const SHOWN: usize = 300;
/// Groups of copies that are drawn at most, and paths of each.
const COPIES: usize = 100;
const NAMED: usize = 4;
const NOT_COMPARED: &str = "Contents are not compared yet: a file that was written again with the same size counts as \
    overwritten, and copies are not found.";

/// Efficiency in percent with one digit, rounded down, so that 100 % means no waste.
fn per_mille(waste: &WasteFacts) -> String {
    let tenths = u128::from(waste.visible) * 1_000 / u128::from(waste.files.max(1));
    if waste.files == 0 { "100.0 %".to_owned() } else { format!("{}.{} %", tenths / 10, tenths % 10) }
}

fn blame(layer: &LayerWasteFacts, all: u64, dispatch: &Callback<Action>) -> Html {
    let index = layer.layer;
    let parts = [
        ("deleted", layer.deleted),
        ("overwritten", layer.overwritten),
        ("written again", layer.duplicated),
        ("copied for mode or owner", layer.metadata),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(what, bytes)| format!("{} {what}", size(bytes)))
        .collect();
    let what =
        layer.instruction.as_ref().map(|it| html! { <><b>{ bdi(&it.keyword) }</b>{ " " }{ bdi(&it.arguments) }</> });
    let title = layer.instruction.as_ref().map(|it| tip(&it.created_by));
    html! {
        <li data-blame={index.to_string()} data-bytes={layer.wastes.to_string()}>
            <button class="chip" title={format!("Show the files of layer {}", index + 1)} onclick={dispatch.reform(move |_| Action::Layer(index))}>{ index + 1 }</button>
            <span class="what cut" {title}>{ for what }</span>
            <span class="num">{ size(layer.wastes) }</span>
            <progress class="share" max={all.max(1).to_string()} value={layer.wastes.to_string()} aria-hidden="true" />
            <span class="dim">{ parts.join(" · ") }</span>
        </li>
    }
}

fn row(path: &WastedPath, dispatch: &Callback<Action>) -> Html {
    let cause = match path.cause.as_str() {
        "deleted" => "deleted",
        "overwritten" => "overwritten",
        "duplicated" => "written again",
        _ => "copied",
    };
    let aspects = match (path.aspects.is_empty(), cause) {
        (true, _) => String::new(),
        (_, "copied") => format!(" to change {}", path.aspects.join(", ")),
        _ => format!(" ({})", path.aspects.join(", ")),
    };
    let brought = path.brought_by.iter().map(|layer| (layer + 1).to_string()).collect::<Vec<_>>().join(", ");
    let target = FindingLink::Files { mode: ViewMode::Deleted, layer: None, path: Some(path.path.clone()) };
    let onclick = dispatch.reform(move |_| Action::Follow(target.clone()));
    let elsewhere = path
        .elsewhere
        .as_ref()
        .map(|elsewhere| html! { <span class="dim">{ "; the same bytes are at " }<bdi>{ elsewhere }</bdi></span> });
    html! {
        <tr data-waste-path={path.path.clone()} data-bytes={path.bytes.to_string()} data-cause={path.cause.clone()}>
            <td><button class="plain mono" title="Show it among the deleted files" {onclick}><bdi>{ &path.path }</bdi>{ if path.directory { "/" } else { "" } }</button>
                if path.files > 1 { <span class="dim">{ format!(" {} files", count(path.files)) }</span> }
            </td>
            <td>{ cause }{ aspects }{ format!(" by layer {}", path.wasted_by + 1) }<span class="dim">{ format!(", from {brought}") }</span>{ for elsewhere }</td>
            <td class="num right">{ size(path.bytes) }</td>
            <td class="num right">{ "≈ " }{ size(path.download) }</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efficiency_is_rounded_down() {
        let of = |visible, files| per_mille(&WasteFacts { visible, files, ..WasteFacts::default() });
        assert_eq!([of(999_999, 1_000_000), of(1, 1), of(0, 0), of(1, 3)], ["99.9 %", "100.0 %", "100.0 %", "33.3 %"]);
    }
}
