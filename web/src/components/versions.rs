//! The versions of a path by layer, and how two of them differ.

use super::words::{bdi, tip};
use porthole_viewer::protocol::{PathVersionFacts, RowChange, ShownHunk, ShownLine, ShownSide, VersionDiff};
use porthole_viewer::state::Action;
use porthole_viewer::words::size;
use std::rc::Rc;
use yew::prelude::*;

/// The versions of a path, newest first.
pub(super) fn list(
    versions: &[PathVersionFacts],
    diff: Option<&(u32, u32, Rc<VersionDiff>)>,
    dispatch: &Callback<Action>,
) -> Html {
    // Two written versions can be compared; a removal has no content.
    let written: Vec<u32> = versions
        .iter()
        .filter(|version| version.content.is_some() && version.row.change != RowChange::Removed)
        .map(|version| version.layer)
        .collect();
    let items = versions.iter().rev().map(|version| {
        let before = written
            .iter()
            .rev()
            .find(|&&layer| layer < version.layer)
            .copied()
            .filter(|_| written.contains(&version.layer));
        item(version, before, dispatch)
    });
    html! {
        <section class="versions" aria-label="Versions of this path">
            <h3 class="heading">{ "Versions of this path" }</h3>
            <ol>{ for items }</ol>
            if let Some((before, after, diff)) = diff {
                <div class="diff" data-before={before.to_string()} data-after={after.to_string()}>
                    <p class="dim">{ format!("Layer {} → layer {}", before + 1, after + 1) }</p>
                    { difference(diff, anyway(*before, *after, dispatch)) }
                </div>
            }
        </section>
    }
}

fn item(version: &PathVersionFacts, before: Option<u32>, dispatch: &Callback<Action>) -> Html {
    let (letter, class, word) = match version.row.change {
        RowChange::Added => ("A", "added", "added"),
        RowChange::Modified => ("M", "modified", "modified"),
        RowChange::Removed => ("D", "deleted", "removed"),
        RowChange::Unchanged => ("·", "dim", "written again, unchanged"),
    };
    let what = version.instruction.as_ref();
    let after = version.layer;
    let compare = before.map(|before| {
        let onclick = dispatch.reform(move |_| Action::Diff { before, after, anyway: false });
        html! { <button class="small" data-diff={format!("{}-{}", before + 1, after + 1)} {onclick}>{ format!("diff {} → {}", before + 1, after + 1) }</button> }
    });
    html! {
        <li data-version={version.layer.to_string()} data-change={version.row.change.as_str()} data-bytes={version.content.map(|bytes| bytes.to_string())}>
            <span class={classes!("letter", class)} title={word}>{ letter }</span>
            <span class="cut" title={what.map(|it| tip(&it.created_by))}>
                { format!("layer {} ", version.layer + 1) }
                if let Some(it) = what {
                    <span class="dim">{ bdi(&it.keyword) }{ " " }{ bdi(&it.arguments) }</span>
                }
            </span>
            <span class="num">{ version.content.map(size).unwrap_or_default() }</span>
            if !version.aspects.is_empty() {
                <span class="aspects dim">{ version.aspects.join(", ") }</span>
            }
            { for compare }
        </li>
    }
}

fn anyway(before: u32, after: u32, dispatch: &Callback<Action>) -> Callback<MouseEvent> {
    dispatch.reform(move |_| Action::Diff { before, after, anyway: true })
}

/// How two contents differ; `anyway` reads them whatever that costs.
pub(super) fn difference(diff: &VersionDiff, anyway: Callback<MouseEvent>) -> Html {
    match diff {
        VersionDiff::Reading => html! { <p class="dim" role="status">{ "Reading both…" }</p> },
        VersionDiff::Costly { bytes } => {
            html! { <button class="small" onclick={anyway}>{ "Read " }{ size(*bytes) }{ " to compare" }</button> }
        }
        VersionDiff::Same => html! { <p>{ "The same bytes." }</p> },
        VersionDiff::Binary => html! { <p>{ "They differ, and at least one is not text." }</p> },
        VersionDiff::TooLarge { limit } => {
            html! { <p>{ format!("Files of more than {} are not compared here.", size(*limit)) }</p> }
        }
        VersionDiff::Failed { text, .. } => html! { <p class="finding" role="alert">{ bdi(text) }</p> },
        VersionDiff::Lines { hunks } => {
            html! { <div class="hunks" tabindex="0" role="region" aria-label="Difference">{ for hunks.iter().map(hunk) }</div> }
        }
    }
}

fn hunk(hunk: &ShownHunk) -> Html {
    let head = format!("@@ -{},{} +{},{} @@", hunk.before.0, hunk.before.1, hunk.after.0, hunk.after.1);
    html! { <><span class="dim">{ head }</span>{ for hunk.lines.iter().map(line) }</> }
}

fn line(line: &ShownLine) -> Html {
    let (sign, side) = match line.side {
        ShownSide::Both => (" ", "both"),
        ShownSide::Before => ("-", "before"),
        ShownSide::After => ("+", "after"),
    };
    html! { <><span data-side={side}>{ sign }{ &line.text }</span>if line.unended { <span class="dim">{ "\\ no line feed at the end" }</span> }</> }
}
