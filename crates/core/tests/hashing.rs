//! A layer whose hashes are computed elsewhere has the same report and the same seek index.

use std::collections::VecDeque;

use porthole_core::{
    digest::{Digest, HashBeside, HashState, Hasher},
    layer::{Expected, LayerReader, LayerReport},
    limits::Limits,
    seek::IndexOptions,
};
use porthole_testkit::{
    chunks::next,
    image::{Compression, Layer},
    sink::Entries,
};
use wasm_bindgen_test::wasm_bindgen_test;

/// Returns a state only after `behind` further ones were requested, as a thread that lags behind does.
struct Late {
    hasher: Hasher,
    states: VecDeque<HashState>,
    behind: usize,
}

impl HashBeside for Late {
    fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    fn mark(&mut self) {
        self.states.push_back(self.hasher.state());
    }

    fn state(&mut self) -> Option<HashState> {
        (self.states.len() > self.behind).then(|| self.states.pop_front()).flatten()
    }

    fn finish(self: Box<Self>) -> (Vec<HashState>, Digest) {
        (self.states.into(), self.hasher.finish())
    }
}

fn read(blob: &[u8], expected: &Expected, behind: Option<usize>) -> (LayerReport, Option<Vec<u8>>) {
    let mut reader = LayerReader::new(expected.clone(), Limits::default()).with_index(IndexOptions::default());
    if let Some(behind) = behind {
        reader = reader.hashing(|hasher| Box::new(Late { hasher, states: VecDeque::new(), behind }));
    }
    let (mut sink, mut bytes) = (Entries::default(), Vec::new());
    for chunk in blob.chunks(100_000) {
        reader.push(chunk, &mut sink);
        bytes.extend(reader.take_index());
    }
    let (report, end) = reader.finish_index(&mut sink);
    let index = end.map(|end| {
        bytes.extend(end.tail);
        bytes[..end.header.len()].copy_from_slice(&end.header);
        bytes
    });
    (report, index)
}

#[wasm_bindgen_test(unsupported = test)]
fn late_hashes_change_nothing() {
    let mut seed = 1;
    let noise: Vec<u8> = (0..3 << 20).map(|_| (next(&mut seed) >> 32) as u8).collect();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let layer = Layer::new("COPY noise /").dir("srv").file("srv/noise", noise.clone());
        let archive = layer.tar();
        let blob = compression.compress(&archive);
        let right = Expected {
            digest: Some(Digest::sha256(&blob)),
            size: Some(blob.len() as u64),
            diff_id: Some(Digest::sha256(&archive)),
            media_type: None,
        };
        let wrong = Expected { digest: Some(Digest::sha256(b"")), diff_id: Some(Digest::sha256(b"")), ..right.clone() };
        let short = Expected { size: Some(1 << 20), ..right.clone() };
        for (expected, bytes) in [(&right, &blob[..]), (&wrong, &blob), (&short, &blob), (&right, &blob[..1 << 20])] {
            let here = read(bytes, expected, None);
            for behind in [0, 3, usize::MAX] {
                let there = read(bytes, expected, Some(behind));
                assert_eq!(format!("{:?}", there.0), format!("{:?}", here.0), "{compression:?} {behind}");
                assert!(there.1 == here.1, "{compression:?} {behind}");
            }
            assert_eq!(here.0.verified(), std::ptr::eq(expected, &right) && bytes.len() == blob.len());
            assert!(here.1.is_some() || !here.0.verified());
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_archive_may_be_hashed_beside_from_any_byte_on() {
    let layer = Layer::new("COPY text /").dir("srv").file("srv/text", b"some text\n".repeat(50_000));
    for (compression, moves) in [(Compression::None, false), (Compression::Gzip, true), (Compression::Zstd, true)] {
        let blob = compression.compress(&layer.tar());
        let diff_id = Some(Digest::sha256(&layer.tar()));
        for at in [0, 1, 100, blob.len() / 2, blob.len()] {
            let expected = Expected { diff_id, ..Expected::default() };
            let (mut reader, mut sink) = (LayerReader::new(expected, Limits::default()), Entries::default());
            reader.push(&blob[..at], &mut sink);
            let late =
                |hasher| -> Box<dyn HashBeside> { Box::new(Late { hasher, states: VecDeque::new(), behind: 0 }) };
            let moved = reader.hash_archive_beside(late);
            // A format is known after some hundred bytes.
            assert!(moved == moves || at <= 100, "{compression:?} at {at}");
            assert!(!moved || !reader.hash_archive_beside(|_| unreachable!()));
            reader.push(&blob[at..], &mut sink);
            let report = reader.finish(&mut sink);
            assert_eq!((report.diff_id, report.findings.len()), (diff_id, 0), "{compression:?} at {at}");
        }
    }
}
