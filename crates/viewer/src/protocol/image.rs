//! An image, as its manifest and config describe it.

use super::ProofStep;
use serde::{Deserialize, Serialize};

/// What is known once manifest and config are verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSummary {
    /// Canonical form of the reference.
    pub reference: String,
    /// Short form, as Docker prints it.
    pub familiar: String,
    /// The registry as the reference names it, also where a relay is asked.
    pub registry: String,
    /// Repository, `library/` included.
    pub repository: String,
    /// Tag, if there was one.
    pub tag: Option<String>,
    /// The reference pinned to the digest of what it named (the index, if there is one): for links.
    pub pinned: String,
    /// Chosen platform, by the index or by the config.
    pub platform: Option<String>,
    /// Platforms to choose from; empty without an index.
    pub platforms: Vec<String>,
    /// Layers, bottom first.
    pub layers: Vec<ImageLayer>,
    /// History as the config states it, oldest first.
    pub history: Vec<HistoryEntry>,
    /// Facts of the config as name and value, in a fixed order: only those that are set.
    pub config: Vec<(String, Vec<String>)>,
    /// Where manifest and config depart from the specification, in words.
    pub deviations: Vec<String>,
    /// When it was made, as the configuration writes it (RFC 3339). `None` if it does not say.
    pub created: Option<String>,
    /// Index (if any), manifest, config: bytes as served, as text.
    pub documents: Vec<DocumentText>,
    /// Sum of the blob sizes of the layers.
    pub download: u64,
    /// The image is a single layer in a file, and its documents were generated.
    pub bare: bool,
}

/// A document of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentText {
    /// The link of the chain that it is.
    pub step: ProofStep,
    /// Digest of its bytes.
    pub digest: String,
    /// Media type that its descriptor states.
    pub media_type: String,
    /// Its bytes as text.
    pub text: String,
}

/// A layer as the manifest, config and history describe it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageLayer {
    /// Index of the layer, counted from 0 at the bottom.
    pub index: u32,
    /// Digest of the blob.
    pub digest: String,
    /// Digest of the unpacked tar.
    pub diff_id: Option<String>,
    /// Bytes of the blob.
    pub size: u64,
    /// Media type that its descriptor states.
    pub media_type: String,
    /// It is an archive, as a layer of an image is.
    pub archive: bool,
    /// What made it.
    pub instruction: Option<InstructionLine>,
}

/// A line of a Dockerfile, cleaned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstructionLine {
    /// `RUN`, `COPY` …; empty if unknown.
    pub keyword: String,
    /// What follows the keyword.
    pub arguments: String,
    /// As the config has it.
    pub created_by: String,
}

/// One entry of the config's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When it was made, as the configuration writes it (RFC 3339). `None` if it does not say.
    pub created: Option<String>,
    /// What was done.
    pub instruction: Option<InstructionLine>,
    /// Layer that it made; `None`: it made none.
    pub layer: Option<u32>,
    /// Free text of the entry.
    pub comment: Option<String>,
}
