//! Targets for stacked layers.

#[path = "../../crates/core/tests/model/mod.rs"]
#[allow(dead_code, reason = "the core's own tests use more of it")]
mod model;

use model::Model;
use porthole_core::{
    tar::{Entry, Kind},
    tree::{FileTree, Mode, Sort},
};
use std::iter;

use crate::listing::list;

/// Checks that no archive makes a tree panic, as a lower or an upper layer, and that an aborted layer leaves no trace.
pub fn tree(data: &[u8]) {
    let (listing, _) = list(iter::once(data));
    let mut tree = FileTree::new(20_000);
    for layer in 0..2 {
        tree.begin(layer);
        for entry in &listing.entries {
            if tree.apply(entry).is_err() {
                break;
            }
        }
        tree.commit();
    }
    let before = paths(&tree);
    tree.begin(2);
    for entry in &listing.entries {
        let _ = tree.apply(entry);
    }
    tree.abort();
    assert_eq!(before, paths(&tree));
    for mode in [Mode::UpTo(0), Mode::Only(1), Mode::Deleted] {
        let view = tree.view(mode);
        view.rows();
        view.total_size();
        view.children(tree.root(), Sort::Size);
    }
}

/// Compares layers full of whiteouts and links with the reference model of containerd. The bytes choose among few
/// names.
pub fn whiteouts(data: &[u8]) {
    let mut tree = FileTree::new(1 << 16);
    let mut model = Model::default();
    for (number, layer) in layers(data).iter().enumerate() {
        let before = model.paths();
        tree.begin(number as u32);
        let mut applying = model.begin();
        for entry in layer {
            let expected = model.apply(&mut applying, entry);
            let got = tree.apply(entry);
            assert_eq!(got.is_ok(), expected.is_ok(), "{entry:?}: {got:?} and {expected:?}");
            if expected.is_err() {
                break;
            }
        }
        let finished = model.finish(applying);
        let summary = tree.commit();
        assert_eq!(summary.stopped.is_none(), finished.is_ok(), "{:?} and {finished:?}", summary.stopped);
        let after = model.paths();
        assert_eq!(summary.added, after.difference(&before).count() as u64);
        assert_eq!(summary.removed, before.difference(&after).count() as u64);
        let rows = tree.view(Mode::Merged).rows();
        let expected = model.seen();
        assert_eq!(rows.len(), expected.len());
        for row in rows {
            let seen = expected.get(&*String::from_utf8_lossy(&row.path)).expect("no path that containerd leaves not");
            // A row does not say what type a hard link's target is.
            assert!(row.kind == Kind::Hardlink || Some(row.kind) == seen.kind, "{row:?} and {seen:?}");
        }
    }
}

fn paths(tree: &FileTree) -> Vec<Vec<u8>> {
    tree.view(Mode::Merged).rows().into_iter().map(|row| row.path).collect()
}

const LAYERS: usize = 3;
const ENTRIES: usize = 12;
const PARTS: [&str; 12] = ["a", "b", "l", "", ".", "..", ".wh.a", ".wh.b", ".wh.l", ".wh..wh..opq", ".wh..", ".wh."];
const KINDS: [Kind; 8] =
    [Kind::File, Kind::Directory, Kind::Symlink, Kind::Hardlink, Kind::Directory, Kind::File, Kind::Fifo, Kind::Global];

fn layers(data: &[u8]) -> Vec<Vec<Entry>> {
    let mut bytes = data.iter().copied();
    let mut layers = vec![Vec::new()];
    while let Some(first) = bytes.next() {
        let kind = KINDS[usize::from(first & 7)];
        let mut entry = Entry::new(name(first >> 3 & 3, &mut bytes), kind);
        match kind {
            Kind::Symlink | Kind::Hardlink => entry.link = name(first >> 5 & 1, &mut bytes),
            Kind::File => entry.size = u64::from(first >> 5 & 3),
            _ => {}
        }
        let count = layers.len();
        if let Some(layer) = layers.last_mut() {
            layer.push(entry);
            let full = layer.len() >= ENTRIES;
            if first & 0x80 != 0 || full {
                if count == LAYERS {
                    break;
                }
                layers.push(Vec::new());
            }
        }
    }
    layers
}

/// A path of one to four components.
fn name(more: u8, bytes: &mut impl Iterator<Item = u8>) -> Vec<u8> {
    let parts: Vec<&str> =
        (0..=more).map_while(|_| bytes.next()).map(|byte| PARTS[usize::from(byte) % PARTS.len()]).collect();
    parts.join("/").into_bytes()
}
