//! tar archives, read as Go's `archive/tar` reads them: the reader inside containerd, Docker and crane.
//!
//! Same names, order, types, link targets, sizes, modes, owners, times and attributes, and an error where it stops.
//! Where other well-known readers list something else, the entry says so ([`Entry::ambiguous`]).

mod ambiguity;
mod body;
mod error;
mod header;
mod pax;
mod pending;
mod scan;
mod sparse;

pub use ambiguity::Ambiguity;
pub use error::{Error, Field};
pub(crate) use header::is_header;
pub use scan::Scanner;

use crate::decode::Checkpoint;

/// One archive entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name as stored, after PAX and GNU extensions; any bytes.
    pub path: Vec<u8>,
    /// What kind of entry it is.
    pub kind: Kind,
    /// The type flag as Go reports it: NUL has become `0`, or `5` where the name ends with a slash.
    pub typeflag: u8,
    /// Target of a symbolic or hard link, as stored; any bytes.
    pub link: Vec<u8>,
    /// Logical size in bytes. Kinds without data may state one too, which then means nothing.
    pub size: u64,
    /// The mode field as stored.
    pub mode: i64,
    /// Owner.
    pub uid: i64,
    /// Group.
    pub gid: i64,
    /// Modification time, seconds since 1970.
    pub mtime: i64,
    /// Nanoseconds to add to `mtime`.
    pub mtime_nsec: u32,
    /// Device number, major part.
    pub major: i64,
    /// Device number, minor part.
    pub minor: i64,
    /// Extended attributes (`SCHILY.xattr.*` records), each once, by name. A value may be empty: runtimes set such attributes too,
    /// though Go's `Header.Xattrs` leaves them out.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where its first header starts, extensions included, in bytes of the unpacked archive.
    pub header: u64,
    /// Where its data starts, in bytes of the unpacked archive.
    pub offset: u64,
    /// Why well-known readers list this entry differently, if they do.
    pub ambiguous: Option<Ambiguity>,
}

impl Entry {
    /// An entry with nothing in it: mode 0644, of user and group 0, from 1970.
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

    /// Permission bits with set-uid, set-gid and sticky.
    pub fn permissions(&self) -> u32 {
        (self.mode & 0o7777) as u32
    }
}

/// Kind of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Regular file, contiguous and sparse ones included.
    File,
    /// Directory.
    Directory,
    /// Symbolic link.
    Symlink,
    /// Hard link.
    Hardlink,
    /// Character device.
    Char,
    /// Block device.
    Block,
    /// FIFO.
    Fifo,
    /// PAX global header, which Go reports as an entry of its own.
    Global,
    /// Any other type flag.
    Other,
}

impl Kind {
    /// The type flag that archives write for it: 0 for [`Kind::Other`], which has none of its own.
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
            Self::Other => 0,
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

    /// Whether no data follows the header, whatever size it states.
    fn header_only(self) -> bool {
        matches!(self, Self::Hardlink | Self::Symlink | Self::Char | Self::Block | Self::Directory | Self::Fifo)
    }
}

/// What a sink wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on. After an entry: with the next one. After data: with what follows.
    Continue,
    /// The data of this entry, please.
    WantData,
    /// Nothing more of this archive; hashing goes on.
    Stop,
}

/// Receives entries as they are read.
pub trait EntrySink {
    /// One entry, in archive order.
    fn entry(&mut self, entry: Entry) -> Flow;

    /// Logical bytes of the entry that was answered with [`Flow::WantData`], in order; holes of sparse files are zeros.
    fn data(&mut self, _bytes: &[u8]) -> Flow {
        Flow::Continue
    }

    /// The data of that entry is complete. Not called when the archive ends too early.
    fn end_of_data(&mut self) {}

    /// Decoding can start anew here, without anything that came before.
    fn checkpoint(&mut self, _at: Checkpoint) {}
}
