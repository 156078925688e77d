//! Times that an authority signed (RFC 3161): tokens that countersign a signature.

use crate::chain::{
    ChainError, ChainPurpose, ChainedCertificate, MOST_CERTIFICATES, check_chain, check_validity, hash_of_oid,
    signature_of_oids,
};
use crate::provider;
use cms::{
    cert::CertificateChoices,
    content_info::ContentInfo,
    signed_data::{SignedData, SignerIdentifier, SignerInfo},
};
use sigstore_verify::types::HashAlgorithm;
use spki::{AlgorithmIdentifierOwned, ObjectIdentifier};
use x509_cert::{
    attr::Attribute,
    der::{
        Any, Decode, Encode as _, Reader as _, SliceReader, Tag, Tagged as _,
        asn1::{AnyRef, OctetString, OctetStringRef},
    },
    ext::pkix::SubjectKeyIdentifier,
};

/// Why a token does not prove a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TimestampError {
    /// It is not a token, or has a part that is not accepted.
    #[error("expected a signed time as RFC 3161 has it, got something else: {0}")]
    Malformed(String),
    /// It is about other bytes than this signature.
    #[error("the signed time is not of this signature")]
    Imprint,
    /// Its signature does not hold.
    #[error("the signature of the signed time does not hold")]
    Signature,
    /// The chain of its authority is not accepted.
    #[error("the authority that signed the time: {0}")]
    Chain(#[from] ChainError),
    /// It is valid, but its authority was not named.
    #[error("`{0}` signed the time, and no certificate that was named vouches for it")]
    Unknown(String),
}

/// A time that an authority signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignedTime {
    /// The time, in seconds since 1970.
    pub(crate) time: i64,
    /// The earliest and the latest second that its accuracy allows.
    pub(crate) range: (i64, i64),
}

/// Checks a token of a signature. `roots` are the certificates of authorities that are trusted to sign times.
///
/// # Errors
///
/// [`TimestampError`].
pub(crate) fn check_timestamp(
    token: &[u8],
    signature: &[u8],
    roots: &[ChainedCertificate],
) -> Result<SignedTime, TimestampError> {
    let content = ContentInfo::from_der(token).map_err(malformed)?;
    if content.content_type != SIGNED_DATA {
        return Err(other("not signed data"));
    }
    let signed: SignedData = content.content.decode_as().map_err(malformed)?;
    let content = &signed.encap_content_info;
    let info = content.econtent.as_ref().filter(|_| content.econtent_type == TST_INFO);
    let info = info.ok_or_else(|| other("no time in it"))?.value();
    let time = read_info(info, signature)?;
    let [signer] = signed.signer_infos.0.as_slice() else { return Err(other("not one signer")) };
    let certificates = certificates(&signed)?;
    let leaf = certificates.iter().find(|certificate| is_named(&signer.sid, certificate));
    let leaf = leaf.ok_or_else(|| other("no certificate of its signer"))?;
    check_signer(signer, leaf, info)?;
    let chain = chain_of(leaf, &certificates, roots)?;
    check_chain(&chain, ChainPurpose::Time)?;
    check_validity(&chain, time.range)?;
    Ok(time)
}

