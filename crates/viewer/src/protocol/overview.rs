//! An image at a glance: facts of its documents, sizes, and what is worth knowing.

use super::{ProofStep, Sizes, ViewMode};
use serde::{Deserialize, Serialize};

/// What is known of an image. Sent when its documents are verified, and again when its layers are settled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverviewFacts {
    /// The reference as a person typed it.
    pub given: String,
    /// Its canonical form.
    pub reference: String,
    /// The canonical form, pinned to the digest of what it names. Empty for a file, which no reference names.
    pub resolved: String,
    /// Index (if there is one), manifest and config by name.
    pub documents: Vec<DocumentFact>,
    /// When it was made, as the configuration writes it (RFC 3339). `None` if it does not say.
    pub created: Option<String>,
    /// As the config states it.
    pub author: Option<String>,
    /// Media type of what the manifest describes, if that is an artifact.
    pub artifact_type: Option<String>,
    /// What it is, if it is an artifact.
    pub artifact: Option<ArtifactSummary>,
    /// Platform of the image.
    pub platform: Option<String>,
    /// Platforms of the index, attestations aside.
    pub platforms: Vec<String>,
    /// What else the index lists.
    pub others: Vec<OtherEntry>,
    /// `user[:group]`; empty if the config names none.
    pub user: String,
    /// The command that a container starts; empty if the config names none.
    pub entrypoint: Vec<String>,
    /// Its default arguments, or the command if there is no entrypoint.
    pub cmd: Vec<String>,
    /// Working directory; empty if the config names none.
    pub working_dir: String,
    /// Variables, each as `NAME=value`.
    pub env: Vec<String>,
    /// Ports, such as `80/tcp`.
    pub ports: Vec<String>,
    /// Paths of volumes.
    pub volumes: Vec<String>,
    /// Name or number of a signal.
    pub stop_signal: Option<String>,
    /// Labels, by name.
    pub labels: Vec<(String, String)>,
    /// Annotations of the manifest, by name.
    pub annotations: Vec<(String, String)>,
    /// Annotations of the index, by name.
    pub index_annotations: Vec<(String, String)>,
    /// The image that this one was built on, as its builder stated. Nothing proves it.
    pub base: Option<BaseFact>,
    /// The three sizes; `complete` when all layers were read.
    pub sizes: Sizes,
    /// What is worth knowing, the most serious first. Those of the layers come when the look is settled.
    pub findings: Vec<FindingFact>,
    /// No more findings will come.
    pub settled: bool,
    /// Layers that could not be read or are wrong: nothing is said about their files. 0 = bottom.
    pub missing: Vec<u32>,
}

/// What an artifact is, and what it and its blobs say of themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactSummary {
    /// One word, for `data-artifact`; the `kind` of `inspect --json`.
    pub kind: String,
    /// The kind in a few words, for a person.
    pub words: String,
    /// Name and value of what its configuration says.
    pub facts: Vec<(String, String)>,
    /// Its blobs, in the order of the manifest.
    pub blobs: Vec<ArtifactBlob>,
}

/// A blob of an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactBlob {
    /// Its title, or a name made of its digest and type: its path among the files, unless it is an archive.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Size of the blob in bytes.
    pub size: u64,
    /// Name and value of what its first bytes say, once it is verified.
    pub facts: Vec<(String, String)>,
}

/// A document by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentFact {
    /// The link of the chain that it is.
    pub step: ProofStep,
    /// Digest of the bytes as served.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
}

/// An entry of an index that is no image for a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherEntry {
    /// What it leads to.
    pub role: OtherRole,
    /// Digest that the entry has.
    pub digest: String,
    /// Its artifact type, else its media type.
    pub media_type: String,
    /// For an attestation: the digest of the manifest that it is about.
    pub about: Option<String>,
}

/// What an entry of an index leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherRole {
    /// Statements about an image of the same index.
    Attestation,
    /// An index within the index.
    Index,
    /// Any other artifact, such as a chart.
    Artifact,
}

/// The image that another was built on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseFact {
    /// Reference of the base image; `None` if only its digest is stated.
    pub name: Option<String>,
    /// The digest of its manifest.
    pub digest: Option<String>,
}

/// Something worth knowing, in words and figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingFact {
    /// What it is about, for `data-finding`; the `kind` of `inspect --json`.
    pub kind: String,
    /// In words, on one line.
    pub text: String,
    /// How many paths or files.
    pub count: Option<u64>,
    /// Unpacked bytes of these files.
    pub bytes: Option<u64>,
    /// About how many bytes of the download hold them.
    pub download: Option<u64>,
    /// Where to look.
    pub target: FindingLink,
}

/// Where the front end shows what a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingLink {
    /// Manifest and config.
    Documents,
    /// The list of files.
    Files {
        /// The view that shows them.
        mode: ViewMode,
        /// 0 = bottom; only where the mode wants a layer.
        layer: Option<u32>,
        /// Escaped path to select.
        path: Option<String>,
    },
    /// The view of bytes that the final tree does not show.
    Waste {
        /// Escaped path that is meant.
        path: Option<String>,
    },
}
