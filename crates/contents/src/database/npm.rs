//! `package.json` of an installed npm package, and npm's list of what it installed.

use super::{
    Record, Unreadable, all_of, json,
    owned::{OwnedPaths, split},
    text,
};
use crate::package::{Ecosystem, Package};
use serde_json::Value;

/// The package. A document without name or version, which tools write to set the module format of a folder, is not a package.
pub(super) fn package(bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let document = json(bytes, "a JSON object in package.json")?;
    let field = |name: &str| document.get(name).and_then(Value::as_str).and_then(text);
    let Some((name, version)) = field("name").zip(field("version")) else { return Ok(Vec::new()) };
    let one = |licence: &Value| licence.as_str().or_else(|| licence.get("type")?.as_str()).and_then(text);
    let many = document.get("licenses").and_then(Value::as_array).into_iter().flatten();
    let licence = document.get("license").and_then(one).or_else(|| all_of(many.filter_map(one)));
    Ok(vec![Record::Package(Package { licence, ..Package::new(Ecosystem::Npm, name, version) })])
}

/// `node_modules/.package-lock.json`, which npm writes beside what it installed: each package by its directory, relative to the one above
/// `node_modules`. Links to directories of the application are not packages. A `package-lock.json` says what is declared, and is not read.
pub(super) fn lock(path: &[u8], bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let expected = "a JSON object with `packages` in .package-lock.json";
    let document = json(bytes, expected)?;
    let packages =
        document.get("packages").and_then(Value::as_object).ok_or_else(|| Unreadable::malformed(expected))?;
    let (base, _) = split(split(path).0);
    let mut paths = OwnedPaths::default();
    let mut records = Vec::new();
    for (directory, package) in packages {
        let field = |name: &str| package.get(name).and_then(Value::as_str).and_then(text);
        let Some(of_directory) =
            directory.rsplit("node_modules/").next().filter(|_| directory.contains("node_modules/"))
        else {
            continue;
        };
        let linked = package.get("link").and_then(Value::as_bool) == Some(true);
        let Some(version) = field("version").filter(|_| !linked) else { continue };
        let Some(name) = field("name").or_else(|| text(of_directory)) else { continue };
        records.push(Record::Package(Package {
            licence: field("license"),
            places: vec![paths.join(base, directory.as_bytes())?],
            ..Package::new(Ecosystem::Npm, name, version)
        }));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_read_in_all_three_forms() {
        for (licence, expected) in [
            (r#""license": "MIT""#, Some("MIT")),
            (r#""license": {"type": "ISC"}"#, Some("ISC")),
            (r#""licenses": [{"type": "MIT"}, {"type": "GPL-2.0"}]"#, Some("MIT AND GPL-2.0")),
            (r#""license": 1"#, None),
        ] {
            let document = format!(r#"{{"name": "@s/a", "version": "1.0.0", {licence}}}"#);
            let records = package(document.as_bytes()).unwrap();
            let [Record::Package(package)] = records.as_slice() else { panic!("{records:?}") };
            assert_eq!((package.name.as_str(), package.licence.as_deref()), ("@s/a", expected));
        }
    }

    #[test]
    fn what_npm_installed_is_listed_with_its_directories() {
        let document = br#"{"lockfileVersion": 3, "packages": {
            "node_modules/@s/a": {"version": "1.0.0", "license": "MIT"},
            "node_modules/b/node_modules/c": {"version": "2.0.0", "dev": true},
            "node_modules/alias": {"name": "real", "version": "3.0.0"},
            "node_modules/own": {"resolved": "packages/own", "link": true, "version": "1.0.0"},
            "packages/own": {"version": "1.0.0"}}}"#;
        let records = lock(b"srv/app/node_modules/.package-lock.json", document).unwrap();
        let mut rows: Vec<_> = records
            .iter()
            .map(|record| {
                let Record::Package(package) = record else { panic!("{record:?}") };
                let place = String::from_utf8_lossy(&package.places[0]);
                format!("{} {} {place}", package.name, package.version)
            })
            .collect();
        rows.sort();
        let expected = [
            "@s/a 1.0.0 srv/app/node_modules/@s/a",
            "c 2.0.0 srv/app/node_modules/b/node_modules/c",
            "real 3.0.0 srv/app/node_modules/alias",
        ];
        assert_eq!(rows, expected);
        assert!(lock(b"node_modules/.package-lock.json", b"{}").is_err());
    }

    #[test]
    fn a_document_that_names_no_package_is_none() {
        assert_eq!(package(br#"{"type": "module"}"#), Ok(vec![]));
        assert_eq!(package(b"[").unwrap_err().to_string(), "expected a JSON object in package.json");
    }
}
