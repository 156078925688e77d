//! The layer reader: listings while bytes arrive, and the order of findings.

use std::io::Write;

use flate2::{Compression as Level, write::GzEncoder};
use porthole_core::{
    decode::{self, Checkpoint, Format},
    digest::{Algorithm, Digest},
    failure::Classify,
    layer::{Expected, Finding, LayerReader, LayerReport},
    limits::Limits,
    media_type::{Compression, MediaType},
    tar::{Entry, EntrySink, Flow},
};
use porthole_testkit::chunks::{SPLITS, Split};
use structured_zstd::encoding::{CompressionLevel, compress_to_vec};
use wasm_bindgen_test::wasm_bindgen_test;

#[derive(Default)]
struct Listing {
    names: Vec<String>,
    checkpoints: Vec<Checkpoint>,
    stop_after: Option<usize>,
}

impl EntrySink for Listing {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.names.push(String::from_utf8_lossy(&entry.path).into_owned());
        if self.stop_after.is_some_and(|most| self.names.len() >= most) { Flow::Stop } else { Flow::Continue }
    }

    fn checkpoint(&mut self, at: Checkpoint) {
        self.checkpoints.push(at);
    }
}

const NAMES: [&str; 4] = ["etc/", "etc/motd", "etc/issue", "usr/share/words"];

