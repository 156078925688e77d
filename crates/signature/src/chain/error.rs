//! Why a chain of certificates is not accepted.

use std::fmt;

/// Why a chain of certificates is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// There is no certificate.
    #[error("expected a chain of certificates, got none")]
    Empty,
    /// There are more certificates than the limit.
    #[error("expected a chain of at most {limit} certificates, got {count}")]
    TooLong {
        /// Number of certificates in the chain.
        count: usize,
        /// Most certificates that a chain may have.
        limit: usize,
    },
    /// One is not a certificate.
    #[error("expected a certificate as X.509, got something else: {0}")]
    Malformed(String),
    /// One is not allowed its use.
    #[error("the certificate `{subject}` {fault}")]
    Unfit {
        /// Subject of the certificate.
        subject: String,
        /// What is wrong with it.
        fault: String,
    },
    /// One was not issued by the one that follows it.
    #[error("the certificate `{subject}` was not issued by the one that follows it, `{issuer}`")]
    Broken {
        /// Subject of the certificate.
        subject: String,
        /// Subject of the one that follows it.
        issuer: String,
    },
    /// One was not valid at that time.
    #[error("the certificate `{subject}` is valid from {from} to {until}, and not at {time}")]
    Outside {
        /// Subject of the certificate.
        subject: String,
        /// Start of its validity.
        from: Moment,
        /// End of its validity.
        until: Moment,
        /// When it should have been valid.
        time: Moment,
    },
}

/// Seconds since 1970, shown as RFC 3339 has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{} seconds since 1970", self.0),
        }
    }
}
