//! The names of the columns.

use porthole_viewer::protocol::RowSort;
use porthole_viewer::state::Action;
use yew::prelude::*;

/// The names of the columns; a click on most of them sets the order.
pub fn columns(order: RowSort, dispatch: &Callback<Action>) -> Html {
    let button = |sort: RowSort, words: &str, arrow: &str| {
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
    html! {
        <div class="columns">
            { button(RowSort::Name, "Name", " ↑") }
            { button(RowSort::Size, "Size", " ↓") }
            <span>{ "Mode" }</span><span>{ "Owner" }</span>
            { button(RowSort::Time, "Modified", " ↓") }
            { button(RowSort::Layer, "Layer", " ↓") }
        </div>
    }
}
