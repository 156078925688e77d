//! Private keys in binary formats: DER, PKCS #12 and Java's key stores, in files whose names say so.

use super::{SecretMatch, SecretValue, found::Confidence, rule::rule_named};
use crate::{
    der::{INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element, expect},
    limits::KEY_FILE_BYTES,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use memchr::memmem;

/// Suffixes of file names that are usual for such keys.
const NAMES: [&[u8]; 11] =
    [b".key", b".der", b".pk8", b".p8", b".pkcs8", b".p12", b".pfx", b".jks", b".jceks", b".keystore", b".ks"];

/// Whether the file may have a key in a binary format, by its name and size.
pub(super) fn may_be(path: &[u8], size: u64) -> bool {
    let lower = path[path.len().saturating_sub(10)..].to_ascii_lowercase();
    size <= KEY_FILE_BYTES && NAMES.iter().any(|end| lower.ends_with(end))
}

/// The private key that a file is or holds. Its value is the whole file, in base64.
pub(super) fn find(path: &[u8], bytes: &[u8]) -> Option<SecretMatch> {
    if !may_be(path, bytes.len() as u64) {
        return None;
    }
    let java = || java(bytes).then_some(("java-key-store", Confidence::Medium));
    let pkcs12 = || Some(("pkcs12-private-key", pkcs12(bytes)?));
    let (name, confidence) = java().or_else(pkcs12).or_else(|| Some(("der-private-key", der(bytes)?)))?;
    let value = SecretValue::new(STANDARD.encode(bytes).as_bytes());
    Some(SecretMatch { rule: rule_named(name)?, confidence, line: 1, range: 0..bytes.len(), value })
}

/// `PrivateKeyInfo` and `EncryptedPrivateKeyInfo` (RFC 5958), `RSAPrivateKey` (RFC 8017), OpenSSL's `DSAPrivateKey`, `ECPrivateKey`
/// (RFC 5915). A public key and a certificate have other elements. An encrypted key needs a password as well.
fn der(bytes: &[u8]) -> Option<Confidence> {
    let (content, []) = expect(SEQUENCE, bytes)? else { return None };
    let (tag, first, rest) = element(content)?;
    if tag == SEQUENCE {
        let (algorithm, _) = expect(OBJECT_IDENTIFIER, first)?;
        let (_, []) = expect(OCTET_STRING, rest)? else { return None };
        let by_password = PASSWORD_ALGORITHMS.iter().any(|start| algorithm.starts_with(start));
        return by_password.then_some(Confidence::Medium);
    }
    if tag != INTEGER || !matches!(first, [0 | 1]) {
        return None;
    }
    let (tag, second, rest) = element(rest)?;
    let fits = match tag {
        SEQUENCE => {
            let key = expect(OCTET_STRING, rest)?.0;
            expect(OBJECT_IDENTIFIER, second).is_some() && key.len() >= LEAST_KEY
        }
        OCTET_STRING => first == [1] && second.len() >= LEAST_KEY,
        INTEGER => {
            let mut count = 2;
            let mut rest = rest;
            while let Some((INTEGER, _, next)) = element(rest) {
                (count, rest) = (count + 1, next);
            }
            rest.is_empty() && second.len() >= LEAST_MODULUS && matches!(count, DSA_NUMBERS | RSA_NUMBERS)
        }
        _ => false,
    };
    fits.then_some(Confidence::High)
}

/// Bytes of the shortest private key of an elliptic curve.
const LEAST_KEY: usize = 16;
/// Bytes of the shortest modulus.
const LEAST_MODULUS: usize = 64;
/// Version, p, q, g, y, x.
const DSA_NUMBERS: usize = 6;
/// Version, n, e, d, p, q, and three more to compute with.
const RSA_NUMBERS: usize = 9;
/// Encryption by a password: PKCS #5 and PKCS #12.
const PASSWORD_ALGORITHMS: [&[u8]; 2] =
    [&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5], &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1]];

/// A store of PKCS #12 (RFC 7292) with a bag for a private key, which is encrypted as a rule. A store with only certificates has none.
fn pkcs12(bytes: &[u8]) -> Option<Confidence> {
    /// `data` of PKCS #7.
    const DATA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
    /// `keyBag` and `pkcs8ShroudedKeyBag`.
    const PLAIN: &[u8] = &[6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 1];
    const ENCRYPTED: &[u8] = &[6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 2];
    // Windows writes indefinite lengths.
    let content = match bytes {
        [SEQUENCE, 0x80, content @ ..] => content,
        _ => expect(SEQUENCE, bytes)?.0,
    };
    let start = content.strip_prefix(&[INTEGER, 1, 3])?;
    memmem::find(&start[..start.len().min(32)], DATA)?;
    match () {
        () if memmem::find(bytes, PLAIN).is_some() => Some(Confidence::High),
        () if memmem::find(bytes, ENCRYPTED).is_some() => Some(Confidence::Medium),
        () => None,
    }
}

/// A key store of Java, `JKS` or `JCEKS`, with a private or a secret key. A trust store has only certificates.
fn java(bytes: &[u8]) -> bool {
    let (magic, rest) = bytes.split_at_checked(4).unwrap_or_default();
    matches!(magic, [0xfe, 0xed, 0xfe, 0xed] | [0xce, 0xce, 0xce, 0xce]) && has_key(rest).unwrap_or(false)
}

