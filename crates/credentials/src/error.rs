//! What can go wrong with files of credentials and with helpers. No text contains a secret.

use std::path::{Path, PathBuf};

use porthole_core::failure::{Blame, Classify, Failure, FailureClass};

use crate::keychain;

/// Why credentials cannot be read, kept or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that must be usable is not.
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
    /// There is no home directory and no variable that names a file.
    #[error("no home directory to keep credentials in")]
    NoHome,
    /// A colon ends the user name in HTTP's Basic scheme.
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
    /// The file that is left out.
    pub file: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}
