//! One row of the tree.

use super::super::words::tip;
use porthole_viewer::protocol::{FileRow, RowChange, RowKind, ViewMode};
use porthole_viewer::words::{day, mode, moment, percent, size};
use yew::prelude::*;

/// Draws a row; one that the session has not sent yet is blank.
pub(super) fn row(
    row: Option<&FileRow>,
    index: u64,
    largest: u64,
    selected: Option<&str>,
    active: bool,
    view: ViewMode,
    [onclick, ondblclick]: [Callback<MouseEvent>; 2],
) -> Html {
    let Some(row) = row else {
        return html! { <div key={index} class="row blank" role="presentation" tabindex="-1" data-blank={index.to_string()}>{ "…" }</div> };
    };
    let is_selected = selected == Some(row.path.as_str());
    let letter = letter(row.change, view);
    html! {
        <div key={index} class="row" role="treeitem" tabindex={if active { "0" } else { "-1" }} aria-level={(row.depth + 1).to_string()}
            aria-posinset={row.place.to_string()} aria-setsize={row.siblings.to_string()}
            aria-selected={is_selected.to_string()} aria-expanded={row.has_children.then(|| row.expanded.to_string())}
            data-index={index.to_string()} data-path={row.path.clone()} data-type={row.kind.as_str()} data-size={row.size.to_string()}
            data-mode={row.mode.to_string()} data-uid={row.uid.to_string()} data-gid={row.gid.to_string()}
            data-mtime={row.mtime.to_string()} data-link={row.link.clone()} data-layer={row.layer.to_string()}
            data-change={row.change.as_str()} {onclick} {ondblclick}>
            <span class="name" ~style={format!("--depth:{}", row.depth.min(40))}>
                <span class="twisty" aria-hidden="true">{ twisty(row) }</span>
                if let Some((letter, class, words)) = letter {
                    <span class={classes!("letter", class)} title={words}>{ letter }</span>
                }
                <bdi title={tip(&row.path)}>{ &row.name }</bdi>{ if row.kind == RowKind::Dir { "/" } else { "" } }
                if !row.link.is_empty() {
                    <span class="target">{ if row.kind == RowKind::Hardlink { " ⇒ " } else { " → " } }<bdi>{ &row.link }</bdi></span>
                }
            </span>
            { figure(row, largest) }
            <span class="mode">{ mode(row.kind.letter(), row.mode) }</span>
            <span class="owner cut">{ row.uid }{ ":" }{ row.gid }</span>
            <span class="time" title={moment(row.mtime)}>{ day(row.mtime) }</span>
            <span class="layer"><span class="chip" title={format!("layer {}", row.layer + 1)}>{ row.layer + 1 }</span></span>
        </div>
    }
}

fn twisty(row: &FileRow) -> &'static str {
    match (row.has_children, row.expanded) {
        (false, _) => "",
        (true, false) => "▸",
        (true, true) => "▾",
    }
}

/// The letter of a change. In the merged view "added" would stand on every row, so it stands on none.
fn letter(change: RowChange, view: ViewMode) -> Option<(&'static str, &'static str, &'static str)> {
    match change {
        RowChange::Added if view == ViewMode::Merged => None,
        RowChange::Added => Some(("A", "added", "added")),
        RowChange::Modified => Some(("M", "modified", "modified")),
        RowChange::Removed => Some(("D", "deleted", "deleted")),
        RowChange::Unchanged => None,
    }
}

/// The size, with a bar beside it; what has none has a dash.
fn figure(row: &FileRow, largest: u64) -> Html {
    if !matches!(row.kind, RowKind::File | RowKind::Dir) {
        return html! { <span class="size num">{ "–" }</span> };
    }
    let bytes = if row.kind == RowKind::Dir { row.total } else { row.size };
    let width = if bytes == 0 { 0 } else { percent(bytes, largest) };
    html! {
        <span class="size num">
            <span class="share" aria-hidden="true">
                if width > 0 {
                    <i ~style={format!("width:{width}%")} />
                }
            </span>
            <span>{ size(bytes) }</span>
        </span>
    }
}
