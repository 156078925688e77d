//! `NAME.deps.json` of a .NET program: the libraries that it was built with.

use super::{
    Record, Unreadable, json,
    owned::{OwnedPaths, split},
};
use crate::package::{Ecosystem, Package};
use serde_json::Value;

/// The libraries that are NuGet packages, each with the files that publishing puts beside the document; the program's own projects are not packages.
pub(super) fn dependencies(path: &[u8], bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let expected = "a JSON object with `libraries` in deps.json";
    let document = json(bytes, expected)?;
    let libraries =
        document.get("libraries").and_then(Value::as_object).ok_or_else(|| Unreadable::malformed(expected))?;
    let packages =
        libraries.iter().filter(|(_, library)| library.get("type").and_then(Value::as_str) == Some("package"));
    let (directory, _) = split(path);
    let mut paths = OwnedPaths::default();
    let mut records = Vec::new();
    for (key, _) in packages {
        let Some((name, version)) = key.split_once('/') else { continue };
        let mut package = Package::new(Ecosystem::Nuget, name, version);
        for file in published(&document, key) {
            package.places.push(paths.join(directory, file.as_bytes())?);
        }
        records.push(Record::Package(package));
    }
    Ok(records)
}

/// Where publishing puts the files of a library, beside the document: files for one runtime keep their path, translations are in the
/// directory of their language.
fn published(document: &Value, library: &str) -> Vec<String> {
    let targets = document.get("targets").and_then(Value::as_object).into_iter().flatten();
    let of_target = targets.filter_map(|(_, target)| target.get(library));
    let mut files = Vec::new();
    for target in of_target {
        let group = |name: &str| target.get(name).and_then(Value::as_object).into_iter().flatten();
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        files.extend(group("runtime").chain(group("native")).map(|(path, _)| last(path)));
        files.extend(group("runtimeTargets").map(|(path, _)| path.clone()));
        files.extend(
            group("resources")
                .filter_map(|(path, about)| Some(format!("{}/{}", about.get("locale")?.as_str()?, last(path)))),
        );
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_and_projects_are_not() {
        let document = b"\xef\xbb\xbf{\"libraries\": {\"App/1.0.0\": {\"type\": \"project\"}, \"Serilog/3.1.1\": {\"type\": \"package\"}}}";
        assert_eq!(
            dependencies(b"app/a.deps.json", document),
            Ok(vec![Record::Package(Package::new(Ecosystem::Nuget, "Serilog", "3.1.1"))])
        );
        assert!(dependencies(b"a.deps.json", b"{}").is_err());
    }

    #[test]
    fn files_of_a_library_are_where_publishing_puts_them() {
        let document =
            br#"{"libraries": {"A/1": {"type": "package"}}, "targets": {".NETCoreApp,Version=v8.0": {"A/1": {
            "runtime": {"lib/net8.0/A.dll": {"fileVersion": "1.0.0.0"}},
            "resources": {"lib/net8.0/de/A.resources.dll": {"locale": "de"}},
            "runtimeTargets": {"runtimes/linux-x64/native/liba.so": {"rid": "linux-x64"}}}}}}"#;
        let records = dependencies(b"srv/app/a.deps.json", document).unwrap();
        let [Record::Package(package)] = records.as_slice() else { panic!("{records:?}") };
        let places: Vec<_> = package.places.iter().map(|place| String::from_utf8_lossy(place)).collect();
        assert_eq!(
            places,
            ["srv/app/A.dll", "srv/app/runtimes/linux-x64/native/liba.so", "srv/app/de/A.resources.dll"]
        );
    }
}
