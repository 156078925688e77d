//! Applies random layers to a tree and to a reference model of containerd, and compares the results.
#![cfg(not(target_family = "wasm"))]

mod model;

use model::{Model, Seen};
use porthole_core::{
    digest::Digest,
    tar::{Entry, Kind},
    tree::{Aspect, Aspects, Change, Comparison, FileTree, Mode, Row, diff},
};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

const MODES: [Mode; 8] = [
    Mode::Merged,
    Mode::UpTo(0),
    Mode::UpTo(1),
    Mode::UpTo(2),
    Mode::Only(0),
    Mode::Only(1),
    Mode::Only(2),
    Mode::Deleted,
];

fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof![6 => "[abl]", 1 => Just("..".to_owned()), 1 => Just(".".to_owned())];
    let path = prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"));
    (prop_oneof![8 => Just(""), 1 => Just("/"), 1 => Just("./")], path, prop_oneof![4 => Just(""), 1 => Just("/")])
        .prop_map(|(before, path, after)| format!("{before}{path}{after}"))
}

fn path() -> impl Strategy<Value = String> {
    let whiteout = (
        name(),
        prop_oneof![4 => "\\.wh\\.[abl]", 3 => Just(".wh..wh..opq".to_owned()), 1 => Just(".wh..".to_owned())],
    );
    prop_oneof![
        4 => name(),
        1 => "[abl]",
        1 => whiteout.prop_map(|(directory, name)| format!("{directory}/{name}")),
        1 => "\\.wh\\.[abl]",
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![
        6 => Just(Kind::File),
        6 => Just(Kind::Directory),
        4 => Just(Kind::Symlink),
        3 => Just(Kind::Hardlink),
        1 => Just(Kind::Fifo),
        1 => Just(Kind::Global),
    ];
    (path(), kind, name(), 0..5u64, prop_oneof![0o644i64..0o647, Just(0o4755)], -1..3i64, -1..4i64).prop_map(
        |(path, kind, link, size, mode, owner, mtime)| Entry {
            link: if matches!(kind, Kind::Symlink | Kind::Hardlink) { link.into_bytes() } else { Vec::new() },
            size: if kind == Kind::File { size } else { 0 },
            mode,
            uid: owner,
            gid: owner,
            mtime,
            offset: 512,
            ..Entry::new(path, kind)
        },
    )
}

/// A layer that prints one entry per line when a test fails.
#[derive(Clone)]
struct Layer(Vec<Entry>);

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.0 {
            let (path, link) = (text(&entry.path), text(&entry.link));
            let Entry { kind, size, mode, uid, gid, mtime, .. } = entry;
            writeln!(f, "{kind:?} {path} -> {link} size {size} mode {mode:o} owner {uid}:{gid} time {mtime}")?;
        }
        Ok(())
    }
}

fn layer() -> impl Strategy<Value = Layer> {
    prop::collection::vec(entry(), 0..9).prop_map(Layer)
}

fn layers() -> impl Strategy<Value = Vec<Layer>> {
    prop::collection::vec(layer(), 1..4)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a view shows, in the form of the model.
fn seen(tree: &FileTree, mode: Mode) -> BTreeMap<String, Seen> {
    let view = tree.view(mode);
    let shown = |row: Row| {
        let size = view.content(row.node).map_or(0, |content| content.size);
        let kind = match row.kind {
            Kind::Hardlink => None, // shown as what it links to
            kind => Some(kind),
        };
        let link = if row.kind == Kind::Symlink { row.link } else { Vec::new() };
        let seen = Seen { kind, size, link, mode: row.mode, uid: row.uid, gid: row.gid, mtime: row.mtime };
        (text(&row.path), seen)
    };
    view.rows().into_iter().map(shown).collect()
}

/// Rows do not hold the type of hard links, so that of the model is ignored.
fn assert_same(got: BTreeMap<String, Seen>, mut expected: BTreeMap<String, Seen>) -> Result<(), TestCaseError> {
    for (path, seen) in &got {
        if let (None, Some(expected)) = (seen.kind, expected.get_mut(path)) {
            expected.kind = None;
            expected.link.clear();
        }
    }
    prop_assert_eq!(got, expected);
    Ok(())
}

fn everything(tree: &FileTree) -> Vec<Vec<Row>> {
    MODES.iter().map(|mode| tree.view(*mode).rows()).collect()
}

/// Applies a layer to both. Files of equal size have the same content, each at its own position in the archive.
fn apply(tree: &mut FileTree, model: &mut Model, number: u32, layer: &Layer) {
    tree.begin(number);
    let mut applying = model.begin();
    for (entry, place) in layer.0.iter().zip(1..) {
        let entry = Entry { offset: 512 * place, ..entry.clone() };
        let _ = tree.apply_hashed(&entry, Some(Digest::sha256(&[entry.size as u8])));
        if model.apply(&mut applying, &entry).is_err() {
            break;
        }
    }
    let _ = model.finish(applying);
    tree.commit();
}

/// Objects by path, and inodes by path.
type State = (BTreeMap<String, Seen>, BTreeMap<String, usize>);

fn state(model: &Model) -> State {
    (model.seen(), model.inodes())
}

/// Aspects in which a path of both states differs, computed the slow way.
fn aspects(before: &State, after: &State, path: &str) -> Aspects {
    fn companions<'s>(here: &'s State, there: &State, path: &str) -> BTreeSet<&'s String> {
        let inode = here.1[path];
        here.1.iter().filter(|(name, of)| **of == inode && there.1.contains_key(*name)).map(|(name, _)| name).collect()
    }
    let (a, b) = (&before.0[path], &after.0[path]);
    [
        (Aspect::Type, a.kind != b.kind),
        (Aspect::Content, a.kind == b.kind && (a.size, &a.link) != (b.size, &b.link)),
        (Aspect::Mode, a.kind == b.kind && a.mode != b.mode),
        (Aspect::Owner, (a.uid, a.gid) != (b.uid, b.gid)),
        (Aspect::Time, a.mtime != b.mtime),
        (Aspect::Links, companions(before, after, path) != companions(after, before, path)),
    ]
    .into_iter()
    .filter_map(|(aspect, differs)| differs.then_some(aspect))
    .collect()
}

