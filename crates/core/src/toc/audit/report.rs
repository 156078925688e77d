use std::fmt;

use crate::{digest::Digest, limits::DISAGREEMENTS, path, tar::Kind};

/// Result of an audit.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AuditReport {
    /// Entries of the archive that were compared.
    pub entries: u64,
    /// Differences, at most [`DISAGREEMENTS`] of them: in archive order, then entries that the archive lacks.
    pub disagreements: Vec<Disagreement>,
    /// Number of further disagreements.
    pub more: u64,
}

impl AuditReport {
    /// Whether TOC and archive agree.
    pub fn agrees(&self) -> bool {
        self.disagreements.is_empty()
    }

    pub(super) fn add(&mut self, path: &[u8], difference: TocDifference) {
        if self.disagreements.len() < DISAGREEMENTS {
            self.disagreements.push(Disagreement { path: path.to_vec(), difference });
        } else {
            self.more += 1;
        }
    }
}

/// A difference between TOC and archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Cleaned path below the root. Empty for the root and for the layer as a whole.
    pub path: Vec<u8>,
    /// What differs between the table and the archive.
    pub difference: TocDifference,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_slice() {
            b"" => write!(f, "/: {}", self.difference),
            path => write!(f, "{}: {}", path::escape(path), self.difference),
        }
    }
}

/// How TOC and archive differ on an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TocDifference {
    /// The archive lacks the entry, or has it less often.
    NotInArchive,
    /// The TOC lacks the entry, or has it less often: tools that use the TOC do not show it.
    NotInToc,
    /// The entry follows the TOC, which must be the last entry.
    AfterToc,
    /// The TOC in the archive differs from the TOC that was read.
    OtherToc {
        /// Digest of the TOC that was read.
        toc: Digest,
        /// Digest of the TOC in the archive.
        archive: Digest,
    },
    /// The entry type differs.
    Kind {
        /// Type in the TOC.
        toc: Kind,
        /// Type in the archive.
        archive: Kind,
    },
    /// The size in bytes differs.
    Size {
        /// Size in the TOC.
        toc: u64,
        /// Size in the archive.
        archive: u64,
    },
    /// The permission bits differ.
    Mode {
        /// Mode in the TOC.
        toc: u32,
        /// Mode in the archive.
        archive: u32,
    },
    /// User or group differ.
    Owner {
        /// User and group in the TOC.
        toc: (i64, i64),
        /// User and group in the archive.
        archive: (i64, i64),
    },
    /// The modification time differs: seconds since 1970, and nanoseconds.
    Time {
        /// Time in the TOC.
        toc: (i64, u32),
        /// Time in the archive.
        archive: (i64, u32),
    },
    /// The link target differs.
    Link {
        /// Target in the TOC.
        toc: Vec<u8>,
        /// Target in the archive.
        archive: Vec<u8>,
    },
    /// The device number differs: major and minor.
    Device {
        /// Number in the TOC.
        toc: (i64, i64),
        /// Number in the archive.
        archive: (i64, i64),
    },
    /// An extended attribute differs; others may differ too.
    Xattr {
        /// Name of the attribute.
        name: Vec<u8>,
    },
    /// The content of a file does not match the digest in the TOC.
    Content {
        /// Digest in the TOC.
        toc: Digest,
        /// Digest of the data in the archive.
        archive: Digest,
    },
    /// A chunk of a file does not match the digest in the TOC.
    Chunk {
        /// Start of the chunk in the file.
        offset: u64,
        /// Digest in the TOC.
        toc: Digest,
        /// Digest of the data in the archive.
        archive: Digest,
    },
    /// The chunks in the TOC do not cover the file.
    Chunks,
    /// The size of the uncompressed layer differs.
    Uncompressed {
        /// Size in the annotation.
        toc: u64,
        /// Size of the archive.
        archive: u64,
    },
}

impl fmt::Display for TocDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut differ = |what: &str, toc: &dyn fmt::Display, archive: &dyn fmt::Display| {
            write!(f, "{what} is {toc} in the table of contents, {archive} in the archive")
        };
        match self {
            Self::NotInArchive => f.write_str("in the table of contents, not in the archive"),
            Self::NotInToc => f.write_str("in the archive, not in the table of contents"),
            Self::AfterToc => f.write_str("in the archive after its table of contents"),
            Self::OtherToc { toc, archive } => differ("digest", toc, archive),
            Self::Kind { toc, archive } => differ("type", &kind(*toc), &kind(*archive)),
            Self::Size { toc, archive } => differ("size", toc, archive),
            Self::Mode { toc, archive } => differ("mode", &format_args!("{toc:04o}"), &format_args!("{archive:04o}")),
            Self::Owner { toc, archive } => differ("owner", &numbers(*toc), &numbers(*archive)),
            Self::Time { toc, archive } => differ("time", &seconds(*toc), &seconds(*archive)),
            Self::Link { toc, archive } => differ("link target", &path::escape(toc), &path::escape(archive)),
            Self::Device { toc, archive } => differ("device", &numbers(*toc), &numbers(*archive)),
            Self::Xattr { name } => write!(f, "extended attribute {} differs", path::escape(name)),
            Self::Content { toc, archive } => differ("content", toc, archive),
            Self::Chunk { offset, toc, archive } => differ(&format!("chunk at byte {offset}"), toc, archive),
            Self::Chunks => f.write_str("the chunks in the table of contents do not make up the file"),
            Self::Uncompressed { toc, archive } => {
                write!(f, "unpacked size is {toc} in the annotation, {archive} in the archive")
            }
        }
    }
}

fn numbers((first, second): (i64, i64)) -> String {
    format!("{first}:{second}")
}

fn seconds((seconds, nanoseconds): (i64, u32)) -> String {
    match nanoseconds {
        0 => seconds.to_string(),
        nanoseconds => format!("{seconds} s {nanoseconds} ns"),
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Global => "PAX global header",
        kind => kind.name(),
    }
}
