//! Public keys.

use crate::provider;
use porthole_core::digest::Digest;
use sigstore_verify::{
    crypto::{SigningScheme, validate_raw_public_key},
    types::{DerCertificate, DerPublicKey, HashAlgorithm},
};
use spki::{
    ObjectIdentifier, SubjectPublicKeyInfoRef,
    der::{Decode as _, Encode as _},
};
use std::fmt;
use x509_cert::Certificate;

/// A public key that may have signed something.
#[derive(Clone, Debug)]
pub struct PublicKey {
    der: DerPublicKey,
    /// Content of the bit string `subjectPublicKey`.
    raw: Vec<u8>,
    algorithm: KeyAlgorithm,
}

/// The algorithms of keys that cosign makes or accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA on P-256, as `cosign generate-key-pair` makes it.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// ECDSA on P-521.
    EcdsaP521,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// RSA with a modulus of 2048 to 8192 bits.
    Rsa,
}

/// The algorithms of JSON Web Signatures that Notation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JwsAlgorithm {
    Es256,
    Es384,
    Es512,
    Ps256,
    Ps384,
    Ps512,
}

/// The schemes by which certificates and signed times are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum X509Signature {
    Ecdsa(HashAlgorithm),
    RsaPkcs1(HashAlgorithm),
    RsaPss(HashAlgorithm),
}

impl JwsAlgorithm {
    /// The algorithm with a number of COSE (RFC 9053, section 2.1, and RFC 8230, section 2).
    pub(crate) fn numbered(number: i64) -> Option<Self> {
        Some(match number {
            -7 => Self::Es256,
            -35 => Self::Es384,
            -36 => Self::Es512,
            -37 => Self::Ps256,
            -38 => Self::Ps384,
            -39 => Self::Ps512,
            _ => return None,
        })
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            _ => return None,
        })
    }
}

/// Why a file is not a public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A private key, which is never needed.
    #[error("expected a public key, got a private one (cosign writes the public one to cosign.pub)")]
    Private,
    /// Neither PEM nor DER of a public key.
    #[error("expected a public key as PEM (BEGIN PUBLIC KEY, BEGIN CERTIFICATE) or DER, got something else")]
    Format,
    /// The algorithm is not supported.
    #[error("expected a key of ECDSA (P-256, P-384, P-521), Ed25519 or RSA, got another algorithm: {0}")]
    Algorithm(String),
    /// An RSA key that is malformed or of a length that is not accepted.
    #[error("expected an RSA key of 2048 to 8192 bits, got another: {0}")]
    Rsa(String),
}

