//! Probes: they look into the files of a layer while a worker reads it.
//!
//! A worker that has a [`ProbeEngine`] makes a [`LayerProbe`] of it for a [`ReadJob`](crate::layer::ReadJob) that wants one. A worker
//! without an engine lists layers and nothing else, so that its program holds no engine.

use crate::{
    packages::{FoundCertificate, FoundDatabase},
    protocol::{ConfigSecretFact, ProbeSums, ProbeWish, SecretFact},
};
use porthole_contents::digests::FileDigests;
use porthole_core::tar::Entry;
use serde::{Deserialize, Serialize};

/// Makes probes, of which each looks into the files of one layer.
pub trait ProbeEngine {
    /// A probe for one layer.
    ///
    /// # Errors
    /// Why there cannot be such a probe, for a person.
    fn probe(&self, wish: &ProbeWish) -> Result<Box<dyn LayerProbe>, String>;

    /// The secrets of a configuration, and the instructions that made the layers without theirs.
    ///
    /// # Errors
    /// Why the configuration cannot be read.
    fn config(&self, config: &str, instructions: &[String]) -> Result<ProbeFound, String>;
}

/// Looks into the files of one layer, also those that the same layer deletes. What it finds is provisional until the layer is
/// verified.
pub trait LayerProbe {
    /// Starts with an entry. Returns whether its data is wanted.
    fn begin(&mut self, entry: &Entry) -> bool;

    /// Takes data of the entry.
    fn push(&mut self, data: &[u8]);

    /// The data of the entry is complete.
    fn end(&mut self);

    /// What was found since the last call, with the sums of the layer so far.
    fn take(&mut self) -> ProbeFound;
}

/// Where in a configuration a secret is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretPlace {
    /// `environment`, `label`, `history` or `command`.
    pub kind: String,
    /// Name of the variable or label.
    pub name: Option<String>,
    /// Entry of the history, from 1.
    pub entry: Option<usize>,
}

/// A line that matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundLine {
    /// Clean path of the file.
    pub path: Vec<u8>,
    /// Where the content of the file starts in its layer.
    pub content: u64,
    /// Number of the line, from 1.
    pub number: u64,
    /// Where the match starts in the file.
    pub offset: u64,
    /// The line around the match.
    pub text: Vec<u8>,
    /// Where the match starts and ends in `text`.
    pub range: (u32, u32),
    /// Whether `text` starts after the start of the line, and whether it stops before its end.
    pub cut: (bool, bool),
    /// How the match is encoded in the file.
    pub encoding: LineEncoding,
}

/// How a match is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LineEncoding {
    /// As the bytes that were searched for.
    Bytes,
    /// UTF-16, little end first.
    Utf16Le,
    /// UTF-16, big end first.
    Utf16Be,
}

/// A file with lines that match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundFile {
    /// Clean path of the file.
    pub path: Vec<u8>,
    /// Where its content starts in its layer.
    pub content: u64,
    /// How many of its lines match.
    pub lines: u64,
}

/// Twin of the digests of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHashes {
    md5: [u8; 16],
    sha1: [u8; 20],
    sha256: [u8; 32],
}

impl FileHashes {
    /// Makes the twin.
    pub fn of(digests: &FileDigests) -> Self {
        let (md5, sha1, sha256) = digests.parts();
        Self { md5, sha1, sha256 }
    }

    /// The digests that the twin stands for.
    pub fn original(self) -> FileDigests {
        FileDigests::from_parts(self.md5, self.sha1, self.sha256)
    }
}

/// What a probe found in a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeFound {
    /// Lines that match.
    pub hits: Vec<FoundLine>,
    /// Files with such lines, once they are searched to their end.
    pub files: Vec<FoundFile>,
    /// SHA-256 of files, by where their content starts.
    pub digests: Vec<(u64, [u8; 32])>,
    /// Digests by the algorithms of package managers, by where the content of the file starts.
    pub hashes: Vec<(u64, FileHashes)>,
    /// Secrets in files.
    pub secrets: Vec<SecretFact>,
    /// Secrets in the configuration.
    pub config: Vec<ConfigSecretFact>,
    /// Where each of those is, as data.
    pub places: Vec<SecretPlace>,
    /// The instructions that made the layers, without their secrets.
    pub instructions: Vec<String>,
    /// Databases of packages.
    pub databases: Vec<FoundDatabase>,
    /// Certificates of servers and clients.
    pub certificates: Vec<FoundCertificate>,
    /// Escaped paths of files that could not be read, and why.
    pub unread: Vec<(String, String)>,
    /// Sums of the layer so far.
    pub sums: ProbeSums,
}
