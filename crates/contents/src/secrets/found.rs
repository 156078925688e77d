//! What a rule finds, and how certain that is.

use std::ops::Range;

/// How certain it is that a match is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// It looks like one, in a place of examples or tests.
    Low,
    /// The form is that of a secret, but other texts have it too.
    Medium,
    /// Only secrets have this form.
    High,
}

impl Confidence {
    /// The word for it in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    pub(super) fn lower(self) -> Self {
        match self {
            Self::High => Self::Medium,
            Self::Medium | Self::Low => Self::Low,
        }
    }
}

/// Where a rule found a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) confidence: Confidence,
}

impl Found {
    pub(super) fn new(range: Range<usize>, confidence: Confidence) -> Self {
        Self { range, confidence }
    }
}