impl PublicKey {
    /// Reads a key from PEM (`PUBLIC KEY`, or `CERTIFICATE`, of which only the key is used) or DER.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyError::Private);
        }
        if text.contains("-----BEGIN CERTIFICATE-----") {
            return Self::of_certificate(DerCertificate::from_pem(text).map_err(|_| KeyError::Format)?.as_bytes());
        }
        if text.contains("-----BEGIN ") {
            return Self::from_der(DerPublicKey::from_pem(text.trim()).map_err(|_| KeyError::Format)?);
        }
        Self::from_der(DerPublicKey::new(bytes.to_vec()))
    }

    /// The key of a certificate in DER, of which nothing else is used.
    pub(crate) fn of_certificate(der: &[u8]) -> Result<Self, KeyError> {
        let certificate = Certificate::from_der(der).map_err(|_| KeyError::Format)?;
        let key = certificate.tbs_certificate.subject_public_key_info.to_der().map_err(|_| KeyError::Format)?;
        Self::from_der(DerPublicKey::new(key))
    }

    fn from_der(der: DerPublicKey) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoRef::from_der(der.as_bytes()).map_err(|_| KeyError::Format)?;
        let unknown = |oid: ObjectIdentifier| KeyError::Algorithm(oid.to_string());
        let algorithm = match info.algorithm.oid {
            EC => match info.algorithm.parameters_oid() {
                Ok(P256) => KeyAlgorithm::EcdsaP256,
                Ok(P384) => KeyAlgorithm::EcdsaP384,
                Ok(P521) => KeyAlgorithm::EcdsaP521,
                Ok(curve) => return Err(unknown(curve)),
                Err(_) => return Err(KeyError::Format),
            },
            ED25519 => KeyAlgorithm::Ed25519,
            RSA => KeyAlgorithm::Rsa,
            other => return Err(unknown(other)),
        };
        let raw = info.subject_public_key.as_bytes().ok_or(KeyError::Format)?.to_vec();
        if algorithm == KeyAlgorithm::Rsa {
            let valid = validate_raw_public_key(SigningScheme::RsaPkcs1Sha256, &raw);
            valid.map_err(|error| KeyError::Rsa(error.to_string()))?;
        }
        Ok(Self { der, raw, algorithm })
    }

    /// SHA-256 of the key's DER (`SubjectPublicKeyInfo`): the name by which cosign's bundles hint at it.
    pub fn fingerprint(&self) -> Digest {
        Digest::sha256(self.der.as_bytes())
    }

    /// Algorithm of the key.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// Whether this key made this signature of this message, by any digest that cosign uses with keys of its kind.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        use SigningScheme as Scheme;
        let schemes: &[Scheme] = match self.algorithm {
            KeyAlgorithm::EcdsaP256 => &[Scheme::EcdsaP256Sha256],
            KeyAlgorithm::EcdsaP384 => &[Scheme::EcdsaP384Sha384, Scheme::EcdsaP384Sha256],
            KeyAlgorithm::EcdsaP521 => return provider::is_valid_p521(&self.raw, message, signature),
            KeyAlgorithm::Ed25519 => &[Scheme::Ed25519],
            KeyAlgorithm::Rsa => &[Scheme::RsaPkcs1Sha256, Scheme::RsaPssSha256],
        };
        schemes.iter().any(|&scheme| provider::is_valid(scheme, &self.raw, message, signature).is_ok())
    }

    /// Whether this key made this signature of this message, as certificates are signed (RFC 5280, section 4.1.1.3).
    pub(crate) fn signed_x509(&self, how: X509Signature, message: &[u8], signature: &[u8]) -> bool {
        use SigningScheme as Scheme;
        let key = &self.raw;
        let scheme = match (self.algorithm, how) {
            (KeyAlgorithm::EcdsaP256, X509Signature::Ecdsa(hash)) => {
                return provider::p256(key, &provider::digest(hash, message), signature).is_some();
            }
            (KeyAlgorithm::EcdsaP384, X509Signature::Ecdsa(hash)) => {
                return provider::p384(key, &provider::digest(hash, message), signature).is_some();
            }
            (KeyAlgorithm::EcdsaP521, X509Signature::Ecdsa(hash)) => {
                return provider::p521(key, &provider::digest(hash, message), signature).is_some();
            }
            (KeyAlgorithm::Rsa, X509Signature::RsaPkcs1(HashAlgorithm::Sha2256)) => Scheme::RsaPkcs1Sha256,
            (KeyAlgorithm::Rsa, X509Signature::RsaPkcs1(HashAlgorithm::Sha2384)) => Scheme::RsaPkcs1Sha384,
            (KeyAlgorithm::Rsa, X509Signature::RsaPkcs1(HashAlgorithm::Sha2512)) => Scheme::RsaPkcs1Sha512,
            (KeyAlgorithm::Rsa, X509Signature::RsaPss(HashAlgorithm::Sha2256)) => Scheme::RsaPssSha256,
            (KeyAlgorithm::Rsa, X509Signature::RsaPss(HashAlgorithm::Sha2384)) => Scheme::RsaPssSha384,
            (KeyAlgorithm::Rsa, X509Signature::RsaPss(HashAlgorithm::Sha2512)) => Scheme::RsaPssSha512,
            _ => return false,
        };
        provider::is_valid(scheme, key, message, signature).is_ok()
    }

    /// Whether this key made this signature of this message, as JSON Web Signatures are made (RFC 7518, sections 3.4 and 3.5). Notation
    /// binds each algorithm to a kind and a length of key.
    pub(crate) fn signed_jws(&self, algorithm: JwsAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        use SigningScheme as Scheme;
        let ecdsa = |scheme, order| {
            let signature = provider::der_of_integers(signature, order);
            signature.is_some_and(|signature| provider::is_valid(scheme, &self.raw, message, &signature).is_ok())
        };
        let rsa = |bits, scheme| {
            provider::rsa_bits(&self.raw) == Some(bits)
                && provider::is_valid(scheme, &self.raw, message, signature).is_ok()
        };
        match (self.algorithm, algorithm) {
            (KeyAlgorithm::EcdsaP256, JwsAlgorithm::Es256) => ecdsa(Scheme::EcdsaP256Sha256, 32),
            (KeyAlgorithm::EcdsaP384, JwsAlgorithm::Es384) => ecdsa(Scheme::EcdsaP384Sha384, 48),
            (KeyAlgorithm::EcdsaP521, JwsAlgorithm::Es512) => provider::der_of_integers(signature, 66)
                .is_some_and(|signature| provider::is_valid_p521(&self.raw, message, &signature)),
            (KeyAlgorithm::Rsa, JwsAlgorithm::Ps256) => rsa(2048, Scheme::RsaPssSha256),
            (KeyAlgorithm::Rsa, JwsAlgorithm::Ps384) => rsa(3072, Scheme::RsaPssSha384),
            (KeyAlgorithm::Rsa, JwsAlgorithm::Ps512) => rsa(4096, Scheme::RsaPssSha512),
            _ => false,
        }
    }

    pub(crate) fn der(&self) -> &DerPublicKey {
        &self.der
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcdsaP256 => "ECDSA P-256",
            Self::EcdsaP384 => "ECDSA P-384",
            Self::EcdsaP521 => "ECDSA P-521",
            Self::Ed25519 => "Ed25519",
            Self::Rsa => "RSA",
        })
    }
}

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
