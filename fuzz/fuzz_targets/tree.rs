//! No archive makes a tree panic, as a lower or an upper layer, and an aborted layer leaves no trace.
#![no_main]

use libfuzzer_sys::fuzz_target;
use porthole_core::{
    tar::Scanner,
    tree::{FileTree, Mode, Sort},
};
use porthole_fuzz::{Record, limits};

fuzz_target!(|data: &[u8]| {
    let mut scanner = Scanner::new(&limits());
    let mut record = Record::default();
    let _ = scanner.push(data, &mut record);
    let mut tree = FileTree::new(20_000);
    for layer in 0..2 {
        tree.begin(layer);
        for entry in &record.entries {
            if tree.apply(entry).is_err() {
                break;
            }
        }
        tree.commit();
    }
    let before = paths(&tree);
    tree.begin(2);
    for entry in &record.entries {
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
});

fn paths(tree: &FileTree) -> Vec<Vec<u8>> {
    tree.view(Mode::Merged).rows().into_iter().map(|row| row.path).collect()
}
