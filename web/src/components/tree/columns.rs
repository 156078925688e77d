//! The names of the columns.

use porthole_viewer::protocol::RowSort;
use porthole_viewer::state::Action;
use yew::prelude::*;

/// The columns, with the order that each can give.
const COLUMNS: [(&str, Option<(RowSort, &str)>); 6] = [
    ("Name", Some((RowSort::Name, " ↑"))),
    ("Size", Some((RowSort::Size, " ↓"))),
    ("Mode", None),
    ("Owner", None),
    ("Modified", Some((RowSort::Time, " ↓"))),
    ("Layer", Some((RowSort::Layer, " ↓"))),
];

/// The names of the columns; a click on most of them sets the order.
pub fn columns(order: RowSort, dispatch: &Callback<Action>) -> Html {
    let column = |(words, sort): (&'static str, Option<(RowSort, &'static str)>)| {
        let Some((sort, arrow)) = sort else { return html! { <span>{ words }</span> } };
        let pressed = order == sort;
        let label = format!("Sort by {}", words.to_ascii_lowercase());
        let onclick = dispatch.reform(move |_| Action::Sort(sort));
        html! {
            <span>
                <button aria-pressed={pressed.to_string()} aria-label={label} {onclick}>
                    { words }{ if pressed { arrow } else { "" } }
                </button>
            </span>
        }
    };
    html! { <div class="columns">{ for COLUMNS.into_iter().map(column) }</div> }
}