/// Reads `TSTInfo` (RFC 3161, section 2.4.2), and compares its imprint with the signature.
fn read_info(info: &[u8], signature: &[u8]) -> Result<SignedTime, TimestampError> {
    let info = AnyRef::from_der(info).map_err(malformed)?;
    let mut fields = SliceReader::new(info.value()).map_err(malformed)?;
    let mut next = || AnyRef::decode(&mut fields).map_err(malformed);
    let (_version, _policy, imprint, _serial, time) = (next()?, next()?, next()?, next()?, next()?);
    let accuracy = next().ok().filter(|any| any.tag() == Tag::Sequence);
    let mut imprint = SliceReader::new(imprint.value()).map_err(malformed)?;
    let algorithm = AlgorithmIdentifierOwned::decode(&mut imprint).map_err(malformed)?;
    let expected = OctetStringRef::decode(&mut imprint).map_err(malformed)?;
    let hash = hash_of_oid(algorithm.oid).ok_or_else(|| other("an imprint of an algorithm that is not accepted"))?;
    if provider::digest(hash, signature) != expected.as_bytes() {
        return Err(TimestampError::Imprint);
    }
    let (time, fraction) = general_time(time).ok_or_else(|| other("a malformed time"))?;
    let accuracy = accuracy.map_or(Some(0), seconds_of_accuracy).ok_or_else(|| other("a malformed accuracy"))?;
    let latest = time.saturating_add(accuracy).saturating_add(i64::from(fraction));
    Ok(SignedTime { time, range: (time.saturating_sub(accuracy), latest) })
}

