//! The tools over the tree: which files, which changes, a filter.

use super::field::FilterField;
use porthole_viewer::listing::SpecialFiles;
use porthole_viewer::protocol::{FileView as Listing, RowChange, RowWindow, ViewMode};
use porthole_viewer::state::Action;
use porthole_viewer::words::count;
use std::rc::Rc;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// Properties of [`Tools`].
#[derive(Properties, PartialEq)]
pub struct ToolsProps {
    /// The view that is listed.
    pub view: ViewMode,
    /// The layer that "as of" and "only" refer to.
    pub focused: Option<u32>,
    /// Filter and toggles.
    pub listing: Listing,
    /// The kinds of change that this view has.
    pub toggles: &'static [RowChange],
    /// What the filter found.
    pub rows: Rc<RowWindow>,
    /// The files are a map.
    pub map: bool,
    /// Receives the actions of the component.
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
    let toggles = props.toggles.iter().map(|&change| {
        let (on, letter, class, title) = match change {
            RowChange::Added => (changes.added, "A", "added", "Show added files"),
            RowChange::Modified => (changes.modified, "M", "modified", "Show modified files"),
            _ => (changes.removed, "D", "deleted", "Show deleted files"),
        };
        let onclick = dispatch.reform(move |_| Action::Toggle(change));
        html! { <button class={classes!("toggle", class)} aria-pressed={on.to_string()} aria-label={title} {title} {onclick}>{ letter }</button> }
    });
    let chosen = SpecialFiles::ALL
        .into_iter()
        .find(|list| props.listing.filter.trim_start().starts_with(&format!("is:{}", list.name())));
    let lists = SpecialFiles::ALL.into_iter().map(|list| {
        let words = match list {
            SpecialFiles::Biggest => "the 100 biggest",
            SpecialFiles::Newest => "the 100 newest",
            SpecialFiles::SetUid => "set-uid",
            SpecialFiles::SetGid => "set-gid",
            SpecialFiles::Capabilities => "with capabilities",
            SpecialFiles::WorldWritable => "writable by all",
            SpecialFiles::Ambiguous => "ambiguous",
            SpecialFiles::Copies => "copies",
            SpecialFiles::Unowned => "of no package",
            SpecialFiles::Modified => "modified since installed",
        };
        html! { <option value={format!("is:{}", list.name())} selected={chosen == Some(list)}>{ words }</option> }
    });
    let special =
        dispatch.reform(|event: Event| Action::Filter(event.target_unchecked_into::<HtmlSelectElement>().value()));
    let show_map = {
        let to = (!props.map).then(|| "/".to_owned());
        dispatch.reform(move |_| Action::Map(to.clone()))
    };
    html! {
        <div class="tools">
            <div class="group" role="group" aria-label="Which files">{ for views }</div>
            <FilterField id="filter" label="Filter by path" placeholder="filter: text, glob, /regex/"
                title="text, a glob such as *.pem or usr/**/bin, or /an expression/; terms such as is:set-uid before it"
                value={props.listing.filter.clone()} on_typed={dispatch.reform(Action::Filter)} />
            <select id="special" aria-label="Special files" onchange={special}>
                <option value="" selected={chosen.is_none()}>{ "all files" }</option>
                { for lists }
            </select>
            { for toggles }
            { found(props) }
            <div class="group">
                <button id="show-map" aria-pressed={props.map.to_string()} title="Areas by size (v)" onclick={show_map}>{ "Map" }</button>
                if !props.map {
                    <button id="expand-all" onclick={dispatch.reform(|_| Action::ExpandAll(true))}>{ "Expand all" }</button>
                    <button id="collapse-all" onclick={dispatch.reform(|_| Action::ExpandAll(false))}>{ "Collapse" }</button>
                }
            </div>
        </div>
    }
}

/// The number of matches, or the view that has some.
fn found(props: &ToolsProps) -> Html {
    let rows = &props.rows;
    if props.listing.filter.trim().is_empty() {
        return Html::default();
    }
    let deleted = (rows.matches == 0 && rows.elsewhere > 0).then(|| {
        let onclick = props.dispatch.reform(|_| Action::View(ViewMode::Deleted));
        html! { <button id="in-deleted" class="small" {onclick}>{ count(rows.elsewhere) }{ " in Deleted" }</button> }
    });
    let words = match (&rows.problem, rows.matches) {
        (Some(why), _) => why.clone(),
        (None, 0) => "nothing here".to_owned(),
        (None, matches) => format!("{} found", count(matches)),
    };
    html! { <><span id="found" class="dim num" role="status" data-matches={rows.matches.to_string()}>{ words }</span>{ for deleted }</> }
}
