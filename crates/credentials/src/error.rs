//! Errors and warnings about files of credentials and about helpers. No message contains a secret.

use std::path::{Path, PathBuf};

use porthole_core::failure::{Blame, Classify, Failure, FailureClass};

use crate::keychain;

/// Why credentials cannot be read, stored or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that is required cannot be read or written, or is malformed.
    #[error("cannot use credentials: `{}`: {reason}", path.display())]
    File {
        /// The file of credentials.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A credential helper failed.
    #[error(transparent)]
    Helper(#[from] keychain::Error),
    /// Credentials cannot be stored: the user has no home directory, and no environment variable names a file.
    #[error("no home directory to keep credentials in")]
    NoHome,
    /// The user name contains a colon, which would end it in HTTP's Basic scheme (RFC 7617, section 2).
    #[error("expected a user name without `:`")]
    UserName,
}

impl Error {
    pub(crate) fn file(path: &Path, reason: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), reason: reason.into() }
    }
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::NoHome | Self::UserName => Failure::input(),
            Self::File { .. } | Self::Helper(_) => Failure::new(FailureClass::Other, Blame::Machine),
        }
    }
}

/// A file of credentials that could not be used, in whole or in part. The search continued without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Path of the file, or `$DOCKER_AUTH_CONFIG`.
    pub file: PathBuf,
    /// Why it could not be used.
    pub reason: String,
}
