//! Words of a POSIX shell.

/// Quotes a word, where it needs quotes, so that a shell reads it back.
pub fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (word, quoted) in [
            ("nginx:1.29", "nginx:1.29"),
            ("a@sha256:0%+,-./=_", "a@sha256:0%+,-./=_"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$(x)", "'$(x)'"),
            ("ü", "'ü'"),
            ("~root", "'~root'"),
        ] {
            assert_eq!(quote(word), quoted);
        }
    }
}
