//! `porthole packages`: its lists, exports and exit codes.
//!
//! The expected output lies in `tests/expected`; run with `UPDATE_EXPECTED=1` to rewrite it, and read the difference.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod conforms;
mod place;
mod snapshot;

use conforms::Schema;
use flate2::read::GzDecoder;
use place::Place;
use porthole_contents::{
    database::Release,
    export::{self, ExportSubject},
    inventory::{Installed, Inventory},
    package::{Ecosystem, Package, SourcePackage},
};
use porthole_testkit::image::{Built, Compression, Image, Layer};
use serde_json::{Value, json};
use std::io::Read;

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
fn a_bill_in_a_file_is_compared_with_the_packages() {
    let place = place();
    for (format, name) in [("spdx", "own.spdx.json"), ("cyclonedx", "own.cdx.json")] {
        std::fs::write(place.path(name), place.run(&format!("packages --format {format} oci:image")).stdout).unwrap();
    }
    let components = [
        r#"{"type":"library","name":"curl","purl":"pkg:deb/debian/curl@7.88-10"}"#,
        r#"{"type":"library","name":"left-pad","purl":"pkg:npm/left-pad@1.2.0"}"#,
        r#"{"type":"library","name":"libc6","version":"2.36-9"}"#,
        r#"{"type":"library","name":"\u001b[31mjq","purl":"pkg:deb/debian/jq@1.6"}"#,
        r#"{"type":"operating-system","name":"debian"}"#,
    ];
    let bill = format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{}]}}"#, components.join(","));
    std::fs::write(place.path("other.cdx.json"), bill).unwrap();
    place.expect(
        "packages-against",
        &[
            "packages --against own.spdx.json oci:image",
            "packages --against own.cdx.json oci:image",
            "packages --against other.cdx.json oci:image",
            "packages --against other.cdx.json --type npm oci:image",
            "packages --against other.cdx.json --json --name curl oci:image",
            "packages --against attached oci:image",
            "packages --against other.cdx.json --deleted oci:image",
        ],
    );
}

