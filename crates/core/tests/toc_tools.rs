//! Layers written by other tools, all with the same files: skopeo 1.9.3 (`--dest-compress-format zstd:chunked`), and
//! the Go library `estargz` of stargz-snapshotter 0.12 with gzip and with zstd.

#![allow(clippy::unwrap_used, reason = "what the tests share is test code too")]

mod prepared;

use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    layer::{Expected, LayerReader, LayerReport},
    limits::Limits,
    media_type::MediaType,
    tar::{EntrySink, Kind},
    toc::{Audit, Landmark, TocFormat, Trust},
};
use porthole_testkit::chunks::{SPLITS, Split};
use wasm_bindgen_test::wasm_bindgen_test;

use prepared::{List, read};

struct Tool {
    blob: &'static [u8],
    media_type: MediaType,
    format: TocFormat,
    annotations: &'static [(&'static str, &'static str)],
    landmark: Option<Landmark>,
    /// Entries of the TOC, without landmarks.
    entries: u64,
}

const TOC_DIGEST: &str = "containerd.io/snapshot/stargz/toc.digest";
const CHECKSUM: &str = "io.containers.zstd-chunked.manifest-checksum";
const POSITION: &str = "io.containers.zstd-chunked.manifest-position";

fn tools() -> [Tool; 3] {
    [
        Tool {
            blob: include_bytes!("vectors/prepared/skopeo-1.9.3.tar.zst"),
            media_type: MediaType::OCI_LAYER_ZSTD,
            format: TocFormat::ZstdChunked,
            annotations: &[
                (CHECKSUM, "sha256:21aff7f05ebb705e5e4e79329400471962c6eb01732699eee40c9c7f56bfaf00"),
                (POSITION, "2944:681:2722:1"),
            ],
            landmark: None,
            entries: 11,
        },
        Tool {
            blob: include_bytes!("vectors/prepared/stargz-snapshotter-0.12.tar.gz"),
            media_type: MediaType::OCI_LAYER_GZIP,
            format: TocFormat::EStargz,
            annotations: &[(TOC_DIGEST, "sha256:37996b4d39c2fe8a57e3fa391c7e06fb46740950bc85f033baf092bf734c6ef6")],
            landmark: Some(Landmark::NoPrefetch),
            entries: 11,
        },
        Tool {
            blob: include_bytes!("vectors/prepared/stargz-snapshotter-0.12.tar.zst"),
            media_type: MediaType::OCI_LAYER_ZSTD,
            format: TocFormat::ZstdChunked,
            annotations: &[
                (TOC_DIGEST, "sha256:b0c96bdb2a8e2c05888916efe21cfa88b5ec85f747e67a1b9ec26603d7752e8b"),
                (CHECKSUM, "sha256:06c0f8c86199fc953b617bc2f0543718d6fba94cfbd385e27b3f12ebb4e3e0c6"),
                (POSITION, "7838:905:3162:1"),
            ],
            landmark: None,
            entries: 12,
        },
    ]
}

impl Tool {
    fn descriptor(&self) -> Descriptor {
        let digest = Digest::sha256(self.blob);
        let mut descriptor = Descriptor::new(self.media_type.clone(), digest, self.blob.len() as u64);
        descriptor.annotations =
            self.annotations.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        descriptor
    }

    fn scan(&self, split: Split, sink: &mut impl EntrySink) -> LayerReport {
        let mut reader = LayerReader::new(Expected::default(), Limits::default());
        for piece in split.of(self.blob) {
            reader.push(piece, sink);
        }
        let report = reader.finish(sink);
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        report
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn layers_of_other_tools_are_listed() {
    for tool in tools() {
        let descriptor = tool.descriptor();
        for split in SPLITS {
            let toc = read(&descriptor, tool.blob, split).0.unwrap().unwrap();
            assert_eq!((toc.format(), toc.landmark(), toc.entries()), (tool.format, tool.landmark, tool.entries));
            assert!(matches!(toc.trust(), Trust::Annotation(_)));
        }
        // The footer suffices without annotations.
        let bare = Descriptor { annotations: Default::default(), ..descriptor };
        let toc = read(&bare, tool.blob, Split::Whole).0.unwrap().unwrap();
        assert_eq!((toc.trust(), toc.entries()), (Trust::Nothing, tool.entries));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn layers_of_other_tools_agree_with_their_tocs() {
    for tool in tools() {
        for split in SPLITS {
            let mut audit = Audit::new(read(&tool.descriptor(), tool.blob, split).0.unwrap().unwrap());
            let report = tool.scan(split, &mut audit);
            let found = audit.finish(&report);
            assert!(found.agrees(), "{:?}: {:?}", tool.format, found.disagreements);
            assert_eq!(found.entries, report.entries);
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn files_of_other_tools_layers_are_read_by_their_chunks() {
    for tool in tools() {
        let toc = read(&tool.descriptor(), tool.blob, Split::Whole).0.unwrap().unwrap();
        let mut scanned = List::default();
        tool.scan(Split::Whole, &mut scanned);
        let files = scanned.0.iter().filter(|entry| entry.kind == Kind::File && entry.path != b"stargz.index.json");
        let mut bytes = 0;
        for entry in files {
            let mut reader = toc.open(&entry.path).unwrap();
            let mut length = 0;
            while let Some(range) = reader.wants() {
                for piece in SPLITS[2].of(&tool.blob[range.start as usize..range.end as usize]) {
                    reader.push(piece, &mut |checked| length += checked.len() as u64).unwrap();
                }
            }
            reader.finish(&mut |checked| length += checked.len() as u64).unwrap();
            assert_eq!(length, entry.size);
            bytes += length;
        }
        assert!(bytes > 284_000);
    }
}
