//! Refuses two public types of one name in the library crates.

use super::circles::Crate;
use std::collections::BTreeMap;

/// Sources of the crates that are libraries. `testkit` is not among them: its builders have the names of what they build.
pub(super) const LIBRARIES: &[&str] = &[
    "crates/contents/src/",
    "crates/core/src/",
    "crates/credentials/src/",
    "crates/inspect/src/",
    "crates/native/src/",
    "crates/registry/src/",
    "crates/signature/src/",
    "crates/source/src/",
    "crates/store/src/",
    "crates/transfer/src/",
    "crates/unpack/src/",
    "crates/viewer/src/",
];

/// Names that belong to their module: `module::Error`.
const OF_THEIR_MODULE: &[&str] = &["Error", "Fault", "Options", "Report"];

/// Complains about each name of several public types.
pub(super) fn check(crates: &BTreeMap<String, Crate>) -> Vec<String> {
    let mut places = BTreeMap::<&str, Vec<String>>::new();
    for (folder, files) in crates.iter().filter(|(folder, _)| LIBRARIES.contains(&folder.as_str())) {
        for (file, found) in files.types().filter(|(_, found)| found.public) {
            places.entry(&found.name).or_default().push(format!("{folder}{file}:{}", found.line));
        }
    }
    places.retain(|name, places| places.len() > 1 && !OF_THEIR_MODULE.contains(name));
    let complaint = |(name, places): (&&str, &Vec<String>)| {
        format!("{}: the public type `{name}` is also at {}", places[0], places[1..].join(", "))
    };
    places.iter().map(complaint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_public_type_of_a_name_is_refused() {
        let file = |folder: &str, text: &str| (format!("{folder}lib.rs"), text.to_owned());
        let files = [
            file("crates/core/src/", "pub struct Chunk;\npub enum Error {}\npub(crate) struct Row;"),
            file("crates/store/src/", "pub enum Error {}\npub(crate) struct Chunk;\npub trait Row {}"),
            file("crates/unpack/src/", "\npub enum Chunk {}"),
        ];
        assert_eq!(
            check(&Crate::all(&files)),
            ["crates/core/src/lib.rs:1: the public type `Chunk` is also at crates/unpack/src/lib.rs:2"]
        );
    }
}
