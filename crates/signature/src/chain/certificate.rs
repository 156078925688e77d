//! One certificate of a chain.

use super::error::{ChainError, Moment};
use crate::key::{PublicKey, X509Signature};
use porthole_core::digest::Digest;
use sigstore_verify::types::HashAlgorithm;
use spki::{AlgorithmIdentifierOwned, ObjectIdentifier};
use x509_cert::{
    Certificate,
    der::{Decode, Encode as _, Reader as _, SliceReader, Tag, asn1::AnyRef},
    ext::Extension,
    name::Name,
};

/// A parsed certificate with its bytes.
#[derive(Clone, Debug)]
pub(crate) struct ChainedCertificate {
    der: Vec<u8>,
    /// What its issuer signed, as written (RFC 5280, section 4.1.1.1).
    signed: Vec<u8>,
    parsed: Certificate,
    key: PublicKey,
}

impl ChainedCertificate {
    /// Reads DER.
    ///
    /// # Errors
    ///
    /// [`ChainError::Malformed`], and [`ChainError::Unfit`] if its key has an algorithm that is not supported.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, ChainError> {
        let malformed = |error: spki::der::Error| ChainError::Malformed(error.to_string());
        let parsed = Certificate::from_der(der).map_err(malformed)?;
        let whole = AnyRef::from_der(der).map_err(malformed)?;
        let signed = SliceReader::new(whole.value()).and_then(|mut reader| reader.tlv_bytes().map(<[u8]>::to_vec));
        let key = PublicKey::of_certificate(der).map_err(|error| ChainError::Unfit {
            subject: parsed.tbs_certificate.subject.to_string(),
            fault: format!("has a key that is not accepted: {error}"),
        })?;
        Ok(Self { der: der.to_vec(), signed: signed.map_err(malformed)?, parsed, key })
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(crate) fn parsed(&self) -> &Certificate {
        &self.parsed
    }

    pub(crate) fn key(&self) -> &PublicKey {
        &self.key
    }

    pub(crate) fn name(&self) -> &Name {
        &self.parsed.tbs_certificate.subject
    }

    /// Its subject, as RFC 4514 writes names.
    pub(crate) fn subject(&self) -> String {
        self.name().to_string()
    }

    /// SHA-256 of its DER, by which the Notary Project names it.
    pub(crate) fn fingerprint(&self) -> Digest {
        Digest::sha256(&self.der)
    }

    pub(super) fn unfit(&self, fault: &str) -> ChainError {
        ChainError::Unfit { subject: self.subject(), fault: fault.to_owned() }
    }

    /// Whether another certificate is of the issuer that it names, and its key signed this one.
    ///
    /// # Errors
    ///
    /// The algorithm is not accepted, such as one with SHA-1.
    pub(crate) fn is_issued_by(&self, issuer: &Self) -> Result<bool, ChainError> {
        if self.parsed.tbs_certificate.issuer != *issuer.name() {
            return Ok(false);
        }
        let algorithm = &self.parsed.signature_algorithm;
        // RFC 5280, section 4.1.1.2: both must be the same.
        let same = self.parsed.tbs_certificate.signature == *algorithm;
        let how = signature_of_oids(algorithm, None).filter(|_| same);
        let how = how.ok_or_else(|| self.unfit("is signed with an algorithm that is not accepted"))?;
        let signature = self.parsed.signature.as_bytes();
        Ok(signature.is_some_and(|signature| issuer.key.signed_x509(how, &self.signed, signature)))
    }

    pub(super) fn check_validity(&self, (first, last): (i64, i64)) -> Result<(), ChainError> {
        let validity = &self.parsed.tbs_certificate.validity;
        let seconds =
            |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
        let (from, until) = (seconds(validity.not_before), seconds(validity.not_after));
        let outside = if first < from { first } else { last };
        if first < from || last > until {
            let (from, until, time) = (Moment(from), Moment(until), Moment(outside));
            return Err(ChainError::Outside { subject: self.subject(), from, until, time });
        }
        Ok(())
    }

    /// An extension, and whether it is critical.
    ///
    /// # Errors
    ///
    /// It is malformed, or there is more than one (RFC 5280, section 4.2).
    pub(crate) fn extension<'a, T: Decode<'a>>(
        &'a self,
        oid: ObjectIdentifier,
    ) -> Result<Option<(bool, T)>, ChainError> {
        let all = self.parsed.tbs_certificate.extensions.iter().flatten();
        let found: Vec<&Extension> = all.filter(|extension| extension.extn_id == oid).collect();
        let [extension] = found[..] else {
            return if found.is_empty() { Ok(None) } else { Err(self.unfit("has an extension twice")) };
        };
        let value = T::from_der(extension.extn_value.as_bytes());
        let value = value.map_err(|error| self.unfit(&format!("has a malformed extension: {error}")))?;
        Ok(Some((extension.critical, value)))
    }
}

/// The scheme of a signature. `hash` is the digest stated beside an algorithm that does not imply one, as in CMS (RFC 5652).
pub(crate) fn signature_of_oids(
    algorithm: &AlgorithmIdentifierOwned,
    hash: Option<HashAlgorithm>,
) -> Option<X509Signature> {
    Some(match algorithm.oid {
        ECDSA_SHA256 => X509Signature::Ecdsa(HashAlgorithm::Sha2256),
        ECDSA_SHA384 => X509Signature::Ecdsa(HashAlgorithm::Sha2384),
        ECDSA_SHA512 => X509Signature::Ecdsa(HashAlgorithm::Sha2512),
        RSA_SHA256 => X509Signature::RsaPkcs1(HashAlgorithm::Sha2256),
        RSA_SHA384 => X509Signature::RsaPkcs1(HashAlgorithm::Sha2384),
        RSA_SHA512 => X509Signature::RsaPkcs1(HashAlgorithm::Sha2512),
        RSA => X509Signature::RsaPkcs1(hash?),
        RSA_PSS => X509Signature::RsaPss(pss_hash(algorithm)?),
        _ => return None,
    })
}

/// The digest of `RSASSA-PSS-params` (RFC 4055, section 3.1). The salt must be as long as the digest: other lengths are not supported.
fn pss_hash(algorithm: &AlgorithmIdentifierOwned) -> Option<HashAlgorithm> {
    let parameters = algorithm.parameters.as_ref()?.to_der().ok()?;
    let parameters = AnyRef::from_der(&parameters).ok().filter(|any| spki::der::Tagged::tag(any) == Tag::Sequence)?;
    // hashAlgorithm [0] EXPLICIT; without it the digest is SHA-1.
    let first = SliceReader::new(parameters.value()).and_then(|mut reader| AnyRef::decode(&mut reader)).ok()?;
    let is_hash = spki::der::Tagged::tag(&first).octet() == 0xa0;
    let hash = AlgorithmIdentifierOwned::from_der(first.value()).ok().filter(|_| is_hash)?;
    hash_of_oid(hash.oid)
}

/// The digest that an object identifier names; `None` if it is not accepted.
pub(crate) fn hash_of_oid(oid: ObjectIdentifier) -> Option<HashAlgorithm> {
    Some(match oid {
        SHA256 => HashAlgorithm::Sha2256,
        SHA384 => HashAlgorithm::Sha2384,
        SHA512 => HashAlgorithm::Sha2512,
        _ => return None,
    })
}

const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
