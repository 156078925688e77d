//! Packages as the tools themselves list them: `tests/vectors/tools/make.sh` ran npm, pip, Go and apk 3, and packed what they installed.

use super::*;
use crate::{ownership::Ownership, testing::ReadLayers};
use porthole_testkit::image::{Compression, Layer};
use std::collections::BTreeSet;

/// What layers hold, packages, and the paths of those that are modified.
fn read(layers: &[&[u8]]) -> (Inventory, Vec<String>) {
    let ReadLayers { tree, collected, digests, .. } = ReadLayers::of_archives(layers).readable();
    let inventory = Inventory::of(&tree, &collected);
    let ownership = Ownership::of(&tree, &inventory);
    let modified = ownership.modified(&digests);
    let paths = modified.iter().map(|file| String::from_utf8_lossy(&file.row.path).into_owned()).collect();
    (inventory, paths)
}

/// Name and version of each package, sorted.
fn rows(inventory: &Inventory) -> Vec<String> {
    let row = |Installed { package, .. }: &Installed| format!("{}\t{}", package.name, package.version);
    let mut rows: Vec<_> = inventory.packages.iter().map(row).collect();
    rows.sort();
    rows
}

fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn packages_of_npm_are_those_of_npm_ls() {
    let (inventory, _) = read(&[include_bytes!("../../tests/vectors/tools/npm.tar.gz")]);
    assert_eq!(rows(&inventory), lines(include_str!("../../tests/vectors/tools/npm.tsv")));
    assert!(inventory.packages.iter().all(|installed| installed.recorded_in.ends_with(b"/package.json")));
}

#[test]
fn packages_and_files_of_python_are_those_of_pip() {
    let (inventory, _) = read(&[include_bytes!("../../tests/vectors/tools/pip.tar.gz")]);
    assert_eq!(rows(&inventory), lines(include_str!("../../tests/vectors/tools/pip.tsv")));
    for name in ["Porthole.New", "porthole-old"] {
        let expected: BTreeSet<_> = include_str!("../../tests/vectors/tools/pip-files.tsv")
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix('\t'))
            .map(|path| match path.strip_prefix("../../../") {
                Some(path) => path.to_owned(),
                None => format!("lib/python3.11/site-packages/{path}"),
            })
            .collect();
        let installed = inventory.packages.iter().find(|installed| installed.package.name == name).unwrap();
        let files = installed.package.files.iter().map(|path| String::from_utf8_lossy(path).into_owned());
        assert_eq!(files.collect::<BTreeSet<_>>(), expected, "{name}");
    }
}

#[test]
fn modules_of_a_program_are_those_of_go_version() {
    let (inventory, _) = read(&[include_bytes!("../../tests/vectors/tools/go.tar.gz")]);
    let mut expected = Vec::new();
    for line in include_str!("../../tests/vectors/tools/go.txt").lines() {
        let fields: Vec<&str> = line.trim_start_matches('\t').split('\t').collect();
        match fields.as_slice() {
            ["mod" | "dep", path, version, ..] => expected.push(format!("{path}\t{version}")),
            // A directory in the place of a module is no name of one.
            ["=>", path, ..] if path.starts_with('.') => {}
            ["=>", path, version, ..] => *expected.last_mut().unwrap() = format!("{path}\t{version}"),
            [first] => expected.extend(first.split_once(": go").map(|(_, version)| format!("stdlib\t{version}"))),
            _ => {}
        }
    }
    expected.sort();
    assert_eq!(expected.len(), 4);
    assert_eq!(rows(&inventory), expected);
    assert!(inventory.packages.iter().all(|installed| installed.owns(b"usr/bin/tool")));
}

#[test]
fn packages_of_apk_are_those_of_apk_and_what_it_calls_modified() {
    let installed = include_bytes!("../../tests/vectors/tools/apk.tar.gz").as_slice();
    let (inventory, modified) = read(&[installed]);
    let row = |Installed { package, .. }: &Installed| {
        assert_eq!(package.ecosystem, Ecosystem::Apk);
        assert!(package.recorded.iter().all(|file| file.digest.algorithm() == "sha256-160"));
        format!("{}\t{}\t{}", package.name, package.version, package.licence.as_deref().unwrap_or_default())
    };
    let rows: Vec<_> = inventory.packages.iter().map(row).collect();
    assert_eq!(rows, lines(include_str!("../../tests/vectors/tools/apk.tsv")));
    assert_eq!(inventory.packages.iter().map(|installed| installed.package.recorded.len()).sum::<usize>(), 7);
    assert_eq!(modified, Vec::<String>::new());
    let changed = Layer::new("RUN")
        .file("lib/hard", "changed\n")
        .hardlink("lib/ld-sample.so.1", "lib/hard")
        .symlink("opt/link", "elsewhere");
    let (_, mut modified) = read(&[installed, &Compression::None.compress(&changed.tar())]);
    modified.sort();
    assert_eq!(modified, lines(include_str!("../../tests/vectors/tools/apk-modified.tsv")));
}
