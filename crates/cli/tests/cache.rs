//! The cache of layer indexes: the requests that it saves, and the cost of a damaged index.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use std::{fs, path::PathBuf, process::Output};

use porthole_testkit::{
    chunks::next,
    image::{Built, Image, Layer},
    registry::Site,
};

use scripted::{Server, ends, porthole};

#[allow(dead_code, reason = "other tests use the rest")]
mod scripted;

/// A machine with a cache, and a registry.
struct Machine {
    server: Server,
    home: tempfile::TempDir,
}

impl Machine {
    fn new(image: &Built) -> Self {
        let content = image.clone().into_content("1");
        Self { server: Server::new(Site::new().repository("a/b", content)), home: tempfile::tempdir().unwrap() }
    }

    fn run(&self, arguments: &str) -> Output {
        porthole(self.home.path(), &arguments.replace("REGISTRY", self.server.authority()))
    }

    fn cache(&self) -> PathBuf {
        self.home.path().join(".cache/porthole/indexes")
    }

    /// The index of a layer.
    fn index(&self, digest: &str) -> PathBuf {
        self.cache().join(format!("{}.{}", digest.replace(':', "-"), env!("CARGO_PKG_VERSION")))
    }

    /// Number of requests so far.
    fn asked(&self) -> usize {
        self.server.internet.log().len()
    }

    /// The `Range` of each request for a blob, from request `since` on.
    fn ranges(&self, digest: &str, since: usize) -> Vec<Option<String>> {
        let log = self.server.internet.log();
        let asked = log[since..].iter().filter(|asked| asked.url.contains(digest));
        asked.map(|asked| asked.headers.get("range").map(|range| range.to_str().unwrap().to_owned())).collect()
    }
}

#[track_caller]
fn text(output: Output) -> String {
    ends(&output, 0, "");
    String::from_utf8(output.stdout).unwrap()
}

/// Each page of an index is checked when it is read. Other pages may have been used before.
#[test]
fn a_damaged_page_of_an_index_costs_a_download_and_nothing_else() {
    let files = |layer: Layer, number: u32| layer.file(format!("d{}/{number}", number % 9), number.to_string());
    let image = Image::new().layer((0..3000).fold(Layer::new("ADD"), files)).build();
    let machine = Machine::new(&image);
    let layer = &image.layers[0].blob.digest;
    let listed = text(machine.run("ls --json --digest REGISTRY/a/b:1"));
    let index = machine.index(layer);
    let good = fs::read(&index).unwrap();
    let mut downloads = 0;
    for part in 0..6 {
        for arguments in
            ["ls --json --digest REGISTRY/a/b:1", "cat REGISTRY/a/b:1 d8/2501", "cat --layer 1 REGISTRY/a/b:1 d8/2501"]
        {
            let mut bad = good.clone();
            bad[512 + (good.len() - 512) * part / 6] ^= 0x10;
            fs::write(&index, bad).unwrap();
            let asked = machine.asked();
            let printed = text(machine.run(arguments));
            assert!(printed == listed || printed == "2501", "{arguments} with part {part} damaged: {printed}");
            // If the layer was read to its end, its index is in the cache again.
            if machine.ranges(layer, asked).contains(&None) {
                downloads += 1;
                assert_eq!(text(machine.run(arguments)), printed);
            }
        }
    }
    assert!(downloads >= 3, "{downloads}: most pages have entries");
}

/// A file whose layers have indexes in the cache takes only its part of the layer and a few pages of the index.
#[test]
fn a_file_is_found_without_the_entries_around_it() {
    let files = |layer: Layer, number: u32| layer.file(format!("d{}/{number}", number % 9), number.to_string());
    // More than a span of the blob, so that a part of it is not the whole.
    let mut state = 5;
    let noise: Vec<u8> = (0..50_000).flat_map(|_| next(&mut state).to_le_bytes()).collect();
    let base = (0..3000).fold(Layer::new("ADD"), files).symlink("link", "d8/2501").file("noise", noise);
    let image = Image::new().layer(base).layer(Layer::new("RUN").whiteout("d0/9").hardlink("hard", "d8/2501")).build();
    let machine = Machine::new(&image);
    let layer = &image.layers[0].blob.digest;
    text(machine.run("ls REGISTRY/a/b:1"));
    let index = machine.index(layer);
    let mut damaged = fs::read(&index).unwrap();
    // The page of the first thousand entries, behind the header.
    damaged[600..700].fill(0);
    fs::write(&index, &damaged).unwrap();
    for path in ["d8/2501", "link", "hard", "--layer 1 d8/2501"] {
        let asked = machine.asked();
        let output = machine.run(&format!("cat REGISTRY/a/b:1 {path}"));
        ends(&output, 0, "verified");
        assert_eq!(output.stdout, b"2501", "{path}");
        assert!(matches!(&machine.ranges(layer, asked)[..], [Some(_)]), "{path}");
    }
    assert!(fs::read(&index).unwrap() == damaged, "what is not read does no harm");
    // A missing path is searched among all entries, for a hint.
    ends(&machine.run("cat REGISTRY/a/b:1 d0/9"), 4, "layer 2 removed it");
    assert!(fs::read(&index).unwrap() != damaged);
}

/// The output does not depend on the content of the cache.
#[test]
fn a_file_is_the_same_with_a_cache_and_without() {
    let base = || Layer::new("ADD").dir("etc").file("etc/a", "1").file("etc/b", "2").dir("lib").file("lib/x", "3");
    let plain = Image::new()
        .layer(base())
        .layer(Layer::new("RUN").whiteout("etc/b").symlink("etc/l", "a").hardlink("etc/h", "lib/x"))
        .layer(Layer::new("RUN").opaque("lib").file("lib/y", "4").file("etc/a", "5"))
        .build();
    let linked = Image::new().layer(base().symlink("s", "etc")).layer(Layer::new("RUN").file("s/a", "6")).build();
    for (image, notes) in [(plain, 1), (linked, 0)] {
        let machine = Machine::new(&image);
        text(machine.run("ls REGISTRY/a/b:1"));
        let kept = fs::read_dir(machine.cache()).unwrap();
        let noted = kept.filter(|file| file.as_ref().unwrap().file_name().to_str().unwrap().starts_with("plain-"));
        assert_eq!(noted.count(), notes);
        for path in
            ["etc/a", "etc/b", "etc/l", "etc/h", "lib/x", "lib/y", "s/a", "etc", "--no-follow etc/l", "--layer 2 etc/h"]
        {
            let without = machine.run(&format!("cat --no-cache REGISTRY/a/b:1 {path}"));
            let with = machine.run(&format!("cat REGISTRY/a/b:1 {path}"));
            assert_eq!((with.status, with.stdout), (without.status, without.stdout), "{path}");
        }
    }
}
