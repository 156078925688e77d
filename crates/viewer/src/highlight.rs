//! Pieces of a text that are drawn in colours: comments, strings, keywords, numbers, keys. This reads lexical structure only; it is not a parser.

mod language;

use language::{Language, Quote};
use serde::{Deserialize, Serialize};

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPiece {
    /// Where it starts, in units of UTF-16, as a browser counts.
    pub start: u32,
    /// How many such units.
    pub length: u32,
    /// The kind of the piece.
    pub kind: PieceKind,
}

/// The kind of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PieceKind {
    /// A comment, with its marks.
    Comment,
    /// A string, with its quotes.
    Text,
    /// A word of the language, or the name of a tag.
    Keyword,
    /// A number, or `true`, `false`, `null`.
    Number,
    /// A key before its value, or the name of an attribute.
    Key,
}

impl PieceKind {
    /// Every kind that is drawn.
    pub const ALL: [Self; 5] = [Self::Comment, Self::Text, Self::Keyword, Self::Number, Self::Key];

    /// Its name in a style sheet.
    pub fn name(self) -> &'static str {
        match self {
            Self::Comment => "code-comment",
            Self::Text => "code-text",
            Self::Keyword => "code-keyword",
            Self::Number => "code-number",
            Self::Key => "code-key",
        }
    }
}

/// Most pieces of one text: a file with more is coloured at its beginning.
const PIECES: usize = 60_000;

/// The pieces of the file at a path, in order. Empty for a type that is not known. Takes linear time.
pub fn highlight(path: &str, text: &str) -> Vec<TextPiece> {
    let Some(language) = Language::of(path, text) else { return Vec::new() };
    let mut reader = Reader { text, at: 0, units: 0, pieces: Vec::new() };
    if language.tags {
        reader.markup()
    } else {
        reader.code(language)
    }
    reader.pieces
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// Units of UTF-16 before `at`.
    units: u32,
    pieces: Vec<TextPiece>,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Advances by some bytes, which become a piece if they have a kind.
    fn take(&mut self, bytes: usize, kind: Option<PieceKind>) {
        let length = self.rest()[..bytes].chars().map(|character| character.len_utf16() as u32).sum();
        if let Some(kind) = kind.filter(|_| length > 0 && self.pieces.len() < PIECES) {
            self.pieces.push(TextPiece { start: self.units, length, kind });
        }
        self.at += bytes;
        self.units += length;
    }

    fn code(&mut self, language: &Language) {
        // Whether only white space came before on this line.
        let mut line_start = true;
        while let Some(first) = self.rest().chars().next() {
            let rest = self.rest();
            if self.pieces.len() >= PIECES {
                return;
            }
            let spaced = line_start || self.text[..self.at].ends_with([' ', '\t']);
            let line = language.line.iter().any(|mark| rest.starts_with(mark) && (!language.words || spaced));
            let block = language.block.filter(|(open, _)| rest.starts_with(open));
            let quote = language.quotes.iter().find(|quote| rest.starts_with(quote.open));
            if line {
                self.take(rest.find('\n').unwrap_or(rest.len()), Some(PieceKind::Comment));
            } else if let Some((open, close)) = block {
                let end = rest[open.len()..].find(close).map_or(rest.len(), |end| open.len() + end + close.len());
                self.take(end, Some(PieceKind::Comment));
            } else if let Some(quote) = quote {
                let end = string_end(rest, quote);
                let kind = if language.keys && is_key(&rest[end..]) { PieceKind::Key } else { PieceKind::Text };
                self.take(end, Some(kind));
            } else if is_word(first) {
                let end = rest.find(|c: char| !(is_word(c) || language.words && c == '-')).unwrap_or(rest.len());
                let word = &rest[..end];
                let kind = if first.is_ascii_digit() || language::LITERALS.contains(&word) {
                    Some(PieceKind::Number)
                } else if line_start && language.keys && is_key(&rest[end..]) {
                    Some(PieceKind::Key)
                } else {
                    let upper;
                    let word = if language.any_case {
                        upper = word.to_ascii_lowercase();
                        upper.as_str()
                    } else {
                        word
                    };
                    language.keywords.contains(&word).then_some(PieceKind::Keyword)
                };
                self.take(end, kind);
            } else if line_start && language.sections && first == '[' {
                self.take(rest.find('\n').unwrap_or(rest.len()), Some(PieceKind::Keyword));
            } else {
                self.take(first.len_utf8(), None);
            }
            line_start = first == '\n' || line_start && matches!(first, ' ' | '\t' | '-' | '{' | ',');
        }
    }

    /// XML and HTML.
    fn markup(&mut self) {
        while let Some(first) = self.rest().chars().next() {
            let rest = self.rest();
            if self.pieces.len() >= PIECES {
                return;
            }
            if rest.starts_with("<!--") {
                let end = rest.find("-->").map_or(rest.len(), |end| end + 3);
                self.take(end, Some(PieceKind::Comment));
            } else if first == '<' {
                let name =
                    rest[1..].find(|c: char| !is_word(c) && !"/?!:-.".contains(c)).map_or(rest.len(), |end| end + 1);
                self.take(name, Some(PieceKind::Keyword));
                self.attributes();
            } else {
                let end = rest.find('<').unwrap_or(rest.len());
                self.take(end, None);
            }
        }
    }

    fn attributes(&mut self) {
        while let Some(first) = self.rest().chars().next() {
            let rest = self.rest();
            match first {
                '>' => return self.take(1, Some(PieceKind::Keyword)),
                '<' => return,
                '"' | '\'' => {
                    let end = rest[1..].find(first).map_or(rest.len(), |end| end + 2);
                    self.take(end, Some(PieceKind::Text));
                }
                _ if is_word(first) => {
                    let end = rest.find(|c: char| !is_word(c) && !":-.".contains(c)).unwrap_or(rest.len());
                    self.take(end, Some(PieceKind::Key));
                }
                _ => self.take(first.len_utf8(), None),
            }
        }
    }
}

