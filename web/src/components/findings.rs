//! The findings of an image, each with a link to its view.

use super::words::bdi;
use porthole_viewer::protocol::{FindingFact, OverviewFacts};
use porthole_viewer::state::{Action, PackagesFound};
use yew::prelude::*;

/// The findings, the most serious first, with the dangers found by reading the packages.
pub fn findings(
    overview: Option<&OverviewFacts>,
    packages: Option<&PackagesFound>,
    dispatch: &Callback<Action>,
) -> Html {
    let Some(overview) = overview else { return Html::default() };
    let window = packages.and_then(|packages| packages.window.clone()).unwrap_or_default();
    let items = window.dangers.iter().chain(&overview.findings).map(|finding| item(finding, dispatch));
    let last =
        match (overview.settled, overview.findings.is_empty() && window.dangers.is_empty(), overview.missing.len()) {
            (false, ..) => "More may come when all layers are read.".to_owned(),
            (true, true, 0) => "Nothing stands out.".to_owned(),
            (true, _, 0) => String::new(),
            (true, _, missing) => format!("Nothing is known about the files of {missing} of the layers."),
        };
    html! {
        <section class="findings" aria-label="Findings" data-settled={overview.settled.to_string()}>
            <h2 class="heading">{ "Findings" }</h2>
            <ul>{ for items }</ul>
            if !last.is_empty() {
                <p class="dim">{ last }</p>
            }
        </section>
    }
}

fn item(finding: &FindingFact, dispatch: &Callback<Action>) -> Html {
    let target = finding.target.clone();
    let onclick = dispatch.reform(move |_| Action::Follow(target.clone()));
    let weight = match finding.kind.as_str() {
        "deleted-files" | "ambiguous" | "deviation" => "deleted",
        "expired-certificate"
        | "expiring-certificate"
        | "shell"
        | "device-node"
        | "plain-download"
        | "metadata-copies"
        | "biggest-waste"
        | "world-writable" => "modified",
        _ => "plain",
    };
    html! {
        <li data-finding={finding.kind.clone()} data-count={finding.count.map(|count| count.to_string())}>
            <button class="finding-link" data-weight={weight} {onclick}>{ bdi(&finding.text) }</button>
        </li>
    }
}
