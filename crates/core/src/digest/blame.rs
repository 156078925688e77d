//! The place of digest errors in the classification. A failure names a layer by its digest, so `digest.rs` cannot import it.

use super::{Error, Mismatch};
use crate::failure::{Classify, Failure};

impl Classify for Error {
    fn failure(&self) -> Failure {
        Failure::input()
    }
}

impl Classify for Mismatch {
    fn failure(&self) -> Failure {
        Failure::malformed()
    }
}
