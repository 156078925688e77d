//! Progress of saving the image as an archive.

use serde::{Deserialize, Serialize};

/// A format of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArchiveFormat {
    /// What `docker load` reads.
    Docker,
    /// An OCI layout, with every byte unchanged.
    Oci,
}

impl ArchiveFormat {
    /// The name in `porthole save --format`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker-archive",
            Self::Oci => "oci-archive",
        }
    }
}

/// Progress of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveSaving {
    /// The format that was chosen.
    pub format: ArchiveFormat,
    /// Bytes that are written.
    pub written: u64,
    /// Bytes that it will have.
    pub total: u64,
    /// How it ended: an address where the file can be fetched, if it is not yet where the person wants it; or in words why there is no
    /// file. `None` while it is written.
    pub outcome: Option<Result<Option<String>, String>>,
}
