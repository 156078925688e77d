//! Why text is not a reference.

use std::fmt;

use super::{REPOSITORY_LENGTH, TAG_LENGTH};
use crate::{
    digest,
    failure::{Classify, Failure},
    hint::Hint,
    quote::quote,
};

/// Why text is not a reference: the part, and the rule that it breaks. Quoted text is escaped and cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no text.
    #[error("invalid reference: expected a name, got nothing")]
    Empty,
    /// The text begins or ends with white space.
    #[error("invalid reference: expected no white space around it, got `{got}`")]
    WhiteSpace {
        /// The text.
        got: String,
    },
    /// The text is a URL.
    #[error("invalid reference: expected no URL scheme, got `{scheme}://`")]
    Scheme {
        /// What stands before `://`.
        scheme: String,
        /// What stands after it.
        rest: String,
    },
    /// The text is an image id: 64 hex digits, which may be no name.
    #[error("invalid reference: expected a name, got 64 hex digits")]
    Identifier,
    /// The registry breaks a rule.
    #[error("invalid registry: {rule}, got `{got}`")]
    Registry {
        /// The registry.
        got: String,
        /// The rule.
        rule: Rule,
    },
    /// The repository breaks a rule.
    #[error("invalid repository: {rule}, got `{got}`")]
    Repository {
        /// The repository.
        got: String,
        /// The rule.
        rule: Rule,
    },
    /// The repository is too long.
    #[error("invalid repository: expected at most {REPOSITORY_LENGTH} characters, got {length}")]
    RepositoryLength {
        /// Its length, with `library/` where that is added.
        length: usize,
    },
    /// The tag breaks a rule.
    #[error("invalid tag: {rule}, got `{got}`")]
    Tag {
        /// The tag.
        got: String,
        /// The rule.
        rule: Rule,
    },
    /// The tag is too long.
    #[error("invalid tag: expected at most {TAG_LENGTH} characters, got {length}")]
    TagLength {
        /// Its length.
        length: usize,
    },
    /// What follows `@` is no digest, or one whose algorithm is not supported.
    #[error("invalid reference: {0}")]
    Digest(digest::Error),
}

impl Error {
    /// What the person who wrote the reference may have meant.
    pub fn hint(&self) -> Option<Hint> {
        let text = match self {
            Self::WhiteSpace { .. } => "remove the white space before and after the reference".to_owned(),
            Self::Scheme { scheme, rest } if !rest.is_empty() => {
                format!("write `{rest}`, without `{scheme}://`")
            }
            Self::Identifier => "an image id is known to one machine only: write a name, as in `nginx`".to_owned(),
            Self::Repository { got, rule: Rule::LowerCase } => {
                format!("repositories are written in lower case: `{}`", got.to_lowercase())
            }
            Self::Repository { rule: Rule::Empty, .. } => {
                "write the repository after the registry, as in `registry.example/name`".to_owned()
            }
            Self::Tag { rule: Rule::Empty, .. } => "write a tag after the `:`, or leave the `:` out".to_owned(),
            Self::Registry { rule: Rule::Address, .. } => {
                "write an IPv6 address in brackets and without a zone, as in `[::1]:5000/name`".to_owned()
            }
            _ => return None,
        };
        Some(Hint::Text(text))
    }
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        Failure::input().hints(self.hint())
    }
}

/// A rule of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// The part is there, so it may not be empty.
    Empty,
    /// No component of a path is empty.
    EmptyComponent,
    /// A host is labels of letters, digits and inner `-`, joined by `.`.
    Host,
    /// An address in brackets is hex digits and `:`, and only a port may follow it.
    Address,
    /// A port is digits.
    Port,
    /// A repository is in lower case.
    LowerCase,
    /// A repository is lower-case letters, digits and separators.
    RepositoryCharacter,
    /// Separators are `.`, `_`, `__` and any number of `-`, and stand between letters or digits.
    Separator,
    /// A tag begins with a letter, a digit or `_`.
    TagStart,
    /// A tag is letters, digits, `_`, `.` and `-`.
    TagCharacter,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "expected text",
            Self::EmptyComponent => "expected text between the slashes",
            Self::Host => "expected a host of letters, digits, `.` and inner `-`",
            Self::Address => "expected an IPv6 address in brackets, and at most a port after it",
            Self::Port => "expected a port in digits",
            Self::LowerCase => "expected lower case",
            Self::RepositoryCharacter => "expected lower-case letters, digits, `.`, `_`, `-` and `/`",
            Self::Separator => "expected `.`, `_`, `__` or `-` only between letters or digits",
            Self::TagStart => "expected a letter, a digit or `_` at the start",
            Self::TagCharacter => "expected letters, digits, `_`, `.` and `-`",
        })
    }
}

/// The mistakes that concern no single part. All of them would be found later, with less helpful words.
pub(super) fn check_whole(text: &[u8]) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::Empty);
    }
    if text.trim_ascii().len() != text.len() {
        return Err(Error::WhiteSpace { got: quote(text) });
    }
    // A scheme is short; what is longer is not a mistaken URL.
    let scheme = text.iter().take(32).take_while(|b| b.is_ascii_alphanumeric() || b"+.-".contains(b)).count();
    if let Some(rest) = text[scheme..].strip_prefix(b"://") {
        return Err(Error::Scheme { scheme: quote(&text[..scheme]), rest: quote(rest) });
    }
    Ok(())
}
