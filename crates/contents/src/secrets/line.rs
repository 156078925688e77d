//! Masking the secrets of single lines, as a search shows them: what the rest of the file says is not known.

use super::{
    TextOrigin, scan,
    shape::{entropy, is_base64, is_token},
};
use memchr::memmem;
use std::ops::Range;

/// A line without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedLine {
    /// The line, with `********` in place of each secret.
    pub text: Vec<u8>,
    /// Where the requested part is now. A part of a secret becomes the whole mask.
    pub range: Range<usize>,
}

/// Masks the secrets of a line of the file at this clean path; `cut` says whether the line continues before and after it. What depends on
/// the rest of the file counts as a secret. `None` for a line without one.
pub fn mask_line(path: &[u8], line: &[u8], range: Range<usize>, cut: (bool, bool)) -> Option<MaskedLine> {
    let mut secrets: Vec<Range<usize>> =
        scan(line, TextOrigin::Line(path)).into_iter().map(|found| found.range).collect();
    secrets.extend(of_key(path, line, cut));
    if secrets.is_empty() {
        return None;
    }
    secrets.sort_by_key(|secret| secret.start);
    let mut text = Vec::new();
    let mut place = range.clone();
    let mut end = 0;
    for secret in secrets {
        if secret.start < end {
            // It overlaps the one before.
            end = end.max(secret.end);
            continue;
        }
        text.extend_from_slice(&line[end..secret.start]);
        let masked = text.len()..text.len() + MASK.len();
        text.extend_from_slice(MASK);
        moved(&mut place.start, range.start, &secret, masked.start, masked.end);
        moved(&mut place.end, range.end, &secret, masked.end, masked.end);
        end = secret.end;
    }
    text.extend_from_slice(&line[end..]);
    Some(MaskedLine {
        range: place.start.min(text.len())..place.end.min(text.len()).max(place.start.min(text.len())),
        text,
    })
}

const MASK: &[u8] = b"********";

/// Adjusts a position after a secret was masked: `within` if it was inside the secret.
fn moved(place: &mut usize, original: usize, secret: &Range<usize>, within: usize, end: usize) {
    if original >= secret.end {
        *place = end + (original - secret.end);
    } else if original > secret.start {
        *place = within;
    }
}

/// A part of a private key: a line of it, or a line from which the rest was cut.
fn of_key(path: &[u8], line: &[u8], cut: (bool, bool)) -> Option<Range<usize>> {
    let inner = trimmed(line);
    let body = &line[inner.clone()];
    let is_body = body.len() >= LINE && body.iter().all(|&byte| is_base64(byte)) && entropy(body) >= RANDOM;
    if is_body && is_key_file(path) {
        return Some(inner);
    }
    // In JSON a line break is `\n`.
    let is_long =
        |part: &[u8]| part.len() >= LONG && part.iter().all(|&byte| is_base64(byte) || is_token(byte) || byte == b'\\');
    if cut == (true, true) && is_long(line) {
        return Some(0..line.len());
    }
    let begin = memmem::find(line, b"PRIVATE KEY-----").filter(|_| cut.1);
    if let Some(begin) =
        begin.filter(|begin| line[..*begin].ends_with(b" ") && memmem::find(line, b"-----END ").is_none())
    {
        return Some(begin + b"PRIVATE KEY-----".len()..line.len());
    }
    let end = memmem::find(line, b"-----END ").filter(|_| cut.0 && memmem::find(line, b"-----BEGIN ").is_none());
    end.filter(|end| memmem::find(&line[*end..], b"PRIVATE KEY").is_some()).map(|end| 0..end)
}

/// Characters of a line of a key, but for its last one.
const LINE: usize = 16;
/// Characters of base64 that are no text, whatever they are.
const LONG: usize = 256;
/// Bits for each character of a line of random base64 with [`LINE`] characters.
const RANDOM: f64 = 3.0;

fn trimmed(line: &[u8]) -> Range<usize> {
    let blank = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b',');
    let start = line.iter().take_while(|byte| blank(byte)).count();
    start..line.len() - line[start..].iter().rev().take_while(|byte| blank(byte)).count()
}

