//! Why text is not a reference.

use std::fmt;

use super::{REPOSITORY_LENGTH, TAG_LENGTH};
use crate::{
    digest,
    failure::{Classify, Failure},
    hint::Hint,
    quote::quote,
};

/// Why text is not a reference: the part, and the rule that it breaks. Quoted text is escaped and truncated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is empty.
    #[error("invalid reference: expected a name, got nothing")]
    Empty,
    /// The text starts or ends with white space.
    #[error("invalid reference: expected no white space around it, got `{got}`")]
    WhiteSpace {
        /// The text as given.
        got: String,
    },
    /// The text is a URL.
    #[error("invalid reference: expected no URL scheme, got `{scheme}://`")]
    Scheme {
        /// The scheme, without `://`.
        scheme: String,
        /// The text after `://`.
        rest: String,
    },
    /// The text is the address of a page for people, at a host that is not a registry or under a path that is not a repository.
    #[error("invalid reference: expected a registry, got a page of `{host}`")]
    Page {
        /// Host of the page, such as `hub.docker.com`.
        host: String,
    },
    /// The text is an image id (64 hex digits), which Docker does not accept as a name.
    #[error("invalid reference: expected a name, got 64 hex digits")]
    Identifier,
    /// The registry breaks a rule.
    #[error("invalid registry: {rule}, got `{got}`")]
    Registry {
        /// The registry as given.
        got: String,
        /// The rule that it breaks.
        rule: Rule,
    },
    /// The repository breaks a rule.
    #[error("invalid repository: {rule}, got `{got}`")]
    Repository {
        /// The repository as given.
        got: String,
        /// The rule that it breaks.
        rule: Rule,
    },
    /// The repository is longer than 255 characters.
    #[error("invalid repository: expected at most {REPOSITORY_LENGTH} characters, got {length}")]
    RepositoryLength {
        /// Length in characters, including an added `library/`.
        length: usize,
    },
    /// The tag breaks a rule.
    #[error("invalid tag: {rule}, got `{got}`")]
    Tag {
        /// The tag as given.
        got: String,
        /// The rule that it breaks.
        rule: Rule,
    },
    /// The tag is longer than 128 characters.
    #[error("invalid tag: expected at most {TAG_LENGTH} characters, got {length}")]
    TagLength {
        /// Length in characters.
        length: usize,
    },
    /// The text names an image in the storage of a container engine, as skopeo writes it.
    #[error(
        "invalid reference: expected an image of a registry, got one in the storage of a container engine, `{transport}`"
    )]
    Engine {
        /// skopeo's name of the storage.
        transport: &'static str,
    },
    /// The text after `@` is not a digest, or its algorithm is unsupported.
    #[error("invalid reference: {0}")]
    Digest(digest::Error),
}

impl Error {
    /// A suggestion of what the user may have meant.
    pub fn hint(&self) -> Option<Hint> {
        let text = match self {
            Self::Engine { .. } => {
                "`docker save` and `podman save` write an archive, which can be read from a file or a pipe".to_owned()
            }
            Self::Registry { got, .. } | Self::Repository { got, .. } | Self::Tag { got, .. } if got.contains('$') => {
                "replace the variable by its value: a shell does not do so within single quotes".to_owned()
            }
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
    /// The part must not be empty.
    Empty,
    /// A component of a path must not be empty.
    EmptyComponent,
    /// A host consists of labels of letters, digits and inner `-`, joined by `.`.
    Host,
    /// An address in brackets consists of hex digits and `:`; only a port may follow.
    Address,
    /// A port consists of digits.
    Port,
    /// A repository is lower case.
    LowerCase,
    /// A repository consists of lower-case letters, digits and separators.
    RepositoryCharacter,
    /// Separators are `.`, `_`, `__` and runs of `-`, each between letters or digits.
    Separator,
    /// A tag starts with a letter, a digit or `_`.
    TagStart,
    /// A tag consists of letters, digits, `_`, `.` and `-`.
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

/// Checks for mistakes that affect the whole text. Parsing would find them later, with a less helpful error.
pub(super) fn check_whole(text: &[u8]) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::Empty);
    }
    if text.trim_ascii().len() != text.len() {
        return Err(Error::WhiteSpace { got: quote(text) });
    }
    // Schemes are short; anything longer is not a mistyped URL.
    let scheme = text.iter().take(32).take_while(|b| b.is_ascii_alphanumeric() || b"+.-".contains(b)).count();
    if let Some(rest) = text[scheme..].strip_prefix(b"://") {
        return Err(Error::Scheme { scheme: quote(&text[..scheme]), rest: quote(rest) });
    }
    Ok(())
}
