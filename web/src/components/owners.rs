//! The files that no package owns, and those that were modified after they were installed.

use super::{probe::ask, words::bdi};
use porthole_viewer::protocol::{FindingLink, ModifiedFact, OwnerFacts, ProbeProgress, ViewMode};
use porthole_viewer::size::count;
use porthole_viewer::state::{Action, ProbeCost};
use std::rc::Rc;
use yew::prelude::*;

/// Both lists in short, each with a button that leads to its files.
pub(super) fn owners(
    facts: &OwnerFacts,
    cost: Option<ProbeCost>,
    recorded: Option<&Rc<ProbeProgress>>,
    dispatch: &Callback<Action>,
) -> Html {
    let list = |id: &'static str, number: u64, words: &str| {
        let open = dispatch.reform(move |_| Action::ListFiles(format!("is:{id}")));
        html! { <p>{ count(number) }{ words }{ " " }<button id={format!("list-{id}")} data-count={number.to_string()} class="small" disabled={number == 0} onclick={open}>{ "Show the files" }</button></p> }
    };
    html! {
        <section class="owners" aria-label="Files and their packages">
            { list("unowned", facts.unowned, if facts.unowned == 1 { " file belongs to no package." } else { " files belong to no package." }) }
            if let Some(modified) = facts.modified {
                { list("modified", modified, if modified == 1 { " file is not as its package brought it." } else { " files are not as their packages brought them." }) }
                if !facts.rows.is_empty() {
                    <details>
                        <summary>{ "By package" }</summary>
                        <table class="modified-files"><tbody>{ for facts.rows.iter().map(|row| modified_file(row, dispatch)) }</tbody></table>
                        if (facts.rows.len() as u64) < modified { <p class="dim">{ format!("The first {} of {}.", count(facts.rows.len() as u64), count(modified)) }</p> }
                    </details>
                }
            } else {
                { ask(("compare-recorded", "Compare files with what packages recorded"), cost, recorded.into_iter(), None, dispatch.reform(|_| Action::CompareRecorded)) }
            }
        </section>
    }
}

fn modified_file(row: &ModifiedFact, dispatch: &Callback<Action>) -> Html {
    let target = FindingLink::Files { mode: ViewMode::Merged, layer: None, path: Some(row.path.clone()) };
    let open = dispatch.reform(move |_| Action::Follow(target.clone()));
    let what = match (row.is_file, row.configuration) {
        (false, _) => "no file any more",
        (true, true) => "configuration",
        (true, false) => "",
    };
    html! {
        <tr data-modified-path={row.path.clone()}>
            <td><button class="plain mono" onclick={open}>{ bdi(&row.path) }</button></td>
            <td class="mono">{ bdi(&row.package) }</td>
            <td class="dim">{ format!("layer {}", row.layer + 1) }</td>
            <td class="dim">{ what }</td>
        </tr>
    }
}
