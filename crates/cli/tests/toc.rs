//! Prepared layers on the command line: listed from their tables of contents, and audited.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[allow(dead_code, reason = "other tests use the rest")]
mod scripted;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use porthole_testkit::image::{Compression, Entry, Format, Image, Kind, Layer, Prepared, PreparedLayer};
use porthole_testkit::registry::Site;
use serde_json::{Value, json};
use tempfile::TempDir;

fn base() -> Layer {
    Layer::new("ADD rootfs.tar")
        .dir("etc")
        .entry(Entry::file("etc/passwd", "root\n").mode(0o600).owner(3, 4))
        .entry(Entry::file("etc/capable", "12345").xattr("security.capability", b"\x01\x00\x00\x02"))
        .file("opt/old", vec![b'o'; 20_000])
        .hardlink("opt/same", "opt/old")
        .symlink("bin", "opt")
        .entry(Entry::new("dev/null", Kind::Char(1, 3)).mode(0o666))
}

fn top() -> Layer {
    Layer::new("RUN rm").whiteout("etc/capable").file("opt/new", vec![0; 9000]).file("etc/passwd", "root\nkeeper\n")
}

/// A layer that is not prepared.
fn plain() -> PreparedLayer {
    let built = Image::new().layer(Layer::new("COPY").file("plain", "p")).build().layers.remove(0);
    PreparedLayer {
        blob: built.blob,
        diff_id: built.diff_id,
        tar: built.tar,
        toc: Vec::new(),
        annotations: BTreeMap::new(),
    }
}

struct Place(TempDir);

impl Place {
    fn new(layers: &[PreparedLayer]) -> Self {
        let place = Self(TempDir::new().unwrap());
        PreparedLayer::image(layers, "latest").write_layout(&place.0.path().join("layout")).unwrap();
        fs::write(place.path("layer"), &layers[0].blob.bytes).unwrap();
        place
    }

    fn honest() -> Self {
        let (base, top) = (base(), top());
        let base = Prepared::new(&base, Format::EStargz).landmark(".no.prefetch.landmark").build();
        Self::new(&[base, Prepared::new(&top, Format::ZstdChunked).build(), plain()])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_porthole"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path()).env_clear().output().unwrap()
    }

