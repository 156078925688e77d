//! One classification of failures: what kind it is, who can fix it, and what helps.
//!
//! The error of every module implements [`Classify`]. A front end derives the rest from it: exit codes, the words of
//! `data-kind` and the fields of JSON are tables over [`FailureClass`].
//!
//! ```
//! use porthole_core::{failure::{Blame, Classify, FailureClass}, reference::Reference};
//!
//! let error = "Nginx".parse::<Reference>().unwrap_err();
//! let failure = error.failure();
//! assert_eq!((failure.kind, failure.blame), (FailureClass::Input, Blame::Input));
//! assert_eq!(failure.kind.word(), "input");
//! ```

use crate::{hint::Hint, layer::NamedLayer};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An error that has a place in the classification.
pub trait Classify {
    /// Kind, blame and hints of this error.
    fn failure(&self) -> Failure;

    /// What went wrong.
    fn kind(&self) -> FailureClass {
        self.failure().kind
    }

    /// What a person can do, best first.
    fn hints(&self) -> Vec<Hint> {
        self.failure().hints
    }
}

impl<E: Classify + ?Sized> Classify for &E {
    fn failure(&self) -> Failure {
        (**self).failure()
    }
}

impl<E: Classify + ?Sized> Classify for Box<E> {
    fn failure(&self) -> Failure {
        (**self).failure()
    }
}

impl<E: Classify + ?Sized> Classify for std::sync::Arc<E> {
    fn failure(&self) -> Failure {
        (**self).failure()
    }
}

/// An error of the system while it reads a file that the user named. A caller that writes uses [`Failure::machine`].
impl Classify for std::io::Error {
    fn failure(&self) -> Failure {
        match self.kind() {
            std::io::ErrorKind::NotFound => Failure::new(FailureClass::NotFound, Blame::Input),
            _ => Failure::machine(),
        }
    }
}

/// The classification of one error. The error itself has the message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureClass,
    /// The party that can fix it.
    pub blame: Blame,
    /// The layer that the error concerns, if it concerns one.
    pub layer: Option<NamedLayer>,
    /// What a person can do, best first.
    pub hints: Vec<Hint>,
}

impl Failure {
    /// A failure without a layer and without hints.
    pub fn new(kind: FailureClass, blame: Blame) -> Self {
        Self { kind, blame, layer: None, hints: Vec::new() }
    }

    /// Invalid input from the caller: class and blame are both input.
    pub fn input() -> Self {
        Self::new(FailureClass::Input, Blame::Input)
    }

    /// An image that is malformed, or does not match its digests.
    pub fn malformed() -> Self {
        Self::new(FailureClass::Malformed, Blame::Image)
    }

    /// A limit that no setting raises.
    pub fn limit() -> Self {
        Self::new(FailureClass::Limit, Blame::Porthole)
    }

    /// A limit that a setting raises: `got` is how much is needed, or 0 if that is not known.
    pub fn named_limit(name: &'static str, limit: u64, got: u64) -> Self {
        Self::limit().hint(Hint::raise(name, limit, got))
    }

    /// A fault of this machine: its disk, permissions or programs.
    pub fn machine() -> Self {
        Self::new(FailureClass::Other, Blame::Machine)
    }

    /// A bug in this program.
    pub fn bug() -> Self {
        Self::new(FailureClass::Other, Blame::Porthole)
    }

    /// Adds a hint after the others.
    #[must_use]
    pub fn hint(mut self, hint: Hint) -> Self {
        self.hints.push(hint);
        self
    }

    /// Adds hints after the others.
    #[must_use]
    pub fn hints(mut self, hints: impl IntoIterator<Item = Hint>) -> Self {
        self.hints.extend(hints);
        self
    }

    /// Sets the layer that the failure concerns.
    #[must_use]
    pub fn in_layer(mut self, layer: NamedLayer) -> Self {
        self.layer = Some(layer);
        self
    }

