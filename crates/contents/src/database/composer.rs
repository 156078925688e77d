//! Composer's `vendor/composer/installed.json`.

use super::{Record, Unreadable, all_of, json, text};
use crate::package::{Ecosystem, Package};
use serde_json::Value;

/// All packages: a list under `packages`, or the whole document as Composer 1 wrote it.
pub(super) fn installed(bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let expected = "a list of packages in installed.json";
    let document = json(bytes, expected)?;
    let list =
        document.get("packages").unwrap_or(&document).as_array().ok_or_else(|| Unreadable::malformed(expected))?;
    let packages = list.iter().filter_map(|package| {
        let field = |name: &str| package.get(name).and_then(Value::as_str).and_then(text);
        let licences = package.get("license").and_then(Value::as_array).into_iter().flatten();
        let licence = all_of(licences.filter_map(Value::as_str).filter_map(text)).or_else(|| field("license"));
        Some(Record::Package(Package {
            licence,
            ..Package::new(Ecosystem::Composer, field("name")?, field("version")?)
        }))
    });
    Ok(packages.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations_of_the_file_are_read() {
        let list = r#"[{"name":"monolog/monolog","version":"3.5.0","license":["MIT"]},{"name":"x/y"}]"#;
        let new = format!(r#"{{"packages": {list}, "dev": true}}"#);
        for document in [list, &new] {
            let records = installed(document.as_bytes()).unwrap();
            let [Record::Package(package)] = records.as_slice() else { panic!("{records:?}") };
            assert_eq!((package.name.as_str(), package.licence.as_deref()), ("monolog/monolog", Some("MIT")));
        }
        assert!(installed(b"{}").is_err());
    }
}
