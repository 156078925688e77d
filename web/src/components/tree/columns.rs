//! The names of the columns.

use porthole_viewer::protocol::RowSort;
use porthole_viewer::state::Action;
use yew::prelude::*;

/// What the names need.
#[derive(Properties, PartialEq)]
pub struct ColumnsProps {
    /// The order.
    pub sort: RowSort,
    /// Takes actions.
    pub dispatch: Callback<Action>,
}

/// The names of the columns; a click on two of them sets the order.
#[component]
pub fn Columns(props: &ColumnsProps) -> Html {
    let button = |sort: RowSort, words: &str, arrow: &str| {
        let pressed = props.sort == sort;
        let label = format!("Sort by {}", words.to_lowercase());
        let onclick = props.dispatch.reform(move |_| Action::Sort(sort));
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
            <span>{ "Mode" }</span><span>{ "Owner" }</span><span>{ "Modified" }</span><span>{ "Layer" }</span>
        </div>
    }
}
