//! Why a pattern is refused.

use porthole_core::failure::{Classify, Failure};

/// Why a pattern cannot be searched for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not a regular expression.
    #[error("expected a regular expression: {why}, at character {at}")]
    Syntax {
        /// What is wrong with it.
        why: String,
        /// Position of the fault in characters, counted from 1.
        at: usize,
    },
    /// It is not a glob.
    #[error("expected a glob of paths: `{0}`")]
    Glob(String),
    /// Compiled, it exceeds [`PROGRAM_BYTES`](super::PROGRAM_BYTES).
    #[error("the expression is too large: expected at most {limit} bytes when compiled")]
    TooLarge {
        /// Bytes that a compiled pattern may take.
        limit: usize,
    },
    /// It has a part with no equivalent in UTF-16.
    #[error("the expression cannot be searched for in UTF-16: expected no {0}")]
    Wide(&'static str),
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        Failure::input()
    }
}
