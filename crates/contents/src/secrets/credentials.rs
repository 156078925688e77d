//! Credentials in the files of programs, in URLs and in variables.

use super::{
    TextOrigin,
    found::{Confidence, Found},
    shape::{entropy, is_placeholder, is_random, is_word, run, starts_word},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use memchr::memmem;
use std::ops::Range;

/// `"auth": "base64 of user:password"` in Docker's `config.json`, podman's `auth.json`, or a pull secret.
pub(super) fn docker_auth(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    let value = quoted(text, hit.end)?;
    let decoded =
        STANDARD.decode(&text[value.clone()]).or_else(|_| STANDARD_NO_PAD.decode(&text[value.clone()])).ok()?;
    let colon = decoded.iter().position(|&byte| byte == b':')?;
    let (user, password) = (&decoded[..colon], &decoded[colon + 1..]);
    let fits =
        of_docker(text, origin) && !user.is_empty() && password.len() >= 4 && decoded.iter().all(u8::is_ascii_graphic);
    (fits && !is_placeholder(password)).then(|| Found::new(value, Confidence::High))
}

/// `"identitytoken": …` or `"registrytoken": …` in the same files.
pub(super) fn registry_token(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    let value = quoted(text, hit.end)?;
    let bytes = &text[value.clone()];
    let fits = of_docker(text, origin) && bytes.len() >= 16 && bytes.iter().all(u8::is_ascii_graphic);
    (fits && is_random(bytes)).then(|| Found::new(value, Confidence::High))
}

fn of_docker(text: &[u8], origin: TextOrigin<'_>) -> bool {
    mentions(text, origin, b"\"auths\"", HEAD) || name(origin) == b".dockercfg"
}

/// The JSON string after a colon.
fn quoted(text: &[u8], from: usize) -> Option<Range<usize>> {
    let start = run(text, from, |byte| matches!(byte, b':' | b' ' | b'\t' | b'\n')).end;
    if text.get(start) != Some(&b'"') || start == from {
        return None;
    }
    let value = run(text, start + 1, |byte| byte != b'"' && byte != b'\n');
    (!value.is_empty()).then_some(value)
}

/// `//HOST/:_authToken=…`, `_auth=…`, `_password=…`.
pub(super) fn npmrc(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    let at_registry = text[..hit.start].ends_with(b"/:");
    if !at_registry && !matches!(name(origin), b".npmrc" | b"npmrc") {
        return None;
    }
    let start = run(text, hit.end, |byte| byte == b' ').end;
    if text.get(start) != Some(&b'=') {
        return None;
    }
    let value = run(text, run(text, start + 1, |byte| matches!(byte, b' ' | b'"')).end, |byte| {
        byte.is_ascii_graphic() && byte != b'"'
    });
    let bytes = &text[value.clone()];
    (bytes.len() >= 8 && !is_placeholder(bytes)).then(|| Found::new(value, Confidence::High))
}

/// `machine … login … password …`, or `default login … password …`.
pub(super) fn netrc(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    let is_netrc = mentions(text, origin, b"machine", HEAD) || mentions(text, origin, b"default", HEAD);
    if !matches!(name(origin), b".netrc" | b"_netrc" | b"netrc") || !is_netrc {
        return None;
    }
    let blank = |byte: u8| matches!(byte, b' ' | b'\t');
    let value = run(text, run(text, hit.end, blank).end, |byte| byte.is_ascii_graphic());
    let bytes = &text[value.clone()];
    (value.start > hit.end && bytes.len() >= 4 && !is_placeholder(bytes)).then(|| Found::new(value, Confidence::High))
}

/// `password = …` or `password: …`.
pub(super) fn pypirc(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    if !matches!(name(origin), b".pypirc") {
        return None;
    }
    let value =
        run(text, run(text, hit.end, |byte| matches!(byte, b' ' | b'=' | b':')).end, |byte| byte.is_ascii_graphic());
    let bytes = &text[value.clone()];
    (value.start > hit.end && bytes.len() >= 4 && !is_placeholder(bytes)).then(|| Found::new(value, Confidence::High))
}

/// `token: …` of a user, and the tokens of a provider: `access-token: …`.
pub(super) fn kubeconfig_token(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    let value = of_kubeconfig(text, &hit, origin)?;
    (value.len() >= 16 && !is_placeholder(&text[value.clone()])).then(|| Found::new(value, Confidence::High))
}

/// `password: …` of a user.
pub(super) fn kubeconfig_password(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    let value = of_kubeconfig(text, &hit, origin)?;
    (value.len() >= 4 && !is_placeholder(&text[value.clone()])).then(|| Found::new(value, Confidence::High))
}

/// The value of a name in a kubeconfig, as YAML or JSON.
fn of_kubeconfig(text: &[u8], hit: &Range<usize>, origin: TextOrigin<'_>) -> Option<Range<usize>> {
    const BEFORE: [&[u8]; 3] = [b"access-", b"id-", b"refresh-"];
    let before = &text[..hit.start];
    let start = BEFORE.iter().find(|name| before.ends_with(name)).map_or(hit.start, |name| hit.start - name.len());
    let starts_name = starts_word(text, start) && start.checked_sub(1).is_none_or(|before| text[before] != b'-');
    if !starts_name || !is_kubeconfig(text, origin) {
        return None;
    }
    let blank = run(text, hit.end, |byte| matches!(byte, b' ' | b'\t'));
    let value = match text.get(blank.end) {
        Some(b'"') => run(text, blank.end + 1, |byte| byte.is_ascii_graphic() && byte != b'"'),
        Some(b'\'') => run(text, blank.end + 1, |byte| byte.is_ascii_graphic() && byte != b'\''),
        _ => run(text, blank.end, |byte| byte.is_ascii_graphic()),
    };
    Some(value)
}

fn is_kubeconfig(text: &[u8], origin: TextOrigin<'_>) -> bool {
    const MARKS: [&[u8]; 3] = [b"current-context", b"kind: Config", b"\"kind\":\"Config\""];
    if let TextOrigin::Line(path) = origin {
        return [b".kube/".as_slice(), b"kubeconfig", b"kubernetes/"]
            .iter()
            .any(|part| memmem::find(path, part).is_some());
    }
    mentions(text, origin, b"users", KUBECONFIG) && MARKS.iter().any(|mark| mentions(text, origin, mark, KUBECONFIG))
}

/// `scheme://user:password@host`. In git's `.git-credentials` it is a real one; elsewhere it may be an example.
pub(super) fn url(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    const EXAMPLES: [&[u8]; 6] = [b"example", b"localhost", b"127.0.0.1", b"host", b"server", b"proxy"];
    const USUAL: [&[u8]; 9] = [b"pass", b"pw", b"pwd", b"p", b"guest", b"postgres", b"root", b"test", b"admin"];
    if !text[..hit.start].last()?.is_ascii_alphanumeric() {
        return None;
    }
    let is_part = |byte: u8| {
        byte.is_ascii_graphic()
            && !matches!(
                byte,
                b'/' | b'@' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'?' | b'#' | b'\\' | b',' | b'|' | b'[' | b']'
            )
    };
    let part = run(text, hit.end, is_part);
    if text.get(part.end) != Some(&b'@') {
        return None;
    }
    let colon = text[part.clone()].iter().position(|&byte| byte == b':')?;
    let password = part.start + colon + 1..part.end;
    let bytes = &text[password.clone()];
    let host = run(text, part.end + 1, |byte| is_word(byte) || matches!(byte, b'.' | b'-' | b':'));
    let host = text[host].to_ascii_lowercase();
    if bytes.len() < 3 || colon == 0 || host.len() < 3 || is_placeholder(bytes) {
        return None;
    }
    let stored = name(origin) == b".git-credentials";
    let example = EXAMPLES.iter().any(|word| memmem::find(&host, word).is_some())
        || USUAL.contains(&bytes)
        || bytes == &text[part.start..part.start + colon];
    let confidence = match (stored, example) {
        (true, _) => Confidence::High,
        (false, false) => Confidence::Medium,
        (false, true) => Confidence::Low,
    };
    Some(Found::new(password, confidence))
}

/// `user:$6$salt$hash:…` in `/etc/shadow`.
pub(super) fn shadow(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    const FILES: [&[u8]; 2] = [b"etc/shadow", b"etc/shadow-"];
    if !matches!(origin, TextOrigin::File(path) | TextOrigin::Line(path) if FILES.contains(&path)) {
        return None;
    }
    let first = text[..hit.start].iter().rev().take_while(|&&byte| byte != b'\n').all(|&byte| byte != b':');
    let value = run(text, hit.start + 1, |byte| !matches!(byte, b':' | b'\n'));
    (first && value.len() >= 13).then(|| Found::new(value, Confidence::Medium))
}

/// `NAME_WITH_PASSWORD=value` in a configuration or an `.env` file.
pub(super) fn assigned(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    let of_variables = name(origin) == b".env" || name(origin).starts_with(b".env.");
    if !of_variables && !matches!(origin, TextOrigin::Config) {
        return None;
    }
    let rest = run(text, hit.end, is_word);
    if !ends_name(&text[rest.clone()]) {
        return None;
    }
    if text.get(rest.end) != Some(&b'=') {
        return None;
    }
    let quotes = run(text, rest.end + 1, |byte| matches!(byte, b'"' | b'\''));
    let value =
        run(text, quotes.end, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b';' | b'|' | b'&'));
    let bytes = &text[value.clone()];
    let path = bytes.starts_with(b"/") || memmem::find(bytes, b"://").is_some();
    let fits = bytes.len() >= 6 && !path && entropy(bytes) >= 2.3 && !is_placeholder(bytes);
    fits.then(|| Found::new(value, Confidence::Medium))
}

/// Whether a name that has a word such as `password` ends with this: `PASSWORD_FILE` and `TOKEN_URL` name something else.
pub(super) fn ends_name(suffix: &[u8]) -> bool {
    let suffix = suffix.to_ascii_lowercase();
    matches!(suffix.as_slice(), b"" | b"s" | b"_key" | b"_base64" | b"_id_secret")
        || suffix.iter().all(|byte| byte.is_ascii_digit() || *byte == b'_')
}

/// Bytes at the start of a file that are searched for words that identify its kind.
pub(super) const HEAD: usize = 4 << 10;
const KUBECONFIG: usize = 256 << 10;

/// Whether a word is among the first bytes of a text, or may be where only a line is known.
pub(super) fn mentions(text: &[u8], origin: TextOrigin<'_>, word: &[u8], within: usize) -> bool {
    matches!(origin, TextOrigin::Line(_)) || memmem::find(&text[..text.len().min(within)], word).is_some()
}

/// The name of the file.
pub(super) fn name(origin: TextOrigin<'_>) -> &[u8] {
    match origin {
        TextOrigin::File(path) | TextOrigin::Line(path) => path.rsplit(|&byte| byte == b'/').next().unwrap_or_default(),
        TextOrigin::Config => b"",
    }
}
