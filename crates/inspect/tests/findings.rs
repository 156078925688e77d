//! Findings and waste of stacked layers, with the digests of their contents.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{
    digest::Digest,
    seek::Offsets,
    tar::{Entry, Kind},
    tree::{Aspect, Cause, FileTree},
};
use porthole_inspect::{
    findings::{self, FindingView, ImageFinding},
    waste::{LayerBlob, WasteReport},
};

/// Layers of files as path, content and owner. Each blob is half as large as its archive.
fn stack(layers: &[&[(&str, &[u8], i64)]], hashed: bool) -> (FileTree, WasteReport) {
    let mut tree = FileTree::new(1000);
    let mut blobs = Vec::new();
    for (layer, files) in (0..).zip(layers) {
        tree.begin(layer);
        let mut offset = 512;
        for (path, content, uid) in *files {
            let size = content.len() as u64;
            let entry = Entry { size, offset, uid: *uid, mode: 0o644, ..Entry::new(*path, Kind::File) };
            tree.apply_hashed(&entry, hashed.then(|| Digest::sha256(content))).unwrap();
            offset += size.next_multiple_of(512) + 512;
        }
        tree.commit();
        let offsets = Offsets::even(offset / 2, offset);
        blobs.push(LayerBlob { size: offset / 2, uncompressed: offset, entries: 0, digest: None, offsets });
    }
    let report = WasteReport::of(&tree, None, &blobs);
    (tree, report)
}

#[test]
fn a_copy_for_another_owner_is_known_by_its_digest() {
    let lower: &[(&str, &[u8], i64)] = &[("srv/app", &[1; 4096], 0), ("srv/data", &[2; 1024], 0)];
    let upper: &[(&str, &[u8], i64)] = &[("srv/app", &[1; 4096], 7), ("srv/data", &[3; 1024], 7)];
    for hashed in [true, false] {
        let (tree, report) = stack(&[lower, upper], hashed);
        let found = findings::of_layers(&tree, &report);
        let copies: Vec<_> = found.iter().filter(|finding| finding.name() == "metadata-copies").collect();
        let [ImageFinding::MetadataCopies { layer, aspects, files, bytes, download, compared, .. }] = copies[..] else {
            panic!("{found:?}")
        };
        assert_eq!((*layer, *compared, report.compared), (1, hashed, hashed));
        assert!(aspects.contains(Aspect::Owner));
        // Without digests the file with other bytes of the same size looks like a copy.
        let expected = if hashed { (1, 4096, 2048) } else { (2, 5120, 2560) };
        assert_eq!((*files, *bytes, *download), expected);
        assert_eq!(copies[0].target().view, FindingView::Layer);
    }
}

#[test]
fn an_image_without_waste_has_no_findings() {
    let (tree, report) = stack(&[&[("a", b"1", 0)], &[("b", b"2", 0)]], true);
    assert_eq!(findings::of_layers(&tree, &report), []);
    assert_eq!((report.waste.efficiency(), report.download_percent()), (1.0, 0.0));
}

#[test]
fn figures_of_the_report_add_up() {
    let (tree, report) = stack(&[&[("a/b", &[1; 1024], 0), ("c", &[2; 512], 0)], &[("a/.wh.b", b"", 0)]], true);
    assert_eq!((report.waste.all, report.waste.visible, report.waste.wasted()), (1536, 512, 1024));
    assert_eq!(report.deleted(), (1, 1024, 512));
    assert_eq!(report.layers.iter().map(|share| share.waste.wastes).collect::<Vec<_>>(), [0, 1024]);
    assert_eq!(report.groups[0].cause, Cause::Deleted);
    assert_eq!(report.download, report.layers.iter().map(|share| share.download).sum::<u64>());
    let names: Vec<_> = findings::of_layers(&tree, &report).iter().map(ImageFinding::name).collect();
    assert_eq!(names, ["deleted-files", "biggest-waste"]);
}