/// An archive with a directory, two small files and one of 300 KB.
fn archive() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let words: Vec<u8> = (0..300_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (name, data) in NAMES.into_iter().zip([b"".as_slice(), b"hello", b"porthole", &words]) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(if name.ends_with('/') { tar::EntryType::Directory } else { tar::EntryType::Regular });
        header.set_mode(0o644);
        header.set_size(data.len() as u64);
        builder.append_data(&mut header, name, data).expect("a builder in memory");
    }
    builder.into_inner().expect("a builder in memory")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
    encoder.write_all(bytes).expect("an encoder in memory");
    encoder.finish().expect("an encoder in memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

fn expected(blob: &[u8], archive: &[u8], media_type: MediaType) -> Expected {
    Expected {
        digest: Some(Digest::sha256(blob)),
        size: Some(blob.len() as u64),
        diff_id: Some(Digest::sha256(archive)),
        media_type: Some(media_type),
    }
}

fn read(expected: Expected, blob: &[u8], split: Split) -> (LayerReport, Listing) {
    let mut reader = LayerReader::new(expected, Limits::default());
    let mut listing = Listing::default();
    for piece in split.of(blob) {
        reader.push(piece, &mut listing);
    }
    (reader.finish(&mut listing), listing)
}

#[wasm_bindgen_test(unsupported = test)]
fn every_compression_is_verified_in_every_split() {
    let archive = archive();
    let layers = [
        (archive.clone(), MediaType::OCI_LAYER, Compression::None),
        (gzip(&archive), MediaType::OCI_LAYER_GZIP, Compression::Gzip),
        (zstd(&archive), MediaType::OCI_LAYER_ZSTD, Compression::Zstd),
    ];
    for (blob, media_type, compression) in layers {
        for split in SPLITS {
            let (report, listing) = read(expected(&blob, &archive, media_type.clone()), &blob, split);
            assert!(report.verified(), "{media_type} {split:?}: {:?}", report.findings);
            assert_eq!(listing.names, NAMES);
            assert_eq!(report.compression, Some(compression));
            assert_eq!((report.size, report.uncompressed), (blob.len() as u64, archive.len() as u64));
            assert_eq!((report.entries, report.ambiguous, report.after_end_data), (4, 0, false));

            let (report, listing) = read(Expected::default(), &blob, split);
            assert_eq!(report.findings, [], "without a media type the bytes decide");
            assert!(!report.verified(), "nothing was expected of it");
            assert_eq!(report.diff_id, Some(Digest::sha256(&archive)));
            assert_eq!(listing.names, NAMES);
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn digests_may_be_of_different_algorithms() {
    let archive = archive();
    for blob in [archive.clone(), gzip(&archive)] {
        let expected = Expected {
            digest: Some(Digest::of(Algorithm::Sha512, &blob)),
            diff_id: Some(Digest::sha256(&archive)),
            size: Some(blob.len() as u64),
            media_type: None,
        };
        let (report, _) = read(expected, &blob, Split::Whole);
        assert!(report.verified(), "{:?}", report.findings);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_flipped_byte_is_first_of_all_a_wrong_digest() {
    let archive = archive();
    let whole = gzip(&archive);
    for at in [0, 12, whole.len() / 2, whole.len() - 6, whole.len() - 1] {
        let mut blob = whole.clone();
        blob[at] ^= 0x40;
        for split in SPLITS {
            let (report, _) = read(expected(&whole, &archive, MediaType::OCI_LAYER_GZIP), &blob, split);
            let digest = Finding::Digest {
                expected: Digest::sha256(&whole),
                got: Digest::sha256(&blob),
                size: blob.len() as u64,
            };
            assert_eq!(report.findings.first(), Some(&digest), "byte {at}, {split:?}");
            assert!(!report.verified());
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_error_in_the_content_is_the_second_finding() {
    let archive = archive();
    let whole = gzip(&archive);
    let mut blob = whole.clone();
    let crc = blob.len() - 8;
    blob[crc] ^= 1;
    let (report, listing) = read(expected(&whole, &archive, MediaType::OCI_LAYER_GZIP), &blob, Split::Whole);
    assert!(matches!(
        report.findings.as_slice(),
        [Finding::Digest { .. }, Finding::Decode(decode::Error::GzipChecksum { .. })]
    ));
    assert_eq!(report.diff_id, None);
    assert_eq!(listing.names, NAMES, "what came before the error stands");
}

#[wasm_bindgen_test(unsupported = test)]
fn other_content_under_the_right_digest_does_not_pass() {
    let archive = archive();
    for blob in [archive.clone(), gzip(&archive), zstd(&archive)] {
        let mut expected = expected(&blob, b"something else", MediaType::OCI_LAYER_GZIP);
        expected.media_type = None;
        let (report, _) = read(expected, &blob, Split::Whole);
        let finding = Finding::DiffId { expected: Digest::sha256(b"something else"), got: Digest::sha256(&archive) };
        assert_eq!(report.findings, [finding]);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_blob_that_is_cut_off_is_refused() {
    let archive = archive();
    let whole = gzip(&archive);
    for keep in [0, 1, 10, whole.len() / 2, whole.len() - 1] {
        let blob = &whole[..keep];
        let (report, _) = read(expected(&whole, &archive, MediaType::OCI_LAYER_GZIP), blob, Split::Whole);
        assert!(
            matches!(
                report.findings.as_slice(),
                [Finding::Digest { .. }, Finding::Size { .. }, Finding::Decode(decode::Error::UnexpectedEof { .. })]
            ),
            "{keep}: {:?}",
            report.findings
        );
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn more_bytes_than_the_size_are_reported_at_once() {
    let archive = archive();
    let whole = gzip(&archive);
    let mut reader = LayerReader::new(expected(&whole, &archive, MediaType::OCI_LAYER_GZIP), Limits::default());
    let mut listing = Listing::default();
    let progress = reader.push(&whole, &mut listing);
    assert!(!progress.overlong && !progress.broken);
    let progress = reader.push(b"!", &mut listing);
    assert!(progress.overlong && progress.broken);
    let report = reader.finish(&mut listing);
    assert!(matches!(report.findings.as_slice(), [Finding::Digest { .. }, Finding::Size { .. }]));
    assert!(!report.verified());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_wrong_media_type_is_reported_and_the_bytes_decide() {
    let archive = archive();
    let blob = zstd(&archive);
    let (report, listing) = read(expected(&blob, &archive, MediaType::OCI_LAYER_GZIP), &blob, Split::Bytes);
    let declared = MediaType::OCI_LAYER_GZIP.to_string();
    assert_eq!(report.findings, [Finding::Compression { declared, found: Format::Zstd }]);
    assert_eq!(
        report.findings[0].to_string(),
        "layer is declared application/vnd.oci.image.layer.v1.tar+gzip, but its bytes are zstd"
    );
    assert!(report.verified(), "the bytes are those that were promised");
    assert_eq!(listing.names, NAMES);

    let blob = b"\xfd7zXZ\0 and so on";
    let (report, listing) = read(expected(blob, &archive, MediaType::OCI_LAYER), blob, Split::Bytes);
    assert_eq!(report.findings, [Finding::Format { found: Format::Xz }]);
    assert!(listing.names.is_empty());
    assert_eq!(report.diff_id, None);
}

#[wasm_bindgen_test(unsupported = test)]
fn bytes_after_the_end_marker_are_hashed_and_counted() {
    let mut archive = archive();
    let end = archive.len();
    archive.extend_from_slice(&[0; 512]);
    archive.extend_from_slice(b"hidden");
    let blob = gzip(&archive);
    let (report, listing) = read(expected(&blob, &archive, MediaType::OCI_LAYER_GZIP), &blob, Split::Whole);
    assert!(report.verified(), "{:?}", report.findings);
    assert_eq!((report.after_end, report.after_end_data), (518, true));
    assert_eq!(report.uncompressed, end as u64 + 518);
    assert_eq!(listing.names, NAMES);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_stopped_sink_still_gets_a_report() {
    let archive = archive();
    let blob = gzip(&archive);
    let mut reader = LayerReader::new(expected(&blob, &archive, MediaType::OCI_LAYER_GZIP), Limits::default());
    let mut listing = Listing { stop_after: Some(2), ..Listing::default() };
    for piece in Split::Bytes.of(&blob) {
        reader.push(piece, &mut listing);
    }
    let report = reader.finish(&mut listing);
    assert!(report.verified(), "{:?}", report.findings);
    assert_eq!(listing.names, NAMES[..2]);
}

#[wasm_bindgen_test(unsupported = test)]
fn decoding_can_start_at_every_checkpoint() {
    let archive = archive();
    let parts: Vec<&[u8]> = archive.chunks(70_000).collect();
    for pack in [gzip, zstd] {
        let blob: Vec<u8> = parts.iter().flat_map(|part| pack(part)).collect();
        for split in SPLITS {
            let (report, listing) = read(Expected::default(), &blob, split);
            assert_eq!(report.findings, []);
            assert_eq!(listing.checkpoints.len(), parts.len() + 1, "one a part, and the end");
            for checkpoint in listing.checkpoints.iter().take(parts.len()) {
                let rest = &blob[checkpoint.compressed as usize..];
                let (report, _) = read(Expected::default(), rest, Split::Whole);
                let unpacked = &archive[checkpoint.uncompressed as usize..];
                assert_eq!(report.diff_id, Some(Digest::sha256(unpacked)));
            }
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn limits_stop_endless_output() {
    let zeros = vec![0; 1 << 20];
    for blob in [gzip(&zeros), zstd(&zeros), zeros.clone()] {
        let mut limits = Limits::default();
        limits.unpacked_bytes = 100_000;
        let mut reader = LayerReader::new(Expected::default(), limits);
        let mut listing = Listing::default();
        assert!(reader.push(&blob, &mut listing).broken);
        let report = reader.finish(&mut listing);
        assert_eq!(report.findings, [Finding::Decode(decode::Error::TooLarge { limit: 100_000 })]);
        assert_eq!(report.digest, Digest::sha256(&blob), "hashing continued");
        assert!(report.findings[0].failure().hints.pop().is_some());
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_blob_that_need_not_be_an_archive_is_one_file() {
    let text = b"no archive, and more of it than a block has. ".repeat(40);
    let noise: Vec<u8> = (0..700_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let file = |blob: Vec<u8>| (blob, true);
    let tar = |blob: Vec<u8>| (blob, false);
    for (blob, one_file) in [
        file(Vec::new()),
        file(b"{}".to_vec()),
        file(text.clone()),
        file(gzip(&text)),
        file(gzip(b"short")),
        file(zstd(&noise)),
        file(b"\x1f\x8b\x08 but no gzip ".repeat(30)),
        file(b"PK\x03\x04".repeat(300)),
        file(vec![0; 2000]),
        tar(archive()),
        tar(gzip(&archive())),
        tar(zstd(&archive())),
    ] {
        let digest = Digest::sha256(&blob);
        let expected = || Expected { digest: Some(digest), size: Some(blob.len() as u64), ..Expected::default() };
        for split in SPLITS {
            let mut reader = LayerReader::new(expected(), Limits::default()).or_file(b"a/b.txt".to_vec());
            let mut listing = Listing::default();
            split.of(&blob).for_each(|chunk| _ = reader.push(chunk, &mut listing));
            let report = reader.finish(&mut listing);
            assert_eq!((report.one_file, report.findings.as_slice()), (one_file, [].as_slice()), "{split:?}");
            let names: &[&str] = if one_file { &["a/b.txt"] } else { &NAMES };
            assert_eq!(listing.names, names);
            assert_eq!(report.entries, names.len() as u64);
        }
        let other = Expected { digest: Some(Digest::sha256(b"another")), ..expected() };
        let mut reader = LayerReader::new(other, Limits::default()).or_file(b"a".to_vec());
        reader.push(&blob, &mut Listing::default());
        let report = reader.finish(&mut Listing::default());
        assert!(matches!(report.findings[..], [Finding::Digest { .. }]), "{:?}", report.findings);
    }
}
