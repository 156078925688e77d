//! apk's database of installed packages: one-letter fields, a paragraph for each package.

use super::{Record, Unreadable, owned::OwnedPaths, paragraph::paragraphs, text};
use crate::package::{ContentDigest, Ecosystem, Package, RecordedFile, SourcePackage};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// All packages, with their files (`F:` is a directory, `R:` a file in it, `Z:` the digest of its content, or of the text of a symbolic
/// link). Of a package that apk 3 installed from its own format, `f:` has an `S`: what `Z:` calls SHA-1 is the start of a SHA-256
/// (`apk_db_fdb_read` in apk-tools).
pub(super) fn installed(bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let all = String::from_utf8_lossy(bytes);
    let mut paths = OwnedPaths::default();
    let mut records = Vec::new();
    for fields in paragraphs(&all) {
        let (mut name, mut version) = (None, None);
        let mut package = Package::new(Ecosystem::Apk, "", "");
        let (mut directory, mut cut_sha256) = ("", false);
        for (field, value) in fields.fields() {
            match field {
                "P" => name = text(value),
                "V" => version = text(value),
                "A" => package.architecture = text(value),
                "L" => package.licence = text(value),
                "I" => package.size = value.parse().ok(),
                "o" => package.source = text(value).map(|name| SourcePackage { name, version: None }),
                "f" => cut_sha256 = value.contains('S'),
                "F" => directory = value,
                "R" => package.files.push(paths.join(directory.as_bytes(), value.as_bytes())?),
                "Z" => {
                    let file = package.files.last().zip(digest(value, cut_sha256));
                    let file = file.map(|(path, digest)| RecordedFile {
                        path: path.clone(),
                        digest,
                        configuration: path.starts_with(b"etc/"),
                    });
                    package.recorded.extend(file);
                }
                _ => {}
            }
        }
        if let Some((name, version)) = name.zip(version) {
            records.push(Record::Package(Package { name, version, ..package }));
        }
    }
    Ok(records)
}

/// `Q1` and 20 bytes in base64, or `Q2` and a SHA-256.
fn digest(value: &str, cut_sha256: bool) -> Option<ContentDigest> {
    let bytes = STANDARD.decode(value.get(2..)?).ok()?;
    match value.get(..2)? {
        "Q1" if cut_sha256 => bytes.try_into().ok().map(ContentDigest::Sha256Of160),
        "Q1" => bytes.try_into().ok().map(ContentDigest::Sha1),
        "Q2" => bytes.try_into().ok().map(ContentDigest::Sha256),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read_with_its_files() {
        let text = b"C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nS:383459\nI:622592\nL:MIT\no:musl\nF:lib\nR:ld-musl-x86_64.so.1\n\
                     a:0:0:755\nZ:Q12jmj7l5rSw0yVb/vlWAYkK/YBwk=\nF:\nR:top\n\nP:no version\n\n";
        let records = installed(text).unwrap();
        let [Record::Package(package)] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((package.name.as_str(), package.version.as_str()), ("musl", "1.2.4-r2"));
        assert_eq!((package.architecture.as_deref(), package.licence.as_deref()), (Some("x86_64"), Some("MIT")));
        assert_eq!(package.size, Some(622_592));
        assert_eq!(package.source, Some(SourcePackage { name: "musl".into(), version: None }));
        assert_eq!(package.files, [b"lib/ld-musl-x86_64.so.1".as_slice(), b"top"]);
        let digest = ContentDigest::sha1(b"da39a3ee5e6b4b0d3255bfef95601890afd80709").unwrap();
        let path = b"lib/ld-musl-x86_64.so.1".to_vec();
        assert_eq!(package.recorded, [RecordedFile { path, digest, configuration: false }]);
    }

    #[test]
    fn digests_of_apk_3_are_cut_sha_256() {
        let of = |flags: &str| {
            let text = format!("P:a\nV:1\n{flags}F:lib\nR:x\nZ:Q12jmj7l5rSw0yVb/vlWAYkK/YBwk=\n");
            let records = installed(text.as_bytes()).unwrap();
            let [Record::Package(package)] = records.as_slice() else { panic!("{records:?}") };
            package.recorded[0].digest.algorithm()
        };
        assert_eq!([of(""), of("f:f\n"), of("f:xS\n")], ["sha1", "sha1", "sha256-160"]);
    }

    #[test]
    fn a_directory_that_is_repeated_for_each_file_does_not_fill_the_memory() {
        let text = format!("P:a\nV:1\nF:{}\n{}", "d".repeat(1 << 20), "R:f\n".repeat(1000));
        let error = installed(text.as_bytes()).unwrap_err();
        assert!(matches!(error, Unreadable::Limit { name: "OWNED_PATH_BYTES", .. }), "{error}");
    }
}
