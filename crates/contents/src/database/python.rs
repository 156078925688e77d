//! Python's core metadata (`METADATA`, `PKG-INFO`) and the record of installed files (PEP 376, PEP 627).

use super::{
    Owner, Record, Unreadable, all_of,
    owned::{OwnedPaths, split},
    paragraph::paragraphs,
    text,
};
use crate::package::{Ecosystem, Package};

/// Longest `License` field that is a name. Many packages put the text of the licence there.
const LICENCE_NAME: usize = 100;

/// The package that core metadata describes.
pub(super) fn metadata(bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let all = String::from_utf8_lossy(bytes);
    let expected = "core metadata with a name and a version";
    let fields = paragraphs(&all).next().ok_or_else(|| Unreadable::malformed(expected))?;
    let (name, version) =
        fields.get("Name").zip(fields.get("Version")).ok_or_else(|| Unreadable::malformed(expected))?;
    let named = fields.get("License").filter(|name| name.len() <= LICENCE_NAME && *name != "UNKNOWN").and_then(text);
    let classified = || {
        let classes = fields.all("Classifier").filter(|class| class.starts_with("License ::"));
        all_of(classes.filter_map(|class| class.rsplit("::").next().and_then(text)))
    };
    let licence = fields.get("License-Expression").and_then(text).or(named).or_else(classified);
    Ok(vec![Record::Package(Package { licence, ..Package::new(Ecosystem::Pypi, name, version) })])
}

/// The files of the package whose `dist-info` directory holds this record: a CSV of path, digest and size.
pub(super) fn record(path: &[u8], bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let (directory, _) = split(path);
    let (base, _) = split(directory);
    let mut paths = OwnedPaths::default();
    let all = String::from_utf8_lossy(bytes);
    let (mut files, mut size) = (Vec::new(), 0_u64);
    for line in all.lines().filter(|line| !line.is_empty()) {
        // The digest and the size have no commas.
        let mut fields = line.rsplitn(3, ',');
        let (bytes, _digest, name) = (fields.next(), fields.next(), fields.next());
        let Some(name) = name else { continue };
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name).replace("\"\"", "\"");
        size = size.saturating_add(bytes.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0));
        files.push(paths.relative(base, name.as_bytes())?);
    }
    Ok(vec![Record::Files { owner: Owner::Directory(directory.to_vec()), files, size: Some(size) }])
}

/// The files of the package whose `egg-info` directory holds this list: a path on each line, relative to that directory.
pub(super) fn installed_files(path: &[u8], bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let (directory, _) = split(path);
    let lines = bytes.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut paths = OwnedPaths::default();
    let files = lines.filter(|line| !line.is_empty()).map(|line| paths.relative(directory, line));
    let files = files.collect::<Result<_, _>>()?;
    Ok(vec![Record::Files { owner: Owner::Directory(directory.to_vec()), files, size: None }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_licence_is_an_expression_a_short_name_or_a_class() {
        let long = format!("License: {}", "x".repeat(200));
        for (fields, expected) in [
            ("License-Expression: MIT OR Apache-2.0\nLicense: other", Some("MIT OR Apache-2.0")),
            ("License: BSD", Some("BSD")),
            ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License", Some("MIT License")),
            (&long, None),
        ] {
            let text =
                format!("Metadata-Version: 2.1\nName: PyYAML\nVersion: 6.0\n{fields}\n\nLicense: in the description\n");
            let records = metadata(text.as_bytes()).unwrap();
            let [Record::Package(package)] = records.as_slice() else { panic!("{records:?}") };
            assert_eq!((package.name.as_str(), package.licence.as_deref()), ("PyYAML", expected), "{fields}");
        }
        assert!(metadata(b"Name: a\n").is_err());
        assert!(metadata(b"").is_err());
    }

    #[test]
    fn a_record_is_relative_to_the_directory_above() {
        let path = b"usr/lib/python3/site-packages/a-1.dist-info/RECORD";
        let csv =
            b"a/__init__.py,sha256=47DEQ,10\n../../../bin/a,sha256=x,5\n\"b,\"\"c\"\"\",,\na-1.dist-info/RECORD,,\n";
        let records = record(path, csv).unwrap();
        let [Record::Files { owner, files, size }] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(*owner, Owner::Directory(b"usr/lib/python3/site-packages/a-1.dist-info".to_vec()));
        assert_eq!(*size, Some(15));
        let names: Vec<_> = files.iter().map(|file| String::from_utf8_lossy(file)).collect();
        assert_eq!(names[..2], ["usr/lib/python3/site-packages/a/__init__.py", "usr/bin/a"]);
        assert_eq!(names[2], "usr/lib/python3/site-packages/b,\"c\"");
    }

    #[test]
    fn a_list_of_installed_files_is_relative_to_its_directory() {
        let path = b"usr/lib/python3/site-packages/a-1.egg-info/installed-files.txt";
        let records = installed_files(path, b"../a/__init__.py\n../../../../bin/a\r\nPKG-INFO\n\n").unwrap();
        let [Record::Files { owner, files, size: None }] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(*owner, Owner::Directory(b"usr/lib/python3/site-packages/a-1.egg-info".to_vec()));
        let names: Vec<_> = files.iter().map(|file| String::from_utf8_lossy(file)).collect();
        let info = "usr/lib/python3/site-packages/a-1.egg-info/PKG-INFO";
        assert_eq!(names, ["usr/lib/python3/site-packages/a/__init__.py", "usr/bin/a", info]);
    }

    /// A database that is read whole would take as much memory as the names of its files times the length of its directory.
    #[test]
    fn short_names_in_a_long_directory_are_limited() {
        let path = [&[b'a'; 1 << 20][..], b"/x.dist-info/RECORD"].concat();
        let lines: String = (0..300).map(|number| format!("{number},,\n")).collect();
        for read in [record, installed_files] {
            let error = read(&path, lines.as_bytes()).unwrap_err();
            assert!(matches!(error, Unreadable::Limit { name: "OWNED_PATH_BYTES", .. }), "{error}");
        }
    }
}
