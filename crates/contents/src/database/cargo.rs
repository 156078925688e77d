//! The list of dependencies that `cargo auditable` links into a Rust program: deflated JSON in the section `.dep-v0`.

use super::{Record, Unreadable, json};
use crate::{
    limits::BUILD_INFO_BYTES,
    package::{Ecosystem, Package},
};
use flate2::read::ZlibDecoder;
use object::{Object as _, ObjectSection as _};
use serde_json::Value;
use std::io::Read as _;

const EXPECTED: &str = "the list of crates of a Rust program";

/// The crates that a program is made of; none for a program without the section. Crates that only the build uses are left out.
pub(super) fn binary(bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let section = object::File::parse(bytes).ok().and_then(|file| file.section_by_name(".dep-v0")?.data().ok());
    section.map_or(Ok(Vec::new()), section_of)
}

fn section_of(section: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let mut text = Vec::new();
    let limit = BUILD_INFO_BYTES as u64;
    let read = ZlibDecoder::new(section).take(limit + 1).read_to_end(&mut text);
    read.map_err(|_| Unreadable::malformed(EXPECTED))?;
    if text.len() as u64 > limit {
        return Err(Unreadable::bytes("BUILD_INFO_BYTES", limit));
    }
    let document = json(&text, EXPECTED)?;
    let list = document.get("packages").and_then(Value::as_array).ok_or_else(|| Unreadable::malformed(EXPECTED))?;
    let packages = list.iter().filter_map(|package| {
        let field = |name: &str| package.get(name).and_then(Value::as_str);
        let linked = field("kind") != Some("build");
        linked.then(|| Some(Record::Package(Package::new(Ecosystem::Cargo, field("name")?, field("version")?))))?
    });
    Ok(packages.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::ZlibEncoder};
    use std::io::Write as _;

    fn deflated(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// A 64-bit ELF file with two sections: the list and the names.
    fn program(section: &[u8]) -> Vec<u8> {
        let names = b"\0.dep-v0\0.shstrtab\0";
        let at_names = 64 + section.len();
        let headers = at_names + names.len();
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(16, 0);
        elf.extend([2_u16, 62].map(u16::to_le_bytes).concat());
        elf.extend(1_u32.to_le_bytes());
        elf.extend([0, 0, headers as u64].map(u64::to_le_bytes).concat());
        elf.extend(0_u32.to_le_bytes());
        elf.extend([64_u16, 56, 0, 64, 3, 2].map(u16::to_le_bytes).concat());
        elf.extend(section);
        elf.extend(names);
        let header = |name: u32, kind: u32, offset: usize, size: usize| {
            let numbers = [0, 0, offset as u64, size as u64].map(u64::to_le_bytes).concat();
            [[name, kind].map(u32::to_le_bytes).concat(), numbers, vec![0; 8], 1_u64.to_le_bytes().to_vec(), vec![0; 8]]
                .concat()
        };
        elf.extend(header(0, 0, 0, 0));
        elf.extend(header(1, 1, 64, section.len()));
        elf.extend(header(9, 3, at_names, names.len()));
        elf
    }

    #[test]
    fn linked_crates_are_read_from_their_section() {
        let list = br#"{"packages": [{"name": "serde", "version": "1.0.200", "source": "registry"},
            {"name": "cc", "version": "1.0.0", "kind": "build"}, {"name": "tool", "version": "0.1.0", "root": true}]}"#;
        let expected = [("serde", "1.0.200"), ("tool", "0.1.0")];
        let expected = expected.map(|(name, version)| Record::Package(Package::new(Ecosystem::Cargo, name, version)));
        assert_eq!(binary(&program(&deflated(list))), Ok(expected.to_vec()));
    }

    #[test]
    fn a_program_without_the_section_has_none() {
        assert_eq!(binary(b"#!/bin/sh\n"), Ok(vec![]));
        assert_eq!(binary(b"\x7fELF"), Ok(vec![]));
    }

    #[test]
    fn a_list_that_unpacks_without_end_is_refused() {
        let error = binary(&program(&deflated(&vec![b' '; BUILD_INFO_BYTES + 10]))).unwrap_err();
        assert!(matches!(error, Unreadable::Limit { name: "BUILD_INFO_BYTES", .. }), "{error}");
        assert!(binary(&program(b"not deflated")).is_err());
    }
}
