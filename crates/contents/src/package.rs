//! A package, as a database records it.

use porthole_core::digest::{self, unhex};
use std::fmt;

/// A package of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The ecosystem that it belongs to.
    pub ecosystem: Ecosystem,
    /// Its name. With a scope for npm (`@scope/name`), a vendor for Composer (`vendor/name`), a group for Maven
    /// (`group:artifact`).
    pub name: String,
    /// Its version, with epoch and release where the ecosystem has them.
    pub version: String,
    /// The architecture that it is built for, in the words of its ecosystem.
    pub architecture: Option<String>,
    /// The package of source code that it is built from, if the database names one.
    pub source: Option<SourcePackage>,
    /// Its licence, as recorded: an expression, a name, or several names separated by ` AND `.
    pub licence: Option<String>,
    /// The organisation that built it, if the database names one.
    pub vendor: Option<String>,
    /// Bytes that it takes when installed, as recorded.
    pub size: Option<u64>,
    /// Clean paths of the files and directories that it owns, as far as its database lists them.
    pub files: Vec<Vec<u8>>,
    /// Clean paths of files, and of directories with all that is in them, that contain the package, as its database states.
    pub places: Vec<Vec<u8>>,
    /// The files whose content had a digest when the package was installed, as far as its database records them.
    pub recorded: Vec<RecordedFile>,
}

impl Package {
    /// A package of which nothing else is known.
    pub fn new(ecosystem: Ecosystem, name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            ecosystem,
            name: name.into(),
            version: version.into(),
            architecture: None,
            source: None,
            licence: None,
            vendor: None,
            size: None,
            files: Vec::new(),
            places: Vec::new(),
            recorded: Vec::new(),
        }
    }
}

/// A file as its package brought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedFile {
    /// Clean path in the image.
    pub path: Vec<u8>,
    /// Digest of its content.
    pub digest: ContentDigest,
    /// Whether it is a configuration file, which its user may change.
    pub configuration: bool,
}

/// A digest by which a package manager records content. Some of these algorithms are broken: a match excludes accidents, not attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentDigest {
    /// MD5: dpkg, and rpm before 4.6.
    Md5([u8; 16]),
    /// SHA-1: apk before 3.
    Sha1([u8; 20]),
    /// SHA-256: rpm, since 4.6.
    Sha256([u8; 32]),
    /// The first 160 bits of SHA-256: apk 3.
    Sha256Of160([u8; 20]),
}

impl ContentDigest {
    /// The name of its algorithm.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Md5(_) => "md5",
            Self::Sha1(_) => "sha1",
            Self::Sha256(_) => "sha256",
            Self::Sha256Of160(_) => "sha256-160",
        }
    }

    /// The digest that [`algorithm`](Self::algorithm) and [`hex`](Self::hex) name.
    pub fn named(algorithm: &str, hex: &str) -> Option<Self> {
        match algorithm {
            "md5" => Self::md5(hex.as_bytes()),
            "sha1" => Self::sha1(hex.as_bytes()),
            "sha256" => Self::sha256(hex.as_bytes()),
            "sha256-160" => bytes_of(hex.as_bytes()).map(Self::Sha256Of160),
            _ => None,
        }
    }

    /// Its bytes in hexadecimal.
    pub fn hex(&self) -> String {
        let bytes: &[u8] = match self {
            Self::Md5(bytes) => bytes,
            Self::Sha1(bytes) | Self::Sha256Of160(bytes) => bytes,
            Self::Sha256(bytes) => bytes,
        };
        digest::hex(bytes)
    }

    pub(crate) fn md5(hex: &[u8]) -> Option<Self> {
        bytes_of(hex).map(Self::Md5)
    }

    pub(crate) fn sha1(hex: &[u8]) -> Option<Self> {
        bytes_of(hex).map(Self::Sha1)
    }

    pub(crate) fn sha256(hex: &[u8]) -> Option<Self> {
        bytes_of(hex).map(Self::Sha256)
    }
}

/// The bytes of a hexadecimal text of exactly that length.
fn bytes_of<const N: usize>(hex: &[u8]) -> Option<[u8; N]> {
    if hex.len() != 2 * N {
        return None;
    }
    unhex(hex)?.try_into().ok()
}

/// The package of source code that binary packages are built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePackage {
    /// Name of the source package.
    pub name: String,
    /// Its version, if it differs from that of the binary package.
    pub version: Option<String>,
}

/// A package manager with its registry of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Ecosystem {
    /// dpkg: Debian and what is made from it.
    Deb,
    /// apk: Alpine and what is made from it.
    Apk,
    /// rpm: Red Hat, SUSE and others.
    Rpm,
    /// npm, for Node.js.
    Npm,
    /// The Python Package Index.
    Pypi,
    /// Modules of Go.
    Golang,
    /// Maven, for Java.
    Maven,
    /// RubyGems, for Ruby.
    Gem,
    /// Composer, for PHP.
    Composer,
    /// NuGet, for .NET.
    Nuget,
    /// Cargo, for Rust.
    Cargo,
}

impl Ecosystem {
    /// Every ecosystem, in the order of declaration.
    pub const ALL: [Self; 11] = [
        Self::Deb,
        Self::Apk,
        Self::Rpm,
        Self::Npm,
        Self::Pypi,
        Self::Golang,
        Self::Maven,
        Self::Gem,
        Self::Composer,
        Self::Nuget,
        Self::Cargo,
    ];

    /// The type in a package URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Golang => "golang",
            Self::Maven => "maven",
            Self::Gem => "gem",
            Self::Composer => "composer",
            Self::Nuget => "nuget",
            Self::Cargo => "cargo",
        }
    }

    /// The ecosystem of a [name](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ecosystem| ecosystem.name() == name)
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
