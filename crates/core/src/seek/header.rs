//! The format of an index, version 2, and its header.
//!
//! An index is a header of 512 bytes, followed by pages. The pages form four trees and one single page. A *leaf* holds
//! items, a *node* refers to pages with their digests, and the header refers to the top of each tree. So a reader checks
//! each page that it reads without reading the others. The header is written last: until then it is zeros.
//!
//! A *number* is unsigned, of variable length (LEB128: seven bits a byte, the lowest first, the top bit set where more
//! follow), at most 2⁶⁴-1. A *signed* number is a number: twice itself, or twice its absolute value less one if it is below
//! zero. A *text* is a number and as many bytes. A *digest* is one byte (1 SHA-256, 2 SHA-384, 3 SHA-512) and the hash
//! value. *Deflated* bytes are raw deflate (RFC 1951). A *page reference* is a number: the offset of the page in the index,
//! a number: its length in bytes, and their SHA-256 value. A *root* is one byte: 0 if the tree has no items; else 1 + the
//! levels of nodes above the leaves, a number: the place of the first item, and a page reference.
//!
//! ```text
//! magic          "PHINDEX"
//! version        one byte: 2
//! flags          one byte: 1 verified, 2 digests of files are kept, 4 gzip, 8 zstd (neither: not compressed); no other bits
//! blob           digest
//! size           number: bytes of the blob
//! diff_id        digest
//! uncompressed   number: bytes of the archive
//! length         number: bytes of the index
//! checkpoints    number of checkpoints
//! apart          number: the most bytes of the archive from one checkpoint to the next, its ends included
//! entries        number of entries
//! rows           number of rows that lead from paths to entries
//! roots          of edges, checkpoints, entries and rows, in this order
//! offsets        page reference
//! zeros          up to byte 480
//! checksum       32 bytes: SHA-256 of everything before
//! ```
//!
//! Items of a tree are numbered from 0. Each also has a *place*, by which the tree is searched.
//!
//! ```text
//! node           one byte: its level, 1 just above the leaves; then for each child, at most 64
//!   first        number: number of its first item, less that of the child before (of the first child: 0)
//!   place        number: place of that item
//!   page         page reference: the child, which lies before the node
//!
//! edges          one item for each edge between two spans of 131072 bytes of the blob. Place: bytes unpacked with the
//!                span before it. A leaf, at most 128 edges:
//!   unpacked     for each, number: its place less that of the edge before (of the first: 0)
//!   chains       for each: the chaining value of the blob's hash, its words in little-endian order; 32 bytes for
//!                SHA-256, else 64
//!
//! checkpoints    Place: bytes of the archive before it. In a leaf, for each:
//!   compressed   number: bytes of the blob since the checkpoint before in this leaf
//!   uncompressed number: bytes of the archive since that
//!   bits         one byte: 0 if a member or a frame starts here; else the end of a deflate block, and the bits left over of
//!                the last byte with one bit more above them that is set
//!   window       only if bits is not 0: number, the window's length; text, the window, deflated
//!
//! entries        in archive order. Place: where the first header of the entry starts. A leaf:
//!   length       number: bytes of the columns
//!   columns      text: deflated; see below
//!   digests      the SHA-256 value of each regular file's content, if they are kept
//!
//! rows           in runs of 524288; the last may have fewer. Each run is sorted by place, which is the key of a path
//!                (`seek/name.rs`). A leaf, which never has rows of two runs:
//!   base         number: the lowest entry of the run
//!   for each     number: place, less that of the row before (of the first: 0); number: twice the entry's number less
//!                twice the base, one more if the entry lies below the path
//!
//! offsets        number: bytes of the blob from one place to the next, in spans; number: places recorded; then for each that
//!                is kept, number: bytes unpacked since the one before
//! ```
//!
//! The columns of a leaf are 16 numbers, their lengths in bytes, and then the columns themselves. Each holds one field of
//! all entries in turn. "before" is the entry before it in this leaf; for the first entry it has zeros and empty texts.
//!
//! ```text
//!  0  one byte: type flag
//!  1  one byte: 0, or why readers differ: 1 + the place in `EntryAmbiguity::ALL`
//!  2  two numbers: bytes that the name shares with the name before, bytes that follow
//!  3  those bytes
//!  4  two numbers: the same of the link target
//!  5  those bytes
//!  6  number: size
//!  7  signed: mode, less that before       8  signed: uid, less that before
//!  9  signed: gid, less that before       10  signed: mtime in seconds, less that before
//! 11  number: nanoseconds
//! 12  two signed: major and minor device number
//! 13  number of extended attributes, then name and value of each as texts
//! 14  signed: from where the data of the entry before ends to the first header; the data of a regular file ends its
//!     size after its start, rounded up to 512, that of others where it starts; before the first entry, at its place
//! 15  number: from the first header to the data
//! ```

