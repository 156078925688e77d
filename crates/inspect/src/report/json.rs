//! JSON that is safe to print.

use porthole_core::path;
use serde::Serialize;
use serde_json::{Serializer, ser::Formatter};
use std::{
    borrow::Cow,
    io::{self, Write},
};

/// Writes a value as JSON without characters that a terminal interprets.
///
/// # Errors
/// Those of the writer, and a value that JSON cannot hold.
pub fn write_json(out: &mut impl Write, value: &impl Serialize, formatter: impl Formatter) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Visible(formatter))).map_err(io::Error::from)
}

/// Writes some characters in hexadecimal, as in `\u009b`: those that a terminal interprets or does not show. They are
/// DEL, U+0080 to U+009F, bidirectional controls, zero-width and other format characters. A parser reads the same
/// string. JSON itself requires this only below U+0020.
struct Visible<F>(F);

impl<F: Formatter> Formatter for Visible<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if is_visible(fragment) {
            return out.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            let mut utf8 = [0; 4];
            let text: &str = c.encode_utf8(&mut utf8);
            if is_visible(text) {
                out.write_all(text.as_bytes())?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

fn is_visible(fragment: &str) -> bool {
    matches!(path::escape(fragment.as_bytes()), Cow::Borrowed(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{
        Value, json,
        ser::{CompactFormatter, PrettyFormatter},
    };

    #[test]
    fn json_shows_what_a_terminal_would_obey() {
        let value = json!({ "a\u{9b}": ["\u{1b}[0m\u{7f}\\ \"é", "\u{202e}x\u{feff}", "\u{e0001}"] });
        let mut line = Vec::new();
        write_json(&mut line, &value, CompactFormatter).unwrap();
        let line = String::from_utf8(line).unwrap();
        let expected = r#"{"a\u009b":["\u001b[0m\u007f\\ \"é","\u202ex\ufeff","\udb40\udc01"]}"#;
        assert_eq!(line, expected);
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
    }

    #[test]
    fn indented_json_is_as_before() {
        let value = json!({ "a": [1, {}], "b": {} });
        let mut text = Vec::new();
        write_json(&mut text, &value, PrettyFormatter::new()).unwrap();
        assert_eq!(text, serde_json::to_vec_pretty(&value).unwrap());
    }
}
