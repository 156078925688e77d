//! The form of values: characters, entropy, placeholders.

use std::ops::Range;

/// Longest value that is examined. It bounds the time that a hostile text can cost.
const RUN: usize = 8 << 10;

/// The run of bytes that `belongs` accepts, from a place on.
pub(super) fn run(text: &[u8], start: usize, belongs: fn(u8) -> bool) -> Range<usize> {
    let rest = text.get(start..text.len().min(start + RUN)).unwrap_or_default();
    start..start + rest.iter().position(|&byte| !belongs(byte)).unwrap_or(rest.len())
}

/// The same without trailing dots, which end a sentence.
pub(super) fn without_dots(text: &[u8], range: Range<usize>) -> Range<usize> {
    let dots = text[range.clone()].iter().rev().take_while(|&&byte| byte == b'.').count();
    range.start..range.end - dots
}

/// Whether this position is not inside a word.
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

/// Whether it is a placeholder: `${TOKEN}`, `<token>`, `xxxx`, `changeme`, `AKIA…EXAMPLE`.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    holds_placeholder(value, 0)
}

/// The same, by words of at least `shortest` letters.
fn holds_placeholder(value: &[u8], shortest: usize) -> bool {
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
        || WORDS.iter().any(|word| {
            let counts = word.len() >= shortest || !word.as_bytes()[0].is_ascii_alphabetic() || *word == "xxxx";
            counts && memchr::memmem::find(&lower, word.as_bytes()).is_some()
        })
}

/// Whether a token is random enough for its length to be no name and no placeholder. A word of four letters is in one of a thousand
/// random tokens: it makes only a short one a placeholder.
pub(super) fn is_random(value: &[u8]) -> bool {
    let bits = entropy(value);
    let least = if value.len() < 20 { 2.8 } else { 3.3 };
    let has = |belongs: fn(&u8) -> bool| value.iter().any(belongs);
    // Of 24 random letters and digits, one of sixty has no digit.
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && bits >= MIXED_BITS;
    let shortest = if value.len() < LONG_TOKEN { 0 } else { 5 };
    bits >= least && !holds_placeholder(value, shortest) && (has(u8::is_ascii_digit) || mixed)
}

/// From this length on, words of four letters do not make a token a placeholder.
const LONG_TOKEN: usize = 20;
/// Entropy of a token without digits. Names of functions have less.
const MIXED_BITS: f64 = 3.4;
