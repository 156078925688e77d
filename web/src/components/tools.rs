//! The tools over the tree: which files, which changes, a filter.

use porthole_viewer::protocol::{FileView as Listing, RowChange, ViewMode};
use porthole_viewer::state::Action;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// What the tools need.
#[derive(Properties, PartialEq)]
pub struct ToolsProps {
    /// The view.
    pub view: ViewMode,
    /// The layer that "as of" and "only" refer to.
    pub focused: Option<u32>,
    /// Filter and toggles.
    pub listing: Listing,
    /// Takes actions.
    pub dispatch: Callback<Action>,
}

/// The tools over the tree.
#[component]
pub fn Tools(props: &ToolsProps) -> Html {
    let dispatch = &props.dispatch;
    let focused = props.focused.map(|layer| layer + 1);
    let views = [ViewMode::Merged, ViewMode::UpTo, ViewMode::Only, ViewMode::Deleted].into_iter().map(|view| {
        let (words, title) = match (view, focused) {
            (ViewMode::Merged, _) => ("Merged".to_owned(), "What a container sees"),
            (ViewMode::UpTo, Some(layer)) => (format!("As of {layer}"), "What a container of the layers up to this one sees"),
            (ViewMode::UpTo, None) => ("As of".to_owned(), "What a container of the layers up to one sees"),
            (ViewMode::Only, Some(layer)) => (format!("Only {layer}"), "What this layer wrote and removed"),
            (ViewMode::Only, None) => ("Only".to_owned(), "What one layer wrote and removed"),
            (ViewMode::Deleted, _) => ("Deleted".to_owned(), "Deleted or overwritten by a later layer, but still in the image"),
        };
        let pressed = (props.view == view).to_string();
        html! {
            <button data-view={view.name()} aria-pressed={pressed} {title} disabled={view.wants_layer() && focused.is_none()} onclick={dispatch.reform(move |_| Action::View(view))}>{ words }</button>
        }
    });
    let changes = props.listing.changes;
    let toggles = [
        (RowChange::Added, changes.added, "A", "added", "Added files"),
        (RowChange::Modified, changes.modified, "M", "modified", "Modified files"),
        (RowChange::Removed, changes.removed, "D", "deleted", "Deleted files"),
    ];
    let toggles = toggles.into_iter().map(|(change, on, letter, class, title)| {
        let onclick = dispatch.reform(move |_| Action::Toggle(change));
        html! { <button class={classes!("toggle", class)} aria-pressed={on.to_string()} aria-label={title} {title} {onclick}>{ letter }</button> }
    });
    let filter =
        dispatch.reform(|event: InputEvent| Action::Filter(event.target_unchecked_into::<HtmlInputElement>().value()));
    html! {
        <div class="tools">
            <div class="group" role="group" aria-label="Which files">{ for views }</div>
            <input id="filter" type="search" aria-label="Filter by path" placeholder="filter by path" autocomplete="off" spellcheck="false"
                value={props.listing.filter.clone()} oninput={filter} />
            { for toggles }
            <div class="group">
                <button id="expand-all" onclick={dispatch.reform(|_| Action::ExpandAll(true))}>{ "Expand all" }</button>
                <button id="collapse-all" onclick={dispatch.reform(|_| Action::ExpandAll(false))}>{ "Collapse" }</button>
            </div>
        </div>
    }
}
