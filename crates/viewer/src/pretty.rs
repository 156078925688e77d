//! JSON with line breaks for people. The text is not parsed into values and written again: every key, string and number stays as
//! its author wrote it, in the same order, doubled keys included.

/// A piece of indented JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The kind of the piece.
    pub kind: TokenKind,
    /// The characters as they are in the document, or the space between them.
    pub text: String,
}

/// The kind of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Brackets, commas, colons and white space.
    Punctuation,
    /// A string before a colon.
    Key,
    /// Any other string.
    Text,
    /// A number, `true`, `false` or `null`.
    Literal,
}

/// Levels of indentation that are drawn; deeper ones stay at the last.
const DEPTH: usize = 40;

/// The pieces of a JSON text. Together they contain all of it: text that is not JSON is laid out oddly, and nothing is lost.
pub fn pretty(json: &str) -> Vec<Token> {
    let mut writer = Writer::default();
    let mut depth = 0_usize;
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            _ if is_punctuation(first) || first.is_ascii_whitespace() => first.len_utf8(),
            _ => rest.find(|c: char| is_punctuation(c) || c.is_ascii_whitespace() || c == '"').unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        let next = || after.trim_ascii_start().chars().next();
        match first {
            '{' | '[' => {
                writer.push(TokenKind::Punctuation, token);
                if !matches!(next(), Some('}' | ']')) {
                    depth += 1;
                    writer.line(depth);
                }
            }
            '}' | ']' => {
                if !writer.after_open() {
                    depth = depth.saturating_sub(1);
                    writer.line(depth);
                }
                writer.push(TokenKind::Punctuation, token);
            }
            ',' => {
                writer.push(TokenKind::Punctuation, token);
                writer.line(depth);
            }
            ':' => writer.push(TokenKind::Punctuation, ": "),
            '"' if next() == Some(':') => writer.push(TokenKind::Key, &visible(token)),
            '"' => writer.push(TokenKind::Text, &visible(token)),
            _ if first.is_ascii_whitespace() => {}
            _ => writer.push(TokenKind::Literal, &visible(token)),
        }
    }
    writer.tokens
}

fn is_punctuation(character: char) -> bool {
    matches!(character, '{' | '}' | '[' | ']' | ',' | ':')
}

/// Bytes of the string at the beginning of a text, quotes included; the whole text if it has no end.
pub(crate) fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// Text in which invisible characters, and those that change the direction of text, are JSON escapes.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            let units = character.encode_utf16(&mut [0; 2]).to_vec();
            shown.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Control characters, line separators, and what Unicode lets a program ignore (`Default_Ignorable_Code_Point`), without the selectors of
/// how an emoji looks.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            u32::from(character),
            0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x2028..=0x202e
                | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0d | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0x1_bca0..=0x1_bca3
                | 0x1_d173..=0x1_d17a | 0xe_0000..=0xe_0fff
        )
}

/// A line of any bytes in the same way. Tabs stay; bytes that are not UTF-8 become `\\xNN`.
pub fn visible_bytes(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for part in chunk.valid().split_inclusive('\t') {
            shown.push_str(&visible(part.trim_end_matches('\t')));
            shown.push_str(&part[part.trim_end_matches('\t').len()..]);
        }
        chunk.invalid().iter().for_each(|byte| shown.push_str(&format!("\\x{byte:02x}")));
    }
    shown
}

#[derive(Default)]
struct Writer {
    tokens: Vec<Token>,
}

impl Writer {
    fn push(&mut self, kind: TokenKind, text: &str) {
        match self.tokens.last_mut() {
            Some(last) if last.kind == kind && kind == TokenKind::Punctuation => last.text.push_str(text),
            _ => self.tokens.push(Token { kind, text: text.to_owned() }),
        }
    }

    fn line(&mut self, depth: usize) {
        let mut text = String::from("\n");
        text.extend(std::iter::repeat_n("  ", depth.min(DEPTH)));
        self.push(TokenKind::Punctuation, &text);
    }

    fn after_open(&self) -> bool {
        self.tokens.last().is_some_and(|last| last.kind == TokenKind::Punctuation && last.text.ends_with(['{', '[']))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hides_and_nothing_turns_the_text_around_it() {
        for (text, expected) in [
            ("a\u{202e}b", "a\\u202eb"),
            ("\u{2066}x\u{2069}", "\\u2066x\\u2069"),
            ("a\u{200b}b\u{feff}", "a\\u200bb\\ufeff"),
            ("\u{1b}[31m\u{7f}\u{85}", "\\u001b[31m\\u007f\\u0085"),
            ("a\u{3164}b\u{115f}", "a\\u3164b\\u115f"),
            ("latest\u{e0041}", "latest\\udb40\\udc41"),
            ("é ü \u{5d0} 中 \u{2764}\u{fe0f}", "é ü \u{5d0} 中 \u{2764}\u{fe0f}"),
        ] {
            assert_eq!(visible(text), expected);
            assert!(!visible(text).chars().any(is_hidden));
        }
    }

    fn text(json: &str) -> String {
        pretty(json).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn laid_out() {
        let json = r#"{"a":[1,{"b":"c:{\"}"}],"a":{ },"e":[ ],"n":1.0e+2}"#;
        let expected = "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"c:{\\\"}\"\n    }\n  ],\n  \"a\": {},\n  \"e\": [],\n  \"n\": 1.0e+2\n}";
        assert_eq!(text(json), expected);
        assert_eq!(text(expected), expected);
    }

    #[test]
    fn bytes_of_a_line_can_be_shown() {
        assert_eq!(visible_bytes(b"a\t\tb\r\xff\xe2\x80\xae\xc3\xa9"), "a\t\tb\\u000d\\xff\\u202eé");
        assert_eq!(visible_bytes(b"\t"), "\t");
    }

    #[test]
    fn kinds() {
        let kinds: Vec<TokenKind> = pretty(r#"{"k" : "v", "n": true}"#).into_iter().map(|token| token.kind).collect();
        use TokenKind::{Key, Literal, Punctuation, Text};
        assert_eq!(kinds, [Punctuation, Key, Punctuation, Text, Punctuation, Key, Punctuation, Literal, Punctuation]);
    }

    #[test]
    fn anything_comes_out_whole() {
        for json in ["", "é", "\"open", "}}]]", "{\"a\\", "[[[[", "not json at all", "\"\\"] {
            let squeezed = |text: &str| text.replace([' ', '\n'], "");
            assert_eq!(squeezed(&text(json)), squeezed(json), "{json:?}");
        }
        assert!(text(&"[".repeat(100_000)).len() < 100_000 * 90);
    }

    #[test]
    fn nothing_is_hidden() {
        assert_eq!(text("\"a\u{202e}b\u{1b}\""), r#""a\u202eb\u001b""#);
    }
}