/// Whether the file is one in which people keep private keys, and no certificates.
fn is_key_file(path: &[u8]) -> bool {
    const ENDS: [&[u8]; 5] = [b".pem", b".key", b".ppk", b".pk8", b".p8"];
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default().to_ascii_lowercase();
    let is_key = ENDS.iter().any(|end| name.ends_with(end)) || name.starts_with(b"id_") && !name.ends_with(b".pub");
    let of_certificates = memmem::find(path, b"cert").is_some() || name.starts_with(b"ca") && name.ends_with(b".pem");
    is_key && !of_certificates
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use proptest::prelude::*;

    /// Random letters, the same each time.
    fn made(length: usize) -> String {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[(state >> 33) as usize % 62])
        };
        (0..length).map(|_| next()).collect()
    }

    /// The line with its secrets masked, and the part of it that a search for `sought` finds.
    fn masked(path: &str, line: &str, sought: &str) -> Option<(String, String)> {
        let start = line.find(sought).unwrap();
        let masked = mask_line(path.as_bytes(), line.as_bytes(), start..start + sought.len(), (false, false))?;
        let text = String::from_utf8(masked.text).unwrap();
        let part = text[masked.range].to_owned();
        Some((text, part))
    }

    #[test]
    fn secrets_of_a_line_are_masked_and_the_match_stays_marked() {
        let token = format!("ghp_{}", made(36));
        let line = format!("GH={token} make all");
        let whole = "GH=******** make all".to_owned();
        for (sought, part) in [("make", "make"), ("GH", "GH"), ("ghp_", "********"), (&token[..], "********")] {
            assert_eq!(masked("app/a", &line, sought), Some((whole.clone(), part.to_owned())), "{sought}");
        }
        assert_eq!(masked("app/a", &line, &format!("H={}", &token[..9])), Some((whole.clone(), "H=********".into())));
        assert_eq!(masked("app/a", &line, &format!("{} mak", &token[30..])), Some((whole, "******** mak".into())));
        assert_eq!(masked("app/a", "GH=token make all", "GH"), None);
    }

    #[test]
    fn what_depends_on_the_rest_of_the_file_counts() {
        let auth = STANDARD.encode(format!("bob:{}", made(12)));
        let key = made(64);
        for (path, line, secret) in [
            ("root/.docker/config.json", format!("\t\t\t\"auth\": \"{auth}\""), &auth),
            ("root/.kube/config", format!("    token: {key}"), &key),
            ("root/.netrc", format!("  password {key}"), &key),
            (
                "etc/wireguard/wg0.conf",
                format!("PrivateKey = {}", STANDARD.encode(&key[..32])),
                &STANDARD.encode(&key[..32]),
            ),
            ("root/.ssh/id_ed25519", key.clone(), &key),
            ("etc/ssl/private/server.key", key[..22].to_owned() + "==", &key[..22].to_owned()),
            ("etc/shadow", format!("root:$6$abc${key}:19000:0:99999:7:::"), &key),
        ] {
            let found = mask_line(path.as_bytes(), line.as_bytes(), 0..1, (false, false));
            let text = String::from_utf8(found.unwrap_or_else(|| panic!("{path}")).text).unwrap();
            assert!(text.contains("********") && !text.contains(secret.as_str()), "{path}: {text}");
        }
        for (path, line) in [
            ("etc/ssl/certs/a.pem", key.clone()),
            ("root/.ssh/id_ed25519.pub", key.clone()),
            ("app/values.yaml", format!("token: {key}")),
            ("etc/ssl/private/server.key", "-----BEGIN PRIVATE KEY-----".into()),
            ("app/notes", "a password is nothing without a value".into()),
        ] {
            assert_eq!(mask_line(path.as_bytes(), line.as_bytes(), 0..1, (false, false)), None, "{path}");
        }
    }

    #[test]
    fn a_key_from_which_a_search_shows_a_part_is_masked() {
        let body = made(400);
        for (line, cut) in [
            (format!("{{\"key\": \"-----BEGIN PRIVATE KEY-----\\n{body}"), (false, true)),
            (body.clone(), (true, true)),
            (format!("{body}\\n-----END RSA PRIVATE KEY-----\"}}"), (true, false)),
        ] {
            let found = mask_line(b"app/gcp.json", line.as_bytes(), 0..1, cut).unwrap();
            assert!(!String::from_utf8(found.text).unwrap().contains(&body[..40]), "{line}");
        }
        assert_eq!(mask_line(b"app/a.js", body.as_bytes(), 0..1, (false, true)), None);
    }

    proptest! {
        #[test]
        fn any_line_is_masked_without_panic(line in proptest::collection::vec(any::<u8>(), 0..300), at in any::<(usize, usize)>()) {
            let (a, b) = (at.0 % (line.len() + 1), at.1 % (line.len() + 1));
            for path in [b"root/.docker/config.json".as_slice(), b"a.key"] {
                if let Some(masked) = mask_line(path, &line, a.min(b)..a.max(b), (true, true)) {
                    prop_assert!(masked.range.end <= masked.text.len() && masked.range.start <= masked.range.end);
                }
            }
        }
    }
}
