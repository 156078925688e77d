//! Archives are listed as Go's archive/tar lists them, in every split. Also runs as wasm.

use std::io::Read;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use porthole_core::{
    digest::{Algorithm, Digest, Hasher},
    limits::Limits,
    tar::{Entry, EntrySink, Error, Flow, Scanner},
};
use porthole_testkit::chunks::{SPLITS, Split};
use serde_json::Value;
use wasm_bindgen_test::wasm_bindgen_test;

/// A sink that reads the data of every entry, as a runtime does.
#[derive(Default)]
struct Reading {
    entries: Vec<Entry>,
    digests: Vec<Option<Digest>>,
    current: Option<Hasher>,
}

impl EntrySink for Reading {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.entries.push(entry);
        self.digests.push(None);
        self.current = Some(Hasher::new(Algorithm::Sha256));
        Flow::WantData
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.current.as_mut().expect("data belongs to an entry").update(bytes);
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        *self.digests.last_mut().expect("data belongs to an entry") = self.current.take().map(Hasher::finish);
    }
}

fn read(archive: &[u8], split: Split) -> (Reading, Result<(), Error>) {
    let mut scanner = Scanner::new(&Limits::default());
    let mut sink = Reading::default();
    for piece in split.of(archive) {
        if let Err(error) = scanner.push(piece, &mut sink) {
            if let Error::SparseUnreferenced { .. } = error {
                // This error appears only after all of the data.
                sink.end_of_data();
            }
            return (sink, Err(error));
        }
    }
    let verdict = scanner.finish();
    (sink, verdict)
}

/// Whether the verdicts are equal, in Go's wording.
fn same_verdict(expected: &str, got: &Result<(), Error>) -> bool {
    let expected = expected.strip_prefix("body: ").unwrap_or(expected);
    let expected = expected.strip_prefix("archive/tar: ").unwrap_or(expected);
    match got {
        Ok(()) => expected.is_empty(),
        Err(error) => !expected.is_empty() && error.to_string().starts_with(expected),
    }
}

fn difference(row: &Value, entry: &Entry, digest: Option<Digest>) -> Option<String> {
    let bytes = |key: &str| STANDARD.decode(row[key].as_str().unwrap_or_default()).expect("names are base64");
    let number = |key: &str| row[key].as_i64().expect("a number");
    // Go's map of attributes leaves out empty values.
    let xattrs = entry.xattrs.iter().filter(|(_, value)| !value.is_empty()).count();
    let sha = digest.map_or_else(String::new, |digest| digest.hex()[..16].to_owned());
    let fields = [
        ("name", entry.path == bytes("name")),
        ("link", entry.link == bytes("link")),
        ("type", i64::from(entry.typeflag) == number("type")),
        ("size", i64::try_from(entry.size) == Ok(number("size"))),
        ("mode", entry.mode == number("mode")),
        ("uid", entry.uid == number("uid")),
        ("gid", entry.gid == number("gid")),
        ("mtime", entry.mtime == number("mtime")),
        ("xattrs", xattrs as i64 == number("xattrs")),
        ("sha", sha == row["sha"].as_str().expect("a digest")),
    ];
    fields.iter().find(|(_, same)| !same).map(|(field, _)| format!("{field}: expected {row}, got {entry:?} {sha}"))
}

#[wasm_bindgen_test(unsupported = test)]
fn every_row_of_the_vectors() {
    let mut wrong = Vec::new();
    let mut rows = 0;
    for line in include_str!("vectors/tar.jsonl").lines() {
        let row: Value = serde_json::from_str(line).expect("a row is JSON");
        let id = row["id"].as_str().expect("a row has an id");
        let packed = STANDARD.decode(row["tar_gz_b64"].as_str().expect("a row has an archive")).expect("base64");
        let mut archive = Vec::new();
        GzDecoder::new(packed.as_slice()).read_to_end(&mut archive).expect("gzip");
        let expected = row["entries"].as_array().expect("a row has entries");
        let go_error = row["go_err"].as_str().expect("a row has a verdict");
        let others = row["readers_split"].as_array().expect("a row says who differs");
        // These two differ on nearly every row, because of how they normalise names.
        let split_readers = others.iter().any(|name| !matches!(name.as_str(), Some("gnutar-1.34" | "bsdtar-3.6.2")));
        rows += 1;
        for split in SPLITS {
            let (sink, verdict) = read(&archive, split);
            if !same_verdict(go_error, &verdict) {
                wrong.push(format!("{id}, {split:?}: expected {go_error:?}, got {verdict:?}"));
            }
            if sink.entries.len() != expected.len() {
                wrong.push(format!("{id}, {split:?}: expected {} entries, got {:?}", expected.len(), sink.entries));
            }
            for ((row, entry), digest) in expected.iter().zip(&sink.entries).zip(&sink.digests) {
                wrong.extend(difference(row, entry, *digest).map(|what| format!("{id}, {split:?}: {what}")));
            }
            let flagged = sink.entries.iter().any(|entry| entry.ambiguous.is_some());
            if flagged != split_readers && verdict.is_ok() {
                wrong.push(format!("{id}, {split:?}: flagged {flagged}, but differing readers are {others:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong in {rows} rows:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(rows, 117);
}
