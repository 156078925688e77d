//! Private keys.

use super::{
    TextOrigin,
    found::{Confidence, Found},
    shape::{entropy, is_base64, run},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use memchr::memmem;
use std::ops::Range;

/// Longest private key, with its armour: RSA with 16384 bits.
const KEY_BYTES: usize = 16 << 10;
/// Least characters of base64 in a key: an Ed25519 key in PKCS #8 has 64.
const BODY: usize = 60;

/// `-----BEGIN … PRIVATE KEY-----` with a body and an end. An encrypted key needs a password as well.
pub(super) fn pem(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    const KINDS: [&[u8]; 7] = [b"", b"RSA ", b"EC ", b"DSA ", b"OPENSSH ", b"ENCRYPTED ", b"PGP "];
    if text[hit.clone()] != *b"-----BEGIN " {
        return None;
    }
    let rest = &text[hit.end..text.len().min(hit.end + KEY_BYTES)];
    let label = &rest[..memmem::find(&rest[..rest.len().min(40)], b"-----")?];
    let kind = label.strip_suffix(b"PRIVATE KEY").or_else(|| label.strip_suffix(b"PRIVATE KEY BLOCK"))?;
    if !KINDS.contains(&kind) {
        return None;
    }
    let inner = &rest[label.len() + 5..];
    // The first dashes are those of the end.
    let end = memmem::find(inner, b"-----").filter(|&end| inner[end..].starts_with(b"-----END "))?;
    let body = &inner[..end];
    // In JSON a line break is `\n`.
    let joined: Vec<u8> = String::from_utf8_lossy(body).replace("\\n", "\n").replace("\\r", "").into_bytes();
    let lines = joined.split(|&byte| byte == b'\n').filter(|line| memchr::memchr(b':', line).is_none());
    let encoded: Vec<u8> = lines.flatten().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let real = encoded.len() >= BODY && encoded.iter().all(|&byte| is_base64(byte)) && entropy(&encoded) >= 4.0;
    let locked = kind == b"ENCRYPTED " || memmem::find(body, b"ENCRYPTED").is_some() || is_locked_openssh(&encoded);
    let end = hit.end + label.len() + 5 + end;
    real.then(|| Found::new(hit.start..end, if locked { Confidence::Medium } else { Confidence::High }))
}

/// Whether a key of OpenSSH names a cipher: `openssh-key-v1`, a zero, and the length and name of the cipher, of which `none` is one.
fn is_locked_openssh(encoded: &[u8]) -> bool {
    encoded.strip_prefix(b"b3BlbnNzaC1rZXktdjEAAAAA").is_some_and(|rest| !rest.starts_with(b"BG5vbmU"))
}

/// A private key as PEM, in base64 once more, as Kubernetes keeps it.
pub(super) fn encoded_pem(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    // Keywords are found in any case.
    if text[hit.clone()] != *b"LS0tLS1CRUdJTi" {
        return None;
    }
    let value = run(text, hit.start, is_base64);
    let whole = value.start..value.end - (value.len() % 4);
    let decoded = STANDARD.decode(&text[whole]).ok()?;
    let label = decoded.get(..60.min(decoded.len()))?;
    memmem::find(label, b"PRIVATE KEY-----").is_some().then(|| Found::new(value, Confidence::High))
}

/// A JSON document of a service account; its `private_key` is the secret.
pub(super) fn service_account(text: &[u8], hit: Range<usize>, origin: TextOrigin<'_>) -> Option<Found> {
    let start = hit.start.saturating_sub(KEY_BYTES);
    let near = &text[start..text.len().min(hit.end + KEY_BYTES)];
    memmem::find(near, b"\"private_key\"")?;
    let key = memmem::find(near, b"-----BEGIN PRIVATE KEY-----")?;
    let at = start + key;
    let found = pem(text, at..at + b"-----BEGIN ".len(), origin)?;
    Some(Found::new(found.range, Confidence::High))
}

/// A PEM key, in base64 once more.
pub(super) fn kubeconfig_key(text: &[u8], hit: Range<usize>, _: TextOrigin<'_>) -> Option<Found> {
    let value = run(text, run(text, hit.end, |byte| matches!(byte, b'"' | b':' | b' ')).end, is_base64);
    // `-----BEGIN`
    let decoded =
        || STANDARD.decode(&text[value.clone()]).is_ok_and(|pem| memmem::find(&pem, b"PRIVATE KEY-----").is_some());
    let fits = value.len() >= BODY && (text[value.clone()].starts_with(b"LS0tLS1CRUdJTi") || decoded());
    fits.then(|| Found::new(value, Confidence::High))
}
