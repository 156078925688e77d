//! Media types of both families, OCI and Docker.

use std::{borrow::Cow, fmt};

use crate::quote::quote;

/// A media type without parameters, by the grammar of RFC 6838 §4.2.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MediaType(Cow<'static, str>);

/// Role of content in an image, by its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// An OCI index or a Docker manifest list.
    Index,
    /// An image manifest.
    Manifest,
    /// An image configuration.
    Config,
    /// A layer, with its declared compression.
    Layer(Compression),
    /// Any other content.
    Other,
}

/// Compression of a layer, as declared by its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// An uncompressed tar archive.
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878.
    Zstd,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

impl MediaType {
    /// OCI image index.
    pub const OCI_INDEX: Self = Self(Cow::Borrowed("application/vnd.oci.image.index.v1+json"));
    /// OCI image manifest.
    pub const OCI_MANIFEST: Self = Self(Cow::Borrowed("application/vnd.oci.image.manifest.v1+json"));
    /// OCI image configuration.
    pub const OCI_CONFIG: Self = Self(Cow::Borrowed("application/vnd.oci.image.config.v1+json"));
    /// OCI layer, uncompressed.
    pub const OCI_LAYER: Self = Self(Cow::Borrowed("application/vnd.oci.image.layer.v1.tar"));
    /// OCI layer compressed with gzip.
    pub const OCI_LAYER_GZIP: Self = Self(Cow::Borrowed("application/vnd.oci.image.layer.v1.tar+gzip"));
    /// OCI layer compressed with Zstandard.
    pub const OCI_LAYER_ZSTD: Self = Self(Cow::Borrowed("application/vnd.oci.image.layer.v1.tar+zstd"));
    /// OCI empty descriptor, whose content is `{}`.
    pub const OCI_EMPTY: Self = Self(Cow::Borrowed("application/vnd.oci.empty.v1+json"));
    /// Docker manifest list.
    pub const DOCKER_LIST: Self = Self(Cow::Borrowed("application/vnd.docker.distribution.manifest.list.v2+json"));
    /// Docker image manifest, version 2, schema 2.
    pub const DOCKER_MANIFEST: Self = Self(Cow::Borrowed("application/vnd.docker.distribution.manifest.v2+json"));
    /// Docker image configuration.
    pub const DOCKER_CONFIG: Self = Self(Cow::Borrowed("application/vnd.docker.container.image.v1+json"));
    /// Docker layer, uncompressed.
    pub const DOCKER_LAYER: Self = Self(Cow::Borrowed("application/vnd.docker.image.rootfs.diff.tar"));
    /// Docker layer compressed with gzip.
    pub const DOCKER_LAYER_GZIP: Self = Self(Cow::Borrowed("application/vnd.docker.image.rootfs.diff.tar.gzip"));
    /// Docker layer compressed with Zstandard.
    pub const DOCKER_LAYER_ZSTD: Self = Self(Cow::Borrowed("application/vnd.docker.image.rootfs.diff.tar.zstd"));