use super::{
    number::{Rest, put},
    point::Points,
    span,
    tree::{MAX_HEIGHT, NODE_BYTES, PageRef, Root},
};
use crate::{
    digest::{Algorithm, Digest},
    limits::{INDEX_BYTES, INDEX_PAGE_BYTES},
    media_type::Compression,
};

/// Bytes of the header, which [`IndexReader::new`](super::IndexReader::new) takes.
pub const HEADER_BYTES: usize = 512;

const MAGIC: &[u8; 7] = b"PHINDEX";
const VERSION: u8 = 2;

const VERIFIED: u8 = 1;
const FILE_DIGESTS: u8 = 2;
const GZIP: u8 = 4;
const ZSTD: u8 = 8;

/// Bytes of the header before its checksum.
const CONTENT: usize = HEADER_BYTES - 32;

/// The bytes that complete an index.
#[derive(Clone, Debug)]
pub struct IndexEnd {
    /// Whether digest and size of the blob were expected and matched, and its diff_id if one was expected.
    pub verified: bool,
    /// The bytes that follow those of [`take_index`](crate::layer::LayerReader::take_index).
    pub tail: Vec<u8>,
    /// The header, which replaces the zeros at the start of the index.
    pub header: [u8; HEADER_BYTES],
}

impl IndexEnd {
    /// Returns the whole index, if no part of it was taken before.
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.tail;
        if let Some(start) = bytes.first_chunk_mut() {
            *start = self.header;
        }
        bytes
    }
}

/// The fields of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) diff_id: Digest,
    pub(super) uncompressed: u64,
    pub(super) compression: Compression,
    pub(super) verified: bool,
    pub(super) file_digests: bool,
    /// Bytes of the index.
    pub(super) length: u64,
    pub(super) points: Points,
    pub(super) entries: u64,
    pub(super) rows: u64,
    pub(super) roots: Roots,
    pub(super) offsets: PageRef,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Roots {
    pub(super) edges: Option<Root>,
    pub(super) points: Option<Root>,
    pub(super) entries: Option<Root>,
    pub(super) names: Option<Root>,
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        let compression = match self.compression {
            Compression::None => 0,
            Compression::Gzip => GZIP,
            Compression::Zstd => ZSTD,
        };
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        bytes.push(compression | flag(self.verified, VERIFIED) | flag(self.file_digests, FILE_DIGESTS));
        put_digest(&mut bytes, &self.digest);
        put(&mut bytes, self.size);
        put_digest(&mut bytes, &self.diff_id);
        for number in [self.uncompressed, self.length, self.points.count, self.points.apart, self.entries, self.rows] {
            put(&mut bytes, number);
        }
        let Roots { edges, points, entries, names } = self.roots;
        [edges, points, entries, names].iter().for_each(|root| put_root(&mut bytes, root.as_ref()));
        self.offsets.put(&mut bytes);
        seal(&bytes)
    }

    /// Parses the header of an index of `length` bytes, and checks that its values are possible.
    pub(super) fn parse(bytes: &[u8], length: u64) -> Result<Self, Malformed> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(Malformed::Magic)?;
        let &version = rest.first().ok_or(Malformed::Magic)?;
        if version != VERSION {
            return Err(Malformed::Version { expected: VERSION, got: version });
        }
        let (content, checksum) = bytes.split_at_checked(CONTENT).ok_or(Malformed::Checksum)?;
        if Digest::sha256(content).as_bytes() != checksum {
            return Err(Malformed::Checksum);
        }
        let mut rest = Rest(content.get(MAGIC.len() + 1..).unwrap_or_default());
        let header = Self::read(&mut rest).ok_or(Malformed::Part("header"))?;
        if rest.0.iter().any(|&byte| byte != 0) {
            return Err(Malformed::Part("header"));
        }
        if header.length != length {
            return Err(Malformed::Length { expected: header.length, got: length });
        }
        if length > INDEX_BYTES {
            return Err(Malformed::TooLarge { limit: INDEX_BYTES });
        }
        Ok(header)
    }

    fn read(rest: &mut Rest<'_>) -> Option<Self> {
        let flags = rest.byte()?;
        let compression = match flags & !(VERIFIED | FILE_DIGESTS) {
            0 => Compression::None,
            GZIP => Compression::Gzip,
            ZSTD => Compression::Zstd,
            _ => return None,
        };
        let (digest, size) = (read_digest(rest)?, rest.number()?);
        let (diff_id, uncompressed) = (read_digest(rest)?, rest.number()?);
        let length = rest.number()?;
        let points = Points { count: rest.number()?, apart: rest.number()? };
        let (entries, rows) = (rest.number()?, rest.number()?);
        let plain = compression == Compression::None;
        if plain && (size != uncompressed || points.count > 0) || points.apart > uncompressed {
            return None;
        }
        // A row takes at least two bytes and a checkpoint three. This bounds their number even if the trees use a page twice.
        if rows > length / 2 || points.count > length / 3 {
            return None;
        }
        let mut root = |items| read_root(rest, items, length);
        let roots = Roots {
            edges: root(span::count(size))?,
            points: root(points.count)?,
            entries: root(entries)?,
            names: root(rows)?,
        };
        let offsets = PageRef::read(rest, HEADER_BYTES as u64, length, INDEX_PAGE_BYTES)?;
        let (verified, file_digests) = (flags & VERIFIED != 0, flags & FILE_DIGESTS != 0);
        Some(Self {
            digest,
            size,
            diff_id,
            uncompressed,
            compression,
            verified,
            file_digests,
            length,
            points,
            entries,
            rows,
            roots,
            offsets,
        })
    }
}