/// Version, count, and entries: kind, alias, time, and a key or a certificate.
fn has_key(mut rest: &[u8]) -> Option<bool> {
    let mut take = |count: usize| {
        let (taken, after) = rest.split_at_checked(count)?;
        rest = after;
        Some(taken.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)))
    };
    let (version, count) = (take(4)?, take(4)?);
    if !matches!(version, 1 | 2) {
        return None;
    }
    for _ in 0..count {
        let kind = take(4)?;
        let alias = take(2)?;
        take(alias)?;
        take(8)?;
        match kind {
            1 => return take(4).map(|length| length >= LEAST_KEY),
            // Of a certificate: its type and its bytes.
            2 => {
                let name = if version == 2 { take(2)? } else { 0 };
                take(name)?;
                let length = take(4)?;
                take(length)?;
            }
            3 => return Some(true),
            _ => return None,
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let head =
            if length < 0x80 { vec![tag, length as u8] } else { vec![tag, 0x82, (length >> 8) as u8, length as u8] };
        [head, content.to_vec()].concat()
    }

    fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
        tagged(SEQUENCE, &parts.concat())
    }

    fn number(byte: u8, length: usize) -> Vec<u8> {
        tagged(INTEGER, &vec![byte; length])
    }

    fn algorithm(oid: &[u8]) -> Vec<u8> {
        sequence(&[tagged(OBJECT_IDENTIFIER, oid)])
    }

    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];

    fn found(path: &str, bytes: &[u8]) -> Option<(&'static str, Confidence)> {
        find(path.as_bytes(), bytes).map(|found| (found.rule.name, found.confidence))
    }

    fn pkcs12_with(bag: u8) -> Vec<u8> {
        let data = tagged(OBJECT_IDENTIFIER, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1]);
        let bag = sequence(&[tagged(OBJECT_IDENTIFIER, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, bag])]);
        sequence(&[number(3, 1), sequence(&[data, tagged(0xa0, &tagged(OCTET_STRING, &bag))])])
    }

    fn java_with(kinds: &[u32]) -> Vec<u8> {
        let mut bytes = [0xfeed_feed_u32, 2, kinds.len() as u32].map(u32::to_be_bytes).concat();
        for kind in kinds {
            bytes.extend([&kind.to_be_bytes()[..], &[0, 1], b"a", &[0; 8]].concat());
            if *kind == 2 {
                bytes.extend([&[0, 5][..], b"X.509"].concat());
            }
            bytes.extend([&40_u32.to_be_bytes()[..], &[7; 40]].concat());
        }
        bytes
    }

    #[test]
    fn keys_are_found_in_each_format() {
        let pkcs8 = sequence(&[number(0, 1), algorithm(RSA), tagged(OCTET_STRING, &[7; 600])]);
        let locked = sequence(&[algorithm(PBES2), tagged(OCTET_STRING, &[7; 600])]);
        let rsa: Vec<_> = std::iter::once(number(0, 1)).chain((0..8).map(|_| number(7, 128))).collect();
        let elliptic = sequence(&[number(1, 1), tagged(OCTET_STRING, &[7; 32])]);
        let high = |rule| Some((rule, Confidence::High));
        let medium = |rule| Some((rule, Confidence::Medium));
        for (path, bytes, expected) in [
            ("etc/tls.key", pkcs8.clone(), high("der-private-key")),
            ("etc/tls.DER", sequence(&rsa), high("der-private-key")),
            ("etc/tls.der", elliptic, high("der-private-key")),
            ("etc/tls.pk8", locked, medium("der-private-key")),
            ("etc/a.p12", pkcs12_with(2), medium("pkcs12-private-key")),
            ("etc/a.pfx", pkcs12_with(1), high("pkcs12-private-key")),
            ("etc/a.jks", java_with(&[2, 1]), medium("java-key-store")),
            ("etc/a.keystore", java_with(&[3]), medium("java-key-store")),
        ] {
            assert_eq!(found(path, &bytes), expected, "{path}");
        }
        let found = find(b"etc/tls.key", &pkcs8).unwrap();
        assert_eq!(found.value.reveal(), STANDARD.encode(&pkcs8).as_bytes());
    }

    #[test]
    fn what_has_no_private_key_is_none() {
        let public = sequence(&[algorithm(RSA), tagged(3, &[0; 270])]);
        let certificate = sequence(&[sequence(&[number(1, 1), algorithm(RSA)]), algorithm(RSA), tagged(3, &[0; 65])]);
        let pkcs8 = sequence(&[number(0, 1), algorithm(RSA), tagged(OCTET_STRING, &[7; 600])]);
        for (path, bytes) in [
            ("etc/tls.der", public),
            ("etc/tls.der", certificate),
            ("etc/tls.der", sequence(&[number(7, 128), number(3, 1)])),
            ("etc/tls.der", [pkcs8.clone(), vec![0]].concat()),
            ("etc/tls.der", pkcs8[..pkcs8.len() - 1].to_vec()),
            ("usr/bin/tool", pkcs8),
            ("etc/a.p12", pkcs12_with(3)),
            ("etc/ssl/cacerts.jks", java_with(&[2, 2])),
            ("etc/a.jks", java_with(&[2, 1])[..30].to_vec()),
            ("etc/a.key", b"ordinary text".to_vec()),
            ("", Vec::new()),
        ] {
            assert_eq!(found(path, &bytes), None, "{path}");
        }
    }
}
