use super::*;
use crate::testing::ReadLayers;
use porthole_testkit::image::Layer;

fn read(layers: &[Layer]) -> (FileTree, Vec<Collected>) {
    let ReadLayers { tree, collected, .. } = ReadLayers::of(layers).readable();
    (tree, collected)
}

fn inventory(layers: &[Layer]) -> Inventory {
    let (tree, collected) = read(layers);
    Inventory::of(&tree, &collected)
}

/// Name, version, layer that brought it, layer that removed it, version that replaced it.
type Traced<'i> = (&'i str, &'i str, u32, Option<u32>, Option<&'i str>);

fn rows(inventory: &Inventory) -> Vec<Traced<'_>> {
    let rows = inventory.packages.iter().map(|installed| {
        let Installed { package, layer, removed_by, replaced_by, .. } = installed;
        (&*package.name, &*package.version, *layer, *removed_by, replaced_by.as_deref())
    });
    rows.collect()
}

fn status(packages: &[(&str, &str)]) -> String {
    let paragraph = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    packages.iter().map(paragraph).collect()
}

const STATUS: &str = "var/lib/dpkg/status";

#[test]
fn a_layer_that_is_lost_changes_nothing() {
    let (tree, mut collected) = read(&[
        Layer::new("debian").file(STATUS, status(&[("a", "1"), ("b", "1")])),
        Layer::new("lost").file(STATUS, status(&[("a", "2")])),
        Layer::new("RUN").file(STATUS, status(&[("a", "3"), ("b", "1")])),
    ]);
    collected[1] = Collected { lost: true, ..Collected::default() };
    let found = Inventory::of(&tree, &collected);
    assert_eq!(rows(&found), [("a", "1", 0, Some(2), Some("3")), ("a", "3", 2, None, None), ("b", "1", 0, None, None)]);
    // The layers that are read so far give a list, too.
    assert_eq!(rows(&Inventory::of(&tree, &collected[..1])).len(), 2);
}

#[test]
fn each_package_has_the_layer_that_brought_and_removed_it() {
    let inventory = inventory(&[
        Layer::new("ADD")
            .file(STATUS, status(&[("a", "1"), ("b", "1"), ("c", "1")]))
            .file("etc/os-release", "ID=debian\n"),
        Layer::new("RUN 1").file(STATUS, status(&[("a", "1"), ("b", "2"), ("c", "1"), ("d", "1")])),
        Layer::new("RUN 2").file(STATUS, status(&[("a", "1"), ("b", "2"), ("d", "1")])),
    ]);
    assert_eq!(
        rows(&inventory),
        [
            ("a", "1", 0, None, None),
            ("b", "1", 0, Some(1), Some("2")),
            ("b", "2", 1, None, None),
            ("c", "1", 0, Some(2), None),
            ("d", "1", 1, None, None),
        ]
    );
    assert_eq!(inventory.present().count(), 3);
    assert_eq!(inventory.release.map(|release| release.id).as_deref(), Some("debian"));
}

