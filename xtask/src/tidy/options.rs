//! Refuses options and verbs of the command line in texts of the library crates: a library has other users. A hint is data,
//! and the command line words it.

use super::{
    names::LIBRARIES,
    source::{self, Kind},
};

/// Library sources that write a command line on purpose, and why.
const ON_PURPOSE: &[(&str, &str)] = &[
    ("crates/contents/src/secrets/", "options of other programs, before passwords"),
    ("crates/core/src/reference/typed.rs", "options of `docker run` in a line that a user pasted"),
    ("crates/inspect/src/findings.rs", "`ADD --checksum` of a Dockerfile"),
    ("crates/registry/src/trace/curl.rs", "options of curl"),
    ("crates/viewer/src/failure/remedy.rs", "the table in which a front end words hints"),
    ("crates/viewer/src/session/archive.rs", "the command that a front end shows"),
    ("crates/viewer/src/shell.rs", "the command that a front end shows"),
    ("crates/viewer/src/state/link.rs", "the command that a front end shows"),
];

/// The verbs of the command line, by their files.
pub(super) fn verbs<'f>(files: impl Iterator<Item = &'f str>) -> Vec<&'f str> {
    let name = |file: &'f str| file.strip_prefix("crates/cli/src/commands/")?.strip_suffix(".rs");
    files.filter_map(name).filter(|name| !name.contains('/')).collect()
}

/// The complaints about a file.
pub(super) fn check(file: &str, text: &str, verbs: &[&str]) -> Vec<String> {
    let is_library = LIBRARIES.iter().any(|folder| file.starts_with(folder));
    let is_test = file.contains("/tests/") || file.ends_with("tests.rs");
    if !is_library || is_test || ON_PURPOSE.iter().any(|(place, _)| file.starts_with(place)) {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for piece in source::split(text) {
        match piece.kind {
            // Tests come last.
            Kind::Code if piece.text.contains("#[cfg(test)]\nmod ") => break,
            Kind::Text => {
                if let Some(named) = named(&piece.text, verbs) {
                    complaints.push(format!(
                        "{file}:{}: a library names `{named}` of the command line: make a `Hint` of it",
                        piece.line
                    ));
                }
            }
            _ => {}
        }
    }
    complaints
}

/// The first option, or verb behind the program's name, in a text.
fn named(text: &str, verbs: &[&str]) -> Option<String> {
    let words: Vec<&str> = text
        .split(|letter: char| letter.is_whitespace() || "`'\"(),.:;=".contains(letter))
        .filter(|word| !word.is_empty())
        .collect();
    let is_option =
        |word: &&&str| word.strip_prefix("--").is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
    let verb = || {
        let pair = words.windows(2).find(|pair| pair[0] == "porthole" && verbs.contains(&pair[1]))?;
        Some(pair.join(" "))
    };
    words.iter().find(is_option).map(|word| (*word).to_owned()).or_else(verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERBS: &[&str] = &["cat", "login"];

    #[test]
    fn options_and_verbs_are_found() {
        assert_eq!(named("raise it with --limit entries=2", VERBS).as_deref(), Some("--limit"));
        assert_eq!(named("sent only with `--trust-realm {realm}`", VERBS).as_deref(), Some("--trust-realm"));
        assert_eq!(named("run `porthole cat`", VERBS).as_deref(), Some("porthole cat"));
        for text in ["porthole made this", "a -- b", "xn--bcher-kva", "-----BEGIN KEY-----", "the cat of porthole"] {
            assert_eq!(named(text, VERBS), None, "{text}");
        }
    }

    #[test]
    fn texts_of_libraries_are_searched() {
        let text =
            "// with --limit\nfn f() { g(\"with --limit\") }\n#[cfg(test)]\nmod tests { const A: &str = \"--b\"; }";
        assert_eq!(check("crates/core/src/a.rs", text, VERBS).len(), 1);
        assert!(check("crates/core/src/a.rs", text, VERBS)[0].starts_with("crates/core/src/a.rs:2: "));
        for file in ["crates/cli/src/a.rs", "crates/core/src/reference/typed.rs", "crates/core/src/a/tests.rs"] {
            assert_eq!(check(file, text, VERBS), [""; 0], "{file}");
        }
    }

    #[test]
    fn verbs_are_the_files_of_commands() {
        let files = ["crates/cli/src/commands/cat.rs", "crates/cli/src/commands/ls/raw.rs", "crates/cli/src/ui.rs"];
        assert_eq!(verbs(files.into_iter()), ["cat"]);
    }
}
