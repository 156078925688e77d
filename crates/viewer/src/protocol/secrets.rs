//! Secrets, masked: the values themselves never leave the worker that finds them.

use serde::{Deserialize, Serialize};

/// A secret in a file of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretFact {
    /// Where the content of the file starts in its layer.
    pub content: u64,
    /// Path, escaped as `porthole ls --json` prints it.
    pub path: String,
    /// Number of the line, from 1.
    pub line: u64,
    /// The rule, the confidence and the masked secret.
    pub kind: SecretKind,
}

/// A secret in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigSecretFact {
    /// Where, in words.
    pub place: String,
    /// The rule, the confidence and the masked secret.
    pub kind: SecretKind,
}

/// What is shown of a secret besides its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretKind {
    /// Name of the rule that found it.
    pub rule: String,
    /// What that rule finds, in words.
    pub about: String,
    /// How certain it is.
    pub confidence: ShownConfidence,
    /// The secret, masked.
    pub masked: String,
}

/// How certain it is that something is a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShownConfidence {
    /// Probably an example.
    Low,
    /// Other values have this form as well.
    #[default]
    Medium,
    /// Only secrets have this form.
    High,
}

impl ShownConfidence {
    /// All of them, the most certain one first.
    pub const ALL: [Self; 3] = [Self::High, Self::Medium, Self::Low];

    /// The word in the address and in `porthole secrets --confidence`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|confidence| confidence.name() == word)
    }
}
