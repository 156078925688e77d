//! What went wrong, and what a person can do.

use super::ProofStep;
use porthole_core::failure::FailureClass;
use porthole_registry::transport::ErrorKind;
use serde::{Deserialize, Serialize};

/// What went wrong, and what a person can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureNotice {
    /// Its class, whose [word](FailureClass::word) is `data-kind`.
    pub kind: FailureClass,
    /// What keeps the front end from the registry, for `data-cause`.
    pub cause: Option<FailureCause>,
    /// Logical registry, for `data-host`.
    pub registry: Option<String>,
    /// Step of the chain that failed.
    pub step: Option<ProofStep>,
    /// Layer that failed; the others are still read.
    pub layer: Option<u32>,
    /// What happened and why, in one or two sentences.
    pub text: String,
    /// Expected and got.
    pub mismatch: Option<(String, String)>,
    /// What to do, best first.
    pub remedies: Vec<Remedy>,
}

/// What keeps a front end from a registry or a host of blobs, where more is known than that the network failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCause {
    /// The registry answers, but does not let a page read it.
    NoCors,
    /// No answer comes from there.
    DeadHost,
    /// No answer comes from the relay, so that the registry was not asked.
    DeadRelay,
    /// This device has no network.
    Offline,
    /// The registry refuses preflights, so a page cannot sign in.
    Preflight,
}

impl FailureCause {
    /// The cause, as far as an error of the transport identifies it.
    pub fn of(kind: ErrorKind) -> Option<Self> {
        match kind {
            ErrorKind::Cors | ErrorKind::Opaque => Some(Self::NoCors),
            ErrorKind::Preflight => Some(Self::Preflight),
            ErrorKind::Connect | ErrorKind::Resolve | ErrorKind::Tls | ErrorKind::Timeout | ErrorKind::Slow => {
                Some(Self::DeadHost)
            }
            ErrorKind::Offline => Some(Self::Offline),
            _ => None,
        }
    }

    /// The error of the transport that stands for it.
    pub fn error_kind(self) -> ErrorKind {
        match self {
            Self::NoCors => ErrorKind::Cors,
            Self::DeadHost | Self::DeadRelay => ErrorKind::Connect,
            Self::Offline => ErrorKind::Offline,
            Self::Preflight => ErrorKind::Preflight,
        }
    }

    /// The word of `data-cause`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoCors => "no-cors",
            Self::DeadHost => "dead-host",
            Self::DeadRelay => "dead-relay",
            Self::Offline => "offline",
            Self::Preflight => "preflight",
        }
    }
}

/// What a person can do about a failure: buttons, or words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// Send `UseRelay`, then `Retry`; without a relay (see [`Event::Relay`](super::Event::Relay)) open the settings or say how to start one.
    UseRelay {
        /// The registry as the reference names it, also where a relay is asked.
        registry: String,
        /// A relay is known.
        available: bool,
    },
    /// Open the sign-in dialog for this registry.
    SignIn {
        /// The registry as the reference names it, also where a relay is asked.
        registry: String,
        /// Credentials were sent and refused.
        refused: bool,
    },
    /// Look again; a button sends [`Retry`](super::Command::Retry).
    Retry {
        /// Seconds to wait before, if the registry said so.
        after: Option<u64>,
    },
    /// Fetch the foreign layers that the registry lacks from these hosts; a button sends
    /// [`AllowForeign`](super::Command::AllowForeign).
    AllowForeign {
        /// `host[:port]`s that the image names, with commas.
        hosts: String,
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
    /// Load the page again, so that the proxy in front of it asks the person to sign in.
    Reload,
    /// A remedy without a button.
    Text {
        /// The remedy, in words.
        text: String,
    },
}