/// `GeneralizedTime` with the fraction that RFC 3161 allows, in seconds since 1970, and whether there is a fraction.
fn general_time(any: AnyRef<'_>) -> Option<(i64, bool)> {
    let text =
        std::str::from_utf8(any.value()).ok().filter(|_| any.tag() == Tag::GeneralizedTime)?.strip_suffix('Z')?;
    let (text, fraction) = text.split_once('.').map_or((text, None), |(text, fraction)| (text, Some(fraction)));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() != 14 || !all_digits(text) || fraction.is_some_and(|fraction| !all_digits(fraction)) {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<i16>().ok();
    let small = |from: usize| i8::try_from(number(from, from + 2)?).ok();
    let date = jiff::civil::DateTime::new(number(0, 4)?, small(4)?, small(6)?, small(8)?, small(10)?, small(12)?, 0);
    let time = date.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some((time.as_second(), fraction.is_some()))
}

/// The seconds of an accuracy, rounded up. A missing accuracy counts as 0.
fn seconds_of_accuracy(accuracy: AnyRef<'_>) -> Option<i64> {
    let mut fields = SliceReader::new(accuracy.value()).ok()?;
    let mut seconds = 0_i64;
    while !fields.is_finished() {
        let field = AnyRef::decode(&mut fields).ok()?;
        let digits = field.value();
        seconds = match field.tag() {
            Tag::Integer if digits.len() <= 5 && digits.first().is_some_and(|first| *first < 0x80) => {
                seconds.checked_add(digits.iter().fold(0, |sum, digit| sum << 8 | i64::from(*digit)))?
            }
            // Milliseconds and microseconds.
            Tag::ContextSpecific { .. } => seconds.checked_add(1)?,
            _ => return None,
        };
    }
    Some(seconds)
}

/// The certificates that came with a token.
fn certificates(signed: &SignedData) -> Result<Vec<ChainedCertificate>, TimestampError> {
    let choices = signed.certificates.iter().flat_map(|set| set.0.iter());
    let found = choices.filter_map(|choice| match choice {
        CertificateChoices::Certificate(certificate) => certificate.to_der().ok(),
        CertificateChoices::Other(_) => None,
    });
    let all: Vec<_> = found.collect();
    if all.len() > MOST_CERTIFICATES {
        return Err(ChainError::TooLong { count: all.len(), limit: MOST_CERTIFICATES }.into());
    }
    // A certificate with an unsupported key is skipped: the chain may not need it.
    Ok(all.iter().filter_map(|der| ChainedCertificate::parse(der).ok()).collect())
}

fn is_named(signer: &SignerIdentifier, certificate: &ChainedCertificate) -> bool {
    let body = &certificate.parsed().tbs_certificate;
    match signer {
        SignerIdentifier::IssuerAndSerialNumber(named) => {
            body.issuer == named.issuer && body.serial_number == named.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(named) => {
            let found = certificate.extension::<SubjectKeyIdentifier>(SUBJECT_KEY_IDENTIFIER);
            found.is_ok_and(|found| found.is_some_and(|(_, found)| found == *named))
        }
    }
}

/// Checks the signature of a token, by the rules of RFC 5652, section 5.4, and RFC 5816, section 2.2.1.
fn check_signer(signer: &SignerInfo, leaf: &ChainedCertificate, info: &[u8]) -> Result<(), TimestampError> {
    let hash = hash_of_oid(signer.digest_alg.oid).ok_or_else(|| other("a digest that is not accepted"))?;
    let attributes = signer.signed_attrs.as_ref().ok_or_else(|| other("nothing signed"))?;
    let value = |oid: ObjectIdentifier| {
        let mut all = attributes.iter().filter(|attribute| attribute.oid == oid);
        all.next().filter(|_| all.next().is_none()).and_then(one_value)
    };
    let kind = value(CONTENT_TYPE).and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    let digest = value(MESSAGE_DIGEST).and_then(|any| any.decode_as::<OctetString>().ok());
    if kind != Some(TST_INFO) || digest.is_none_or(|digest| digest.as_bytes() != provider::digest(hash, info)) {
        return Err(TimestampError::Signature);
    }
    if value(SIGNING_CERTIFICATE).is_some_and(|named| !names_certificate(named, leaf)) {
        return Err(TimestampError::Signature);
    }
    let how = signature_of_oids(&signer.signature_algorithm, Some(hash));
    let how = how.ok_or_else(|| other("a signature of an algorithm that is not accepted"))?;
    let message = attributes.to_der().map_err(malformed)?;
    match leaf.key().signed_x509(how, &message, signer.signature.as_bytes()) {
        true => Ok(()),
        false => Err(TimestampError::Signature),
    }
}

fn one_value(attribute: &Attribute) -> Option<&Any> {
    attribute.values.get(0).filter(|_| attribute.values.len() == 1)
}

/// Whether `SigningCertificateV2` (RFC 5035, section 3) begins with a certificate.
fn names_certificate(value: &Any, leaf: &ChainedCertificate) -> bool {
    let is_first = || {
        let id = first_of(first_of(value.value())?.value())?;
        let mut fields = SliceReader::new(id.value()).ok()?;
        let field = AnyRef::decode(&mut fields).ok()?;
        // The default algorithm is omitted.
        let (hash, digest) = match field.tag() {
            Tag::OctetString => (HashAlgorithm::Sha2256, field),
            _ => {
                let algorithm: AlgorithmIdentifierOwned = field.decode_as().ok()?;
                (hash_of_oid(algorithm.oid)?, AnyRef::decode(&mut fields).ok()?)
            }
        };
        Some(provider::digest(hash, leaf.der()) == digest.value())
    };
    is_first().unwrap_or_default()
}

fn first_of(content: &[u8]) -> Option<AnyRef<'_>> {
    SliceReader::new(content).and_then(|mut reader| AnyRef::decode(&mut reader)).ok()
}

/// The certificates from the signer's to one that is trusted.
fn chain_of(
    leaf: &ChainedCertificate,
    certificates: &[ChainedCertificate],
    roots: &[ChainedCertificate],
) -> Result<Vec<ChainedCertificate>, TimestampError> {
    let mut chain = vec![leaf.clone()];
    while let Some(last) = chain.last().filter(|_| chain.len() <= MOST_CERTIFICATES) {
        if roots.iter().any(|root| root.der() == last.der()) {
            return Ok(chain);
        }
        let issuer = |from: &[ChainedCertificate]| {
            let is_new = |found: &&ChainedCertificate| chain.iter().all(|known| known.der() != found.der());
            from.iter().filter(is_new).find(|found| last.is_issued_by(found).unwrap_or_default()).cloned()
        };
        let Some(next) = issuer(roots).or_else(|| issuer(certificates)) else { break };
        chain.push(next);
    }
    Err(TimestampError::Unknown(leaf.subject()))
}

fn malformed(error: spki::der::Error) -> TimestampError {
    TimestampError::Malformed(error.to_string())
}

fn other(what: &str) -> TimestampError {
    TimestampError::Malformed(what.to_owned())
}

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
