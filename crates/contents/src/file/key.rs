//! Keys: what they are for, never what they are.

use super::{FileFacts, KnownBytes};
use crate::{
    certificates::decode,
    der::{INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element, expect, whole_bytes},
};
use memchr::memmem;

/// Bytes that are searched for the beginning of a key, and bytes of a key.
const KEY_BYTES: u64 = 64 << 10;

/// Kinds of PEM (RFC 7468 and the formats of OpenSSL and OpenSSH).
const LABELS: &[(&str, &str)] = &[
    ("PRIVATE KEY", "private key"),
    ("ENCRYPTED PRIVATE KEY", "private key"),
    ("RSA PRIVATE KEY", "private key"),
    ("EC PRIVATE KEY", "private key"),
    ("DSA PRIVATE KEY", "private key"),
    ("OPENSSH PRIVATE KEY", "private key"),
    ("PUBLIC KEY", "public key"),
    ("RSA PUBLIC KEY", "public key"),
    ("CERTIFICATE REQUEST", "certificate request"),
    ("X509 CRL", "list of revoked certificates"),
    ("PKCS7", "PKCS #7 message"),
    ("DH PARAMETERS", "Diffie-Hellman parameters"),
    ("EC PARAMETERS", "parameters of an elliptic curve"),
    ("PGP PUBLIC KEY BLOCK", "OpenPGP public key"),
    ("PGP PRIVATE KEY BLOCK", "OpenPGP private key"),
    ("PGP SIGNATURE", "OpenPGP signature"),
    ("PGP MESSAGE", "OpenPGP message"),
];

/// Public keys of OpenSSH, as their first word names them.
const OPENSSH: &[&str] = &[
    "ssh-rsa",
    "ssh-dss",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// `None`: no key.
pub(super) fn read(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let start = known.start(KEY_BYTES);
    let first = start.split(|byte| byte.is_ascii_whitespace()).next()?;
    if let Some(kind) = OPENSSH.iter().find(|kind| kind.as_bytes() == first) {
        facts.kind = "OpenSSH public key";
        facts.text("algorithm", *kind);
        return Some(());
    }
    const BEGIN: &[u8] = b"-----BEGIN ";
    let at = memmem::find(start, BEGIN).filter(|&at| at == 0 || start[at - 1] == b'\n')? + BEGIN.len();
    let length = memmem::find(&start[at..], b"-----")?;
    let label = std::str::from_utf8(&start[at..at + length]).ok()?;
    facts.kind = LABELS.iter().find(|(name, _)| *name == label)?.1;
    facts.text("format", label);
    let body = &start[at + length + 5..];
    let body = &body[..memmem::find(body, b"-----END ")?];
    let encrypted = label.starts_with("ENCRYPTED") || memmem::find(body, b"ENCRYPTED").is_some();
    let der = decode(body);
    match label {
        "PUBLIC KEY" => public_key(facts, expect(SEQUENCE, &der)?.0),
        "PRIVATE KEY" => {
            let (_version, rest) = expect(INTEGER, expect(SEQUENCE, &der)?.0)?;
            let (algorithm, rest) = expect(SEQUENCE, rest)?;
            let modulus = || expect(OCTET_STRING, rest).and_then(|(key, _)| rsa_bits(key));
            tell_algorithm(facts, algorithm, modulus);
        }
        "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "DSA PRIVATE KEY" => {
            facts.text("algorithm", &label[..label.len() - " PRIVATE KEY".len()]);
            if label.starts_with('R')
                && let Some(bits) = rsa_bits(&der)
            {
                facts.number("bits", bits);
            }
        }
        "OPENSSH PRIVATE KEY" => {
            let rest = der.strip_prefix(b"openssh-key-v1\0")?;
            let (cipher, rest) = field(rest)?;
            let (_function, rest) = field(rest)?;
            let (_options, rest) = field(rest)?;
            let (public, _) = field(rest.get(4..)?)?;
            facts.text("algorithm", String::from_utf8_lossy(field(public)?.0));
            facts.flag("encrypted", cipher != b"none");
            return Some(());
        }
        _ => {}
    }
    if label.ends_with("PRIVATE KEY") {
        facts.flag("encrypted", encrypted);
    }
    Some(())
}

/// What a `SubjectPublicKeyInfo` says of a key (RFC 5280, 4.1.2.7).
pub(super) fn public_key(facts: &mut FileFacts, info: &[u8]) {
    let Some((algorithm, rest)) = expect(SEQUENCE, info) else { return };
    let bits = || {
        let (modulus, _) = expect(INTEGER, expect(SEQUENCE, whole_bytes(rest)?)?.0)?;
        Some(bits(modulus))
    };
    tell_algorithm(facts, algorithm, bits);
}

/// An `AlgorithmIdentifier`: the bits of a key of RSA, the curve of others.
fn tell_algorithm(facts: &mut FileFacts, algorithm: &[u8], rsa: impl FnOnce() -> Option<u64>) {
    let Some((id, parameters)) = expect(OBJECT_IDENTIFIER, algorithm) else { return };
    let name = match id {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01] => "RSA",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a] => "RSA-PSS",
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01] => "EC",
        [0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01] => "DSA",
        [0x2b, 0x65, 0x70] => "Ed25519",
        [0x2b, 0x65, 0x71] => "Ed448",
        [0x2b, 0x65, 0x6e] => "X25519",
        _ => "unknown",
    };
    facts.text("algorithm", name);
    if name.starts_with("RSA")
        && let Some(bits) = rsa()
    {
        facts.number("bits", bits);
    }
    if name == "EC"
        && let Some((curve, _)) = expect(OBJECT_IDENTIFIER, parameters)
    {
        facts.text(
            "curve",
            match curve {
                [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => "P-256",
                [0x2b, 0x81, 0x04, 0x00, 0x22] => "P-384",
                [0x2b, 0x81, 0x04, 0x00, 0x23] => "P-521",
                [0x2b, 0x81, 0x04, 0x00, 0x0a] => "secp256k1",
                _ => "unknown",
            },
        );
    }
}

/// Bits of the modulus of an `RSAPrivateKey` (RFC 8017, A.1.2).
fn rsa_bits(der: &[u8]) -> Option<u64> {
    let (key, _) = expect(SEQUENCE, der)?;
    let (_, _, rest) = element(key)?;
    Some(bits(expect(INTEGER, rest)?.0))
}

fn bits(number: &[u8]) -> u64 {
    let start = number.iter().position(|&byte| byte != 0).unwrap_or(number.len());
    let first = number.get(start).copied().unwrap_or_default();
    ((number.len() - start) as u64 * 8).saturating_sub(first.leading_zeros().into())
}

/// A field of OpenSSH (RFC 4251, 5): its length, its bytes.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(4)?;
    rest.split_at_checked(u32::from_be_bytes(length.try_into().ok()?) as usize)
}
