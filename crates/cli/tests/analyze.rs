//! `porthole analyze`: its figures, output and exit codes.
//!
//! The expected output lies in `tests/expected`; run with `UPDATE_EXPECTED=1` to rewrite it, and read the difference.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod place;
mod snapshot;

use std::fs;

use place::Place;
use porthole_testkit::image::{Built, Compression, Entry, Image, Layer};
use serde_json::json;

/// Bytes that do not compress. The same seed gives the same bytes.
fn noise(length: usize, mut seed: u64) -> Vec<u8> {
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as u8
    };
    (0..length).map(|_| next()).collect()
}

fn wasteful(compression: Compression) -> Built {
    let layer = |created_by: &str| Layer::new(created_by).compression(compression);
    Image::new()
        .layer(
            layer("/bin/sh -c #(nop) ADD rootfs.tar in / ")
                .dir("app")
                .file("app/one", noise(3_000, 1))
                .file("app/two", noise(2_000, 2))
                .dir("cache")
                .dir("cache/lists")
                .file("cache/lists/a", noise(50_000, 3))
                .file("cache/lists/b", noise(20_000, 4))
                .file("etc/config", noise(1_000, 5))
                .file("etc/kept", noise(900, 6))
                .file("moved", noise(700, 7)),
        )
        .layer(layer("RUN /bin/sh -c rm -r /cache # buildkit").whiteout("cache"))
        .layer(
            layer("RUN /bin/sh -c chown -R 1 /app # buildkit")
                .entry(Entry::dir("app").owner(1, 0))
                .entry(Entry::file("app/one", noise(3_000, 1)).owner(1, 0))
                .entry(Entry::file("app/two", noise(2_000, 2)).owner(1, 0)),
        )
        .layer(
            layer("COPY etc /etc # buildkit")
                .file("etc/config", noise(1_000, 8))
                .file("etc/kept", noise(900, 6))
                .whiteout("moved")
                .file(b"odd \x1b\xff".as_slice(), noise(700, 7))
                .file("copy of odd", noise(700, 7))
                .whiteout("nothing"),
        )
        .build()
}

fn place() -> Place {
    let place = Place::new();
    place.layout("wasteful", &wasteful(Compression::None));
    let lean = Image::new().layer(Layer::new("ADD a").compression(Compression::None).file("a", b"a")).build();
    place.layout("lean", &lean);
    fs::write(place.path("layer"), &wasteful(Compression::None).layers[0].blob.bytes).unwrap();
    place
}

#[test]
fn waste_is_told_with_its_reasons() {
    place().expect(
        "analyze",
        &[
            "analyze oci:wasteful",
            "analyze --top 1 oci:wasteful",
            "analyze --layer 4 oci:wasteful",
            "analyze --json oci:wasteful",
            "analyze oci:lean",
            "analyze layer:layer",
            "analyze --layer 10 oci:lean",
        ],
    );
}

#[test]
fn thresholds_end_with_an_answer() {
    place().expect(
        "analyze-ci",
        &[
            "analyze --ci oci:lean",
            "analyze --ci --top 0 oci:wasteful",
            "analyze --ci --max-waste 100kB oci:wasteful --top 0 --layer 2",
            "analyze --ci --min-efficiency 0.05 --max-waste 1KiB --max-waste-percent 99.9% oci:wasteful --top 0 --layer 2",
            "analyze --max-waste 1kB oci:lean",
            "analyze --ci --max-waste 1furlong oci:lean",
            "analyze --ci --min-efficiency 2 oci:lean",
        ],
    );
    let (code, reports) = place().json("analyze --ci --json oci:wasteful");
    let passed: Vec<_> =
        reports[0]["thresholds"].as_array().unwrap().iter().map(|check| check["passed"] == true).collect();
    assert_eq!((code, passed), (1, vec![false, false]));
}

/// The wasted part of a download is measured in the blob, and not computed from the compression ratio of the layer.
#[test]
fn downloads_are_measured_where_the_bytes_are() {
    let place = Place::new();
    let image = Image::new()
        .layer(Layer::new("ADD").file("zeros", vec![0; 600_000]).file("noise", noise(600_000, 1)))
        .layer(Layer::new("RUN rm").whiteout("noise"))
        .build();
    let blob = image.layers[0].blob.bytes.len() as u64;
    place.layout("mixed", &image);
    let (_, reports) = place.json("analyze --json oci:mixed");
    let wasted = reports[0]["wasted"]["download"].as_u64().unwrap();
    assert!(wasted > blob * 3 / 4 && wasted <= blob, "{wasted} of {blob}");
    assert_eq!(reports[0]["efficiency"], 0.5);
}

