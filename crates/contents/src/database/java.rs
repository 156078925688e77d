//! Java archives (jar, war, ear): `pom.properties` of Maven, else the manifest, also of archives inside.

use super::{Record, Unreadable, text};
use crate::{
    limits::{ARCHIVE_BYTES, ARCHIVE_DEPTH, DOCUMENT_BYTES},
    package::{Ecosystem, Package},
    zip::{Directory, ZipEntry},
};

/// The packages of an archive at a clean path.
pub(super) fn archive(path: &[u8], bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let mut budget = ARCHIVE_BYTES;
    let name = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
    let mut packages = Vec::new();
    read(name, bytes, ARCHIVE_DEPTH, &mut budget, &mut packages)?;
    Ok(packages.into_iter().map(Record::Package).collect())
}

fn read(
    name: &[u8],
    bytes: &[u8],
    depth: u32,
    budget: &mut u64,
    packages: &mut Vec<Package>,
) -> Result<(), Unreadable> {
    let directory = Directory::of(bytes).ok_or_else(|| Unreadable::malformed("a Java archive"))?;
    let mut unpack = |entry: &ZipEntry<'_>| {
        let limit = if is_archive(entry.name) { ARCHIVE_BYTES } else { DOCUMENT_BYTES };
        let content = entry.unpack(bytes, (*budget).min(limit));
        *budget = budget.saturating_sub(content.as_ref().map_or(0, |content| content.len() as u64));
        if *budget == 0 { Err(Unreadable::bytes("ARCHIVE_BYTES", ARCHIVE_BYTES)) } else { Ok(content) }
    };
    let before = packages.len();
    let mut manifest = None;
    let mut inside = Vec::new();
    for entry in directory {
        if entry.name.starts_with(b"META-INF/maven/") && entry.name.ends_with(b"/pom.properties") {
            packages.extend(unpack(&entry)?.and_then(|content| properties(&content)));
        } else if entry.name == b"META-INF/MANIFEST.MF" {
            manifest = unpack(&entry)?;
        } else if is_archive(entry.name) && depth > 0 {
            inside.extend(unpack(&entry)?.map(|content| (entry.name.to_vec(), content)));
        }
    }
    if packages.len() == before {
        packages.extend(manifest.and_then(|manifest| described(name, &manifest)));
    }
    for (name, content) in inside {
        let name = name.rsplit(|&b| b == b'/').next().unwrap_or_default();
        // An archive inside that cannot be read hides nothing else.
        match read(name, &content, depth - 1, budget, packages) {
            Ok(()) | Err(Unreadable::Malformed { .. }) => {}
            Err(limit) => return Err(limit),
        }
    }
    Ok(())
}

fn is_archive(name: &[u8]) -> bool {
    [b".jar", b".war", b".ear"].iter().any(|end| name.ends_with(*end))
}

/// The package that `pom.properties` names.
fn properties(content: &[u8]) -> Option<Package> {
    let all = String::from_utf8_lossy(content);
    let field = |wanted: &str| {
        let pairs = all.lines().filter_map(|line| line.split_once('='));
        pairs.filter(|(name, _)| name.trim() == wanted).find_map(|(_, value)| text(value))
    };
    let name = format!("{}:{}", field("groupId")?, field("artifactId")?);
    Some(Package::new(Ecosystem::Maven, name, field("version")?))
}

/// The package that a manifest describes: name and version from it, or from the name of the file (`NAME-VERSION.jar`).
fn described(file: &[u8], manifest: &[u8]) -> Option<Package> {
    let all = String::from_utf8_lossy(manifest);
    // A line that starts with a space continues the one before.
    let joined = all.replace("\r\n", "\n").replace("\n ", "");
    let field = |wanted: &str| {
        let pairs = joined.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':'));
        pairs.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).find_map(|(_, value)| text(value))
    };
    let file = String::from_utf8_lossy(file);
    let stem = file.rsplit_once('.').map_or(&*file, |(stem, _)| stem);
    let digit = stem.match_indices('-').find(|(at, _)| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    let (base, of_file) = digit.map_or((stem, None), |(at, _)| (&stem[..at], text(&stem[at + 1..])));
    let version = of_file.or_else(|| field("Implementation-Version")).or_else(|| field("Bundle-Version"))?;
    let name = text(base)?;
    let group = field("Implementation-Vendor-Id").filter(|group| !group.contains([' ', ':']));
    let name = group.map_or_else(|| name.clone(), |group| format!("{group}:{name}"));
    Some(Package { licence: field("Bundle-License"), ..Package::new(Ecosystem::Maven, name, version) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zip::tests::archive as packed;

    fn names(records: &[Record]) -> Vec<(String, String)> {
        let package = |record: &Record| match record {
            Record::Package(package) => (package.name.clone(), package.version.clone()),
            other => panic!("{other:?}"),
        };
        records.iter().map(package).collect()
    }

    #[test]
    fn archives_inside_are_read_as_well() {
        let pom = "#Generated\ngroupId=org.example\nartifactId=lib\nversion=1.2\n";
        let lib = packed(&[("META-INF/maven/org.example/lib/pom.properties", pom.as_bytes())]);
        let plain = packed(&[(
            "META-INF/MANIFEST.MF",
            b"Manifest-Version: 1.0\r\nImplementation-Version: 9\r\n\r\nName: x\r\n",
        )]);
        let war = packed(&[
            ("WEB-INF/lib/lib-1.2.jar", &lib),
            ("WEB-INF/lib/plain-2.0.1.jar", &plain),
            ("WEB-INF/lib/bad.jar", b"x"),
        ]);
        let got = names(&archive(b"opt/app.war", &war).unwrap());
        assert_eq!(got, [("org.example:lib".into(), "1.2".into()), ("plain".into(), "2.0.1".into())]);
        assert_eq!(names(&archive(b"opt/plain.jar", &plain).unwrap()), [("plain".into(), "9".into())]);
    }

    #[test]
    fn a_file_that_is_no_archive_is_an_error() {
        assert_eq!(archive(b"a.jar", b"PK").unwrap_err().to_string(), "expected a Java archive");
    }

    #[test]
    fn archives_are_read_to_a_limited_depth() {
        let mut jar = packed(&[("META-INF/maven/a/a/pom.properties", b"groupId=a\nartifactId=a\nversion=1\n")]);
        for _ in 0..ARCHIVE_DEPTH + 1 {
            jar = packed(&[("in.jar", &jar)]);
        }
        assert_eq!(archive(b"a.jar", &jar), Ok(vec![]));
    }
}
