//! Escapes untrusted text for error messages.

const SHOWN: usize = 96;

/// Escapes control, bidirectional and other unprintable characters in `bytes`, and truncates after [`SHOWN`] bytes.
pub(crate) fn quote(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN)];
    let mut text = String::with_capacity(shown.len());
    for chunk in shown.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\'' => text.push(character),
                _ => text.extend(character.escape_debug()),
            }
        }
        // The truncation may split a character; that is not malformed input.
        let cut = shown.len() < bytes.len() && shown.ends_with(chunk.invalid());
        if !cut {
            for byte in chunk.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
    }
    if shown.len() < bytes.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unprintable_text_is_escaped_and_long_text_is_cut() {
        assert_eq!(quote(b"plain \"text\""), "plain \"text\"");
        assert_eq!(quote(b"\x1b]0;pwned\x07\n"), "\\u{1b}]0;pwned\\u{7}\\n");
        assert_eq!(quote("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(quote(b"a\xffb"), "a\\xffb");
        assert_eq!(quote(&[b'x'; 200]), format!("{}…", "x".repeat(96)));
        assert_eq!(quote("é".repeat(100).as_bytes()), format!("{}…", "é".repeat(48)));
        assert_eq!(quote(format!("x{}", "é".repeat(100)).as_bytes()), format!("x{}…", "é".repeat(47)));
    }
}
