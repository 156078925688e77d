//! Reads tar archives as Go's `archive/tar` does, which is the reader in containerd, Docker and crane.
//!
//! Names, order, types, link targets, sizes, modes, owners, times and attributes are the same, and so are the errors.
//! Where another widely used reader interprets an entry differently, [`Entry::ambiguous`] says so.

mod ambiguity;
mod body;
mod error;
mod header;
mod pax;
mod pending;
mod scan;
mod sparse;

pub use ambiguity::EntryAmbiguity;
pub use error::{Error, Field};
pub(crate) use header::is_header;
pub use scan::Scanner;

use crate::decode::Checkpoint;

/// An archive entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name as stored, with PAX and GNU extensions applied. May hold any bytes.
    pub path: Vec<u8>,
    /// Type of the entry.
    pub kind: Kind,
    /// The type flag as Go reports it: NUL becomes `0`, or `5` if the name ends with a slash.
    pub typeflag: u8,
    /// Target of a symbolic or hard link as stored. May hold any bytes.
    pub link: Vec<u8>,
    /// Logical size in bytes. Entries without data may state one too; it is meaningless then.
    pub size: u64,
    /// The mode field as stored, type bits included.
    pub mode: i64,
    /// Numeric user id of the owner, as the header or an extension has it.
    pub uid: i64,
    /// Numeric group id of the owner, as the header or an extension has it.
    pub gid: i64,
    /// Modification time, seconds since 1970.
    pub mtime: i64,
    /// Nanoseconds to add to `mtime`.
    pub mtime_nsec: u32,
    /// Major device number.
    pub major: i64,
    /// Minor device number.
    pub minor: i64,
    /// Extended attributes (`SCHILY.xattr.*` records) by name, without duplicates. Empty values are kept: runtimes set
    /// such attributes, although Go's `Header.Xattrs` leaves them out.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Start of the entry's first header, extensions included, in the uncompressed archive.
    pub header: u64,
    /// Start of the entry's data in the uncompressed archive.
    pub offset: u64,
    /// Why widely used readers interpret this entry differently, if they do.
    pub ambiguous: Option<EntryAmbiguity>,
}

impl Entry {
    /// An empty entry: mode 0644, user and group 0, time 0.
    pub fn new(path: impl Into<Vec<u8>>, kind: Kind) -> Self {
        Self {
            path: path.into(),
            kind,
            typeflag: kind.typeflag(),
            link: Vec::new(),
            size: 0,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: 0,
            mtime_nsec: 0,
            major: 0,
            minor: 0,
            xattrs: Vec::new(),
            header: 0,
            offset: 0,
            ambiguous: None,
        }
    }

    /// Permission bits, including set-uid, set-gid and sticky.
    pub fn permissions(&self) -> u32 {
        (self.mode & 0o7777) as u32
    }
}

/// Type of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Regular file, including contiguous and sparse files.
    File,
    /// A directory (type flag `5`).
    Directory,
    /// A symbolic link (`2`).
    Symlink,
    /// A hard link to an entry before it (`1`).
    Hardlink,
    /// A character device (`3`).
    Char,
    /// A block device (`4`).
    Block,
    /// A named pipe (`6`).
    Fifo,
    /// PAX global header, which Go reports as an entry.
    Global,
    /// An unknown type flag.
    Other,
}

impl Kind {
    /// One word, as in the JSON of the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "dir",
            Self::Symlink => "symlink",
            Self::Hardlink => "hardlink",
            Self::Char => "char",
            Self::Block => "block",
            Self::Fifo => "fifo",
            Self::Global => "global",
            Self::Other => "other",
        }
    }

    /// The type flag of an entry that is made here; for [`Kind::Other`] one that no archive has.
    fn typeflag(self) -> u8 {
        match self {
            Self::File => b'0',
            Self::Hardlink => b'1',
            Self::Symlink => b'2',
            Self::Char => b'3',
            Self::Block => b'4',
            Self::Directory => b'5',
            Self::Fifo => b'6',
            Self::Global => b'g',
            Self::Other => 0xff,
        }
    }

    pub(crate) fn new(typeflag: u8) -> Self {
        match typeflag {
            0 | b'0' | b'7' | b'S' => Self::File,
            b'1' => Self::Hardlink,
            b'2' => Self::Symlink,
            b'3' => Self::Char,
            b'4' => Self::Block,
            b'5' => Self::Directory,
            b'6' => Self::Fifo,
            b'g' => Self::Global,
            _ => Self::Other,
        }
    }

    /// Whether no data follows the header, even if it states a size.
    fn header_only(self) -> bool {
        matches!(self, Self::Hardlink | Self::Symlink | Self::Char | Self::Block | Self::Directory | Self::Fifo)
    }
}

/// What a sink wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Continue: with the next entry, or with more data.
    Continue,
    /// Send the data of this entry.
    WantData,
    /// Send no more entries or data. The layer is still hashed to its end.
    Stop,
}

/// Receives entries and data from a scan.
pub trait EntrySink {
    /// Called once for each entry, in archive order.
    fn entry(&mut self, entry: Entry) -> Flow;

    /// Logical bytes of an entry for which [`entry`](Self::entry) returned [`Flow::WantData`], in order. Holes of
    /// sparse files are zeros.
    fn data(&mut self, _bytes: &[u8]) -> Flow {
        Flow::Continue
    }

    /// Called when the data of that entry is complete. Not called if the archive ends early.
    fn end_of_data(&mut self) {}

    /// Called for a position where decoding can start without earlier bytes.
    fn checkpoint(&mut self, _at: Checkpoint) {}
}
