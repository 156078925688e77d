//! Paths as bytes: cleaning them, and the escape that `ls --json` and the page share.
//!
//! An archive name is any string of bytes, and may be made to deceive a reader. [`escape`] turns it into one line of
//! text that shows every byte; [`unescape`] reverses it.

use crate::digest::hex_digit;
use std::borrow::Cow;

/// Escapes a path so that every byte is visible. Printable UTF-8 stays, a backslash becomes `\\`, every other byte
/// becomes `\xNN` in lower-case hexadecimal.
///
/// Printable is what Rust's `Debug` leaves unescaped in a string, apart from quotes: letters, marks, numbers,
/// punctuation, symbols and the ASCII space. Escaped are control characters, line and paragraph separators,
/// bidirectional controls, zero-width and other format characters, other spaces, private-use and unassigned code points
/// and noncharacters. The result is borrowed if nothing was escaped.
pub fn escape(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.chars().all(|c| c != '\\' && is_printable(c))
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if is_printable(c) => out.push(c),
                c => escape_bytes(c.encode_utf8(&mut [0; 4]).as_bytes(), &mut out),
            }
        }
        escape_bytes(chunk.invalid(), &mut out);
    }
    Cow::Owned(out)
}

/// Reverses [`escape`]. Hexadecimal digits may be upper or lower case. `None` if a backslash starts neither `\\` nor
/// `\xNN`.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match (byte, tail) {
            (b'\\', [b'\\', tail @ ..]) => {
                out.push(b'\\');
                tail
            }
            (b'\\', [b'x', high, low, tail @ ..]) => {
                out.push(hex_digit(*high)? << 4 | hex_digit(*low)?);
                tail
            }
            (b'\\', _) => return None,
            (byte, tail) => {
                out.push(byte);
                tail
            }
        };
    }
    Some(out)
}

/// Returns the [cleaned](clean) paths that a typed path may stand for, in the order of look-up: first the text itself, then
/// its [unescaped](unescape) form, because listings print paths escaped.
pub fn meant(typed: &[u8]) -> Vec<Vec<u8>> {
    let escaped = std::str::from_utf8(typed).ok().filter(|text| text.contains('\\')).and_then(unescape);
    std::iter::once(clean(typed)).chain(escaped.map(|path| clean(&path))).collect()
}

/// Cleans an archive name to a path below the image root, as Go's `filepath.Clean("/" + name)` without the leading
/// slash: empty and `.` components are dropped, `..` removes the component before it and stops at the root. The empty
/// path is the root.
pub fn clean(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    for component in name.split(|&b| b == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                let parent = out.iter().rposition(|&b| b == b'/').unwrap_or(0);
                out.truncate(parent);
            }
            component => {
                if !out.is_empty() {
                    out.push(b'/');
                }
                out.extend_from_slice(component);
            }
        }
    }
    out
}

fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // `str::escape_debug` keeps a combining mark only after another character, so test it behind an `a`.
    let mut pair = [b'a', 0, 0, 0, 0];
    let end = 1 + c.encode_utf8(&mut pair[1..]).len();
    std::str::from_utf8(&pair[..end]).is_ok_and(|pair| pair.escape_debug().nth(1) == Some(c))
}

fn escape_bytes(bytes: &[u8], out: &mut String) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    for byte in bytes {
        out.extend(['\\', 'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_a_reader_cannot_see() {
        for (bytes, text) in [
            (&b"etc/passwd"[..], "etc/passwd"),
            ("café/日本 語".as_bytes(), "café/日本 語"),
            ("e\u{301}".as_bytes(), "e\u{301}"),
            (b"a'\"b", "a'\"b"),
            (b"a\\b", "a\\\\b"),
            (b"a\nb\x7f", "a\\x0ab\\x7f"),
            (b"a\xffb", "a\\xffb"),
            ("\u{202e}x".as_bytes(), "\\xe2\\x80\\xaex"),
            ("a\u{200b}\u{200d}\u{feff}".as_bytes(), "a\\xe2\\x80\\x8b\\xe2\\x80\\x8d\\xef\\xbb\\xbf"),
            ("\u{2028}\u{85}\u{a0}".as_bytes(), "\\xe2\\x80\\xa8\\xc2\\x85\\xc2\\xa0"),
            ("\u{fdd0}\u{e000}".as_bytes(), "\\xef\\xb7\\x90\\xee\\x80\\x80"),
            (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        ] {
            assert_eq!(escape(bytes), text);
            assert_eq!(unescape(text).as_deref(), Some(bytes));
        }
    }

    #[test]
    fn refuses_other_escapes() {
        for text in ["\\", "a\\n", "\\x4", "\\xg0", "\\u0041"] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }

    #[test]
    fn a_listed_path_may_be_typed_again() {
        assert_eq!(meant(b"/etc//passwd"), [b"etc/passwd"]);
        assert_eq!(meant(b"caf\\xe9"), [b"caf\\xe9".to_vec(), b"caf\xe9".to_vec()]);
        assert_eq!(meant(b"a\\\\b"), [b"a\\\\b".to_vec(), b"a\\b".to_vec()]);
        assert_eq!(meant(b"a\\n"), [b"a\\n"]);
        assert_eq!(meant(b"caf\xe9\\x41"), [b"caf\xe9\\x41"]);
    }

    #[test]
    fn cleans_as_go_does() {
        for (name, path) in [
            ("", ""),
            ("/", ""),
            (".", ""),
            ("..", ""),
            ("./a/./b//c/", "a/b/c"),
            ("/etc/passwd", "etc/passwd"),
            ("a/../../x", "x"),
            ("a/b/../c", "a/c"),
            ("../../etc/x", "etc/x"),
            ("...", "..."),
            ("a/..", ""),
        ] {
            assert_eq!(clean(name.as_bytes()), path.as_bytes(), "{name}");
        }
    }
}
