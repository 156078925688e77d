//! apk's database of installed packages: one-letter fields, a paragraph for each package.

use super::{Record, paragraph::paragraphs, text};
use crate::package::{Ecosystem, Package, SourcePackage};
use porthole_core::path;

/// All packages, with their files (`F:` is a directory, `R:` a file in it).
pub(super) fn installed(bytes: &[u8]) -> Vec<Record> {
    let all = String::from_utf8_lossy(bytes);
    let packages = paragraphs(&all).filter_map(|fields| {
        let (mut name, mut version) = (None, None);
        let mut package = Package::new(Ecosystem::Apk, "", "");
        let mut directory = "";
        for (field, value) in fields.fields() {
            match field {
                "P" => name = text(value),
                "V" => version = text(value),
                "A" => package.architecture = text(value),
                "L" => package.licence = text(value),
                "I" => package.size = value.parse().ok(),
                "o" => package.source = text(value).map(|name| SourcePackage { name, version: None }),
                "F" => directory = value,
                "R" => package.files.push(path::clean(format!("{directory}/{value}").as_bytes())),
                _ => {}
            }
        }
        Some(Package { name: name?, version: version?, ..package })
    });
    packages.map(Record::Package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read_with_its_files() {
        let text = b"C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nS:383459\nI:622592\nL:MIT\no:musl\nF:lib\nR:ld-musl-x86_64.so.1\n\
                     a:0:0:755\nF:\nR:top\n\nP:no version\n\n";
        let records = installed(text);
        let [Record::Package(package)] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((package.name.as_str(), package.version.as_str()), ("musl", "1.2.4-r2"));
        assert_eq!((package.architecture.as_deref(), package.licence.as_deref()), (Some("x86_64"), Some("MIT")));
        assert_eq!(package.size, Some(622_592));
        assert_eq!(package.source, Some(SourcePackage { name: "musl".into(), version: None }));
        assert_eq!(package.files, [b"lib/ld-musl-x86_64.so.1".as_slice(), b"top"]);
    }
}