/// Appends zeros and a checksum to the content.
fn seal(content: &[u8]) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    // The longest content has 453 bytes: two digests of 65, five references of 41, and 118 of the rest.
    for (to, &byte) in bytes.iter_mut().zip(content) {
        *to = byte;
    }
    let (content, checksum) = bytes.split_at_mut(CONTENT);
    checksum.copy_from_slice(Digest::sha256(content).as_bytes());
    bytes
}

fn put_digest(bytes: &mut Vec<u8>, digest: &Digest) {
    bytes.push(digest.algorithm().code());
    bytes.extend_from_slice(digest.as_bytes());
}

fn read_digest(rest: &mut Rest<'_>) -> Option<Digest> {
    let algorithm = Algorithm::coded(rest.byte()?)?;
    Some(Digest::from_value(algorithm, rest.take(algorithm.size())?))
}

fn put_root(bytes: &mut Vec<u8>, root: Option<&Root>) {
    let Some(root) = root else { return bytes.push(0) };
    bytes.push(root.height + 1);
    put(bytes, root.place);
    root.page.put(bytes);
}

/// Reads the root of a tree with this number of items: `Some(None)` without items.
fn read_root(rest: &mut Rest<'_>, items: u64, length: u64) -> Option<Option<Root>> {
    let Some(height) = rest.byte()?.checked_sub(1) else { return (items == 0).then_some(None) };
    if items == 0 || height > MAX_HEIGHT {
        return None;
    }
    let most = if height == 0 { INDEX_PAGE_BYTES } else { u64::from(NODE_BYTES) };
    let place = rest.number()?;
    let page = PageRef::read(rest, HEADER_BYTES as u64, length, most)?;
    Some(Some(Root { page, height, place }))
}

