//! Image references, by the grammar and the defaults of Docker's reference library.
//!
//! ```text
//! reference  := name [ ":" tag ] [ "@" digest ]
//! name       := [ domain "/" ] component *( "/" component )
//! domain     := ( label *( "." label ) | "[" 1*( HEXDIG | ":" ) "]" ) [ ":" 1*DIGIT ]
//! label      := ALNUM [ *( ALNUM | "-" ) ALNUM ]
//! component  := 1*( lower | DIGIT ) *( ( "." | "_" | "__" | 1*"-" ) 1*( lower | DIGIT ) )
//! tag        := ( ALNUM | "_" ) *127( ALNUM | "_" | "." | "-" )
//! ```
//!
//! The first component is a domain if it is `localhost`, holds a `.`, a `:` or an upper-case letter; else the
//! registry is `docker.io`, where a repository of one component lies in `library/`.

mod error;
mod grammar;
mod typed;

use std::{fmt, str::FromStr};

pub use self::error::{Error, Rule};
use self::grammar::{is_domain, is_identifier, is_path_component};
use crate::{digest::Digest, quote::quote};

/// Registry of a reference that names none.
pub const DEFAULT_REGISTRY: &str = "docker.io";
/// Tag of a reference with neither tag nor digest.
pub const DEFAULT_TAG: &str = "latest";

const LEGACY_REGISTRY: &str = "index.docker.io";
const DEFAULT_API_HOST: &str = "registry-1.docker.io";
const OFFICIAL_PREFIX: &str = "library/";
const REPOSITORY_LENGTH: usize = 255;
const TAG_LENGTH: usize = 128;

/// A normalised image reference.
///
/// If tag and digest are both present, the digest is fetched and the tag is kept for display. At least one is present.
/// A valid registry is not necessarily reachable (`999.999.999.999` and `localhost:99999` are valid): code that builds
/// a URL must check host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Parses and normalises raw bytes from a command line or a file.
    ///
    /// # Errors
    ///
    /// [`Error`], which names the part of the reference and the rule that it breaks.
    pub fn parse_bytes(text: &[u8]) -> Result<Self, Error> {
        error::check_whole(text)?;
        if is_identifier(text) {
            return Err(Error::Identifier);
        }
        let (domain, remainder) = split_domain(text);
        let (rest, digest) = split_once(remainder, b'@');
        let (path, tag) = split_once(rest, b':');
        let (registry, repository) = parse_name(domain, path)?;
        let tag = tag.map(parse_tag).transpose()?;
        let digest = digest.map(parse_digest).transpose()?;
        let tag = if tag.is_none() && digest.is_none() { Some(DEFAULT_TAG.to_owned()) } else { tag };
        Ok(Self { registry, repository, tag, digest })
    }

    /// The logical registry, such as `docker.io`, `ghcr.io` or `[::1]:5000`. It is the key for credentials and tokens.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The `host[:port]` that serves the API of this registry: `registry-1.docker.io` for `docker.io`.
    pub fn api_host(&self) -> &str {
        if self.registry == DEFAULT_REGISTRY { DEFAULT_API_HOST } else { &self.registry }
    }

    /// The repository, such as `library/nginx`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag as given, or `latest` if there was neither tag nor digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if the reference has one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What to request from the registry: the digest, else the tag.
    pub fn target(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => DEFAULT_TAG.to_owned(),
        }
    }

    /// The short form that Docker prints, such as `nginx:1.29`: without `docker.io/` and `library/`.
    pub fn familiar(&self) -> String {
        let mut text = String::new();
        if self.registry != DEFAULT_REGISTRY {
            text.push_str(&self.registry);
            text.push('/');
            text.push_str(&self.repository);
        } else {
            // Only names directly below `library/` are official images.
            let official = self.repository.strip_prefix(OFFICIAL_PREFIX).filter(|name| !name.contains('/'));
            text.push_str(official.unwrap_or(&self.repository));
        }
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(&digest.to_string());
        }
        text
    }

    /// Returns the same repository pinned to `digest`. The tag is kept for display.
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }
}

/// The canonical form: registry, repository, and the digest or else the tag.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.digest.is_some() { '@' } else { ':' };
        write!(f, "{}/{}{separator}{}", self.registry, self.repository, self.target())
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse_bytes(text.as_bytes())
    }
}

/// Splits off the first component if it looks like a domain.
fn split_domain(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match split_once(text, b'/') {
        (first, Some(rest)) if is_domain_like(first) => (Some(first), rest),
        _ => (None, text),
    }
}

/// Docker's rule that distinguishes a host from a namespace. It does not check that the host is valid.
fn is_domain_like(first: &[u8]) -> bool {
    first == b"localhost" || first.iter().any(|&b| b == b'.' || b == b':' || b.is_ascii_uppercase())
}

fn parse_name(domain: Option<&[u8]>, path: &[u8]) -> Result<(String, String), Error> {
    let registry = match domain {
        None => DEFAULT_REGISTRY.to_owned(),
        Some(domain) if domain == LEGACY_REGISTRY.as_bytes() => DEFAULT_REGISTRY.to_owned(),
        Some(domain) if is_domain(domain) || is_path_component(domain) => String::from_utf8_lossy(domain).into_owned(),
        Some(domain) => return Err(Error::Registry { got: quote(domain), rule: grammar::domain_rule(domain) }),
    };
    // Docker's reference library parses a first component like `my_host.example`, which is not a valid domain, as part
    // of the path. The name stays valid with the same text, but the length limit then covers the whole.
    let in_path = domain.filter(|domain| !is_domain(domain)).map_or(0, |domain| domain.len() + 1);
    let prefix = if registry == DEFAULT_REGISTRY && !path.contains(&b'/') { OFFICIAL_PREFIX } else { "" };
    let length = in_path + prefix.len() + path.len();
    if length > REPOSITORY_LENGTH {
        return Err(Error::RepositoryLength { length });
    }
    for component in path.split(|&b| b == b'/') {
        if !is_path_component(component) {
            return Err(Error::Repository { got: quote(path), rule: grammar::component_rule(component, path) });
        }
    }
    Ok((registry, format!("{prefix}{}", String::from_utf8_lossy(path))))
}

fn parse_tag(tag: &[u8]) -> Result<String, Error> {
    if tag.len() > TAG_LENGTH {
        return Err(Error::TagLength { length: tag.len() });
    }
    match grammar::tag_rule(tag) {
        Some(rule) => Err(Error::Tag { got: quote(tag), rule }),
        None => Ok(String::from_utf8_lossy(tag).into_owned()),
    }
}

fn parse_digest(digest: &[u8]) -> Result<Digest, Error> {
    // A digest is ASCII, so the replacement character makes parsing fail as it should.
    String::from_utf8_lossy(digest).parse().map_err(Error::Digest)
}

fn split_once(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&b| b == separator) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}
