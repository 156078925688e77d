//! Independent readers accept the built images.

#![allow(clippy::unwrap_used, reason = "what the tests share is test code too")]

use porthole_core::{
    digest::Digest,
    image::Image as Assembled,
    layer::{Expected, LayerReader},
    limits::Limits,
    manifest::{Document, Raw},
    tar::{Entry as Listed, EntrySink, Flow},
};
use porthole_testkit::{
    chunks::SPLITS,
    image::{Built, Compression, Content, Entry, Family, Image, Kind, Layer},
};

const LONG: &str =
    "usr/share/a-directory-with-a-long-name/another-directory-with-a-long-name/a-third-one/file-with-a-long-name";

fn awkward(compression: Compression) -> Layer {
    Layer::new("COPY rootfs /")
        .dir("etc")
        .entry(Entry::file("usr/bin/su", "x".repeat(2000)).mode(0o4755).owner(0, 42).mtime(1))
        .entry(Entry::file(b"caf\xe9", "latin-1"))
        .entry(Entry::file("ünï", "utf-8").xattr("security.capability", [1, 0, 0, 2]))
        .file(LONG, "long")
        .symlink("bin", "usr/bin")
        .hardlink("usr/bin/su2", "usr/bin/su")
        .entry(Entry::new("dev/null", Kind::Char(1, 3)).mode(0o666))
        .entry(Entry::new("run/pipe", Kind::Fifo))
        .whiteout("etc/gone")
        .opaque("var/cache")
        .then("CMD [\"sh\"]")
        .compression(compression)
}

fn built(family: Family, compression: Compression) -> Built {
    Image::new().family(family).layer(Layer::new("FROM scratch").file("a", "b")).layer(awkward(compression)).build()
}

#[derive(Default)]
struct List(Vec<Listed>);

impl EntrySink for List {
    fn entry(&mut self, entry: Listed) -> Flow {
        self.0.push(entry);
        Flow::Continue
    }
}

#[test]
fn layers_hold_what_was_put_in() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        for split in SPLITS {
            let layer = &built(Family::Oci, compression).layers[1];
            let expected = Expected {
                digest: Some(layer.blob.digest.parse().unwrap()),
                size: Some(layer.blob.bytes.len() as u64),
                diff_id: Some(layer.diff_id.parse().unwrap()),
                media_type: Some(porthole_core::media_type::MediaType::parse(&layer.blob.media_type).unwrap()),
            };
            let mut reader = LayerReader::new(expected, Limits::default());
            let mut list = List::default();
            for piece in split.of(&layer.blob.bytes) {
                reader.push(piece, &mut list);
            }
            let report = reader.finish(&mut list);
            assert!(report.verified(), "{compression:?} {split:?}: {:?}", report.findings);
            let find = |path: &[u8]| list.0.iter().find(|entry| entry.path == path).unwrap();
            assert_eq!(list.0.len(), 11);
            let su = find(b"usr/bin/su");
            assert_eq!((su.permissions(), su.gid, su.mtime, su.size), (0o4755, 42, 1, 2000));
            assert_eq!(find(b"caf\xe9").size, 7);
            assert_eq!(find("ünï".as_bytes()).xattrs, [(b"security.capability".to_vec(), vec![1, 0, 0, 2])]);
            assert_eq!(find(LONG.as_bytes()).size, 4);
            assert_eq!(find(b"usr/bin/su2").link, b"usr/bin/su");
            assert_eq!((find(b"dev/null").major, find(b"dev/null").minor), (1, 3));
            find(b"etc/.wh.gone");
            find(b"var/cache/.wh..wh..opq");
        }
    }
}

#[test]
fn documents_make_an_image() {
    for family in [Family::Oci, Family::Docker] {
        let image = built(family, Compression::Gzip);
        let raw = Raw::verify(image.manifest.bytes.clone(), &image.manifest.digest.parse().unwrap(), None).unwrap();
        let Document::Manifest(manifest) = Document::parse(raw, Some(&image.manifest.media_type)).unwrap() else {
            panic!("not a manifest")
        };
        let config = Raw::verify(image.config.bytes.clone(), &manifest.value.config.digest, None).unwrap();
        let assembled = Assembled::assemble(manifest, config).unwrap();
        assert_eq!(assembled.layers[1].created_by.as_deref(), Some("COPY rootfs /"));
        assert_eq!(assembled.layers[1].diff_id.unwrap().to_string(), image.layers[1].diff_id);
    }
}

#[test]
fn every_run_writes_the_same_bytes() {
    let layout = || {
        let content = Content::of_index(
            "latest",
            &[built(Family::Oci, Compression::Zstd), built(Family::Oci, Compression::Gzip)],
        );
        Digest::sha256(&content.layout_tar())
    };
    assert_eq!(layout(), layout());
}