    /// The most severe of several failures. Any other failure outweighs a limit of this program, because an image that
    /// exceeds a limit may still be valid. The result has the hints of all failures.
    pub fn worst(failures: impl IntoIterator<Item = Self>) -> Option<Self> {
        failures.into_iter().reduce(|worst, next| {
            let (mut worst, next) = match (worst.kind, next.kind) {
                (FailureClass::Limit, kind) if kind != FailureClass::Limit => (next, worst),
                _ => (worst, next),
            };
            worst.hints.extend(next.hints);
            worst
        })
    }
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The user's input is invalid, or does not apply to this image.
    Input,
    /// The registry asks for credentials, or refuses those that were sent.
    Authentication,
    /// There is no such image, blob, layer or path.
    NotFound,
    /// The image does not exist for the platform.
    Platform,
    /// The registry wants fewer requests.
    RateLimit,
    /// A document or an archive is malformed, or bytes do not match their digest or size.
    Malformed,
    /// No answer arrived, or a part of it is missing.
    Network,
    /// The input exceeds a limit of this program. The image may still be valid.
    Limit,
    /// The registry gave an answer that its protocol does not allow.
    Protocol,
    /// Anything else: the machine, a program that was called, or a bug.
    Other,
}

impl FailureClass {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 10] = [
        Self::Input,
        Self::Authentication,
        Self::NotFound,
        Self::Platform,
        Self::RateLimit,
        Self::Malformed,
        Self::Network,
        Self::Limit,
        Self::Protocol,
        Self::Other,
    ];

    /// Its word, in kebab-case.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Authentication => "authentication",
            Self::NotFound => "not-found",
            Self::Platform => "platform",
            Self::RateLimit => "rate-limit",
            Self::Malformed => "malformed",
            Self::Network => "network",
            Self::Limit => "limit",
            Self::Protocol => "protocol",
            Self::Other => "other",
        }
    }
}

/// Serialised as its [word](FailureClass::word).
impl Serialize for FailureClass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for FailureClass {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|class| class.word() == word);
        known.ok_or_else(|| de::Error::invalid_value(de::Unexpected::Str(&word), &"a class of failures"))
    }
}

/// The party that can fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The user: the command or the reference.
    Input,
    /// The author of the image.
    Image,
    /// The operator of the registry, or of the token server that it names.
    Registry,
    /// The operator of the relay.
    Relay,
    /// The operator of the proxy.
    Proxy,
    /// The network between this machine and the registry.
    Network,
    /// The operator of this machine: its disk, permissions, clock or other programs.
    Machine,
    /// This program: a bug, or a limit that it sets.
    Porthole,
}

impl Blame {
    /// Its word, in kebab-case.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Image => "image",
            Self::Registry => "registry",
            Self::Relay => "relay",
            Self::Proxy => "proxy",
            Self::Network => "network",
            Self::Machine => "machine",
            Self::Porthole => "porthole",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unique_and_kebab_case() {
        let words: std::collections::BTreeSet<_> = FailureClass::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), FailureClass::ALL.len());
        assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    }

    #[test]
    fn classes_are_sent_as_words() {
        for class in FailureClass::ALL {
            let json = serde_json::to_string(&class).unwrap();
            assert_eq!(json, format!("\"{}\"", class.word()));
            assert_eq!(serde_json::from_str::<FailureClass>(&json).unwrap(), class);
        }
        assert!(serde_json::from_str::<FailureClass>("\"no-such\"").is_err());
    }

    #[test]
    fn a_limit_never_hides_what_is_wrong() {
        let limit = || Failure::named_limit("entries", 5, 0);
        let worst = Failure::worst([limit(), Failure::malformed(), limit()]).unwrap();
        assert_eq!((worst.kind, worst.hints.len()), (FailureClass::Malformed, 2));
        assert_eq!(Failure::worst([limit(), limit()]).unwrap().kind, FailureClass::Limit);
        assert_eq!(Failure::worst([]), None);
    }
}
