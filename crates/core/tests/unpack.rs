//! The tree after stacking equals what containerd's `archive.Apply` leaves on disk. Also runs as wasm.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_core::{
    layer::{Expected, Finding, LayerReader},
    limits::Limits,
    path,
    tar::{Entry, EntrySink, Flow, Kind},
    tree::{FileTree, Mode, Row},
};
use porthole_testkit::partial::leaves_part_of_a_file;
use serde_json::Value;
use std::collections::BTreeMap;
use wasm_bindgen_test::wasm_bindgen_test;

struct Applying<'t> {
    tree: &'t mut FileTree,
    error: Option<String>,
    /// Path of the last entry if it is a file.
    last: Option<Vec<u8>>,
}

impl EntrySink for Applying<'_> {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.last = (entry.kind == Kind::File).then(|| path::clean(&entry.path));
        match self.tree.apply(&entry) {
            Ok(()) => Flow::Continue,
            Err(error) => {
                self.error = Some(error.to_string());
                Flow::Stop
            }
        }
    }
}

/// The error at which a runtime stops, and the file whose data was incomplete.
fn apply(tree: &mut FileTree, layer: u32, tar_gz: &[u8]) -> (Option<String>, Option<Vec<u8>>) {
    tree.begin(layer);
    let mut sink = Applying { tree, error: None, last: None };
    let mut reader = LayerReader::new(Expected::default(), Limits::default());
    reader.push(tar_gz, &mut sink);
    let report = reader.finish(&mut sink);
    let Applying { error, last, .. } = sink;
    let broken = report.findings.iter().find_map(|finding| match finding {
        Finding::Tar(error) => Some(error),
        _ => None,
    });
    let cut = last.filter(|_| broken.is_some_and(leaves_part_of_a_file));
    let stopped = tree.commit().stopped.map(|error| error.to_string());
    (error.or_else(|| broken.map(ToString::to_string)).or(stopped), cut)
}

fn bytes(row: &Value, key: &str) -> Vec<u8> {
    STANDARD.decode(row[key].as_str().unwrap_or_default()).expect("base64")
}

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a row is JSON")).collect()
}

/// The first field in which a row differs from containerd's disk.
fn difference(tree: &FileTree, row: &Row, expected: &Value, cut: bool) -> Option<&'static str> {
    let number = |key: &str| expected[key].as_i64();
    // Compare a hard link as its target.
    let shared = tree.shared(row.node);
    let target = shared.as_ref().map_or(&row.link, |shared| &shared.link);
    let (kind, size) = match (shared.as_ref().map_or(row.kind, |shared| shared.kind), tree.content(row.node)) {
        (Kind::File, Some(content)) => ("f", content.size),
        (Kind::Directory, _) => ("d", 0),
        (Kind::Symlink, _) => ("l", 0),
        (Kind::Char, _) => ("c", 0),
        (Kind::Block, _) => ("b", 0),
        (Kind::Fifo, _) => ("p", 0),
        _ => ("?", 0),
    };
    let link = if kind == "l" { &target[..] } else { b"" };
    let fields = [
        ("path", row.path == bytes(expected, "path")),
        ("type", expected["type"] == kind),
        ("mode", cut || number("mode") == Some(i64::from(row.mode))),
        ("size", cut || expected["size"].as_u64() == Some(size)),
        ("link", link == bytes(expected, "link")),
        ("uid", cut || number("uid") == Some(row.uid)),
        ("gid", cut || number("gid") == Some(row.gid)),
        // A directory that the runtime created or last wrote to has the time of the run.
        ("mtime", cut || number("mtime").is_none_or(|mtime| mtime == row.mtime)),
    ];
    fields.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
}

#[wasm_bindgen_test(unsupported = test)]
fn layers_leave_what_containerd_leaves() {
    let cases = rows(include_str!("vectors/unpack.jsonl"));
    let archives: BTreeMap<String, Vec<u8>> = rows(include_str!("vectors/tar.jsonl"))
        .iter()
        .map(|row| (row["id"].as_str().expect("an id").to_owned(), bytes(row, "tar_gz_b64")))
        .collect();
    let (first, cases) = cases.split_first().expect("the base layer comes first");
    let base = bytes(first, "base_tar_gz_b64");
    let mut failed = Vec::new();
    for case in cases {
        let mut tree = FileTree::new(Limits::default().tree_nodes);
        if case["base"] == "base" {
            assert_eq!(apply(&mut tree, 0, &base), (None, None));
        }
        let id = case["case"].as_str().expect("a case");
        let (error, cut) = apply(&mut tree, 1, &archives[id]);
        let expected = case["tree"].as_array().map(Vec::as_slice).unwrap_or_default();
        let rows = tree.view(Mode::Merged).rows();
        let mut differences: Vec<String> = Vec::new();
        if error.is_none() != (case["err"] == "") {
            differences.push(format!("expected error {}, got {error:?}", case["err"]));
        }
        let count = case["tree_len"].as_u64().unwrap_or(expected.len() as u64);
        if count != rows.len() as u64 {
            differences.push(format!("expected {count} rows, got {}", rows.len()));
        }
        for (row, expected) in rows.iter().zip(expected) {
            let cut = cut.as_ref() == Some(&row.path);
            differences.extend(difference(&tree, row, expected, cut).map(|field| format!("{field}: {row:?}")));
        }
        if !differences.is_empty() {
            failed.push(format!("{id} on `{}`: {}", case["base"], differences.join("; ")));
        }
    }
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
    assert_eq!(cases.len(), 234);
}
