//! The files that no package owns, and those that were modified after they were installed.

use super::probe::ask;
use porthole_viewer::protocol::{OwnerFacts, ProbeProgress};
use porthole_viewer::state::{Action, ProbeCost};
use porthole_viewer::words::count;
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
            } else {
                { ask(("compare-recorded", "Compare files with what packages recorded"), cost, recorded.into_iter(), None, dispatch.reform(|_| Action::CompareRecorded)) }
            }
        </section>
    }
}
