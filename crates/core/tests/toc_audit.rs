//! The audit detects a table of contents that contradicts the archive.

#![allow(clippy::unwrap_used, reason = "what the tests share is test code too")]

mod prepared;

use porthole_core::{
    digest::Digest,
    toc::{Audit, AuditReport, Landmark, TocDifference},
};
use porthole_testkit::{
    chunks::Split,
    image::{Format, Layer, Prepared, PreparedLayer},
};
use serde_json::{Value, json};
use wasm_bindgen_test::wasm_bindgen_test;

use prepared::{FORMATS, List, big, entries, entry, layer, open, scan};

fn audit(layer: &PreparedLayer) -> AuditReport {
    let mut audit = Audit::new(open(layer));
    let report = scan(layer, Split::Random { seed: 3, most: 900 }, &mut audit);
    audit.finish(&report)
}

fn found(layer: &PreparedLayer) -> Vec<String> {
    let report = audit(layer);
    assert_eq!(report.agrees(), report.disagreements.is_empty());
    report.disagreements.iter().map(ToString::to_string).collect()
}

#[wasm_bindgen_test(unsupported = test)]
fn landmarks_are_reported_and_not_listed() {
    let layer = layer();
    for (name, landmark) in
        [(".prefetch.landmark", Landmark::Prefetch), (".no.prefetch.landmark", Landmark::NoPrefetch)]
    {
        let prepared = Prepared::new(&layer, Format::EStargz).landmark(name).build();
        let toc = open(&prepared);
        assert_eq!(toc.landmark(), Some(landmark));
        let mut listed = List::default();
        toc.replay(&mut listed);
        assert_eq!(listed.0.len() as u64, toc.entries());
        assert!(listed.0.iter().all(|entry| entry.path != name.as_bytes()));
        assert_eq!(found(&prepared), [""; 0]);
    }
    let open = open(&Prepared::new(&Layer::new("").file(".prefetch.landmark", "x"), Format::ZstdChunked).build());
    assert_eq!((open.landmark(), open.entries()), (None, 1));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_honest_toc_agrees() {
    let layer = layer();
    for format in FORMATS {
        for (members, chunks) in [(0, 4096), (6000, 1000)] {
            let prepared = Prepared::new(&layer, format).members_of(members).chunks_of(chunks).build();
            assert_eq!(found(&prepared), [""; 0], "{format:?}");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn every_lie_is_found() {
    let layer = layer();
    let zero = Digest::sha256(b"").to_string();
    let lie = |edit: &dyn Fn(&mut Value)| {
        let found = [Format::EStargz, Format::ZstdChunked]
            .map(|format| found(&Prepared::new(&layer, format).edit(edit).build()));
        assert_eq!(found[0], found[1]);
        found[0].clone()
    };
    let set =
        |name: &'static str, key: &'static str, value: Value| lie(&move |toc| entry(toc, name)[key] = value.clone());
    let both = |what: &str, toc: &str, archive: &str| {
        format!("{what} is {toc} in the table of contents, {archive} in the archive")
    };
    assert_eq!(
        lie(&|toc| entries(toc).retain(|entry| entry["name"] != "run/pipe")),
        ["run/pipe: in the archive, not in the table of contents"]
    );
    assert_eq!(
        lie(&|toc| entries(toc).push(json!({ "type": "dir", "name": "b\u{202e}in/" }))),
        ["b\\xe2\\x80\\xaein: in the table of contents, not in the archive"]
    );
    // Entries with the same path are compared in order.
    assert_eq!(
        lie(&|toc| {
            entries(toc).pop();
        }),
        ["etc/passwd: in the archive, not in the table of contents"]
    );
    assert_eq!(
        lie(&|toc| {
            let again = entries(toc).last().unwrap().clone();
            entries(toc).push(again);
        }),
        ["etc/passwd: in the table of contents, not in the archive"]
    );
    assert_eq!(set("etc/passwd", "mode", json!(0o644)), [format!("etc/passwd: {}", both("mode", "0644", "4755"))]);
    assert_eq!(set("etc/passwd", "uid", json!(0)), [format!("etc/passwd: {}", both("owner", "0:42", "5:42"))]);
    assert_eq!(
        set("etc/passwd", "modtime", json!("2023-11-14T22:13:22Z")),
        [format!("etc/passwd: {}", both("time", "1700000002", "1700000001"))]
    );
    assert_eq!(set("etc/ünï", "modtime", json!("0001-01-01T00:00:00Z")), [""; 0]);
    assert_eq!(set("bin", "linkName", json!("/tmp")), [format!("bin: {}", both("link target", "/tmp", "usr/bin"))]);
    assert_eq!(set("usr/share/same", "linkName", json!("./usr/share/big")), [""; 0]);
    assert_eq!(set("dev/sda", "devMinor", json!(2)), [format!("dev/sda: {}", both("device", "8:2", "8:1"))]);
    assert_eq!(set("dev/sda", "type", json!("char")), [format!("dev/sda: {}", both("type", "char", "block"))]);
    assert_eq!(
        set("etc/ünï", "xattrs", json!({ "user.a": "Yg==" })),
        ["etc/ünï: extended attribute security.capability differs"]
    );
    assert_eq!(
        set("etc/ünï", "xattrs", json!({ "security.capability": "AQAAAg==", "user.a": "Yw==" })),
        ["etc/ünï: extended attribute user.a differs"]
    );
    let content = Digest::sha256(&big()).to_string();
    assert_eq!(
        set("./usr/share/big", "digest", json!(zero)),
        [format!("usr/share/big: {}", both("content", &zero, &content))]
    );
    let chunk = Digest::sha256(&big()[..4096]).to_string();
    assert_eq!(
        set("./usr/share/big", "chunkDigest", json!(zero)),
        [format!("usr/share/big: {}", both("chunk at byte 0", &zero, &chunk))]
    );
    assert_eq!(
        set("./usr/share/big", "chunkSize", json!(5)),
        ["usr/share/big: the chunks in the table of contents do not make up the file"]
    );
    assert_eq!(set("etc/empty", "size", json!(3)), [format!("etc/empty: {}", both("size", "3", "0"))]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_second_toc_in_the_archive_is_found() {
    let fake = layer().file("stargz.index.json", r#"{"version":1,"entries":[]}"#);
    let prepared = Prepared::new(&fake, Format::EStargz)
        .edit(|toc| entries(toc).retain(|entry| entry["name"] != "stargz.index.json"))
        .build();
    let report = audit(&prepared);
    let differences: Vec<_> = report.disagreements.iter().map(|found| found.difference.clone()).collect();
    assert!(
        matches!(
            differences.as_slice(),
            [TocDifference::OtherToc { .. }, TocDifference::AfterToc, TocDifference::NotInToc]
        ),
        "{differences:?}"
    );
    let mut honest = Prepared::new(&layer(), Format::EStargz).build();
    honest.annotations.insert("io.containers.estargz.uncompressed-size".into(), "1".into());
    assert_eq!(open(&honest).uncompressed(), Some(1));
    let unpacked = honest.tar.len();
    assert_eq!(found(&honest), [format!("/: unpacked size is 1 in the annotation, {unpacked} in the archive")]);
}
