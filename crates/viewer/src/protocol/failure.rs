//! What went wrong, and what a person can do.

use super::ProofStep;
use serde::{Deserialize, Serialize};

/// What went wrong, and what a person can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureNotice {
    /// Kind, for `data-kind`.
    pub kind: FailureKind,
    /// Logical registry, for `data-host`.
    pub registry: Option<String>,
    /// Step of the chain that failed.
    pub step: Option<ProofStep>,
    /// Layer that failed; the others are still read.
    pub layer: Option<u32>,
    /// Who, what, why: one or two sentences.
    pub text: String,
    /// What was expected and what came.
    pub mismatch: Option<(String, String)>,
    /// What to do, best first.
    pub remedies: Vec<Remedy>,
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// 401 or 403.
    Unauthorized,
    /// 404.
    NotFound,
    /// The registry is there, but does not let a page read it.
    NoCors,
    /// Nothing answers there.
    DeadHost,
    /// The registry refuses preflights, so a page cannot sign in.
    Preflight,
    /// Bytes are not what a digest, a size or a diff_id promised.
    Digest,
    /// The index has no such platform.
    Platform,
    /// 429.
    RateLimited,
    /// What was typed is no reference.
    Reference,
    /// Anything else.
    Other,
}

impl FailureKind {
    /// The word of `data-kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not-found",
            Self::NoCors => "no-cors",
            Self::DeadHost => "dead-host",
            Self::Preflight => "preflight",
            Self::Digest => "digest",
            Self::Platform => "platform",
            Self::RateLimited => "rate-limited",
            Self::Reference => "reference",
            Self::Other => "other",
        }
    }
}

/// What a person can do about a failure: buttons, or words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "remedy", rename_all = "kebab-case")]
pub enum Remedy {
    /// Send `UseRelay`, then `Retry`; without a relay (see [`Event::Relay`](super::Event::Relay)) open the settings or say how to start one.
    UseRelay {
        /// Logical registry.
        registry: String,
        /// A relay is known.
        available: bool,
    },
    /// Open the sign-in dialog for this registry.
    SignIn {
        /// Logical registry.
        registry: String,
        /// Credentials were sent and refused.
        refused: bool,
    },
    /// Send `Retry`.
    Retry {
        /// Seconds to wait before, if the registry said so.
        after: Option<u64>,
    },
    /// Choose one of these and look again.
    ChoosePlatform {
        /// To choose from.
        available: Vec<String>,
    },
    /// Choose one of these images of a file: the name of each, and the reference to look at.
    ChooseImage {
        /// To choose from.
        images: Vec<(String, String)>,
    },
    /// Let the person choose a file, as for the first time.
    ChooseFile,
    /// A remedy without a button.
    Text {
        /// The remedy, in words.
        text: String,
    },
}
