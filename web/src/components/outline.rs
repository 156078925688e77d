//! JSON and XML as a tree that is folded.

use super::words::bdi;
use porthole_viewer::words::OutlineNode;
use std::{iter::Peekable, slice::Iter};
use yew::prelude::*;

/// Levels that are open at first.
const OPEN: u16 = 2;

/// Draws an outline.
pub(super) fn nodes(outline: &[OutlineNode]) -> Html {
    level(&mut outline.iter().peekable(), 0)
}

/// The nodes of a level, each with those below it.
fn level(rest: &mut Peekable<Iter<'_, OutlineNode>>, depth: u16) -> Html {
    let mut drawn = Vec::new();
    while let Some(node) = rest.next_if(|node| node.depth >= depth) {
        let name = html! { <b>{ bdi(&node.name) }</b> };
        drawn.push(match node.children {
            Some(count) => html! {
                <details open={depth < OPEN}>
                    <summary>{ name }<span class="dim">{ format!(" ({count})") }</span></summary>
                    { level(rest, depth + 1) }
                </details>
            },
            None => html! { <div>{ name }{ " " }{ bdi(&node.value) }</div> },
        });
    }
    drawn.into_iter().collect()
}
