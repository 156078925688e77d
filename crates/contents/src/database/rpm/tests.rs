//! Databases that rpm's own code wrote (`tests/vectors/rpm/make.sh`), and damaged ones.

use super::*;
use crate::package::Package;
use flate2::read::GzDecoder;
use proptest::prelude::*;
use std::io::Read as _;

const PACKED: [(&str, &[u8]); 4] = [
    ("SQLite", include_bytes!("../../../tests/vectors/rpm/rpmdb.sqlite.gz")),
    ("SQLite with small pages", include_bytes!("../../../tests/vectors/rpm/small.sqlite.gz")),
    ("ndb", include_bytes!("../../../tests/vectors/rpm/Packages.db.gz")),
    ("Berkeley DB", include_bytes!("../../../tests/vectors/rpm/Packages.gz")),
];

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut all).unwrap();
    all
}

fn packages(bytes: &[u8]) -> Vec<Package> {
    let package = |record| match record {
        Record::Package(package) => package,
        other => panic!("{other:?}"),
    };
    let mut all: Vec<Package> = installed(bytes).unwrap().into_iter().map(package).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

#[test]
fn packages_of_each_format_are_those_of_rpm() {
    for (format, packed) in PACKED {
        let rows: String = packages(&unpacked(packed))
            .iter()
            .map(|package| {
                let Package { name, version, architecture, source, licence, vendor, size, .. } = package;
                let plain = version.split_once(':').map_or(version.as_str(), |(_, version)| version);
                let source = source.as_ref().unwrap();
                let source = format!("{}-{}.src.rpm", source.name, source.version.as_deref().unwrap_or(plain));
                let [architecture, licence, vendor] =
                    [architecture, licence, vendor].map(|text| text.as_deref().unwrap());
                format!("{name}\t{version}\t{architecture}\t{source}\t{licence}\t{vendor}\t{}\n", size.unwrap())
            })
            .collect();
        assert_eq!(rows, include_str!("../../../tests/vectors/rpm/packages.tsv"), "{format}");
    }
}

#[test]
fn files_and_digests_of_each_format_are_those_of_rpm() {
    for (format, packed) in PACKED {
        let mut rows = Vec::new();
        for package in packages(&unpacked(packed)) {
            for file in &package.files {
                let recorded = package.recorded.iter().find(|recorded| recorded.path == *file);
                let digest = recorded.map(|recorded| recorded.digest.hex());
                let file = String::from_utf8_lossy(file);
                rows.push(format!("{}\t/{file}\t{}", package.name, digest.unwrap_or_default()));
            }
        }
        rows.sort();
        let expected: Vec<&str> = include_str!("../../../tests/vectors/rpm/files.tsv").lines().collect();
        assert_eq!(rows, expected, "{format}");
        let configurations = |package: &Package| {
            package.recorded.iter().filter(|file| file.configuration).map(|file| file.path.clone()).collect::<Vec<_>>()
        };
        let all: Vec<_> = packages(&unpacked(packed)).iter().flat_map(configurations).collect();
        assert_eq!(all, [b"etc/plain.conf"], "{format}");
    }
}

#[test]
fn what_is_no_database_is_refused() {
    for bytes in [b"".as_slice(), b"text", &[0; 4096], b"RpmP\0\0\0\0", sqlite::MAGIC] {
        assert!(installed(bytes).is_err());
    }
    let mut newer = unpacked(PACKED[2].1);
    newer[4] = 1;
    assert_eq!(installed(&newer).unwrap_err().to_string(), "this version of rpm's ndb is not supported");
}

#[test]
fn a_table_that_leads_back_to_itself_is_refused() {
    let mut bytes = unpacked(PACKED[0].1);
    let interior = bytes.chunks_exact(4096).position(|page| page[0] == 5).unwrap() * 4096;
    let page = u32::try_from(interior / 4096 + 1).unwrap();
    bytes[interior + 8..interior + 12].copy_from_slice(&page.to_be_bytes());
    assert!(installed(&bytes).is_err());
}

#[test]
fn overflow_pages_that_lead_back_to_themselves_end_with_the_length() {
    let mut bytes = unpacked(PACKED[3].1);
    let overflow = bytes.chunks_exact(4096).position(|page| page[25] == 7).unwrap();
    let page = u32::try_from(overflow).unwrap();
    bytes[overflow * 4096 + 16..][..4].copy_from_slice(&page.to_le_bytes());
    // The header is damaged, but it has the length that its entry names.
    let _ = installed(&bytes);
    let length = u32::MAX;
    let entry = bytes.windows(4).position(|bytes| bytes[0] == 3 && bytes[1..] == [0, 0, 0]).unwrap();
    bytes[entry + 8..entry + 12].copy_from_slice(&length.to_le_bytes());
    assert!(installed(&bytes).is_err());
}

#[test]
fn a_header_that_is_named_twice_is_refused() {
    let mut bytes = unpacked(PACKED[2].1);
    let slots: Vec<usize> = (32..4096).step_by(16).filter(|at| bytes[at + 8..at + 12] != [0; 4]).collect();
    let first = bytes[slots[0] + 4..slots[0] + 16].to_vec();
    for slot in (32..4096).step_by(16) {
        bytes[slot + 4..slot + 16].copy_from_slice(&first);
    }
    assert!(installed(&bytes).is_err());
}

proptest! {
    #[test]
    fn damaged_databases_end_in_packages_or_an_error(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<proptest::sample::Index>(),
    ) {
        for (_, packed) in PACKED {
            let mut bytes = unpacked(packed);
            for (place, byte) in &changes {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            let _ = installed(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            let _ = installed(&bytes);
        }
    }
}

/// A database with a log beside it, as SQLite left them (`tests/vectors/rpm/make_log.py`).
macro_rules! logged {
    ($($name:literal),+) => {
        [$((
            $name,
            include_bytes!(concat!("../../../tests/vectors/rpm/", $name, ".sqlite.gz")).as_slice(),
            include_bytes!(concat!("../../../tests/vectors/rpm/", $name, ".sqlite-wal.gz")).as_slice(),
        )),+]
    };
}

const LOGGED: [(&str, &[u8], &[u8]); 5] = logged!["committed", "uncommitted", "reused", "shrunk", "torn"];

/// Sizes of the headers of a database, in their order.
fn sizes(database: &[u8]) -> Result<Vec<usize>, Unreadable> {
    let mut sizes = Vec::new();
    sqlite::headers(database, &mut |header| {
        sizes.push(header.len());
        Ok(())
    })?;
    sizes.sort_unstable();
    Ok(sizes)
}

#[test]
fn a_log_counts_up_to_its_last_commit_as_in_sqlite() {
    let expected = include_str!("../../../tests/vectors/rpm/log.tsv");
    for ((name, database, log), line) in LOGGED.into_iter().zip(expected.lines()) {
        let (database, log) = (unpacked(database), unpacked(log));
        let read: Vec<_> =
            sizes(&log::with_log(&database, &log).unwrap()).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(format!("{name}\t{}", read.join(",")), line);
        let alone: Vec<_> = sizes(&database).unwrap().iter().map(ToString::to_string).collect();
        assert_ne!(alone, read, "{name}: the log says more than the database");
        assert!(installed_with_log(&database, &log).is_ok());
    }
}

#[test]
fn a_log_that_sqlite_ignores_changes_nothing() {
    let (database, log) = (unpacked(LOGGED[0].1), unpacked(LOGGED[0].2));
    let mut another = log.clone();
    another[16] ^= 1;
    for ignored in [&[][..], &log[..31], &log[..32], &log[..400], &another, b"no log at all, but longer than a header"]
    {
        assert_eq!(log::with_log(&database, ignored).unwrap(), database);
    }
}

#[test]
fn a_log_that_makes_the_database_huge_is_refused_by_the_name_of_the_limit() {
    // One frame that commits four billion pages, with the right sums.
    let order = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>();
    let sum = |(mut first, mut second): (u32, u32), bytes: &[u8]| {
        for pair in bytes.chunks_exact(8) {
            let number = |at: usize| u32::from_be_bytes(pair[at..at + 4].try_into().unwrap());
            first = first.wrapping_add(number(0)).wrapping_add(second);
            second = second.wrapping_add(number(4)).wrapping_add(first);
        }
        (first, second)
    };
    let mut log = order(&[0x377f_0683, 3_007_000, 512, 0, 7, 9]);
    let of_header = sum((0, 0), &log);
    log.extend(order(&[of_header.0, of_header.1, 1, u32::MAX, 7, 9]));
    let of_frame = sum(sum(of_header, &order(&[1, u32::MAX])), &[0; 512]);
    log.extend(order(&[of_frame.0, of_frame.1]));
    log.extend([0; 512]);
    let error = log::with_log(&unpacked(LOGGED[0].1), &log).unwrap_err();
    assert!(matches!(error, Unreadable::Limit { name: "DATABASE_BYTES", .. }), "{error}");
}

proptest! {
    #[test]
    fn a_damaged_log_gives_the_state_of_an_earlier_commit_or_an_error(
        case in 0..LOGGED.len(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<proptest::sample::Index>(),
    ) {
        let (database, mut log) = (unpacked(LOGGED[case].1), unpacked(LOGGED[case].2));
        let place = at.index(log.len());
        log[place] = byte;
        let _ = installed_with_log(&database, &log);
        log.truncate(cut.index(log.len()));
        // Every state that a transaction left is a sound database.
        if let Ok(whole) = log::with_log(&database, &log) {
            prop_assert!(sizes(&whole).is_ok());
        }
    }
}
