//! What could have been meant by a path that is not there.

use porthole_core::{
    hint::Hint,
    layer::LayerNumber,
    path,
    tar::Kind,
    tree::{FileTree, Mode, Sort, View},
};
use porthole_inspect::open::{At, FileLookup, LoneLayer};

/// How many similar names are told.
const SIMILAR: usize = 3;
/// Longer names are not compared letter by letter.
const LONGEST: usize = 64;
/// Names of a directory that are looked at.
const NAMES: usize = 10_000;

/// Of all layers: a layer that still has it, or names that are almost the same.
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

/// Of one layer.
pub(super) fn in_layer(alone: &LoneLayer, lost: &[u8], layer: LayerNumber) -> Vec<Hint> {
    let (directory, name) = split(lost);
    if alone.at(&join(directory, &[b".wh.", name].concat())).is_some() {
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

/// Names in the deepest directory that is there, which are almost the one that is not.
fn similar(lost: &[u8], at: impl Fn(&[u8]) -> Option<At>, names: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> Vec<Hint> {
    let (mut directory, mut name) = split(lost);
    while !directory.is_empty() && at(directory) != Some(At::Directory) {
        (directory, name) = split(directory);
    }
    let mut near: Vec<(usize, Vec<u8>)> =
        names(directory).into_iter().take(NAMES).filter_map(|other| Some((distance(name, &other)?, other))).collect();
    near.sort();
    let shown = |(_, name): &(usize, Vec<u8>)| format!("`{}`", path::escape(&join(directory, name)));
    let near: Vec<String> = near.iter().take(SIMILAR).map(shown).collect();
    if near.is_empty() { Vec::new() } else { vec![Hint::Text(format!("did you mean {}?", near.join(" or ")))] }
}

/// Letters that must be changed, added or left out to make one name of the other, whatever their case; `None` if that is
/// more than a third of them.
fn distance(a: &[u8], b: &[u8]) -> Option<usize> {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    if a.len().max(b.len()) > LONGEST {
        return (a == b).then_some(0);
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().filter(|distance| distance * 3 <= a.len().max(b.len()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_similar_or_not() {
        for (a, b, expected) in [
            ("passwd", "passwd", Some(0)),
            ("Passwd", "passwd", Some(0)),
            ("passwrd", "passwd", Some(1)),
            ("paswd", "passwd", Some(1)),
            ("pwd", "passwd", None),
            ("a", "b", None),
            ("", "", Some(0)),
            ("", "a", None),
            ("kitten", "sitting", None),
            ("os-relase", "os-release", Some(1)),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
    }
}
