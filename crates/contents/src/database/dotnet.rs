//! `NAME.deps.json` of a .NET program: the libraries that it was built with.

use super::{Record, Unreadable, json};
use crate::package::{Ecosystem, Package};
use serde_json::Value;

/// The libraries that are NuGet packages; the program's own projects are none.
pub(super) fn dependencies(bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let expected = "a JSON object with `libraries` in deps.json";
    let document = json(bytes, expected)?;
    let libraries =
        document.get("libraries").and_then(Value::as_object).ok_or_else(|| Unreadable::malformed(expected))?;
    let packages =
        libraries.iter().filter(|(_, library)| library.get("type").and_then(Value::as_str) == Some("package"));
    let named = packages.filter_map(|(key, _)| key.split_once('/'));
    Ok(named.map(|(name, version)| Record::Package(Package::new(Ecosystem::Nuget, name, version))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_and_projects_are_not() {
        let document = b"\xef\xbb\xbf{\"libraries\": {\"App/1.0.0\": {\"type\": \"project\"}, \"Serilog/3.1.1\": {\"type\": \"package\"}}}";
        assert_eq!(
            dependencies(document),
            Ok(vec![Record::Package(Package::new(Ecosystem::Nuget, "Serilog", "3.1.1"))])
        );
        assert!(dependencies(b"{}").is_err());
    }
}
