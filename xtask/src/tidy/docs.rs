//! Refuses doc comments that say no more than the name below them.

/// Libraries in which every doc comment has more than [`FEWEST`] words.
const CHECKED: &[&str] = &[
    "crates/core/",
    "crates/credentials/",
    "crates/inspect/",
    "crates/native/",
    "crates/registry/",
    "crates/source/",
    "crates/store/",
    "crates/transfer/",
    "crates/unpack/",
    "crates/viewer/",
];
/// A comment of this many words repeats the name, as in `/// The digest.`
const FEWEST: usize = 2;

/// The complaints about a file.
pub(super) fn check(file: &str, text: &str) -> Vec<String> {
    let checked = CHECKED.iter().any(|folder| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with("src/")));
    if !checked {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    let mut comment: Option<(usize, usize)> = None;
    for (line, text) in text.lines().chain([""]).enumerate() {
        match text.trim_start().strip_prefix("///") {
            Some(said) => comment.get_or_insert((line + 1, 0)).1 += words(said),
            None => {
                if let Some((line, said)) = comment.take().filter(|(_, said)| *said <= FEWEST) {
                    complaints.push(format!(
                        "{file}:{line}: a doc comment of {said} words: say what the name does not (unit, clause, when it is absent)"
                    ));
                }
            }
        }
    }
    complaints
}

fn words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.contains(|letter: char| letter.is_alphanumeric())).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_comments_of_libraries_are_refused() {
        let short = "/// The digest.\npub digest: Digest,\n    /// Bytes\n    /// allowed.\n    limit: u64,";
        let lines = |file| check(file, short).iter().map(|text| text.split(": ").next().unwrap().to_owned()).collect();
        let found: Vec<String> = lines("crates/core/src/a.rs");
        assert_eq!(found, ["crates/core/src/a.rs:1", "crates/core/src/a.rs:3"]);
        assert_eq!(check("crates/core/tests/a.rs", short), [""; 0]);
        assert_eq!(check("crates/core/src/a.rs", "/// Digest of the blob.\n// Why.\n//! Why.\nx"), [""; 0]);
    }
}