fn stack(tree: &mut FileTree, layers: &[Layer]) {
    for (number, layer) in layers.iter().enumerate() {
        tree.begin(number as u32);
        for entry in &layer.0 {
            let _ = tree.apply(entry);
        }
        tree.commit();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_layer_leaves_what_containerd_leaves(layers in layers()) {
        let mut tree = FileTree::new(1 << 16);
        let mut model = Model::default();
        let mut states = Vec::new();
        for (number, layer) in layers.iter().enumerate() {
            let before = model.paths();
            tree.begin(number as u32);
            let mut applying = model.begin();
            for entry in &layer.0 {
                let expected = model.apply(&mut applying, entry);
                let got = tree.apply(entry);
                prop_assert_eq!(got.is_ok(), expected.is_ok(), "{:?} and {:?}", got, expected);
                if expected.is_err() {
                    break;
                }
            }
            let finished = model.finish(applying);
            let summary = tree.commit();
            prop_assert_eq!(summary.stopped.is_none(), finished.is_ok(), "{:?} and {:?}", summary.stopped, finished);
            let after = model.paths();
            prop_assert_eq!(summary.added, after.difference(&before).count() as u64);
            prop_assert_eq!(summary.removed, before.difference(&after).count() as u64);
            assert_same(seen(&tree, Mode::Merged), model.seen())?;

            let removed: BTreeSet<String> = tree.view(Mode::Only(number as u32)).rows().into_iter()
                .filter(|row| row.change == Change::Removed && before.contains(&text(&row.path)))
                .map(|row| text(&row.path))
                .collect();
            prop_assert_eq!(removed, before.difference(&after).cloned().collect::<BTreeSet<_>>());
            states.push(model.seen());
        }
        for (number, state) in states.into_iter().enumerate() {
            assert_same(seen(&tree, Mode::UpTo(number as u32)), state)?;
        }
    }

    #[test]
    fn an_aborted_layer_leaves_nothing(layers in layers(), wrong in layer()) {
        let (mut tree, mut other) = (FileTree::new(1 << 16), FileTree::new(1 << 16));
        stack(&mut tree, &layers[..1]);
        stack(&mut other, &layers[..1]);
        let before = everything(&tree);
        tree.begin(1);
        for entry in &wrong.0 {
            let _ = tree.apply(entry);
        }
        tree.abort();
        prop_assert_eq!(everything(&tree), before);
        prop_assert_eq!(tree.len(), other.len());
        stack(&mut tree, &layers);
        stack(&mut other, &layers);
        prop_assert_eq!(everything(&tree), everything(&other));
    }

    #[test]
    fn views_agree_with_themselves(layers in layers()) {
        let mut tree = FileTree::new(1 << 16);
        stack(&mut tree, &layers);
        for mode in MODES {
            let view = tree.view(mode);
            let rows = view.rows();
            let mut walked = Vec::new();
            let mut pending = view.children(tree.root(), porthole_core::tree::Sort::Name);
            pending.reverse();
            while let Some(row) = pending.pop() {
                prop_assert_eq!(view.find(&row.path), Some(row.node));
                prop_assert!(view.rows_of(row.node).contains(&row));
                if row.has_children {
                    pending.extend(view.children(row.node, porthole_core::tree::Sort::Name).into_iter().rev());
                }
                walked.push(row);
            }
            prop_assert_eq!(&walked, &rows);
            if mode != Mode::Only(0) && mode != Mode::Only(1) && mode != Mode::Only(2) {
                prop_assert_eq!(view.total_size(), rows.iter().map(|row| row.size).sum::<u64>());
            }
        }
    }

    #[test]
    fn waste_is_what_no_name_leads_to(layers in layers()) {
        let (mut tree, mut model) = (FileTree::new(1 << 16), Model::default());
        // The layer that added each file, and the layer after which it was no longer reachable.
        let (mut brought, mut wasted) = (BTreeMap::new(), BTreeMap::new());
        for (number, layer) in layers.iter().enumerate() {
            apply(&mut tree, &mut model, number as u32, layer);
            let visible: BTreeSet<usize> = model.inodes().into_values().collect();
            for file in model.files().into_keys() {
                brought.entry(file).or_insert(number as u32);
                if !visible.contains(&file) {
                    wasted.entry(file).or_insert(number as u32);
                }
            }
        }
        let waste = tree.waste(&|_, range: std::ops::Range<u64>| range.end - range.start);
        let sizes = model.files();
        let sum = |chosen: &dyn Fn(&usize) -> bool| sizes.iter().filter(|(file, _)| chosen(file)).map(|(_, size)| size).sum::<u64>();
        prop_assert_eq!(waste.all, sum(&|_| true));
        prop_assert_eq!(waste.wasted(), sum(&|file| wasted.contains_key(file)));
        prop_assert_eq!(waste.wasted(), waste.items.iter().map(|item| item.size).sum::<u64>());
        prop_assert_eq!(waste.wasted(), waste.groups(&tree).iter().map(|group| group.size).sum::<u64>());
        prop_assert_eq!(waste.wasted(), waste.download);
        prop_assert!((0.0..=1.0).contains(&waste.efficiency()));
        for layer in &waste.layers {
            let of = |layers: &BTreeMap<usize, u32>, file: &usize| layers.get(file) == Some(&layer.layer);
            prop_assert_eq!(layer.bytes, sum(&|file| of(&brought, file)));
            prop_assert_eq!(layer.wasted, sum(&|file| of(&brought, file) && wasted.contains_key(file)));
            prop_assert_eq!(layer.wastes, sum(&|file| of(&wasted, file)));
            prop_assert_eq!(layer.wastes, layer.deleted + layer.overwritten + layer.duplicated + layer.metadata);
        }
    }

    #[test]
    fn layers_change_what_the_model_changes(layers in layers()) {
        let (mut tree, mut model) = (FileTree::new(1 << 16), Model::default());
        for (number, layer) in layers.iter().enumerate() {
            let before = state(&model);
            apply(&mut tree, &mut model, number as u32, layer);
            let after = state(&model);
            for row in tree.view(Mode::Only(number as u32)).rows() {
                if row.change == Change::Modified {
                    prop_assert_eq!(row.aspects, aspects(&before, &after, &text(&row.path)), "{}", text(&row.path));
                }
            }
        }
    }

}

proptest! {
    // Fewer cases: loops of links are slow, and these runs have the most layers.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn trees_differ_as_models_do(below in layer(), left in layers(), right in layers()) {
        let (mut trees, mut models) = (Vec::new(), Vec::new());
        for layers in [left, right] {
            let (mut tree, mut model) = (FileTree::new(1 << 16), Model::default());
            for (layer, number) in std::iter::once(&below).chain(&layers).zip(0..) {
                apply(&mut tree, &mut model, number, layer);
            }
            trees.push(tree);
            models.push(state(&model));
        }
        let (before, after) = (&models[0], &models[1]);
        let mut expected = BTreeMap::new();
        for path in before.0.keys().chain(after.0.keys()) {
            let there = (before.0.contains_key(path), after.0.contains_key(path));
            let aspects = if there == (true, true) { aspects(before, after, path) } else { Aspects::NONE };
            if there != (true, true) || !aspects.is_empty() {
                expected.insert(path.clone(), (there, aspects));
            }
        }
        for shared in [0, 1] {
            let found = diff(&trees[0], &trees[1], &Comparison { shared, ..Comparison::default() });
            let order: Vec<Vec<&[u8]>> = found.iter().map(|found| found.path.split(|&b| b == b'/').collect()).collect();
            prop_assert!(order.is_sorted());
            let got: BTreeMap<_, _> = found
                .iter()
                .map(|found| (text(&found.path), ((found.before.is_some(), found.after.is_some()), found.aspects)))
                .collect();
            prop_assert_eq!(&got, &expected);
        }
        prop_assert_eq!(diff(&trees[0], &trees[0].clone(), &Comparison::default()), []);
    }
}