/// Bytes of the string at the beginning of a text. One that may not go over lines ends with its line at the latest.
fn string_end(text: &str, quote: &Quote) -> usize {
    let start = quote.open.len();
    let mut escaped = false;
    for (place, character) in text[start..].char_indices() {
        let here = start + place;
        match character {
            _ if escaped => escaped = false,
            '\\' if quote.escapes => escaped = true,
            '\n' if !quote.lines => return here,
            _ if text[here..].starts_with(quote.open) => return here + quote.open.len(),
            _ => {}
        }
    }
    text.len()
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Whether what follows a word makes it a key.
fn is_key(rest: &str) -> bool {
    let rest = rest.trim_start_matches([' ', '\t']);
    rest.starts_with('=') && !rest.starts_with("==") || rest.starts_with(':') && !rest.starts_with("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(path: &str, text: &str) -> Vec<(PieceKind, String)> {
        let units: Vec<u16> = text.encode_utf16().collect();
        let piece = |piece: &TextPiece| {
            let range = piece.start as usize..(piece.start + piece.length) as usize;
            (piece.kind, String::from_utf16(&units[range]).unwrap())
        };
        highlight(path, text).iter().map(piece).collect()
    }

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[(PieceKind, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(kind, text)| (*kind, (*text).to_owned())).collect();
        assert_eq!(pieces(path, text), expected, "{path}");
    }

    use PieceKind::{Comment, Key, Keyword, Number, Text};

    #[test]
    fn each_type_has_its_pieces() {
        check(
            "usr/bin/tool",
            "#!/bin/sh\nif test \"$1\" = 'a b'; then exit 2; fi # é\nx=$#\n",
            &[
                (Comment, "#!/bin/sh"),
                (Keyword, "if"),
                (Text, "\"$1\""),
                (Text, "'a b'"),
                (Keyword, "then"),
                (Keyword, "exit"),
                (Number, "2"),
                (Keyword, "fi"),
                (Comment, "# é"),
            ],
        );
        check(
            "a.py",
            "\"\"\"One\ntwo\"\"\"\ndef f(x): return None",
            &[(Text, "\"\"\"One\ntwo\"\"\""), (Keyword, "def"), (Keyword, "return"), (Number, "None")],
        );
        check(
            "a.json",
            "{\"😀\": [1, true, \"b\\\"\"]}",
            &[(Key, "\"😀\""), (Number, "1"), (Number, "true"), (Text, "\"b\\\"\"")],
        );
        check(
            "etc/app.ini",
            "; c\n[main]\nname = 5\n",
            &[(Comment, "; c"), (Keyword, "[main]"), (Key, "name"), (Number, "5")],
        );
        check("a.yaml", "key-1: v # c\n- b: 2", &[(Key, "key-1"), (Comment, "# c"), (Key, "b"), (Number, "2")]);
        check(
            "a.c",
            "/* a\nb */ int x = 0x1f; // c",
            &[(Comment, "/* a\nb */"), (Keyword, "int"), (Number, "0x1f"), (Comment, "// c")],
        );
        check(
            "a.xml",
            "<!-- c --><a b='1'>t</a>",
            &[
                (Comment, "<!-- c -->"),
                (Keyword, "<a"),
                (Key, "b"),
                (Text, "'1'"),
                (Keyword, ">"),
                (Keyword, "</a"),
                (Keyword, ">"),
            ],
        );
        check("Dockerfile", "FROM a\nRUN b # c\n", &[(Keyword, "FROM"), (Keyword, "RUN"), (Comment, "# c")]);
        check("notes.txt", "if this then that", &[]);
    }

    #[test]
    fn whatever_comes_ends_and_stays_inside() {
        for path in ["a.sh", "a.py", "a.json", "a.xml", "a.c", "a.toml"] {
            for text in ["\"", "'a\\", "<", "<a b=\"", "/*", "#", "\u{1f511}\"\u{1f511}", "[", "\"\"\"", "<!--"] {
                let units = text.encode_utf16().count() as u32;
                assert!(
                    highlight(path, text).iter().all(|piece| piece.start + piece.length <= units),
                    "{path}: {text}"
                );
            }
            let many = "a = 1 \"x\" # c\n".repeat(40_000);
            assert!(highlight(path, &many).len() <= PIECES);
        }
    }
}
