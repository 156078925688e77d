//! The type of a file, the facts in its bytes, and the members of an archive.

use super::words::bdi;
use porthole_viewer::protocol::{ShownFacts, ShownMembers};
use porthole_viewer::state::Action;
use porthole_viewer::words::{count, size};
use yew::prelude::*;

/// Draws the facts of a file. Draws nothing for text and data without further facts.
pub(super) fn about(facts: &ShownFacts, dispatch: &Callback<Action>) -> Html {
    if facts.facts.is_empty() && facts.members.is_none() && matches!(&*facts.kind, "text" | "data" | "empty file") {
        return Html::default();
    }
    let rows = facts.facts.iter().map(|(name, values)| {
        let value = match &values[..] {
            [value] => bdi(value),
            values => html! { <ul>{ for values.iter().map(|value| html! { <li>{ bdi(value) }</li> }) }</ul> },
        };
        html! { <><dt>{ name }</dt><dd>{ value }</dd></> }
    });
    html! {
        <section class="about" data-kind={facts.kind.clone()}>
            <h3 class="heading">{ &facts.kind }</h3>
            <dl class="facts">{ for rows }</dl>
            { for facts.members.as_ref().map(members) }
            if let Some(bytes) = facts.costly {
                <button class="small" data-action="about" onclick={dispatch.reform(|_| Action::Read)}>{ "Read " }{ size(bytes) }{ " to know more" }</button>
            }
        </section>
    }
}

fn members(members: &ShownMembers) -> Html {
    let rows = members.rows.iter().map(|member| {
        html! { <tr><td>{ bdi(&member.name) }</td><td class="num">{ size(member.size) }</td><td class="num">{ &member.modified }</td></tr> }
    });
    let shown = members.rows.len() as u64;
    html! {
        <>
            <div class="members" tabindex="0" role="region" aria-label="Members">
                <table data-members={members.count.to_string()}>
                    <thead><tr><th>{ "Name" }</th><th>{ "Size" }</th><th>{ "Written" }</th></tr></thead>
                    <tbody>{ for rows }</tbody>
                </table>
            </div>
            if shown < members.count {
                <p class="dim">{ "The first " }{ count(shown) }{ " of " }{ count(members.count) }{ ". porthole file --list prints more." }</p>
            }
            if let Some(problem) = &members.problem {
                <p class="dim">{ "There may be more: " }{ bdi(problem) }</p>
            }
        </>
    }
}
