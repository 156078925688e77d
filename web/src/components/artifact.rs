//! The section about an artifact, in place of that about what an image runs.

use super::words::{bdi, tip};
use porthole_viewer::protocol::{ArtifactBlob, ArtifactSummary, FindingLink, ViewMode};
use porthole_viewer::state::Action;
use porthole_viewer::words::size;
use yew::prelude::*;

/// Draws an artifact: its kind, its facts, and its blobs.
pub fn artifact(ArtifactSummary { kind, words, facts, blobs }: &ArtifactSummary, dispatch: &Callback<Action>) -> Html {
    let blob = |(layer, blob): (u32, &ArtifactBlob)| {
        let ArtifactBlob { name, media_type, size: bytes, facts } = blob;
        // An archive has files of its own in place of the blob.
        let link = FindingLink::Files { mode: ViewMode::Only, layer: Some(layer), path: Some(name.clone()) };
        let onclick = dispatch.reform(move |_| Action::Follow(link.clone()));
        html! {
            <li data-blob={name.clone()}>
                <button class="plain" title={tip(media_type)} {onclick}>{ bdi(name) }</button>
                <span class="dim num">{ size(*bytes) }</span>
                <p class="dim mono">{ bdi(media_type) }</p>
                if !facts.is_empty() {
                    <dl class="facts">{ for facts.iter().map(fact) }</dl>
                }
            </li>
        }
    };
    html! {
        <section class="artifact" data-artifact={kind.clone()}>
            <h3 class="heading">{ "What it is" }</h3>
            <dl class="facts">
                <dt>{ "kind" }</dt><dd>{ words }</dd>
                { for facts.iter().map(fact) }
            </dl>
            if blobs.iter().any(has_name) {
                <h3 class="heading">{ "Its blobs" }</h3>
                <ul class="blobs">{ for (0..).zip(blobs).filter(|(_, blob)| has_name(blob)).map(blob) }</ul>
            }
        </section>
    }
}

/// Layers of an image, such as those of Flatpak, are listed beside it.
fn has_name(blob: &ArtifactBlob) -> bool {
    !blob.name.is_empty()
}

fn fact((name, value): &(String, String)) -> Html {
    html! { <><dt>{ bdi(name) }</dt><dd data-fact={name.clone()}>{ bdi(value) }</dd></> }
}
