//! The form of values: characters, entropy, placeholders.

use std::ops::Range;

/// Longest value that is looked at, so that a hostile text costs no more than its length allows.
const RUN: usize = 8 << 10;

/// The run of bytes that `belongs` accepts, from a place on.
pub(super) fn run(text: &[u8], start: usize, belongs: fn(u8) -> bool) -> Range<usize> {
    let rest = text.get(start..text.len().min(start + RUN)).unwrap_or_default();
    start..start + rest.iter().position(|&byte| !belongs(byte)).unwrap_or(rest.len())
}

/// Whether no word begins before this place and includes it.
pub(super) fn starts_word(text: &[u8], start: usize) -> bool {
    start.checked_sub(1).and_then(|before| text.get(before)).is_none_or(|&byte| !is_word(byte))
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The base64 of URLs.
pub(super) fn is_token(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Bits of information for each byte, by how often each value occurs. Random base64 of 40 characters has more than 4.
pub(super) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    bytes.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    let total = bytes.len() as f64;
    counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| f64::from(count) / total)
        .map(|share| -share * share.log2())
        .sum()
}

/// Whether a person wrote it in place of a secret: `${TOKEN}`, `<token>`, `xxxx`, `changeme`, `AKIA…EXAMPLE`.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    const WORDS: [&str; 24] = [
        "example",
        "changeme",
        "change_me",
        "placeholder",
        "your",
        "xxxx",
        "****",
        "....",
        "redacted",
        "dummy",
        "sample",
        "secret",
        "password",
        "passwd",
        "token",
        "foobar",
        "12345678",
        "abcdef",
        "00000000",
        "none",
        "null",
        "true",
        "false",
        "undefined",
    ];
    const MARKS: [u8; 10] = [b'$', b'<', b'>', b'{', b'}', b'%', b'*', b'(', b')', b'@'];
    let lower = value.to_ascii_lowercase();
    value.iter().any(|byte| MARKS.contains(byte))
        || WORDS.iter().any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some())
}

/// Whether a token is random enough for its length to be no name and no placeholder.
pub(super) fn is_random(value: &[u8]) -> bool {
    let bits = entropy(value);
    let least = if value.len() < 20 { 2.8 } else { 3.3 };
    bits >= least && !is_placeholder(value) && value.iter().any(u8::is_ascii_digit)
}
