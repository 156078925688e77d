//! Text that is safe to write to a terminal.

use porthole_core::path;
use std::{borrow::Cow, fmt::Display};

/// Text without control characters: unprintable bytes are escaped as `\xNN`. `Stderr` accepts only this type, so that no
/// caller can forget to escape. Escaping twice changes nothing, because a backslash is not escaped.
pub(crate) struct Printable(String);

impl Printable {
    /// One line: a line break is escaped too.
    pub(crate) fn line(text: impl Display) -> Self {
        Self(safe(&text.to_string()).into_owned())
    }

    /// Text of several lines, each escaped.
    pub(crate) fn lines(text: impl Display) -> Self {
        Self(text.to_string().split('\n').map(safe).collect::<Vec<_>>().join("\n"))
    }

    /// Puts a word in a colour before the text. The colour is the only escape sequence in it.
    pub(crate) fn behind(self, word: &str, color: Option<&'static str>) -> Self {
        let word = safe(word);
        match color {
            Some(code) => Self(format!("\x1b[{code}m{word}\x1b[0m {}", self.0)),
            None => Self(format!("{word} {}", self.0)),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Escapes untrusted text to one line: unprintable bytes become `\xNN`. A backslash is unchanged.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return path::escape(text.as_bytes());
    }
    let parts: Vec<_> = text.split('\\').map(|part| path::escape(part.as_bytes())).collect();
    Cow::Owned(parts.join("\\"))
}

/// Escapes a line of a file as [`safe`] does, but takes bytes and keeps tabs.
pub(crate) fn safe_line(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for part in bytes.split_inclusive(|byte| matches!(byte, b'\\' | b'\t')) {
        let (text, end) = match part.split_last() {
            Some((b'\\', text)) => (text, "\\"),
            Some((b'\t', text)) => (text, "\t"),
            _ => (part, ""),
        };
        out += &path::escape(text);
        out += end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_files_are_shown_without_what_a_terminal_obeys() {
        assert_eq!(safe_line(b"a\tb\\n\x1b[2J\xff\\"), "a\tb\\n\\x1b[2J\\xff\\");
        assert_eq!(safe_line(b""), "");
    }

    #[test]
    fn strangers_cannot_write_to_the_terminal() {
        assert_eq!(safe("a\x1b]0;x\x07\nb\\c\u{202e}"), "a\\x1b]0;x\\x07\\x0ab\\c\\xe2\\x80\\xae");
        assert_eq!(Printable::lines("one\ntwo\r\x1b\n").as_str(), "one\ntwo\\x0d\\x1b\n");
        assert_eq!(Printable::line("one\ntwo\u{9b}").as_str(), "one\\x0atwo\\xc2\\x9b");
        let twice = Printable::line(Printable::line("a\x1b\\").as_str());
        assert_eq!(twice.as_str(), "a\\x1b\\");
        assert_eq!(Printable::line("\x1b").behind("\x1bx", Some("31")).as_str(), "\x1b[31m\\x1bx\x1b[0m \\x1b");
    }
}
