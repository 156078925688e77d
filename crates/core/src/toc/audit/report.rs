use std::fmt;

use crate::{digest::Digest, limits::DISAGREEMENTS, path, tar::Kind};

/// What an audit found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AuditReport {
    /// Entries of the archive that were compared.
    pub entries: u64,
    /// What differs, at most [`DISAGREEMENTS`] of it: in archive order, then what the archive lacks.
    pub disagreements: Vec<Disagreement>,
    /// How many disagreements there are beyond these.
    pub more: u64,
}

impl AuditReport {
    /// Whether TOC and archive say the same.
    pub fn agrees(&self) -> bool {
        self.disagreements.is_empty()
    }

    pub(super) fn add(&mut self, path: &[u8], difference: Difference) {
        if self.disagreements.len() < DISAGREEMENTS {
            self.disagreements.push(Disagreement { path: path.to_vec(), difference });
        } else {
            self.more += 1;
        }
    }
}

/// A point on which TOC and archive differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The path below the root, cleaned; empty for the root and for the layer as a whole.
    pub path: Vec<u8>,
    /// On what they differ.
    pub difference: Difference,
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
pub enum Difference {
    /// The archive has no such entry, or not as often.
    NotInArchive,
    /// The TOC has no such entry, or not as often: it is hidden from whoever goes by the TOC.
    NotInToc,
    /// It follows the TOC, which should be the archive's last entry.
    AfterToc,
    /// The archive holds another TOC than the one that was read.
    OtherToc {
        /// Digest of the TOC that was read.
        toc: Digest,
        /// Digest of the TOC in the archive.
        archive: Digest,
    },
    /// Kind of entry.
    Kind {
        /// In the TOC.
        toc: Kind,
        /// In the archive.
        archive: Kind,
    },
    /// Size in bytes.
    Size {
        /// In the TOC.
        toc: u64,
        /// In the archive.
        archive: u64,
    },
    /// Permission bits.
    Mode {
        /// In the TOC.
        toc: u32,
        /// In the archive.
        archive: u32,
    },
    /// User and group.
    Owner {
        /// In the TOC.
        toc: (i64, i64),
        /// In the archive.
        archive: (i64, i64),
    },
    /// Modification time: seconds since 1970, and nanoseconds.
    Time {
        /// In the TOC.
        toc: (i64, u32),
        /// In the archive.
        archive: (i64, u32),
    },
    /// Target of a link.
    Link {
        /// In the TOC.
        toc: Vec<u8>,
        /// In the archive.
        archive: Vec<u8>,
    },
    /// Device number: major and minor.
    Device {
        /// In the TOC.
        toc: (i64, i64),
        /// In the archive.
        archive: (i64, i64),
    },
    /// An extended attribute; others may differ too.
    Xattr {
        /// Its name.
        name: Vec<u8>,
    },
    /// The file's content.
    Content {
        /// Digest in the TOC.
        toc: Digest,
        /// Digest of the archive's bytes.
        archive: Digest,
    },
    /// A chunk of the file.
    Chunk {
        /// Where in the file it starts.
        offset: u64,
        /// Digest in the TOC.
        toc: Digest,
        /// Digest of the archive's bytes.
        archive: Digest,
    },
    /// The chunks in the TOC do not make up the file.
    Chunks,
    /// Bytes of the unpacked layer.
    Uncompressed {
        /// In the annotation beside the TOC.
        toc: u64,
        /// Of the archive.
        archive: u64,
    },
}

impl fmt::Display for Difference {
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
        Kind::File => "file",
        Kind::Directory => "dir",
        Kind::Symlink => "symlink",
        Kind::Hardlink => "hardlink",
        Kind::Char => "char",
        Kind::Block => "block",
        Kind::Fifo => "fifo",
        Kind::Global => "PAX global header",
        Kind::Other => "other",
    }
}