/// The same files, built in another way, save as many bytes as the estimate says.
#[test]
fn what_if_is_what_other_builds_save() {
    let app = |owner| Entry::file("app", noise(600_000, 3)).owner(owner, 0);
    let first = |owner, gone: bool| {
        let layer = Layer::new("COPY . /").file("kept", noise(400_000, 1)).file("text", vec![b'a'; 900_000]);
        let layer = if gone { layer.file("gone", noise(900_000, 2)) } else { layer };
        layer.entry(app(owner))
    };
    let (rm, chown) = (|| Layer::new("RUN rm gone").whiteout("gone"), || Layer::new("RUN chown 1 app").entry(app(1)));
    let download = |image: Image| image.build().layers.iter().map(|layer| layer.blob.bytes.len() as u64).sum::<u64>();
    let image = || Image::new().layer(first(0, true)).layer(rm()).layer(chown());
    let place = Place::new();
    place.layout("image", &image().build());
    let (_, reports) = place.json("analyze --json oci:image");
    let ways = reports[0]["what_if"].as_array().unwrap();
    let kinds: Vec<_> = ways.iter().map(|way| way["change"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["squash-all", "squash", "set-at-once", "zstd"]);
    let otherwise = [
        Image::new().layer(first(1, false)),
        Image::new().layer(first(0, false)).layer(chown()),
        Image::new().layer(first(1, true)).layer(rm()),
    ];
    for (way, otherwise) in ways.iter().zip(otherwise) {
        let saved = download(image()) - download(otherwise);
        let [least, about, most] =
            ["download_least", "download", "download_most"].map(|field| way[field].as_u64().unwrap());
        // Omitting a layer also saves its compression frame and the end of its archive.
        assert!(least <= saved && saved <= most + 4_096, "{way}: {saved}");
        assert!(least <= about && about <= most && about.abs_diff(saved) < 140_000, "{way}: {saved}");
    }
    let numbers: Vec<_> = ways.iter().map(|way| (&way["layer"], &way["layers"], &way["unpacked"])).collect();
    assert_eq!(numbers[1], (&json!(2), &json!([1]), &json!(900_000)));
    assert_eq!(numbers[2], (&json!(3), &json!([1]), &json!(600_000)));
    assert_eq!(ways[2]["text"], "owner set where layer 1 writes the files, not by layer 3");
}

/// Images for which `dive` reports an efficiency of 1.0 or 0.002, or nothing at all.
#[test]
fn cases_that_others_get_wrong() {
    let place = Place::new();
    let efficiency = |layers: Vec<Layer>| {
        let image = layers.into_iter().fold(Image::new(), Image::layer).build();
        place.layout("case", &image);
        let (code, reports) = place.json("analyze --json oci:case");
        fs::remove_dir_all(place.path("case")).unwrap();
        let wasted = reports[0]["wasted"]["bytes"].as_u64().unwrap();
        (code, wasted, reports[0]["efficiency"].as_f64().unwrap())
    };
    let layer = || Layer::new("x");
    let big = noise(500_000, 1);
    let twice = vec![layer().file("a", &big), layer().file("a", noise(500_000, 2))];
    assert_eq!(efficiency(twice), (0, 500_000, 0.5));
    let deleted = vec![layer().dir("d").file("d/a", &big).file("b", noise(1_000, 2)), layer().whiteout("d")];
    assert_eq!(efficiency(deleted), (0, 500_000, 1_000.0 / 501_000.0));
    let nothing = vec![layer().file("a", &big), layer().whiteout("nothing").whiteout("d/nothing").file("b", b"b")];
    assert_eq!(efficiency(nothing), (0, 0, 1.0));
}

#[test]
fn the_figure_is_defined_where_it_is_asked_for() {
    let place = place();
    let help = String::from_utf8(place.run("analyze --help").stdout).unwrap();
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(
        "Efficiency is the visible bytes of regular files divided by the bytes of regular files in all layers"
    ));
    let (_, reports) = place.json("analyze --json oci:lean");
    assert!(reports[0]["efficiency_definition"].as_str().unwrap().starts_with("visible bytes of regular files /"));
}
