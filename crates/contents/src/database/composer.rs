//! Composer's `vendor/composer/installed.json`.

use super::{
    Record, Unreadable, all_of, json,
    owned::{OwnedPaths, split},
    text,
};
use crate::package::{Ecosystem, Package};
use serde_json::Value;

/// All packages: a list under `packages`, or the whole document as Composer 1 wrote it. Each is in its `install-path`, relative to
/// the file, or in `VENDOR/NAME` beside the directory of the file.
pub(super) fn installed(path: &[u8], bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let expected = "a list of packages in installed.json";
    let document = json(bytes, expected)?;
    let list =
        document.get("packages").unwrap_or(&document).as_array().ok_or_else(|| Unreadable::malformed(expected))?;
    let (directory, _) = split(path);
    let mut paths = OwnedPaths::default();
    let mut records = Vec::new();
    for package in list {
        let field = |name: &str| package.get(name).and_then(Value::as_str).and_then(text);
        let licences = package.get("license").and_then(Value::as_array).into_iter().flatten();
        let licence = all_of(licences.filter_map(Value::as_str).filter_map(text)).or_else(|| field("license"));
        let Some((name, version)) = field("name").zip(field("version")) else { continue };
        // A metapackage has no files: its path is `null`.
        let nowhere = package.get("install-path").is_some_and(Value::is_null);
        let place = field("install-path").unwrap_or_else(|| format!("../{name}"));
        let place = (!nowhere).then(|| paths.relative(directory, place.as_bytes())).transpose()?;
        let places = place.into_iter().collect();
        records.push(Record::Package(Package { licence, places, ..Package::new(Ecosystem::Composer, name, version) }));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations_of_the_file_are_read() {
        let list = r#"[{"name":"monolog/monolog","version":"3.5.0","license":["MIT"]},{"name":"x/y"}]"#;
        let new = format!(r#"{{"packages": {list}, "dev": true}}"#);
        for document in [list, &new] {
            let records = installed(b"app/vendor/composer/installed.json", document.as_bytes()).unwrap();
            let [Record::Package(package)] = records.as_slice() else { panic!("{records:?}") };
            assert_eq!((package.name.as_str(), package.licence.as_deref()), ("monolog/monolog", Some("MIT")));
        }
        assert!(installed(b"installed.json", b"{}").is_err());
    }

    #[test]
    fn a_package_is_in_its_install_path() {
        let document = br#"[{"name":"a/b","version":"1"},{"name":"c/d","version":"1","install-path":"../../modules/d"},
            {"name":"meta/e","version":"1","install-path":null}]"#;
        let records = installed(b"app/vendor/composer/installed.json", document).unwrap();
        let place = |record: &Record| match record {
            Record::Package(package) => package.places.first().map(|place| String::from_utf8_lossy(place).into_owned()),
            other => panic!("{other:?}"),
        };
        let places: Vec<_> = records.iter().map(place).collect();
        assert_eq!(places, [Some("app/vendor/a/b".into()), Some("app/modules/d".into()), None]);
    }
}
