//! Signatures of single messages, by the RustCrypto crates: the provider that `sigstore-verify` needs.

use ed25519_dalek::VerifyingKey as Ed25519Key;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::{Pkcs1v15Sign, Pss, PublicKey as RsaKey, pkcs1::DecodeRsaPublicKey as _};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use sigstore_verify::{
    crypto::{
        CryptoProvider, Error, HashContext, Result, SigningScheme, install_default_provider, try_default_provider,
    },
    types::HashAlgorithm,
};

/// Installs this provider once in the process, unless there is one.
pub(crate) fn install() {
    if try_default_provider().is_none() {
        // Another thread may have installed the same provider first.
        let _ = install_default_provider(&RustCrypto);
    }
}

#[derive(Debug)]
struct RustCrypto;

impl CryptoProvider for RustCrypto {
    fn hash(&self, algorithm: HashAlgorithm) -> Result<Box<dyn HashContext>> {
        match algorithm {
            HashAlgorithm::Sha2256 => Ok(Box::new(Hash(Sha256::new()))),
            HashAlgorithm::Sha2384 => Ok(Box::new(Hash(Sha384::new()))),
            HashAlgorithm::Sha2512 => Ok(Box::new(Hash(Sha512::new()))),
            other => Err(Error::UnsupportedAlgorithm(format!("{other} digests"))),
        }
    }

    fn verify_raw(&self, scheme: SigningScheme, key: &[u8], data: &[u8], signature: &[u8]) -> Result<()> {
        is_valid(scheme, key, data, signature)
    }

    fn verify_prehashed(&self, scheme: SigningScheme, key: &[u8], digest: &[u8], signature: &[u8]) -> Result<()> {
        is_valid_for_digest(scheme, key, digest, signature)
    }
}

struct Hash<D>(D);

impl<D: sha2::Digest + Send> HashContext for Hash<D> {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self: Box<Self>) -> Vec<u8> {
        self.0.finalize().to_vec()
    }
}

/// Checks a signature of a message. `key` is the content of the `subjectPublicKey` bit string.
pub(crate) fn is_valid(scheme: SigningScheme, key: &[u8], message: &[u8], signature: &[u8]) -> Result<()> {
    match scheme.hash_algorithm() {
        Some(HashAlgorithm::Sha2256) => is_valid_for_digest(scheme, key, &Sha256::digest(message), signature),
        Some(HashAlgorithm::Sha2384) => is_valid_for_digest(scheme, key, &Sha384::digest(message), signature),
        Some(HashAlgorithm::Sha2512) => is_valid_for_digest(scheme, key, &Sha512::digest(message), signature),
        None if scheme == SigningScheme::Ed25519 => {
            let key =
                key.try_into().ok().and_then(|key| Ed25519Key::from_bytes(key).ok()).ok_or_else(|| bad(scheme))?;
            let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| bad(scheme))?;
            key.verify_strict(message, &signature).map_err(|_| bad(scheme))
        }
        _ => Err(Error::UnsupportedAlgorithm(format!("{} signatures", scheme.name()))),
    }
}

fn is_valid_for_digest(scheme: SigningScheme, key: &[u8], digest: &[u8], signature: &[u8]) -> Result<()> {
    use SigningScheme as Scheme;
    let valid = match scheme {
        Scheme::EcdsaP256Sha256 | Scheme::EcdsaP256Sha384 => p256(key, digest, signature),
        Scheme::EcdsaP384Sha256 | Scheme::EcdsaP384Sha384 => p384(key, digest, signature),
        Scheme::RsaPkcs1Sha256 => rsa(key, |key| key.verify(Pkcs1v15Sign::new::<Sha256>(), digest, signature)),
        Scheme::RsaPkcs1Sha384 => rsa(key, |key| key.verify(Pkcs1v15Sign::new::<Sha384>(), digest, signature)),
        Scheme::RsaPkcs1Sha512 => rsa(key, |key| key.verify(Pkcs1v15Sign::new::<Sha512>(), digest, signature)),
        Scheme::RsaPssSha256 => rsa(key, |key| key.verify(Pss::<Sha256>::new(), digest, signature)),
        Scheme::RsaPssSha384 => rsa(key, |key| key.verify(Pss::<Sha384>::new(), digest, signature)),
        Scheme::RsaPssSha512 => rsa(key, |key| key.verify(Pss::<Sha512>::new(), digest, signature)),
        other => return Err(Error::UnsupportedAlgorithm(format!("{} signatures", other.name()))),
    };
    valid.ok_or_else(|| bad(scheme))
}

/// Checks a signature of a digest by ECDSA, in DER.
pub(crate) fn p256(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<()> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    key.verify_prehash(digest, &p256::ecdsa::Signature::from_der(signature).ok()?).ok()
}

pub(crate) fn p384(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<()> {
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    key.verify_prehash(digest, &p384::ecdsa::Signature::from_der(signature).ok()?).ok()
}

/// The two integers of an ECDSA signature of `order` bytes each, as JSON Web Signatures have them, in the DER that the other formats have.
pub(crate) fn der_of_integers(signature: &[u8], order: usize) -> Option<Vec<u8>> {
    if signature.len() != 2 * order {
        return None;
    }
    Some(match order {
        32 => p256::ecdsa::Signature::from_slice(signature).ok()?.to_der().as_bytes().to_vec(),
        48 => p384::ecdsa::Signature::from_slice(signature).ok()?.to_der().as_bytes().to_vec(),
        66 => p521::ecdsa::Signature::from_slice(signature).ok()?.to_der().as_bytes().to_vec(),
        _ => return None,
    })
}

/// The digest of a message; empty if the algorithm is not one of those that sign here.
pub(crate) fn digest(algorithm: HashAlgorithm, message: &[u8]) -> Vec<u8> {
    match algorithm {
        HashAlgorithm::Sha2256 => Sha256::digest(message).to_vec(),
        HashAlgorithm::Sha2384 => Sha384::digest(message).to_vec(),
        HashAlgorithm::Sha2512 => Sha512::digest(message).to_vec(),
        _ => Vec::new(),
    }
}

/// The length of an RSA key's modulus.
pub(crate) fn rsa_bits(key: &[u8]) -> Option<u32> {
    Some(rsa::traits::PublicKeyParts::n(&RsaKey::from_pkcs1_der(key).ok()?).bit_width())
}

pub(crate) fn p521(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<()> {
    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    key.verify_prehash(digest, &p521::ecdsa::Signature::from_der(signature).ok()?).ok()
}

/// `sigstore-verify` has no scheme for P-521. Its digest is SHA-256 or SHA-512.
pub(crate) fn is_valid_p521(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let sha512 = p521(key, &Sha512::digest(message), signature);
    sha512.or_else(|| p521(key, &Sha256::digest(message), signature)).is_some()
}

/// The length of the modulus was checked before.
fn rsa(key: &[u8], verify: impl FnOnce(&RsaKey) -> rsa::Result<()>) -> Option<()> {
    verify(&RsaKey::from_pkcs1_der(key).ok()?).ok()
}

/// The error has no details: the caller words it.
fn bad(scheme: SigningScheme) -> Error {
    Error::Verification(format!("{} signature invalid", scheme.name()))
}
