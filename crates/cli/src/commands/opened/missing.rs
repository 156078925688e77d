//! Hints about a path that does not exist.

use porthole_core::{
    hint::Hint,
    layer::LayerNumber,
    path,
    tar::Kind,
    tree::{FileTree, Mode, Sort, View, WHITEOUT},
};
use porthole_inspect::open::{At, FileLookup, LoneLayer};

use crate::near;

/// Maximum number of names of a directory that are compared.
const NAMES: usize = 10_000;

/// Hints for a look-up in all layers: the layer that removed the path, or similar names.
pub(super) fn in_image(tree: &FileTree, lost: &[u8]) -> Vec<Hint> {
    let deleted = tree.view(Mode::Deleted);
    let rows = deleted.find(lost).map(|node| deleted.rows_of(node)).unwrap_or_default();
    let gone = rows.iter().find(|row| matches!(row.kind, Kind::File | Kind::Hardlink) && row.removed_by.is_some());
    if let Some((row, by)) = gone.and_then(|row| row.removed_by.map(|by| (row, by))) {
        return vec![Hint::Text(format!(
            "layer {} removed it; to see what layer {1} had, add --layer {1}",
            LayerNumber::of_index(by),
            LayerNumber::of_index(row.layer)
        ))];
    }
    let view = tree.view(Mode::Merged);
    similar(lost, |directory| view.at(directory), |directory| names(&view, directory))
}

/// Hints for a look-up in one layer: the layer removes the path, or similar names.
pub(super) fn in_layer(alone: &LoneLayer, lost: &[u8], layer: LayerNumber) -> Vec<Hint> {
    let (directory, name) = split(lost);
    if alone.at(&join(directory, &[WHITEOUT, name].concat())).is_some() {
        return vec![Hint::Text(format!("layer {layer} removes it: a layer below has it"))];
    }
    let mut hints = similar(lost, |directory| alone.at(directory), |directory| alone.names(directory));
    hints.push(Hint::Text("without --layer it is looked up in all layers".to_owned()));
    hints
}

fn names(view: &View<'_>, directory: &[u8]) -> Vec<Vec<u8>> {
    let Some(node) = view.find(directory) else { return Vec::new() };
    let children = view.child_nodes(node, Sort::Name).into_iter().take(NAMES);
    children.filter_map(|child| view.row(child)).map(|row| row.name).collect()
}

/// Suggests similar names in the deepest directory of the path that exists.
fn similar(lost: &[u8], at: impl Fn(&[u8]) -> Option<At>, names: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> Vec<Hint> {
    let (mut directory, mut name) = split(lost);
    while !directory.is_empty() && at(directory) != Some(At::Directory) {
        (directory, name) = split(directory);
    }
    let mut found: Vec<(usize, Vec<u8>)> = names(directory)
        .into_iter()
        .take(NAMES)
        .filter_map(|other| Some((near::distance(name, &other)?, other)))
        .collect();
    found.sort();
    let shown = |(_, name): &(usize, Vec<u8>)| format!("`{}`", path::escape(&join(directory, name)));
    let found: Vec<String> = found.iter().take(near::MOST).map(shown).collect();
    near::hint(&found).into_iter().collect()
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&b| b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}
