//! `porthole packages`: what it lists, what it exports, how it ends.
//!
//! The expected output lies in `tests/expected`; run with `UPDATE_EXPECTED=1` to rewrite it, and read the difference.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod place;
mod snapshot;

use place::Place;
use porthole_testkit::image::{Built, Compression, Image, Layer};
use serde_json::Value;

const STATUS: &str = "var/lib/dpkg/status";

fn paragraph(name: &str, version: &str, more: &str) -> String {
    format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n{more}\n")
}

fn image() -> Built {
    let layer = |created_by: &str| Layer::new(created_by).compression(Compression::Gzip);
    let base =
        [paragraph("libc6", "2.36-9", "Source: glibc\nInstalled-Size: 12988\n"), paragraph("curl", "7.88-10", "")];
    let later = [&base[0], &paragraph("curl", "7.88-10+deb12u5", ""), &paragraph("gcc", "4:12.2.0-3", "")];
    Image::new()
        .layer(
            layer("ADD rootfs.tar /")
                .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n")
                .file(STATUS, base.concat())
                .file("var/lib/dpkg/info/curl.list", "/.\n/usr/bin/curl\n")
                .file("usr/share/doc/libc6/copyright", "Format: https://x/\n\nFiles: *\nLicense: LGPL-2.1+\n"),
        )
        .layer(layer("RUN apt-get install gcc").file(STATUS, later.map(String::as_str).concat()))
        .layer(
            layer("RUN npm ci")
                .file(
                    "app/node_modules/left-pad/package.json",
                    r#"{"name":"left-pad","version":"1.3.0","license":"WTFPL"}"#,
                )
                .file("app/node_modules/@s/dev/package.json", r#"{"name":"@s/dev","version":"2.0.0","license":"MIT"}"#)
                .file("app/vendor/composer/installed.json", "not JSON"),
        )
        .layer(layer("RUN npm prune").whiteout("app/node_modules/@s"))
        .build()
}

fn place() -> Place {
    let place = Place::new();
    place.layout("image", &image());
    let empty = Image::new().layer(Layer::new("ADD a").compression(Compression::None).file("a", b"a")).build();
    place.layout("empty", &empty);
    place
}

#[test]
fn packages_are_listed_with_their_layers() {
    place().expect(
        "packages",
        &[
            "packages oci:image",
            "packages --deleted oci:image",
            "packages --layer 2 oci:image",
            "packages --type npm --name pad --json oci:image",
            "packages --owns /usr/bin/curl oci:image",
            "packages --owns usr/bin/wget oci:image",
            "packages --type exe oci:image",
            "packages --quiet --format spdx oci:image",
            "packages --quiet --format cyclonedx oci:image",
            "packages oci:empty",
        ],
    );
}

#[test]
fn rows_name_the_layers_of_a_replaced_package() {
    let (code, rows) = place().json("packages --json --deleted --type deb oci:image");
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((code, &row["name"], &row["layer"], &row["removed_by"]), (0, &"curl".into(), &1.into(), &2.into()));
    assert_eq!(row["replaced_by"], "7.88-10+deb12u5");
    assert_eq!(row["purl"], "pkg:deb/debian/curl@7.88-10?arch=amd64&distro=debian-12");
    assert_eq!(row["created_by"], "ADD rootfs.tar /");
}

#[test]
fn the_same_image_gives_the_same_bill() {
    let place = place();
    for format in ["spdx", "cyclonedx"] {
        let bill = || place.run(&format!("packages --format {format} oci:image")).stdout;
        let document: Value = serde_json::from_slice(&bill()).unwrap();
        assert_eq!(
            document[if format == "spdx" { "packages" } else { "components" }].as_array().map(Vec::len),
            Some(if format == "spdx" { 5 } else { 4 })
        );
        assert_eq!(bill(), bill(), "{format}");
    }
}
