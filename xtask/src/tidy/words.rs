//! Refuses paraphrases where the field has a term: in comments, string literals and documents.

use super::source::{self, Kind};

/// Phrases, each with what to write instead. A phrase matches whole words in any case, also across a line
/// break. A final `.` stands for the end of a clause.
const PHRASES: &[(&str, &str)] = &[
    ("anybody", "name the party: any client, any user"),
    ("everybody", "name the parties: all readers, every client"),
    ("nobody", "name the party: no reader, no process"),
    ("somebody", "name the party: another process, the user"),
    ("whoever", "name the party: the caller, the client, the process that holds the lock"),
    ("whomever", "name the party: the client that asks"),
    ("told", "reported, shown, known, distinguished"),
    ("tells", "reports, shows, says, returns"),
    ("goes on", "continues, resumes, proceeds"),
    ("went on", "continued"),
    ("so many", "state the number: `n` bytes, this many"),
    ("be had", "be available"),
    ("is had", "is available"),
    ("are had", "are available"),
    ("for so long", "for this time, as long as"),
    ("as good as", "equals, counts as"),
    ("came to nothing", "failed"),
    ("comes to nothing", "fails"),
    ("too much of us", "too many requests"),
    ("for want of", "without"),
    ("is over .", "ends, has ended"),
    ("was over .", "ended"),
    ("of its own accord", "by itself"),
    ("anew", "again"),
    ("of late", "recently"),
    ("to and fro", "back and forth"),
    ("for good", "permanently"),
    ("stands in one place", "is defined once"),
    ("what is here", "say what is present"),
    ("takes no leave", "say what is not sent"),
    ("in vain", "without effect"),
    ("without a word", "without a message"),
    ("speaks of", "refers to, names"),
    ("speak of", "refer to, name"),
    ("comes of it", "say what the result is"),
    ("of no account", "ignored"),
    ("given out", "returned, emitted"),
    ("gives out", "returns, emits"),
    ("whatever happens", "say against what it is robust"),
    ("is none of", "is not one of, is not"),
    ("it is none", "it is not one, say what it is"),
    ("go on", "continue, resume"),
    ("has not .", "lacks, does not"),
    ("have not .", "lack, do not"),
    ("of no use", "unusable, not needed"),
    ("of no more use", "no longer needed"),
    ("lies there", "is kept, remains"),
    ("came of", "the result of"),
    ("the like", "name the other cases"),
    ("who asks", "the client, the user, the page that asks"),
    ("as far as it is", "so far, if it is known"),
    ("as it was typed", "as typed"),
    ("need be", "needs to be"),
    ("to be called again", "call again"),
    ("all the same", "nevertheless, too"),
    ("as it is now", "the current …"),
    ("over there", "at the other end, at the registry"),
    ("by the clock", "wall time"),
    ("by the book", "as the specification says"),
    ("whatever it costs", "at any cost"),
    ("how many there are", "the number of …"),
    ("what becomes of", "name the result"),
    ("leads nowhere", "names no file, counts as missing"),
    ("no longer there", "removed, missing"),
    ("is there already", "exists"),
    ("ends it all", "say what ends"),
    ("goes by", "is read, passes"),
    ("went by", "was read, passed"),
    ("shall be", "is, will be"),
    ("shall have", "has, will have"),
    ("of no avail", "without effect"),
    ("stays behind", "remains"),
    ("put down", "written, stored"),
];

/// Folders and files that still have such phrases. This list only shrinks.
const PENDING: &[&str] = &[];

/// This file quotes the phrases.
const TABLE: &str = "xtask/src/tidy/words.rs";

/// The complaints about a file.
pub(super) fn check(file: &str, text: &str) -> Vec<String> {
    if file == TABLE || PENDING.iter().any(|pending| file.starts_with(pending)) {
        return Vec::new();
    }
    find(file, text)
        .into_iter()
        .map(|(line, phrase, instead)| format!("{file}:{line}: `{phrase}`: write instead: {instead}"))
        .collect()
}

/// Every phrase in a file, with its line and the suggestion.
fn find(file: &str, text: &str) -> Vec<(usize, &'static str, &'static str)> {
    let mut found = Vec::new();
    for passage in passages(file, text) {
        for (phrase, instead) in PHRASES {
            let wanted: Vec<&str> = phrase.split(' ').collect();
            for window in passage.windows(wanted.len()) {
                if window.iter().map(|(_, word)| word.as_str()).eq(wanted.iter().copied()) {
                    found.push((window[0].0, *phrase, *instead));
                }
            }
        }
    }
    found.sort_unstable();
    found
}

/// The prose of a file: words in lower case with their lines. A phrase cannot reach from one passage into the next.
fn passages(file: &str, text: &str) -> Vec<Vec<(usize, String)>> {
    if !file.ends_with(".rs") {
        return vec![words(1, text).collect()];
    }
    let mut passages: Vec<Vec<(usize, String)>> = Vec::new();
    let mut after_comment = false;
    for piece in source::split(text) {
        match piece.kind {
            Kind::Code => after_comment &= piece.text.trim().is_empty(),
            Kind::Comment if after_comment => {
                passages.last_mut().into_iter().for_each(|last| last.extend(words(piece.line, &piece.text)));
            }
            Kind::Comment | Kind::Text => {
                passages.push(words(piece.line, &piece.text).collect());
                after_comment = piece.kind == Kind::Comment;
            }
        }
    }
    passages
}

/// The words of a text that starts on this line, in lower case, without punctuation around them. A mark that ends a
/// phrase is a word as well. Names such as `nobody.json` and placeholders such as `{told}` are not words.
fn words(line: usize, text: &str) -> impl Iterator<Item = (usize, String)> {
    const MARKS: [char; 9] = ['.', ',', ';', ':', '(', ')', '"', '|', '{'];
    text.lines().enumerate().flat_map(move |(index, text)| {
        text.split_whitespace().flat_map(move |token| {
            let word = token.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '{' | '}'));
            let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '\'');
            let start = token.starts_with(MARKS).then(|| ".".to_owned());
            let end = token.ends_with(MARKS).then(|| ".".to_owned());
            let word = if plain { word.to_lowercase() } else { "_".to_owned() };
            start.into_iter().chain([word]).chain(end).map(move |word| (line + index, word))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(file: &str, text: &str) -> Vec<(usize, &'static str)> {
        find(file, text).into_iter().map(|(line, phrase, _)| (line, phrase)).collect()
    }

    #[test]
    fn comments_strings_and_documents_are_searched() {
        assert_eq!(lines("a.rs", "//! Whoever reads.\nfn f() { g(\"Nobody\") }"), [(1, "whoever"), (2, "nobody")]);
        assert_eq!(lines("a.md", "# Title\n\nSo many\nwords."), [(3, "so many")]);
    }

    #[test]
    fn a_phrase_may_be_broken_over_lines_of_a_comment() {
        assert_eq!(lines("a.rs", "    // what goes\n    // on here\n    let x = 1;"), [(1, "goes on")]);
    }

    #[test]
    fn code_and_parts_of_words_are_not_phrases() {
        assert_eq!(lines("a.rs", "fn told() { nobody_here(retold) } // untold"), []);
        assert_eq!(lines("a.rs", "f(\"so\", \"many\"); // so, many"), []);
        assert_eq!(lines("a.rs", "f(\"{told}: nobody:x:65534, nobody.json\")"), []);
    }

    #[test]
    fn a_complaint_has_a_suggestion() {
        assert_eq!(check("a.rs", "// It goes on."), ["a.rs:1: `goes on`: write instead: continues, resumes, proceeds"]);
    }
}
