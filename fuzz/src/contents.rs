//! Targets for what is read from the files of an image: databases of packages, and texts with secrets.

use porthole_contents::{
    database::{DatabaseKind, GoScan, read, read_go},
    secrets::{TextOrigin, scan},
};

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

/// Reads a database of rpm, whose formats share no byte with those of the others.
pub fn rpm(data: &[u8]) {
    let _ = read(DatabaseKind::Rpm, b"var/lib/rpm/Packages", data);
}

/// Searches a text, and checks that each secret lies where the match says, without an overlap.
pub fn secrets(data: &[u8]) {
    for origin in [TextOrigin::Config, TextOrigin::File(b"root/.npmrc"), TextOrigin::File(b"etc/shadow")] {
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
