//! What a certificate may be used for (RFC 5280, section 4.2.1, as the Notary Project narrows it).

use super::{ChainPurpose, ChainedCertificate, error::ChainError};
use spki::ObjectIdentifier;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

/// Checks a signer's certificate: not of an authority, and only for signatures.
pub(super) fn check_leaf(certificate: &ChainedCertificate, purpose: ChainPurpose) -> Result<(), ChainError> {
    if certificate.extension::<BasicConstraints>(BASIC_CONSTRAINTS)?.is_some_and(|(_, constraints)| constraints.ca) {
        return Err(certificate.unfit("is of an authority, and signs something other than certificates"));
    }
    let usage = key_usage(certificate, purpose)?;
    let is_other = [
        usage.key_encipherment(),
        usage.data_encipherment(),
        usage.key_agreement(),
        usage.key_cert_sign(),
        usage.crl_sign(),
        usage.encipher_only(),
        usage.decipher_only(),
    ];
    if !usage.digital_signature() || is_other.contains(&true) {
        return Err(certificate.unfit("is not for signatures alone (key usage)"));
    }
    let purposes = certificate.extension::<ExtendedKeyUsage>(EXTENDED_KEY_USAGE)?;
    match (purpose, purposes) {
        (ChainPurpose::Code, None) => Ok(()),
        (ChainPurpose::Code, Some((_, purposes))) => {
            match purposes.0.iter().find(|purpose| FOREIGN.contains(purpose)) {
                Some(_) => Err(certificate.unfit("is for something other than signing code (extended key usage)")),
                None => Ok(()),
            }
        }
        // RFC 3161, section 2.3.
        (ChainPurpose::Time, Some((true, purposes))) if purposes.0 == [TIME_STAMPING] => Ok(()),
        (ChainPurpose::Time, _) => Err(certificate.unfit("is not for signing times alone (extended key usage)")),
    }
}

/// Checks the certificate of an authority with `below` others between it and the signer's.
pub(super) fn check_authority(
    certificate: &ChainedCertificate,
    below: usize,
    purpose: ChainPurpose,
) -> Result<(), ChainError> {
    let constraints = certificate.extension::<BasicConstraints>(BASIC_CONSTRAINTS)?;
    let Some((true, constraints)) = constraints.filter(|(_, constraints)| constraints.ca) else {
        return Err(certificate.unfit("issued a certificate, and is not of an authority (basic constraints)"));
    };
    if constraints.path_len_constraint.is_some_and(|most| usize::from(most) < below) {
        return Err(certificate.unfit(&format!("allows fewer than {below} authorities below it (path length)")));
    }
    if !key_usage(certificate, purpose)?.key_cert_sign() {
        return Err(certificate.unfit("issued a certificate, and is not for that (key usage)"));
    }
    Ok(())
}

fn key_usage(certificate: &ChainedCertificate, purpose: ChainPurpose) -> Result<KeyUsage, ChainError> {
    match certificate.extension::<KeyUsage>(KEY_USAGE)? {
        None => Err(certificate.unfit("does not say what its key is for (key usage)")),
        Some((false, _)) if purpose == ChainPurpose::Code => {
            Err(certificate.unfit("says what its key is for, and not that this is critical"))
        }
        Some((_, usage)) => Ok(usage),
    }
}

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
/// Any purpose, servers, clients, mail, times, and answers about revocation.
const FOREIGN: [ObjectIdentifier; 6] = [
    ObjectIdentifier::new_unwrap("2.5.29.37.0"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4"),
    TIME_STAMPING,
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9"),
];
