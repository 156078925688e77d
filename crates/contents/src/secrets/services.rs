//! Tokens whose form is more than a keyword and a length.

use super::{
    TextOrigin,
    found::{Confidence, Found},
    shape::{is_base64, is_random, is_token, is_word, run, starts_word, without_dots},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use memchr::memmem;
use std::ops::Range;

/// Three characters, `8Q~`, and 31 to 34 more: a secret of an application of Entra ID.
pub(super) fn azure_client(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    let start = hit.start.checked_sub(3)?;
    let end = run(text, hit.end, |byte| is_token(byte) || matches!(byte, b'~' | b'.')).end;
    let value = without_dots(text, start..end);
    let bytes = &text[value.clone()];
    let fits = text[hit.clone()] == *b"8Q~"
        && bytes[..3].iter().all(u8::is_ascii_alphanumeric)
        && starts_word(text, start)
        && (37..=40).contains(&bytes.len())
        && is_random(bytes);
    fits.then(|| Found::new(value, Confidence::High))
}

/// The signature in the address of a shared access signature.
pub(super) fn azure_sas(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    let value = run(text, hit.end, |byte| is_base64(byte) || byte == b'%');
    let near = &text[hit.start.saturating_sub(SAS)..text.len().min(value.end + SAS)];
    let bytes = &text[value.clone()];
    let fits = (43..=64).contains(&bytes.len()) && memmem::find(near, b"sv=20").is_some();
    // It is percent-encoded, which no placeholder is.
    let plain: Vec<u8> = bytes.iter().copied().filter(|&byte| byte != b'%').collect();
    (fits && is_random(&plain)).then(|| Found::new(value, Confidence::Medium))
}

/// Bytes around a signature in which the version of the service is looked for.
const SAS: usize = 400;

/// `123456789:AA` and 33 characters: the token of a bot.
pub(super) fn telegram(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    let digits = text[..hit.start].iter().rev().take(12).take_while(|byte| byte.is_ascii_digit()).count();
    let start = hit.start - digits;
    let value = start..run(text, hit.start + 1, is_token).end;
    let fits = text[hit.clone()] == *b":AA"
        && (8..=10).contains(&digits)
        && starts_word(text, start)
        && value.end - hit.start == 36
        && is_random(&text[hit.start + 1..value.end]);
    fits.then(|| Found::new(value, Confidence::High))
}

/// The number and the token of a webhook.
pub(super) fn discord_webhook(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    let number = run(text, hit.end, |byte| byte.is_ascii_digit());
    let value = run(text, number.end + 1, is_token);
    let fits = text.get(number.end) == Some(&b'/') && number.len() >= 17 && (60..=80).contains(&value.len());
    (fits && is_random(&text[value.clone()])).then(|| Found::new(number.start..value.end, Confidence::High))
}

/// 14 characters, `.atlasv1.`, and 60 to 70 more: a token of HCP Terraform.
pub(super) fn terraform(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    let start = hit.start.checked_sub(14)?;
    let value = start..run(text, hit.end, is_token).end;
    let fits = text[start..hit.start].iter().all(u8::is_ascii_alphanumeric)
        && starts_word(text, start)
        && (60..=70).contains(&(value.end - hit.end))
        && is_random(&text[hit.end..value.end]);
    fits.then(|| Found::new(value, Confidence::High))
}

/// `Authorization: Basic …` or `Bearer …` in an instruction. Documents are full of examples.
pub(super) fn header(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    if !matches!(origin, TextOrigin::Config) {
        return None;
    }
    let value = run(text, hit.end, |byte| is_base64(byte) || is_token(byte) || byte == b'.');
    let bytes = &text[value.clone()];
    let basic = || {
        STANDARD.decode(bytes).is_ok_and(|decoded| decoded.contains(&b':') && decoded.iter().all(u8::is_ascii_graphic))
    };
    let bearer = || bytes.len() >= 20 && is_random(bytes);
    (bytes.len() >= 12 && (basic() || bearer())).then(|| Found::new(value, Confidence::Medium))
}

/// `-u user:password` and `--password …` of a command in an instruction.
pub(super) fn command(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    if !matches!(origin, TextOrigin::Config)
        || hit.start.checked_sub(1).is_some_and(|before| !text[before].is_ascii_whitespace())
    {
        return None;
    }
    let quotes = run(text, hit.end, |byte| matches!(byte, b'"' | b'\''));
    let part = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\' | b';' | b'|' | b'&');
    let word = run(text, quotes.end, part);
    let colon = text[word.clone()].iter().position(|&byte| byte == b':');
    let value = match text[hit.clone()].starts_with(b"-u") || text[hit.clone()].starts_with(b"--user") {
        true => word.start + colon? + 1..word.end,
        false => word,
    };
    let bytes = &text[value.clone()];
    let is_path = bytes.contains(&b'/') || bytes.starts_with(b"-");
    let fits = bytes.len() >= 6
        && !is_path
        && !super::shape::is_placeholder(bytes)
        && bytes.iter().any(|byte| !byte.is_ascii_digit());
    fits.then(|| Found::new(value, Confidence::Medium))
}

/// `host:port:database:user:password` in PostgreSQL's file of passwords.
pub(super) fn pgpass(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    if !matches!(super::credentials::name(origin), b".pgpass" | b"pgpass.conf") {
        return None;
    }
    let start = memchr::memrchr(b'\n', &text[..hit.start]).map_or(0, |end| end + 1);
    let line = run(text, start, |byte| byte != b'\n' && byte != b'\r');
    if text[line.clone()].starts_with(b"#") {
        return None;
    }
    let mut colons =
        (line.start..line.end).filter(|&at| text[at] == b':' && (at == line.start || text[at - 1] != b'\\'));
    let value = colons.nth(3)? + 1..line.end;
    (value.len() >= 4 && !is_word_only(&text[value.clone()])).then(|| Found::new(value, Confidence::High))
}

/// Whether it is the placeholder of the documentation.
fn is_word_only(value: &[u8]) -> bool {
    [b"password".as_slice(), b"pass", b"secret"].contains(&value.to_ascii_lowercase().as_slice())
}

/// The private part of a key of PuTTY.
pub(super) fn putty(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    let rest = &text[hit.end..text.len().min(hit.end + 16_384)];
    let lines = memmem::find(rest, b"Private-Lines:")?;
    let start = lines + memchr::memchr(b'\n', &rest[lines..])? + 1;
    let end = start + memmem::find(&rest[start..], b"Private-MAC")?;
    let body: Vec<u8> = rest[start..end].iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let locked = memmem::find(rest, b"Encryption: none").is_none();
    let fits = body.len() >= 40 && body.iter().all(|&byte| is_base64(byte)) && !is_word_only(&body);
    let confidence = if locked { Confidence::Medium } else { Confidence::High };
    fits.then(|| Found::new(hit.end + start..hit.end + end, confidence))
}

/// `PrivateKey = …` of an interface of WireGuard: 32 bytes in base64.
pub(super) fn wireguard(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    let value = run(text, run(text, hit.end, |byte| matches!(byte, b' ' | b'\t' | b'=')).end, is_base64);
    let bytes = &text[value.clone()];
    let fits = value.start > hit.end
        && bytes.len() == 44
        && STANDARD.decode(bytes).is_ok_and(|key| key.len() == 32)
        && super::credentials::mentions(text, origin, b"[Interface]", super::credentials::HEAD);
    fits.then(|| Found::new(value, Confidence::High))
}

/// `name = value`, `"name": "value"`, `<name>value</name>` in a file that is known to hold settings.
pub(super) fn setting(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    if !is_settings(super::credentials::name(origin)) {
        return None;
    }
    let rest = run(text, hit.end, is_word);
    if !super::credentials::ends_name(&text[rest.clone()]) {
        return None;
    }
    let quote = run(text, rest.end, |byte| matches!(byte, b'"' | b'\''));
    let gap = run(text, quote.end, |byte| matches!(byte, b' ' | b'\t'));
    if !matches!(text.get(gap.end), Some(b'=' | b':' | b',' | b'>')) {
        return None;
    }
    let before = run(text, gap.end + 1, |byte| matches!(byte, b' ' | b'\t' | b'>' | b'"' | b'\''));
    let value =
        run(text, before.end, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'<' | b',' | b';'));
    let bytes = &text[value.clone()];
    let is_path = bytes.starts_with(b"/") || bytes.starts_with(b".") || memmem::find(bytes, b"://").is_some();
    let fits =
        bytes.len() >= 6 && !is_path && super::shape::entropy(bytes) >= 2.3 && !super::shape::is_placeholder(bytes);
    fits.then(|| Found::new(value, Confidence::Medium))
}

/// Whether programs keep passwords of their own in files of that name.
fn is_settings(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 24] = [
        b".my.cnf",
        b"my.cnf",
        b"wp-config.php",
        b"settings.xml",
        b"database.yml",
        b"secrets.yml",
        b"secrets.yaml",
        b"credentials",
        b"credentials.json",
        b"credentials.toml",
        b".s3cfg",
        b".boto",
        b"rclone.conf",
        b"gradle.properties",
        b"local_settings.py",
        b"settings.py",
        b"parameters.yml",
        b"docker-compose.yml",
        b"docker-compose.yaml",
        b"compose.yml",
        b"compose.yaml",
        b"db.properties",
        b"jdbc.properties",
        b"config.local.php",
    ];
    let lower = name.to_ascii_lowercase();
    let both = |start: &[u8], ends: &[&[u8]]| lower.starts_with(start) && ends.iter().any(|end| lower.ends_with(end));
    NAMES.contains(&lower.as_slice())
        || lower.ends_with(b".tfvars")
        || lower.ends_with(b".tfstate")
        || both(b"application", &[b".properties", b".yml", b".yaml"])
        || both(b"appsettings", &[b".json"])
}
