//! Every verb gives a layer the same number. The bottom layer is 1.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[allow(dead_code, reason = "other tests use the rest")]
mod place;
#[allow(dead_code, reason = "other tests use the rest")]
mod snapshot;

use place::Place;
use porthole_testkit::image::{Image, Layer};
use std::collections::BTreeSet;

const STATUS: &str = "Package: tool\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n";

fn place() -> Place {
    let place = Place::new();
    let base = Layer::new("ADD base").file("etc/base", "one\n");
    let top = Layer::new("COPY top").file("etc/top", "one\n").file("var/lib/dpkg/status", STATUS);
    place.layout("image", &Image::new().layer(base.clone()).layer(top).build());
    place.layout("other", &Image::new().layer(base).layer(Layer::new("COPY other").file("etc/other", "2")).build());
    place
}

/// Returns the value of every key `layer` in these lines of JSON.
fn numbers(json: &[u8]) -> BTreeSet<u64> {
    let text = String::from_utf8(json.to_vec()).unwrap();
    let numbers = text.split("\"layer\":").skip(1);
    numbers.map(|rest| rest.trim_start().split([',', '}', '\n']).next().unwrap().parse().unwrap()).collect()
}

#[test]
fn every_verb_counts_layers_from_the_bottom() {
    let place = place();
    for (command, expected) in [
        ("ls oci:image", &[1, 2][..]),
        ("inspect oci:image", &[1, 2]),
        ("inspect --full oci:image", &[1, 2]),
        ("analyze oci:image", &[1, 2]),
        ("verify oci:image", &[1, 2]),
        ("search oci:image one", &[1, 2]),
        ("packages oci:image", &[2]),
        ("diff oci:image oci:other", &[1, 2]),
    ] {
        let output = place.run(&format!("{command} --json"));
        assert_eq!(numbers(&output.stdout), expected.iter().copied().collect(), "{command}");
    }
    let progress = place.run("ls oci:image --progress json");
    assert_eq!(numbers(&progress.stderr), BTreeSet::from([1, 2]));
}

#[test]
fn the_number_that_is_shown_is_the_number_that_is_typed() {
    let place = place();
    for (layer, path) in [(1, "etc/base"), (2, "etc/top")] {
        let (_, rows) = place.json("ls oci:image --json");
        let row = rows.iter().find(|row| row["path"] == path).unwrap();
        assert_eq!(row["layer"], layer);
        assert_eq!(place.run(&format!("cat --layer {layer} oci:image {path}")).stdout, b"one\n");
        let other = place.run(&format!("cat --layer {} oci:image {path}", 3 - layer));
        assert_eq!(other.status.code(), Some(4));
    }
}
