//! Why `sigstore-verify` refused a signature: wrong, unknown to the trust root, or of a kind that it does not check.

use super::Outcome;
use sigstore_verify::{CertificateError, Error, TimestampError, TransparencyLogError, crypto};

pub(super) enum Refusal {
    Unsupported(String),
    Unknown(String),
    Wrong(String),
}

impl Refusal {
    pub(super) fn of(error: &Error) -> Self {
        let text = error.to_string();
        match error {
            Error::TransparencyLog(TransparencyLogError::UnknownLog { .. })
            | Error::Certificate(CertificateError::NoValidAuthority { .. })
            | Error::Timestamp(TimestampError::OutsideAuthorityValidity { .. }) => Self::Unknown(text),
            Error::TransparencyLog(TransparencyLogError::InclusionPromise(_)) if text.contains("No log key valid") => {
                Self::Unknown("the log of signatures is not in the trust root".to_owned())
            }
            // These errors have no variant of their own for an issuer, a log or an authority that the root lacks.
            Error::Certificate(CertificateError::ChainInvalid(_)) if text.contains("UnknownIssuer") => {
                Self::Unknown("no authority of the trust root issued the certificate".to_owned())
            }
            Error::Certificate(CertificateError::Sct(_)) if text.contains("not found") => {
                Self::Unknown("the log of certificates is not in the trust root".to_owned())
            }
            Error::Timestamp(TimestampError::Invalid(_)) if NO_AUTHORITY.iter().any(|part| text.contains(part)) => {
                Self::Unknown("the authority that signed the time is not in the trust root".to_owned())
            }
            Error::UnsupportedArtifact(_)
            | Error::UnsupportedBundle(_)
            | Error::Crypto(crypto::Error::UnsupportedAlgorithm(_)) => Self::Unsupported(text),
            _ => Self::Wrong(text),
        }
    }

    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Unsupported(reason) => Outcome::Unchecked(reason),
            Self::Unknown(reason) => Outcome::Unknown(reason),
            Self::Wrong(reason) => Outcome::Wrong(reason),
        }
    }
}

/// Texts of errors about signed times if the root lacks their authority.
const NO_AUTHORITY: [&str; 2] = ["no timestamp authorities configured", "does not match any trusted TSA certificate"];