    fn rows(&self, arguments: &str) -> Vec<Value> {
        let output = self.run(arguments);
        let rows = stdout(&output);
        rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_prepared_image_is_listed_from_its_tables_of_contents() {
    let place = Place::honest();
    let mut whole = place.rows("ls --json oci:layout");
    // A runtime also unpacks the table of contents and the landmark, which `--toc` does not list.
    whole.retain(|row| !["stargz.index.json", ".no.prefetch.landmark"].contains(&row["path"].as_str().unwrap()));
    let mut listed = place.rows("ls --toc --json oci:layout");
    for row in &mut listed {
        let from = row.as_object_mut().unwrap().remove("from");
        assert_eq!(from.is_some(), row["layer"] != 3, "{row}");
    }
    assert_eq!(listed, whole);
    let output = place.run("ls --toc oci:layout opt");
    assert_eq!(stdout(&output), "opt/\nopt/new\nopt/old\nopt/same\n");
    assert_eq!(
        stderr(&output),
        "porthole: layer 1 is listed from its eStargz table of contents, which the manifest vouches for, not from its \
         archive; its landmark file is left out\n\
         porthole: layer 2 is listed from its zstd:chunked table of contents, which the manifest vouches for, not from its \
         archive\n"
    );
    let output = place.run("ls --toc layer:layer etc");
    assert_eq!(stdout(&output), "etc/\netc/capable\netc/passwd\n");
    assert!(stderr(&output).contains("which nothing vouches for"), "{}", stderr(&output));
}

#[test]
fn a_layer_is_not_read_for_its_listing() {
    let place = Place::honest();
    // Damage the blob from its start to the middle of its first chunk.
    let layer = fs::read(place.path("layer")).unwrap();
    let blob = fs::read_dir(place.path("layout/blobs/sha256")).unwrap().map(|entry| entry.unwrap().path());
    let blob = blob.into_iter().find(|path| fs::read(path).unwrap() == layer).unwrap();
    fs::write(&blob, [vec![0xff; 300], layer[300..].to_vec()].concat()).unwrap();
    assert_eq!(place.run("ls oci:layout").status.code(), Some(7));
    let output = place.run("ls --toc oci:layout");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn verify_audits_prepared_layers() {
    let place = Place::honest();
    let output = place.run("verify oci:layout");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("the eStargz table of contents agrees with the archive"), "{text}");
    let steps = place.rows("verify --json oci:layout");
    let tocs: Vec<_> = steps.iter().map(|step| step["toc"].clone()).collect();
    assert_eq!(tocs[2], json!({ "format": "eStargz", "trusted": true, "entries": 9 }));
    assert_eq!(tocs[3], json!({ "format": "zstd:chunked", "trusted": true, "entries": 3 }));
    assert_eq!(tocs[4], Value::Null);
    let bare = place.rows("verify --json layer:layer");
    assert_eq!(bare[0]["toc"], json!({ "format": "eStargz", "trusted": false, "entries": 9 }));
    // A file that is not a layer still fails the verification.
    fs::write(place.path("other"), "no layer").unwrap();
    assert_eq!(place.run("verify layer:other").status.code(), Some(7));
}

#[test]
fn a_table_of_contents_beyond_a_limit_is_no_fault_of_the_layer() {
    let place = Place::honest();
    let output = place.run("verify --limit toc_bytes=100 oci:layout");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = stdout(&output);
    assert!(
        told.contains(
            "not compared with its table of contents: table of contents has more than 100 bytes (limit toc_bytes): raise the limit"
        ),
        "{told}"
    );
    assert_eq!(place.run("verify --strict --limit toc_bytes=100 oci:layout").status.code(), Some(7));
    let output = place.run("ls --toc --limit toc_bytes=100 oci:layout");
    assert_eq!(output.status.code(), Some(9));
    assert!(stderr(&output).contains("--limit toc_bytes="), "{}", stderr(&output));
}

#[test]
fn verify_tells_what_a_table_of_contents_hides() {
    let (base, top) = (base(), top());
    let hide = |toc: &mut Value| {
        let entries = toc["entries"].as_array_mut().unwrap();
        entries.retain(|entry| entry["name"] != "etc/capable");
        entries.iter_mut().find(|entry| entry["name"] == "etc/passwd").unwrap()["mode"] = json!(0o4755);
    };
    let lying = Prepared::new(&base, Format::EStargz).edit(hide).build();
    let place = Place::new(&[lying, Prepared::new(&top, Format::ZstdChunked).build()]);
    assert!(place.rows("ls --toc --json --layer 1 oci:layout").iter().all(|row| row["path"] != "etc/capable"));
    let output = place.run("verify oci:layout");
    assert_eq!(output.status.code(), Some(7));
    let text = stdout(&output);
    for line in [
        "etc/passwd: mode is 4755 in the table of contents, 0600 in the archive",
        "etc/capable: in the archive, not in the table of contents",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(stderr(&output).contains("verification failed: 1 of 4 steps"), "{}", stderr(&output));
    let steps = place.rows("verify --json oci:layout");
    assert_eq!(steps[2]["state"], "wrong");
    assert_eq!(
        steps[2]["toc"]["disagreements"],
        json!([
            { "path": "etc/passwd", "what": "mode is 4755 in the table of contents, 0600 in the archive" },
            { "path": "etc/capable", "what": "in the archive, not in the table of contents" },
        ])
    );
}

#[test]
fn another_table_of_contents_than_the_manifest_names_is_refused() {
    let base = base();
    for format in [Format::EStargz, Format::ZstdChunked] {
        let mut layer = Prepared::new(&base, format).build();
        for (name, value) in &mut layer.annotations {
            if name.ends_with("digest") || name.ends_with("checksum") {
                *value = format!("sha256:{}", "0".repeat(64));
            }
        }
        let place = Place::new(&[layer]);
        let output = place.run("ls --toc oci:layout");
        assert_eq!(output.status.code(), Some(7));
        assert!(output.stdout.is_empty());
        let told = stderr(&output);
        assert!(
            told.contains("layer 1: table of contents does not match its annotation: expected sha256:000"),
            "{told}"
        );
        assert!(told.contains("hint: to read the whole layer instead, leave --toc out"), "{told}");
        assert_eq!(place.run("ls oci:layout").status.code(), Some(0));
        let output = place.run("verify --json oci:layout");
        assert_eq!(output.status.code(), Some(7));
        assert!(stdout(&output).contains(r#""toc":{"refused":"table of contents does not match"#));
    }
}

#[test]
fn a_file_is_read_by_its_chunks() {
    let place = Place::honest();
    for (path, content) in
        [("opt/old", vec![b'o'; 20_000]), ("bin/same", vec![b'o'; 20_000]), ("opt/new", vec![0; 9000])]
    {
        let output = place.run(&format!("cat --toc oci:layout {path}"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(output.stdout == content, "{path}");
        assert!(stderr(&output).contains("which the manifest vouches for"), "{}", stderr(&output));
    }
    // A layer that is not prepared, in an image with prepared layers.
    assert_eq!(stdout(&place.run("cat --toc oci:layout plain")), "p");
    // A table of contents for which nothing vouches is not used.
    let bare = place.run("cat --toc layer:layer opt/old");
    assert!(bare.stdout == [b'o'; 20_000], "{}", stderr(&bare));
    assert_eq!(stderr(&bare), "");
}

#[test]
fn a_chunk_that_is_not_its_own_is_refused() {
    let base = base();
    let wrong = format!("sha256:{}", "0".repeat(64));
    let lie = |toc: &mut Value| {
        let entries = toc["entries"].as_array_mut().unwrap();
        let last = entries.iter_mut().rfind(|entry| entry["type"] == "chunk").unwrap();
        last["chunkDigest"] = json!(wrong);
    };
    for format in [Format::EStargz, Format::ZstdChunked] {
        let place = Place::new(&[Prepared::new(&base, format).edit(lie).build()]);
        let output = place.run("cat --toc oci:layout opt/old");
        assert_eq!(output.status.code(), Some(7));
        assert!(output.stdout == [b'o'; 16_384], "the chunks before it: {}", output.stdout.len());
        assert!(stderr(&output).contains("layer 1: content does not match its digest"), "{}", stderr(&output));
        assert!(place.run("cat oci:layout opt/old").stdout == [b'o'; 20_000]);
    }
}

#[test]
fn what_is_not_prepared_is_read_whole() {
    let image = Image::new().layer(base()).layer(top().compression(Compression::Zstd)).build();
    let place = Place(TempDir::new().unwrap());
    image.into_content("latest").write_layout(&place.path("layout")).unwrap();
    let output = place.run("ls --toc --json oci:layout");
    assert_eq!(stderr(&output), "");
    assert_eq!(output.stdout, place.run("ls --json oci:layout").stdout);
    assert_eq!(place.run("ls --toc --raw layer:layer").status.code(), Some(2));
}

#[test]
fn only_parts_of_prepared_layers_are_asked_of_a_registry() {
    let (base, top) = (base(), top());
    let layers =
        [Prepared::new(&base, Format::EStargz).build(), Prepared::new(&top, Format::ZstdChunked).build(), plain()];
    let server = scripted::Server::new(Site::new().repository("a/b", PreparedLayer::image(&layers, "1")));
    let home = TempDir::new().unwrap();
    let asked = |arguments: &str| {
        let before = server.internet.log().len();
        let output =
            scripted::porthole(home.path(), &arguments.replace("IMAGE", &format!("{}/a/b:1", server.authority())));
        scripted::ends(&output, 0, "which the manifest vouches for");
        let log = server.internet.log();
        layers.each_ref().map(|layer| {
            let of_layer = log[before..].iter().filter(|asked| asked.url.contains(&layer.blob.digest));
            of_layer
                .filter_map(|asked| Some(asked.headers.get("range")?.to_str().unwrap().to_owned()))
                .collect::<Vec<_>>()
        })
    };
    let [estargz, zstd_chunked, whole] = asked("ls --toc IMAGE");
    let size = layers[0].blob.bytes.len();
    assert_eq!(estargz.len(), 2);
    assert_eq!(estargz[0], format!("bytes={}-{}", size - 51, size - 1));
    assert_eq!(zstd_chunked.len(), 1);
    // A layer without annotations may be prepared as well: its last bytes show whether it is.
    assert_eq!(whole.len(), 1);
    // One more range for a file whose chunks are adjacent.
    assert_eq!(asked("cat --toc IMAGE opt/old").map(|ranges| ranges.len()), [3, 1, 0]);
    assert_eq!(asked("cat --toc IMAGE etc/passwd").map(|ranges| ranges.len()), [2, 2, 0]);
}
