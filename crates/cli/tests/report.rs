//! `porthole report`: its output in each format, and its exit codes.
//!
//! The expected output lies in `tests/expected`; run with `UPDATE_EXPECTED=1` to rewrite it, and read the difference.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod conforms;
mod made;
mod place;
mod snapshot;

use conforms::Schema;
use made::{made, token};
use place::Place;
use porthole_testkit::image::{Built, Compression, Entry, Image, Layer};
use serde_json::{Value, json};
use std::fs;

fn image() -> Built {
    let layer = |created_by: &str| Layer::new(created_by).compression(Compression::None);
    let package =
        |name: &str| format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n");
    Image::new()
        .layer(
            layer("ADD rootfs.tar /")
                .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n")
                .file("var/lib/dpkg/status", [package("a"), package("b")].concat())
                .file("var/lib/dpkg/info/a.list", "/usr/bin/su\n")
                .entry(Entry::file("usr/bin/su", b"su").mode(0o4755)),
        )
        .layer(
            layer(&format!("RUN |1 API_TOKEN={} /bin/sh -c make | tee log", token()))
                .file("app/a|b `c`", format!("#!/bin/sh\nT={}\n", token()))
                .file("app/big", vec![b'x'; 3000])
                .entry(Entry::file("usr/local/bin/run", b"run").mode(0o4755)),
        )
        .layer(layer("RUN rm -r /app").then("ADD http://host.example/tool /opt/ # buildkit").whiteout("app"))
        .config(
            json!({ "User": "keeper", "Env": ["PATH=/usr/bin", format!("DB_PASSWORD={}", made(12, 77_777_777_777))] }),
        )
        .build()
}

fn place() -> Place {
    let place = Place::new();
    place.layout("image", &image());
    let clean = Image::new().config(json!({ "User": "1000" }));
    let clean = clean.layer(Layer::new("ADD a").compression(Compression::None).file("a", b"a")).build();
    fs::write(place.path("layer"), &clean.layers[0].blob.bytes).unwrap();
    place.layout("clean", &clean);
    place
}

#[test]
fn reports_are_written_in_each_format() {
    place().expect(
        "report",
        &[
            "report oci:image",
            "report --json oci:image",
            "report --format sarif --ci --max-size 1KB oci:image",
            "report --ci oci:clean",
            "report --ci --max-size 1MB --max-waste 1B oci:clean",
            "report --ci --max-waste 1KB oci:image",
            "report --max-waste 1KB oci:image",
            "report --ci --max-dangers 0 --max-medium-secrets 1 --json oci:clean",
            "report --max-dangers 0 oci:clean",
            "report layer:layer",
        ],
    );
}

#[test]
fn no_format_shows_a_secret_and_each_is_the_same_every_time() {
    let place = place();
    for format in ["markdown", "json", "sarif"] {
        let report = || place.run(&format!("report --format {format} oci:image")).stdout;
        let text = String::from_utf8(report()).unwrap();
        assert!(text.contains("github-token") || text.contains("token of GitHub"), "{format}");
        for secret in [token(), made(12, 77_777_777_777)] {
            assert!(!text.contains(&secret), "{format}");
        }
        assert_eq!(text.into_bytes(), report(), "{format}");
    }
}

#[test]
fn the_document_lists_packages_and_keeps_what_the_layers_are() {
    let (code, rows) = place().json("report --json oci:image");
    let [report] = rows.as_slice() else { panic!("{rows:?}") };
    let packages: Vec<_> = report["packages"]["list"].as_array().unwrap().iter().map(|row| &row["purl"]).collect();
    assert_eq!(code, 0);
    assert_eq!(
        packages,
        ["pkg:deb/debian/a@1?arch=amd64&distro=debian-12", "pkg:deb/debian/b@1?arch=amd64&distro=debian-12"]
    );
    assert_eq!(report["packages"]["types"], json!({ "deb": 2 }));
    assert_eq!(report["thresholds"], json!([]));
}

#[test]
fn dangers_and_medium_secrets_have_thresholds() {
    let place = place();
    // Two dangers: a set-uid file that no package owns, and a download without TLS. One secret: the password in the environment.
    for (arguments, missed) in [
        ("--max-dangers 2 --max-medium-secrets 1", vec![]),
        ("--max-dangers 1", vec!["max_dangers"]),
        ("--max-medium-secrets 0", vec!["max_medium_secrets"]),
    ] {
        let (code, rows) = place.json(&format!("report --ci {arguments} --json oci:image"));
        let failed = rows[0]["thresholds"].as_array().unwrap().iter().filter(|check| check["passed"] == false);
        let names: Vec<_> =
            failed.map(|check| check["name"].as_str().unwrap()).filter(|name| *name != "max_secrets").collect();
        assert_eq!((code, names), (1, missed), "{arguments}: {}", rows[0]["thresholds"]);
    }
}

#[test]
fn each_layer_is_read_once() {
    let stderr = place().run("report --progress plain oci:image").stderr;
    let stderr = String::from_utf8(stderr).unwrap();
    let mut read: Vec<_> = stderr.lines().filter(|line| line.starts_with("layer ")).map(|line| &line[..7]).collect();
    read.sort_unstable();
    assert_eq!(read, ["layer 1", "layer 2", "layer 3"]);
}

#[test]
fn a_log_of_sarif_is_as_its_schema_describes_it() {
    let schema = Schema::new(include_bytes!("vectors/sarif-2.1.0.json.gz"), &[]);
    let place = place();
    for arguments in ["oci:image", "--ci --max-size 1B oci:image", "oci:clean", "layer:layer"] {
        let output = place.run(&format!("report --format sarif {arguments}"));
        let log: Value = serde_json::from_slice(&output.stdout).unwrap();
        if let Err(wrong) = schema.check(&log) {
            panic!("{arguments}: {wrong}\n{log:#}");
        }
        let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
        for result in log["runs"][0]["results"].as_array().unwrap() {
            assert_eq!(rules[result["ruleIndex"].as_u64().unwrap() as usize]["id"], result["ruleId"]);
        }
    }
    let wrong = json!({ "version": "2.1.0", "runs": [{ "tool": { "driver": {} } }] });
    assert_eq!(schema.check(&wrong), Err(r#"/runs/0/tool/driver: expected "name""#.to_owned()));
}
