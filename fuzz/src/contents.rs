//! Targets for what is read from the files of an image: databases of packages, and texts with secrets.

use flate2::read::GzDecoder;
use porthole_contents::{
    bill::{BillAgreement, BillComparison, BillOfMaterials},
    database::{DatabaseKind, GoScan, read, read_go, read_rpm_with_log},
    inventory::Inventory,
    purl::PurlParts,
    secrets::{TextOrigin, mask_line, scan, scan_file},
};
use std::{io::Read as _, sync::OnceLock};

/// Reads a database of each kind, and looks for build information in any split.
pub fn packages(data: &[u8]) {
    for kind in DatabaseKind::ALL {
        let _ = read(kind, b"usr/lib/a.dist-info/RECORD", data);
    }
    let mut whole = GoScan::default();
    whole.push(data);
    let mut parts = GoScan::default();
    data.chunks(7).for_each(|part| parts.push(part));
    let whole = whole.finish();
    assert_eq!(whole, parts.finish(), "the split is of no importance");
    if let Some(found) = whole {
        let _ = read_go(&found);
    }
}

/// Reads a database of rpm, whose formats share no byte with those of the others, and a log beside one.
pub fn rpm(data: &[u8]) {
    let _ = read(DatabaseKind::Rpm, b"var/lib/rpm/Packages", data);
    let _ = read_rpm_with_log(database(), data);
}

/// A database in SQLite.
fn database() -> &'static [u8] {
    static DATABASE: OnceLock<Vec<u8>> = OnceLock::new();
    DATABASE.get_or_init(|| {
        let packed = include_bytes!("../../crates/contents/tests/vectors/rpm/committed.sqlite.gz").as_slice();
        let mut bytes = Vec::new();
        GzDecoder::new(packed).read_to_end(&mut bytes).map(|_| bytes).unwrap_or_default()
    })
}

/// Reads a bill of materials and compares it with an image that has nothing: each package that can be compared is only in the bill.
pub fn bills(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(parts) = PurlParts::parse(&text) {
        assert!(!parts.name.is_empty(), "a package URL without a name");
    }
    let Some(bill) = serde_json::from_slice(data).ok().and_then(|document| BillOfMaterials::of_document(&document))
    else {
        return;
    };
    let inventory = Inventory::default();
    let comparison = BillComparison::of(&bill, &inventory);
    assert_eq!(comparison.count(BillAgreement::OnlyBill), comparison.rows.len());
    assert!(comparison.rows.len() + comparison.others <= bill.packages.len());
}

/// Searches a file and a line, masks the latter, searches a text, and checks that each secret lies where the match says, without an overlap.
pub fn secrets(data: &[u8]) {
    for path in [b"etc/tls.key".as_slice(), b"etc/tls.p12", b"etc/store.jks", b"srv/text"] {
        let _ = scan_file(path, data);
        let middle = data.len() / 2;
        if let Some(masked) = mask_line(path, data, middle..data.len(), (true, true)) {
            assert!(masked.range.start <= masked.range.end && masked.range.end <= masked.text.len());
        }
    }
    let origins = [
        TextOrigin::Config,
        TextOrigin::File(b"root/.npmrc"),
        TextOrigin::File(b"etc/shadow"),
        TextOrigin::Line(b"root/.kube/config"),
    ];
    for origin in origins {
        let mut end = 0;
        for found in scan(data, origin) {
            assert!(found.range.start >= end, "secrets overlap");
            end = found.range.end;
            assert_eq!(found.value.reveal(), &data[found.range.clone()]);
            let lines = data[..found.range.start].iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(found.line, lines + 1);
        }
    }
}