    /// Parses a `Content-Type` header. Surrounding white space and parameters after `;` are ignored.
    ///
    /// # Errors
    ///
    /// [`Error`] if the text is not `type/subtype`, each a restricted name of RFC 6838 §4.2.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let essence = text.split(';').next().unwrap_or_default();
        Self::parse_exact(essence.trim_matches([' ', '\t']))
    }

    /// Parses the media type of a descriptor or document, which must not have parameters.
    ///
    /// # Errors
    ///
    /// As [`MediaType::parse`].
    pub fn parse_exact(text: &str) -> Result<Self, Error> {
        match text.split_once('/') {
            Some((kind, subtype)) if is_restricted_name(kind) && is_restricted_name(subtype) => {
                Ok(Self(Cow::Owned(text.to_owned())))
            }
            _ => Err(Error { got: quote(text.as_bytes()) }),
        }
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Role of content with this media type.
    pub fn role(&self) -> Role {
        match self.as_str() {
            "application/vnd.oci.image.index.v1+json" | "application/vnd.docker.distribution.manifest.list.v2+json" => {
                Role::Index
            }
            "application/vnd.oci.image.manifest.v1+json" | "application/vnd.docker.distribution.manifest.v2+json" => {
                Role::Manifest
            }
            "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json" => {
                Role::Config
            }
            "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar"
            | "application/vnd.docker.image.rootfs.diff.tar"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar" => Role::Layer(Compression::None),
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => Role::Layer(Compression::Gzip),
            "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.zstd" => Role::Layer(Compression::Zstd),
            _ => Role::Other,
        }
    }

    /// Whether this is a type of the vendor tree (RFC 6838 §3.2), as all types of images are: `application/json` and `text/plain` are not.
    pub fn is_vendor_type(&self) -> bool {
        self.as_str()
            .split_once('/')
            .is_some_and(|(_, subtype)| subtype.get(..4).is_some_and(|tree| tree.eq_ignore_ascii_case("vnd.")))
    }

    /// Whether this is a manifest of Docker's schema 1, signed or not. This crate refuses those.
    pub fn is_schema_1(&self) -> bool {
        self.as_str().starts_with("application/vnd.docker.distribution.manifest.v1+")
    }

    /// Whether this is a non-distributable layer: clients download it from the descriptor's `urls` and do not push it.
    pub fn is_nondistributable(&self) -> bool {
        let text = self.as_str();
        text.starts_with("application/vnd.oci.image.layer.nondistributable.")
            || text.starts_with("application/vnd.docker.image.rootfs.foreign.")
    }

    /// Whether this is an encrypted layer (`+encrypted`, as ocicrypt writes it). Its digest can be verified, its files cannot
    /// be read without a key.
    pub fn is_encrypted(&self) -> bool {
        self.as_str().ends_with("+encrypted")
    }

    /// Why the files of a layer with this media type cannot be read, worded to follow `layer 1`. `None` if they can.
    pub fn unreadable(&self) -> Option<&'static str> {
        let is_layer = ["application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."]
            .iter()
            .any(|family| self.as_str().starts_with(family));
        match self.role() {
            Role::Layer(_) => None,
            _ if self.is_encrypted() => Some("is encrypted"),
            _ if is_layer => Some("has a compression that is not supported"),
            _ => Some("holds no files"),
        }
    }

    /// Case-insensitive equality, as RFC 6838 §4.2 defines it.
    pub fn matches(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `restricted-name` of RFC 6838 §4.2: 1 to 127 characters, the first a letter or digit.
fn is_restricted_name(text: &str) -> bool {
    text.len() <= 127
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
}

/// Text that is not a media type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed media type: expected `type/subtype`, got `{got}`")]
pub struct Error {
    /// The text, escaped and truncated.
    pub got: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_cover_both_families() {
        for (text, role) in [
            ("application/vnd.oci.image.index.v1+json", Role::Index),
            ("application/vnd.docker.distribution.manifest.list.v2+json", Role::Index),
            ("application/vnd.docker.distribution.manifest.v2+json", Role::Manifest),
            ("application/vnd.docker.container.image.v1+json", Role::Config),
            ("application/vnd.oci.image.layer.v1.tar", Role::Layer(Compression::None)),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", Role::Layer(Compression::Gzip)),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Role::Layer(Compression::Gzip)),
            ("application/vnd.docker.image.rootfs.diff.tar.zstd", Role::Layer(Compression::Zstd)),
            ("application/vnd.oci.image.layer.v1.tar+zstd", Role::Layer(Compression::Zstd)),
            ("application/vnd.oci.empty.v1+json", Role::Other),
        ] {
            assert_eq!(MediaType::parse(text).unwrap().role(), role, "{text}");
        }
        assert!(
            MediaType::parse("application/vnd.docker.image.rootfs.foreign.diff.tar").unwrap().is_nondistributable()
        );
        assert!(!MediaType::OCI_LAYER.is_nondistributable());
    }

    #[test]
    fn an_encrypted_layer_is_no_archive() {
        let encrypted = MediaType::parse("application/vnd.oci.image.layer.v1.tar+gzip+encrypted").unwrap();
        assert!(encrypted.is_encrypted() && encrypted.role() == Role::Other);
        assert!(!MediaType::OCI_LAYER_GZIP.is_encrypted());
    }

    #[test]
    fn a_layer_that_cannot_be_read_is_not_said_to_be_empty() {
        for (text, why) in [
            ("application/vnd.oci.image.layer.v1.tar+gzip", None),
            ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", Some("is encrypted")),
            ("application/vnd.oci.image.layer.v1.tar+xz", Some("has a compression that is not supported")),
            ("application/vnd.docker.image.rootfs.diff.tar.bz2", Some("has a compression that is not supported")),
            ("application/vnd.in-toto+json", Some("holds no files")),
        ] {
            assert_eq!(MediaType::parse(text).unwrap().unreadable(), why, "{text}");
        }
    }

    #[test]
    fn parameters_are_ignored_in_a_header_and_refused_in_a_descriptor() {
        let text = "application/vnd.oci.image.index.v1+json; charset=utf-8";
        assert_eq!(MediaType::parse(text), Ok(MediaType::OCI_INDEX));
        assert_eq!(
            MediaType::parse_exact(text).unwrap_err().to_string(),
            format!("malformed media type: expected `type/subtype`, got `{text}`")
        );
        assert!(MediaType::parse("Application/Json").unwrap().matches(&MediaType::parse("application/json").unwrap()));
    }

    #[test]
    fn the_grammar_of_restricted_names() {
        let longest = "1".repeat(127);
        assert!(MediaType::parse_exact(&format!("{longest}/{longest}")).is_ok());
        assert!(MediaType::parse_exact(&format!("{longest}1/x")).is_err());
        assert!(MediaType::parse_exact(&format!("x/{longest}1")).is_err());
        for text in ["", "/", "application", "a/", "/a", ".foo/bar", "foo/.bar", "a/b/c", "a/b c", "a/\u{e9}", " a/b"] {
            assert!(MediaType::parse_exact(text).is_err(), "{text}");
        }
    }
}
