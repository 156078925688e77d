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