#[test]
fn secrets_in_instructions_are_masked_in_rows_of_packages() {
    let place = Place::new();
    let layer = Layer::new("RUN TOKEN=ghp_R4ndQzXv8LpWc2Jt7Ks9Hb5Nf3Gd6Ym1TaVe npm ci")
        .file("app/node_modules/a/package.json", r#"{"name":"a","version":"1.0.0"}"#)
        .file("app/b", "b");
    place.layout("image", &Image::new().layer(layer).build());
    for arguments in ["packages --json oci:image", "packages --unowned --json oci:image"] {
        let (code, rows) = place.json(arguments);
        let made = rows[0]["created_by"].as_str().unwrap();
        assert!(code == 0 && made == "RUN TOKEN=******** npm ci", "{made}");
    }
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

/// Two images on one base: both write the database of dpkg again, and the second has another version of an npm package.
fn two() -> Place {
    let place = Place::new();
    let layer = |created_by: &str| Layer::new(created_by).compression(Compression::Gzip);
    let base = layer("ADD rootfs.tar /")
        .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n")
        .file(STATUS, [paragraph("libc6", "2.36-9", ""), paragraph("curl", "7.88-10", "")].concat());
    let packages = |list: &[(&str, &str)], npm: &str| {
        let status: String = list.iter().map(|(name, version)| paragraph(name, version, "")).collect();
        layer("RUN make")
            .file(STATUS, status)
            .file("app/node_modules/a/package.json", format!(r#"{{"name":"a","version":"{npm}"}}"#))
    };
    let first = packages(&[("libc6", "2.36-9"), ("curl", "7.88-10"), ("gcc", "4:12"), ("vim", "2:9.0")], "1.0.0");
    let second =
        packages(&[("libc6", "2.36-9+deb12u1"), ("curl", "7.88-9"), ("jq", "1.6"), ("vim", "2:9.00")], "1.0.0-rc.1");
    place.layout("first", &Image::new().layer(base.clone()).layer(first).build());
    place.layout("second", &Image::new().layer(base.clone()).layer(second).build());
    place.layout("base", &Image::new().layer(base).build());
    place
}

#[test]
fn packages_of_two_images_are_compared_by_their_versions() {
    two().expect(
        "diff-packages",
        &[
            "diff --only packages oci:first oci:second",
            "diff --only packages --json oci:second oci:first",
            "diff --packages --only packages,files --ignore time oci:base oci:second",
            "diff --only packages oci:first oci:first",
            "diff --only packages oci:first oci:second etc",
            "diff --packages oci:first oci:second etc",
        ],
    );
}

#[test]
fn packages_cost_no_second_reading_of_a_layer() {
    let place = two();
    let read = |arguments: &str| {
        let stderr = String::from_utf8(place.run(arguments).stderr).unwrap();
        stderr.lines().filter(|line| line.starts_with("layer ")).map(|line| line[..7].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(read("diff --progress plain --packages oci:first oci:second"), ["layer 1", "layer 2", "layer 2"]);
    let (_, both) = place.json("diff --json --packages oci:first oci:second");
    let (_, files) = place.json("diff --json oci:first oci:second");
    let without: Vec<_> = both.into_iter().filter(|row| row["kind"] != "package").collect();
    assert_eq!(without, files, "digests of files are found on the way");
}

#[test]
fn a_layer_at_another_place_has_the_same_packages() {
    let place = Place::new();
    let of = |name: &str| {
        Layer::new(name)
            .file(format!("{name}/node_modules/a/package.json"), format!(r#"{{"name":"{name}","version":"1.0.0"}}"#))
    };
    place.layout("c", &Image::new().layer(of("c")).layer(of("top")).build());
    place.layout("d", &Image::new().layer(of("d")).layer(of("c")).layer(of("top")).build());
    let (code, rows) = place.json("diff --only packages --json oci:c oci:d");
    let rows: Vec<_> =
        rows.iter().map(|row| (row["name"].as_str().unwrap(), row["change"].as_str().unwrap())).collect();
    assert_eq!((code, rows), (1, vec![("d", "added")]));
}

/// `md5sum` of `one`.
const ONE: &str = "f97c5d29941bfb1b2fdab0874906ab82";

fn changed() -> Place {
    let place = Place::new();
    let layer = |created_by: &str| Layer::new(created_by).compression(Compression::Gzip);
    let base = layer("ADD rootfs.tar /")
        .symlink("bin", "usr/bin")
        .file("usr/bin/tool", "one")
        .file("etc/tool.conf", "one")
        .file(STATUS, paragraph("tool", "1", &format!("Conffiles:\n /etc/tool.conf {ONE}\n")))
        .file("var/lib/dpkg/info/tool.list", "/.\n/bin\n/bin/tool\n/etc/tool.conf\n")
        .file("var/lib/dpkg/info/tool.md5sums", format!("{ONE}  bin/tool\n"));
    let later = layer("RUN make install").file("usr/bin/tool", "two").file("etc/tool.conf", "two").file("app/a", "a");
    place.layout("changed", &Image::new().layer(base.clone()).layer(later).build());
    place.layout("base", &Image::new().layer(base).build());
    place.layout("empty", &Image::new().layer(layer("ADD a").file("a", "a")).build());
    place
}

#[test]
fn files_are_listed_by_what_packages_say_of_them() {
    changed().expect(
        "packages-files",
        &[
            "packages --unowned oci:changed",
            "packages --unowned --layer 2 --json oci:changed",
            "packages --modified oci:changed",
            "packages --modified --json oci:changed",
            "packages --modified --layer 1 oci:changed",
            "packages --modified --type rpm oci:changed",
            "packages --modified oci:base",
            "packages --unowned oci:empty",
            "packages --unowned --modified oci:base",
            "packages --modified --format spdx oci:base",
        ],
    );
}

/// The published schemas of both formats.
fn schemas() -> [(&'static str, Schema); 2] {
    let cyclonedx = Schema::new(
        include_bytes!("vectors/cyclonedx-1.6.json.gz"),
        &[
            ("spdx.SNAPSHOT.schema.json", include_bytes!("vectors/spdx-licences.json.gz")),
            ("jsf-0.82.SNAPSHOT.schema.json", include_bytes!("vectors/jsf-0.82.json.gz")),
        ],
    );
    [("spdx", Schema::new(include_bytes!("vectors/spdx-2.3.json.gz"), &[])), ("cyclonedx", cyclonedx)]
}

/// An image with unusual but valid packages in each kind of database that the test can write or has as a vector.
fn odd() -> Built {
    let rpm = include_bytes!("../../contents/tests/vectors/rpm/rpmdb.sqlite.gz");
    let mut database = Vec::new();
    GzDecoder::new(rpm.as_slice()).read_to_end(&mut database).unwrap();
    let layer = |created_by: &str| Layer::new(created_by).compression(Compression::Gzip);
    let apk = "P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT AND (Beerware)\no:musl\nm:Jürgen <j@example.org>\n\n";
    let status = [paragraph("zlib1g", "1:1.2.13.dfsg-1", "Source: zlib (1:1.2)\n"), paragraph("libé", "0", "")];
    Image::new()
        .layer(
            layer("ADD rootfs.tar /")
                .file("etc/os-release", "ID=débian\nVERSION_ID=\"12 (\\\"ü\\\")\"\n")
                .file(STATUS, status.concat())
                .file(
                    "usr/share/doc/zlib1g/copyright",
                    "Format: https://x/\n\nFiles: *\nLicense: Zlib and “more” <b>\n",
                )
                .file("lib/apk/db/installed", apk)
                .file("var/lib/rpm/rpmdb.sqlite", database),
        )
        .layer(
            layer("RUN install")
                .file("a/node_modules/@ü/x y/package.json", r#"{"name":"@ü/x y","version":"","license":""}"#)
                .file(
                    "a/node_modules/b/package.json",
                    r#"{"name":"b","version":"\u0001 1","license":{"type":"SEE LICENSE IN x"}}"#,
                )
                .file(
                    "usr/lib/python3/a-1.dist-info/METADATA",
                    "Metadata-Version: 2.1\nName: ä\nVersion: 1\nLicense: 自由\n",
                )
                .file(
                    "usr/share/gems/specifications/r-1.gemspec",
                    "s.name = \"r\".freeze\ns.version = \"1\"\ns.licenses = [\"MIT\", \"x y\"]\n",
                )
                .file(
                    "c/vendor/composer/installed.json",
                    r#"[{"name":"m/n","version":"dev-main","license":["MIT","GPL-2.0"]}]"#,
                )
                .file("d/app.deps.json", r#"{"libraries":{"Serilog/3.1.1":{"type":"package"}}}"#)
                .file("e/lib-1.0.jar", jar()),
        )
        .build()
}

/// A Java archive with the properties of an artifact.
fn jar() -> Vec<u8> {
    let (name, text) = ("META-INF/maven/g/a/pom.properties", "groupId=g\nartifactId=a\nversion=1\u{fc}\n");
    let mut crc = flate2::Crc::new();
    crc.update(text.as_bytes());
    let mut common = vec![0; 10];
    common.extend(crc.sum().to_le_bytes());
    common.extend([(text.len() as u32).to_le_bytes(); 2].concat());
    common.extend((name.len() as u32).to_le_bytes());
    let mut jar = [b"PK\x03\x04\x14\0".as_slice(), &common[2..], name.as_bytes(), text.as_bytes()].concat();
    let start = jar.len();
    jar.extend([b"PK\x01\x02\x14\0\x14\0".as_slice(), &common[2..], &[0; 14], name.as_bytes()].concat());
    let size = jar.len() - start;
    jar.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    jar.extend([(size as u32).to_le_bytes(), (start as u32).to_le_bytes()].concat());
    jar.extend([0; 2]);
    jar
}

#[test]
fn bills_of_images_are_as_their_published_schemas_describe_them() {
    let place = place();
    place.layout("odd", &odd());
    for (format, schema) in schemas() {
        for image in ["image", "empty", "odd"] {
            let bill = place.run(&format!("packages --format {format} oci:{image}")).stdout;
            let bill: Value = serde_json::from_slice(&bill).unwrap();
            if let Err(wrong) = schema.check(&bill) {
                panic!("{format} of {image}: {wrong}");
            }
        }
        let bill = String::from_utf8(place.run(&format!("packages --format {format} oci:odd")).stdout).unwrap();
        for kind in ["deb", "apk", "rpm", "npm", "pypi", "gem", "composer", "nuget", "maven"] {
            assert!(bill.contains(&format!("pkg:{kind}/")), "{format} has no package of {kind}: {bill}");
        }
    }
}

#[test]
fn bills_of_every_kind_of_package_are_as_their_published_schemas_describe_them() {
    const TEXTS: [&str; 12] = [
        "",
        " ",
        "MIT",
        "MIT OR Apache-2.0",
        "GPL-2+",
        "(MIT",
        "NOASSERTION",
        "Größe 自由",
        "a\nb\u{1b}[31m\0",
        "<>\"{}|\\^`",
        "LicenseRef-x",
        "https://example.org/licence?a=b#c",
    ];
    let release = |text: &str| Release { id: text.into(), version: Some(text.into()), name: Some(text.into()) };
    for text in TEXTS {
        let one = |ecosystem, name: &str, version: &str| Installed {
            package: Package {
                licence: Some(text.into()),
                vendor: Some(text.into()),
                architecture: Some(text.into()),
                source: Some(SourcePackage { name: text.into(), version: Some(text.into()) }),
                ..Package::new(ecosystem, name, version)
            },
            recorded_in: [text.as_bytes(), b"\xff"].concat(),
            layer: 0,
            removed_by: None,
            replaced_by: None,
        };
        let plain = |ecosystem| Installed {
            package: Package::new(ecosystem, text, text),
            recorded_in: b"a".to_vec(),
            layer: u32::MAX - 1,
            removed_by: None,
            replaced_by: None,
        };
        let all = Ecosystem::ALL.into_iter();
        // The same package twice, because two databases may record it.
        let packages = all
            .flat_map(|kind| {
                [one(kind, text, "1"), one(kind, "a", text), plain(kind), plain(kind), one(kind, "é:é/@é", "")]
            })
            .collect();
        let inventory = Inventory { packages, release: Some(release(text)), ..Inventory::default() };
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (digest, created) in [
            (Some(digest.as_str()), Some("2024-05-06T07:08:09.5Z")),
            (None, None),
            (Some("sha512:é"), Some("2024-13-45T25:61:61Z")),
            (Some(text), Some(text)),
        ] {
            let subject = ExportSubject { name: text, digest, created };
            let bills = [export::spdx(&inventory, subject), export::cyclonedx(&inventory, subject)];
            for ((format, schema), bill) in schemas().iter().zip(&bills) {
                if let Err(wrong) = schema.check(bill) {
                    panic!("{format} with {text:?}, {digest:?}, {created:?}: {wrong}");
                }
            }
        }
    }
}

#[test]
fn a_bill_that_departs_from_its_schema_is_found() {
    let inventory = Inventory {
        packages: vec![Installed {
            package: Package { licence: Some("MIT".into()), ..Package::new(Ecosystem::Npm, "a", "1") },
            recorded_in: b"a".to_vec(),
            layer: 0,
            removed_by: None,
            replaced_by: None,
        }],
        ..Inventory::default()
    };
    let subject = ExportSubject { name: "a", digest: None, created: None };
    let [(_, spdx), (_, cyclonedx)] = schemas();
    for (place, value, expected) in [
        ("/packages/0/filesAnalyzed", json!("no"), "/packages/0/filesAnalyzed: expected type"),
        ("/relationships/0/relationshipType", json!("HAS"), "/relationships/0/relationshipType: expected enum"),
        ("/packages/0", json!({"SPDXID": "a", "downloadLocation": "b"}), "/packages/0: expected \"name\""),
        (
            "/packages/0",
            json!({"SPDXID": "a", "downloadLocation": "b", "name": "c", "x": 1}),
            "/packages/0/x: not described",
        ),
    ] {
        let mut bill = export::spdx(&inventory, subject);
        *bill.pointer_mut(place).unwrap() = value;
        assert!(spdx.check(&bill).is_err_and(|wrong| wrong.starts_with(expected)), "{place}: {:?}", spdx.check(&bill));
    }
    for (place, value, expected) in [
        ("/serialNumber", json!("urn:uuid:1"), "/serialNumber: expected pattern"),
        ("/metadata/timestamp", json!("1970-01-01"), "/metadata/timestamp: expected format"),
        ("/components/0/type", json!("lib"), "/components/0/type: expected enum"),
        ("/components/0/licenses", json!([{"license": {"id": "MIT2"}}]), "/components/0/licenses: expected oneOf"),
        ("/dependencies/0/dependsOn", json!(["a", "a"]), "/dependencies/0/dependsOn: expected uniqueItems"),
    ] {
        let mut bill = export::cyclonedx(&inventory, subject);
        *bill.pointer_mut(place).unwrap() = value;
        assert!(
            cyclonedx.check(&bill).is_err_and(|wrong| wrong.starts_with(expected)),
            "{place}: {:?}",
            cyclonedx.check(&bill)
        );
    }
}
