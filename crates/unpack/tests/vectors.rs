//! Unpacking gives the same files as containerd's `archive.Apply`: type, mode, owner, size, content, target, time.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod disk;

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_core::digest::{Algorithm, Hasher};
use porthole_unpack::{Options, UnpackRoot};
use serde_json::Value;

use crate::disk::{Found, Place, open, walk};

fn bytes(row: &Value, key: &str) -> Vec<u8> {
    STANDARD.decode(row[key].as_str().unwrap_or_default()).unwrap()
}

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The first 8 bytes of the content's SHA-256, in hexadecimal.
fn short_digest(content: &[u8]) -> String {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(content);
    hasher.finish().to_string()["sha256:".len()..][..16].to_owned()
}

fn difference(found: &Found, expected: &Value, cut: bool, options: Options) -> Option<&'static str> {
    let number = |key: &str| expected[key].as_i64();
    let file = found.kind == "f";
    let fields = [
        ("path", found.path == bytes(expected, "path")),
        ("type", expected["type"] == found.kind),
        // The attributes of an incomplete file are not set yet.
        ("mode", cut && file || number("mode") == Some(i64::from(found.mode))),
        ("size", expected["size"].as_u64() == Some(found.content.len() as u64)),
        ("content", !file || expected["sha"] == short_digest(&found.content)),
        ("link", found.link == bytes(expected, "link")),
        ("uid", !options.owner || number("uid") == Some(i64::from(found.uid))),
        ("gid", !options.owner || number("gid") == Some(i64::from(found.gid))),
        ("mtime", cut && file || number("mtime").is_none_or(|mtime| mtime == found.mtime.0)),
    ];
    fields.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
}

/// Runs every case in its own directory. Returns the failures.
fn check(options: Options) -> (usize, Vec<String>) {
    let cases = rows(include_str!("../../core/tests/vectors/unpack.jsonl"));
    let archives: BTreeMap<String, Vec<u8>> = rows(include_str!("../../core/tests/vectors/tar.jsonl"))
        .iter()
        .map(|row| (row["id"].as_str().unwrap().to_owned(), bytes(row, "tar_gz_b64")))
        .collect();
    let (first, cases) = cases.split_first().unwrap();
    let base = bytes(first, "base_tar_gz_b64");
    let mut failed = Vec::new();
    for case in cases {
        let place = Place::new();
        let directory = place.root();
        let mut root = UnpackRoot::new(open(&directory), options);
        if case["base"] == "base" {
            assert_eq!(disk::apply(&mut root, &base).error, None);
        }
        let id = case["case"].as_str().unwrap();
        let outcome = disk::apply(&mut root, &archives[id]);
        root.finish().unwrap();
        let expected = case["tree"].as_array().map(Vec::as_slice).unwrap_or_default();
        let kept = |row: &&Value| options.devices || !matches!(row["type"].as_str(), Some("c" | "b"));
        let expected: Vec<&Value> = expected.iter().filter(kept).collect();
        let found = walk(&directory);
        let mut differences: Vec<String> = Vec::new();
        if outcome.error.is_none() != (case["err"] == "") {
            differences.push(format!("expected error {}, got {:?}", case["err"], outcome.error));
        }
        let count = case["tree_len"].as_u64().unwrap_or(expected.len() as u64);
        if count != found.len() as u64 {
            let paths: Vec<_> = found.iter().map(|found| String::from_utf8_lossy(&found.path)).collect();
            differences.push(format!("expected {count} paths, got {}: {paths:?}", found.len()));
        }
        for (found, expected) in found.iter().zip(expected) {
            let difference = difference(found, expected, outcome.cut, options);
            differences.extend(difference.map(|field| format!("{field}: {found:?}")));
        }
        // Nothing was created beside the root.
        assert_eq!(std::fs::read_dir(place.outside()).unwrap().count(), 1, "{id}");
        if !differences.is_empty() {
            failed.push(format!("{id} on `{}`: {}", case["base"], differences.join("; ")));
        }
    }
    (cases.len(), failed)
}

#[test]
fn layers_leave_what_containerd_leaves() {
    let options = if disk::is_root() { disk::ALL } else { disk::NONE };
    let (count, failed) = check(options);
    assert!(failed.is_empty(), "{} of {count} failed:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(count, 234);
}

#[test]
fn without_root_only_owners_and_devices_are_missing() {
    let (count, failed) = disk::as_nobody(|| check(disk::NONE));
    assert!(failed.is_empty(), "{} of {count} failed:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(count, 234);
}
