//! Refuses doc comments that say no more than the name below them.

/// Crates in which every doc comment has more than [`FEWEST`] words.
const CHECKED: &[&str] = &[
    "crates/cli/",
    "crates/contents/",
    "crates/core/",
    "crates/credentials/",
    "crates/inspect/",
    "crates/native/",
    "crates/registry/",
    "crates/relay/",
    "crates/signature/",
    "crates/source/",
    "crates/store/",
    "crates/transfer/",
    "crates/unpack/",
    "crates/viewer/",
    "web/",
    "web/signature/",
];
/// A comment of this many words repeats the name, as in `/// The digest.` One that is code in backticks names something exactly.
const FEWEST: usize = 2;

/// The complaints about a file.
pub(super) fn check(file: &str, text: &str) -> Vec<String> {
    let checked = CHECKED.iter().any(|folder| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with("src/")));
    if !checked {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    let mut comment: Option<(usize, usize, bool)> = None;
    for (line, text) in text.lines().chain([""]).enumerate() {
        match text.trim_start().strip_prefix("///") {
            Some(said) => {
                let (_, words, is_code) = comment.get_or_insert((line + 1, 0, true));
                *words += count(said);
                *is_code &= code(said);
            }
            None => {
                if let Some((line, said, _)) = comment.take().filter(|(_, said, is_code)| *said <= FEWEST && !is_code) {
                    complaints.push(format!(
                        "{file}:{line}: a doc comment of {said} words: say what the name does not (unit, clause, when it is absent)"
                    ));
                }
            }
        }
    }
    complaints
}

/// Whether a line is one span of code.
fn code(text: &str) -> bool {
    let span = text.trim().trim_end_matches('.').strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    span.is_some_and(|span| !span.contains('`'))
}

fn count(text: &str) -> usize {
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
        for (file, refused) in [("web/src/a.rs", 1), ("crates/cli/src/a.rs", 1), ("crates/testkit/src/a.rs", 0)] {
            assert_eq!(check(file, "/// Its name.\nx").len(), refused, "{file}");
        }
        for (text, refused) in [("`/token`", 0), ("`GET /x`.", 0), ("Its `name`", 1), ("`a` `b`", 1)] {
            assert_eq!(check("web/src/a.rs", &format!("/// {text}\nx")).len(), refused, "{text}");
        }
        assert_eq!(check("crates/core/src/a.rs", "/// Digest of the blob.\n// Why.\n//! Why.\nx"), [""; 0]);
    }
}
