//! Chains of X.509 certificates, by the rules of the Notary Project (signature specification, "Certificate Requirements"),
//! for the signer of an image and for a time stamp authority.

mod certificate;
mod error;
mod purpose;

pub use error::{ChainError, Moment};

pub(crate) use certificate::{ChainedCertificate, hash_of_oid, signature_of_oids};

use purpose::{check_authority, check_leaf};

/// What the first certificate of a chain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChainPurpose {
    /// Signing code (extended key usage).
    Code,
    /// Signing times (extended key usage).
    Time,
}

/// Most certificates that a chain may have.
pub(crate) const MOST_CERTIFICATES: usize = 16;

/// Checks that a chain, the signer's certificate first, leads to a self-signed root, and that each certificate is allowed its use.
/// It does not check whether the root is trusted, nor whether the certificates were valid when they were used.
///
/// # Errors
///
/// [`ChainError`].
pub(crate) fn check_chain(chain: &[ChainedCertificate], purpose: ChainPurpose) -> Result<(), ChainError> {
    let Some((root, issued)) = chain.split_last() else { return Err(ChainError::Empty) };
    for (certificate, issuer) in issued.iter().zip(&chain[1..]) {
        if certificate.is_issued_by(certificate)? {
            return Err(certificate.unfit("signed itself, and another certificate follows"));
        }
        if !certificate.is_issued_by(issuer)? {
            return Err(ChainError::Broken { subject: certificate.subject(), issuer: issuer.subject() });
        }
    }
    if !root.is_issued_by(root)? {
        return Err(root.unfit("ends the chain, and is not the root: it did not sign itself"));
    }
    for (at, certificate) in chain.iter().enumerate() {
        match at.checked_sub(1) {
            None => check_leaf(certificate, purpose)?,
            Some(below) => check_authority(certificate, below, purpose)?,
        }
    }
    Ok(())
}

/// Checks that all certificates of a chain were valid during a whole range of time.
///
/// # Errors
///
/// [`ChainError::Outside`].
pub(crate) fn check_validity(chain: &[ChainedCertificate], time: (i64, i64)) -> Result<(), ChainError> {
    chain.iter().try_for_each(|certificate| certificate.check_validity(time))
}
