//! Sorts the rows of a tree by `--sort`.

use std::cmp::Reverse;

use porthole_core::tree::{NodeId, Row, View};

use super::Sort;

/// The sort keys of a row, and the position from which the row can be made again. It takes a third of the memory of a row.
pub(super) struct Waiting {
    node: NodeId,
    /// Index of the row among those of the node.
    place: u32,
    total: u64,
    modified: (i64, u32),
    layer: u32,
    path: Box<[u8]>,
}

impl Waiting {
    fn name(&self) -> &[u8] {
        self.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }

    pub(super) fn row(&self, view: &View<'_>) -> Option<Row> {
        view.rows_of(self.node).into_iter().nth(self.place as usize)
    }
}

/// The rows at and below a node, sorted.
pub(super) fn sorted(view: &View<'_>, top: NodeId, by: Sort) -> Vec<Waiting> {
    let mut rows: Vec<Waiting> = Vec::new();
    for Row { node, total, path, mtime, mtime_nsec, layer, .. } in view.walk(top) {
        let place = rows.last().filter(|last| last.node == node).map_or(0, |last| last.place + 1);
        rows.push(Waiting { node, place, total, modified: (mtime, mtime_nsec), layer, path: path.into() });
    }
    match by {
        Sort::Size => rows.sort_by(|a, b| (Reverse(a.total), &a.path).cmp(&(Reverse(b.total), &b.path))),
        Sort::Name => rows.sort_by(|a, b| (a.name(), &a.path).cmp(&(b.name(), &b.path))),
        Sort::Path => rows.sort_by(|a, b| a.path.cmp(&b.path)),
        Sort::Time => rows.sort_by(|a, b| (Reverse(a.modified), &a.path).cmp(&(Reverse(b.modified), &b.path))),
        Sort::Layer => rows.sort_by(|a, b| (Reverse(a.layer), &a.path).cmp(&(Reverse(b.layer), &b.path))),
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::{
        tar::{Entry, Kind},
        tree::{FileTree, Mode},
    };

    #[test]
    fn every_row_of_a_path_is_found_again() {
        let mut tree = FileTree::new(100);
        for (layer, path) in ["b/a", "b/a", ".wh.b", "b/a/c", "a"].iter().enumerate() {
            tree.begin(layer as u32);
            let mtime = [3, 9, 1, 3, 7][layer];
            tree.apply(&Entry { mtime, ..Entry::new(*path, Kind::File) }).unwrap();
            tree.commit();
        }
        for mode in [Mode::Deleted, Mode::Merged] {
            let view = tree.view(mode);
            for by in [Sort::Size, Sort::Name, Sort::Path, Sort::Time, Sort::Layer] {
                let sorted: Vec<Row> = sorted(&view, tree.root(), by).iter().filter_map(|row| row.row(&view)).collect();
                let mut expected = view.rows();
                match by {
                    Sort::Size => expected.sort_by_key(|row| (Reverse(row.total), row.path.clone())),
                    Sort::Name => expected.sort_by_key(|row| (row.name.clone(), row.path.clone())),
                    Sort::Path => expected.sort_by_key(|row| row.path.clone()),
                    Sort::Time => {
                        expected.sort_by_key(|row| (Reverse((row.mtime, row.mtime_nsec)), row.path.clone()));
                    }
                    Sort::Layer => expected.sort_by_key(|row| (Reverse(row.layer), row.path.clone())),
                }
                assert_eq!(sorted, expected);
            }
        }
    }
}