#[test]
fn a_package_goes_with_the_directory_that_records_it() {
    let package = |version: &str| format!(r#"{{"name": "left-pad", "version": "{version}"}}"#);
    let inventory = inventory(&[
        Layer::new("RUN npm").file("app/node_modules/left-pad/package.json", package("1.0.0")),
        Layer::new("RUN pip").file("opt/x-1.dist-info/METADATA", "Name: x\nVersion: 1\n"),
        Layer::new("RUN rm").whiteout("app"),
        Layer::new("RUN pip").whiteout("opt/x-1.dist-info").file("opt/x-2.dist-info/METADATA", "Name: x\nVersion: 2\n"),
    ]);
    assert_eq!(
        rows(&inventory),
        [("left-pad", "1.0.0", 0, Some(2), None), ("x", "1", 1, Some(3), Some("2")), ("x", "2", 3, None, None)]
    );
}

#[test]
fn a_database_is_found_through_a_link_to_its_directory() {
    let installed = |names: &[&str]| names.iter().map(|name| format!("P:{name}\nV:1\n\n")).collect::<String>();
    let inventory = inventory(&[
        Layer::new("ADD").symlink("lib", "usr/lib").file("usr/lib/apk/db/installed", installed(&["musl", "zlib"])),
        Layer::new("RUN apk").file("lib/apk/db/installed", installed(&["musl"])),
    ]);
    assert_eq!(rows(&inventory), [("musl", "1", 0, None, None), ("zlib", "1", 0, Some(1), None)]);
}

#[test]
fn files_and_licences_come_from_files_of_their_own() {
    let licence = "Format: https://x/\n\nFiles: *\nLicense: MIT\n";
    let inventory = inventory(&[Layer::new("ADD")
        .file(STATUS, status(&[("a", "1"), ("b", "1")]))
        .file("var/lib/dpkg/info/a:amd64.list", "/.\n/usr/bin/a\n")
        .file("usr/share/doc/a/copyright", licence)
        .symlink("usr/share/doc/b", "a")
        .file("opt/x-1.dist-info/METADATA", "Name: x\nVersion: 1\nLicense: BSD\n")
        .file("opt/x-1.dist-info/RECORD", "x.py,,7\n")]);
    let packages: Vec<_> = inventory.packages.iter().map(|installed| &installed.package).collect();
    assert_eq!(packages[0].files, [b"usr/bin/a"]);
    assert_eq!([&packages[0].licence, &packages[1].licence], [&Some("MIT".to_owned()), &Some("MIT".to_owned())]);
    assert_eq!((packages[2].size, packages[2].files.as_slice()), (Some(7), [b"opt/x.py".to_vec()].as_slice()));
}

#[test]
fn a_log_beside_the_database_of_rpm_counts_in_its_layer_alone() {
    use flate2::read::GzDecoder;
    use std::io::Read as _;
    let unpacked = |packed: &[u8]| {
        let mut bytes = Vec::new();
        GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
        bytes
    };
    let database = unpacked(include_bytes!("../../tests/vectors/rpm/shrunk.sqlite.gz"));
    let log = unpacked(include_bytes!("../../tests/vectors/rpm/shrunk.sqlite-wal.gz"));
    let (of_database, of_log) = ("var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/rpmdb.sqlite-wal");
    let count = |layers: &[Layer]| inventory(layers).present().count();
    let alone = Layer::new("ADD").file(of_database, &database);
    assert!(count(std::slice::from_ref(&alone)) > 1);
    assert_eq!(count(&[alone.clone().file(of_log, &log)]), 1);
    assert_eq!(count(&[Layer::new("ADD").file(of_log, &log).file(of_database, &database)]), 1);
    assert!(count(&[alone.clone().file("usr/lib/sysimage/rpm/rpmdb.sqlite-shm", "x")]) > 1);

    let collected = ReadLayers::of(&[Layer::new("RUN").file(of_log, &log)]).collected;
    let [unread] = &collected[0].unread[..] else { panic!("{collected:?}") };
    assert_eq!(unread.path, of_log.as_bytes());
    assert!(unread.why.to_string().contains("not in the same layer"), "{}", unread.why);
}

#[test]
fn what_npm_lists_counts_where_no_package_says_it_itself() {
    let lock = r#"{"packages": {"node_modules/a": {"version": "1"}, "node_modules/bare": {"version": "2"},
        "node_modules/gone": {"version": "3"}, "node_modules/optional": {"version": "4"}}}"#;
    let inventory = inventory(&[
        Layer::new("RUN npm ci")
            .file("app/node_modules/.package-lock.json", lock)
            .file("app/node_modules/a/package.json", r#"{"name":"a","version":"1"}"#)
            .file("app/node_modules/bare/index.js", "x")
            .file("app/node_modules/gone/package.json", r#"{"name":"gone","version":"3"}"#)
            .file("app/package-lock.json", lock),
        Layer::new("RUN rm").whiteout("app/node_modules/gone"),
    ]);
    let expected = [("a", "1", 0, None, None), ("bare", "2", 0, None, None), ("gone", "3", 0, Some(1), None)];
    assert_eq!(rows(&inventory), expected);
    let places: Vec<_> = inventory.packages.iter().map(|installed| installed.places()).collect();
    let directory = |name: &str| vec![format!("app/node_modules/{name}").into_bytes()];
    assert_eq!(places, ["a", "bare", "gone"].map(directory));
    let [a, ..] = inventory.packages.as_slice() else { panic!("packages") };
    let owned =
        ["app/node_modules/a", "app/node_modules/a/x", "app/node_modules/ab", "app/node_modules/a/node_modules/b/x"];
    assert_eq!(owned.map(|path| a.owns(path.as_bytes())), [true, true, false, false]);
}