/// Why bytes are not an index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// They do not start with the magic bytes.
    #[error("not a seek index")]
    Magic,
    /// Another version of this program wrote them.
    #[error("seek index of another version: expected {expected}, got {got}")]
    Version {
        /// The version that this program reads.
        expected: u8,
        /// The version in the header.
        got: u8,
    },
    /// The header does not match its checksum.
    #[error("corrupt seek index: the checksum of its header does not match")]
    Checksum,
    /// A page does not match the digest that its parent has for it.
    #[error("corrupt seek index: the page at byte {offset} does not match its digest")]
    Page {
        /// First byte of the page in the index.
        offset: u64,
    },
    /// The named part matches its digest, but its values are impossible.
    #[error("corrupt seek index: impossible {0}")]
    Part(&'static str),
    /// There are more or fewer bytes than the header says.
    #[error("corrupt seek index: expected {expected} bytes, got {got}")]
    Length {
        /// Length of the index in bytes, as the header states it.
        expected: u64,
        /// Bytes of the file.
        got: u64,
    },
    /// The index is longer than [`INDEX_BYTES`].
    #[error("seek index of more than {limit} bytes")]
    TooLarge {
        /// Bytes that an index may have.
        limit: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let page = PageRef { offset: 512, length: 8, digest: [7; 32] };
        Header {
            digest: Digest::sha256(b"blob"),
            size: 1000,
            diff_id: Digest::sha256(b"archive"),
            uncompressed: 5000,
            compression: Compression::Gzip,
            verified: true,
            file_digests: false,
            length: 520,
            points: Points { count: 0, apart: 5000 },
            entries: 3,
            rows: 4,
            roots: Roots {
                edges: None,
                points: None,
                entries: Some(Root { page, height: 0, place: 0 }),
                names: Some(Root { page, height: 1, place: u64::MAX }),
            },
            offsets: page,
        }
    }

    #[test]
    fn headers_go_both_ways() {
        assert_eq!(Header::parse(&header().to_bytes(), 520), Ok(header()));
        let largest = PageRef { offset: INDEX_BYTES, length: INDEX_PAGE_BYTES as u32, digest: [0xff; 32] };
        let root = Some(Root { page: largest, height: MAX_HEIGHT, place: u64::MAX });
        let long = Digest::of(Algorithm::Sha512, b"");
        let (digest, diff_id, size, entries) = (long, long, u64::MAX, u64::MAX);
        let roots = Roots { edges: root, points: root, entries: root, names: root };
        let mut largest = Header { digest, diff_id, size, entries, roots, offsets: largest, ..header() };
        (largest.uncompressed, largest.length, largest.rows) = (u64::MAX, INDEX_BYTES, u64::MAX);
        largest.points = Points { count: u64::MAX, apart: u64::MAX };
        assert!(largest.to_bytes()[..CONTENT].ends_with(&[0]), "there is room for any header");
    }

    #[test]
    fn a_header_that_cannot_be_is_refused() {
        let part = Err(Malformed::Part("header"));
        let parse = |change: &dyn Fn(&mut Header)| {
            let mut header = header();
            change(&mut header);
            Header::parse(&header.to_bytes(), 520)
        };
        assert_eq!(parse(&|header| header.entries = 0), part, "a tree of nothing");
        assert_eq!(parse(&|header| header.roots.names = None), part, "rows without a tree");
        assert_eq!(parse(&|header| header.size = 200_000), part, "a blob without its edges");
        assert_eq!(parse(&|header| header.points.count = 1), part, "a checkpoint that is nowhere");
        assert_eq!(parse(&|header| header.points.apart = 5001), part);
        assert_eq!(parse(&|header| header.rows = 261), part, "more rows than the index has room for");
        assert_eq!(parse(&|header| header.compression = Compression::None), part, "two sizes of one archive");
        assert_eq!(parse(&|header| header.offsets.offset = 511), part, "a page in the header");
        assert_eq!(parse(&|header| header.offsets.length = 9), part, "a page behind the end");
        assert_eq!(parse(&|header| header.roots.names.as_mut().expect("a root").height = 9), part);
        assert_eq!(parse(&|header| header.length = 600), Err(Malformed::Length { expected: 600, got: 520 }));
        let bytes = header().to_bytes();
        for at in 0..HEADER_BYTES {
            let mut wrong = bytes;
            wrong[at] ^= 1;
            assert!(Header::parse(&wrong, 520).is_err(), "byte {at}");
            assert!(Header::parse(&bytes[..at], 520).is_err(), "cut at {at}");
        }
        assert_eq!(Header::parse(b"PHINDEX\x01", 8), Err(Malformed::Version { expected: 2, got: 1 }));
        assert_eq!(Header::parse(b"PHINDEX\x03", 8), Err(Malformed::Version { expected: 2, got: 3 }));
        assert_eq!(Header::parse(&[0; HEADER_BYTES], 512), Err(Malformed::Magic), "a header that was not written");
    }
}
