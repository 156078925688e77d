//! `package.json` of an installed npm package.

use super::{Record, Unreadable, all_of, json, text};
use crate::package::{Ecosystem, Package};
use serde_json::Value;

/// The package. A document without name or version, as tools write for a folder of one module format, is none.
pub(super) fn package(bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let document = json(bytes, "a JSON object in package.json")?;
    let field = |name: &str| document.get(name).and_then(Value::as_str).and_then(text);
    let Some((name, version)) = field("name").zip(field("version")) else { return Ok(Vec::new()) };
    let one = |licence: &Value| licence.as_str().or_else(|| licence.get("type")?.as_str()).and_then(text);
    let many = document.get("licenses").and_then(Value::as_array).into_iter().flatten();
    let licence = document.get("license").and_then(one).or_else(|| all_of(many.filter_map(one)));
    Ok(vec![Record::Package(Package { licence, ..Package::new(Ecosystem::Npm, name, version) })])
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
    fn a_document_that_names_no_package_is_none() {
        assert_eq!(package(br#"{"type": "module"}"#), Ok(vec![]));
        assert_eq!(package(b"[").unwrap_err().to_string(), "expected a JSON object in package.json");
    }
}
