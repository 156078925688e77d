//! An index as bytes.
//!
//! A *number* is unsigned, of variable length (LEB128: seven bits a byte, the lowest first, the top bit set where more
//! follow), at most 2⁶⁴-1. A *signed* number is a number: twice itself, or twice its opposite less one if it is below zero. A
//! *text* is a number and as many bytes. A *digest* is one byte (1 SHA-256, 2 SHA-384, 3 SHA-512) and the hash value.
//! *Deflated* bytes are raw deflate (RFC 1951).
//!
//! ```text
//! magic          "PHINDEX"
//! version        one byte: 1
//! flags          one byte: 1 verified, 2 digests of files are kept, 4 gzip, 8 zstd (neither: not compressed); no other bits
//! blob           digest
//! size           number: bytes of the blob
//! diff_id        digest
//! uncompressed   number: bytes of the archive
//! span           number: bytes of a span, 131072
//! unpacked       for each edge between two spans, number: bytes unpacked with the span before it
//!                (left out where the blob is not compressed)
//! chains         for each edge between two spans: the chaining value of the blob's hash, its words in little-endian
//!                order; 32 bytes for SHA-256, else 64
//! checkpoints    number of checkpoints; then for each
//!   compressed   number: bytes of the blob since the last checkpoint
//!   uncompressed number: bytes of the archive since the last checkpoint
//!   bits         one byte: 0 if a member or a frame starts here; else the end of a deflate block, and the bits left over of
//!                the last byte with one bit more above them that is set
//!   window       only if bits is not 0: number, the window's length; text, the window, deflated
//! entries        number of entries; then groups until they are all there, each
//!   count        number of entries
//!   start        number: where the first header of its first entry starts, since that of the last group
//!   length       number: bytes of the columns
//!   columns      text: deflated; see below
//!   digests      the SHA-256 value of each regular file's content, if they are kept
//! checksum       32 bytes: SHA-256 of everything before
//! ```
//!
//! The columns of a group are 16 numbers, their lengths in bytes, and then the columns themselves. Each holds one field
//! of all entries in turn; "before" is the entry before in this group, and zeros or nothing for the first.
//!
//! ```text
//!  0  one byte: type flag
//!  1  one byte: 0, or why readers differ: 1 + the place in `Ambiguity::ALL`
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
//!     size after its start, rounded up to 512, that of others where it starts; before the first entry, at `start`
//! 15  number: from the first header to the data
//! ```

use super::{
    Malformed, SPAN,
    index::{Head, Index},
    number::{Rest, put, put_text},
    point::{Point, Resume},
    rows::{self, Group},
};
use crate::{
    decode::{Checkpoint, inflate::WINDOW},
    digest::{Algorithm, Digest},
    limits::{INDEX_BYTES, INDEX_GROUP_BYTES},
    media_type::Compression,
    tar::Kind,
};

const MAGIC: &[u8; 7] = b"PHINDEX";
const VERSION: u8 = 1;

const VERIFIED: u8 = 1;
const FILE_DIGESTS: u8 = 2;
const GZIP: u8 = 4;
const ZSTD: u8 = 8;

const CHECKSUM: usize = 32;

impl Index {
    /// The index as bytes, for [`Index::from_bytes`]. The head of `seek/bytes.rs` describes each byte.
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = &self.head;
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        let compression = match head.compression {
            Compression::None => 0,
            Compression::Gzip => GZIP,
            Compression::Zstd => ZSTD,
        };
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        bytes.push(compression | flag(head.verified, VERIFIED) | flag(head.file_digests, FILE_DIGESTS));
        put_digest(&mut bytes, &head.digest);
        put(&mut bytes, head.size);
        put_digest(&mut bytes, &head.diff_id);
        put(&mut bytes, head.uncompressed);
        put(&mut bytes, SPAN);
        let mut before = 0;
        if head.compression != Compression::None {
            for &unpacked in &self.unpacked {
                put(&mut bytes, unpacked - before);
                before = unpacked;
            }
        }
        bytes.extend_from_slice(&self.chains);
        put(&mut bytes, self.points.len() as u64);
        let mut before = Checkpoint::default();
        for Point { at, resume } in &self.points {
            put(&mut bytes, at.compressed - before.compressed);
            put(&mut bytes, at.uncompressed - before.uncompressed);
            before = *at;
            match resume {
                Resume::Fresh => bytes.push(0),
                Resume::Block { bits, length, packed } => {
                    bytes.push(*bits);
                    put(&mut bytes, u64::from(*length));
                    put_text(&mut bytes, packed);
                }
            }
        }
        put(&mut bytes, head.entries);
        let mut before = 0;
        for group in &self.groups {
            put(&mut bytes, u64::from(group.count));
            put(&mut bytes, group.start - before);
            before = group.start;
            put(&mut bytes, u64::from(group.length));
            put_text(&mut bytes, &group.packed);
            bytes.extend_from_slice(&group.digests);
        }
        let checksum = Digest::sha256(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        bytes
    }

    /// Reads what [`Index::to_bytes`] wrote. Everything that it says is checked for whether it can be true of a layer;
    /// whether it is true shows when spans are checked.
    ///
    /// # Errors
    /// What is wrong with the bytes; also if there are more than [`INDEX_BYTES`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() as u64 > INDEX_BYTES {
            return Err(Malformed::TooLarge { limit: INDEX_BYTES });
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or(Malformed::Magic)?;
        let &version = rest.first().ok_or(Malformed::Magic)?;
        if version != VERSION {
            return Err(Malformed::Version { expected: VERSION, got: version });
        }
        let (content, checksum) =
            bytes.split_at_checked(bytes.len() - CHECKSUM.min(bytes.len())).ok_or(Malformed::Checksum)?;
        if Digest::sha256(content).as_bytes() != checksum {
            return Err(Malformed::Checksum);
        }
        let mut rest = Rest(content.get(MAGIC.len() + 1..).unwrap_or_default());
        let head = head(&mut rest).ok_or(Malformed::Part("head"))?;
        let unpacked = unpacked(&head, &mut rest).ok_or(Malformed::Part("spans"))?;
        let chains = unpacked.len().checked_mul(head.digest.algorithm().chain_size());
        let chains = chains.and_then(|length| rest.take(length)).ok_or(Malformed::Part("spans"))?.to_vec();
        let points = points(&head, &unpacked, &mut rest).ok_or(Malformed::Part("checkpoints"))?;
        let entries = rest.number().ok_or(Malformed::Part("entries"))?;
        let head = Head { entries, ..head };
        let groups = groups(&head, &mut rest).ok_or(Malformed::Part("entries"))?;
        if !rest.0.is_empty() {
            return Err(Malformed::Part("end"));
        }
        Ok(Self { head, chains, unpacked, points, groups })
    }
}

fn put_digest(bytes: &mut Vec<u8>, digest: &Digest) {
    bytes.push(digest.algorithm().code());
    bytes.extend_from_slice(digest.as_bytes());
}

fn digest(rest: &mut Rest<'_>) -> Option<Digest> {
    let algorithm = Algorithm::coded(rest.byte()?)?;
    Some(Digest::from_value(algorithm, rest.take(algorithm.size())?))
}

/// What comes before the spans; the number of entries is not known yet.
fn head(rest: &mut Rest<'_>) -> Option<Head> {
    let flags = rest.byte()?;
    let compression = match flags & !(VERIFIED | FILE_DIGESTS) {
        0 => Compression::None,
        GZIP => Compression::Gzip,
        ZSTD => Compression::Zstd,
        _ => return None,
    };
    let head = Head {
        digest: digest(rest)?,
        size: rest.number()?,
        diff_id: digest(rest)?,
        uncompressed: rest.number()?,
        compression,
        verified: flags & VERIFIED != 0,
        file_digests: flags & FILE_DIGESTS != 0,
        entries: 0,
    };
    let sizes = compression != Compression::None || head.size == head.uncompressed;
    (sizes && rest.number()? == SPAN).then_some(head)
}

/// Bytes unpacked at each inner edge, never fewer than at the last.
fn unpacked(head: &Head, rest: &mut Rest<'_>) -> Option<Vec<u64>> {
    let edges = usize::try_from(head.size.saturating_sub(1) / SPAN).ok()?;
    // Each has a chaining value, too.
    if edges > rest.0.len() / head.digest.algorithm().chain_size() {
        return None;
    }
    if head.compression == Compression::None {
        return Some((1..=edges as u64).map(|edge| edge * SPAN).collect());
    }
    let mut before = 0u64;
    let mut next = || {
        before = before.checked_add(rest.number()?)?;
        (before <= head.uncompressed).then_some(before)
    };
    (0..edges).map(|_| next()).collect()
}

/// The checkpoints: each behind the last, and where the spans around it can have it.
fn points(head: &Head, unpacked: &[u64], rest: &mut Rest<'_>) -> Option<Vec<Point>> {
    let count = rest.size()?;
    // Each takes three bytes at least.
    if count > rest.0.len() / 3 || count > 0 && head.compression == Compression::None {
        return None;
    }
    let mut points = Vec::with_capacity(count);
    let mut at = Checkpoint::default();
    for _ in 0..count {
        let (compressed, uncompressed) = (rest.number()?, rest.number()?);
        if compressed == 0 || uncompressed == 0 {
            return None;
        }
        at.compressed = at.compressed.checked_add(compressed)?;
        at.uncompressed = at.uncompressed.checked_add(uncompressed)?;
        if at.compressed >= head.size || at.uncompressed >= head.uncompressed {
            return None;
        }
        let span = (at.compressed / SPAN) as usize;
        let edge = |edge: usize| unpacked.get(edge).copied();
        let low = span.checked_sub(1).and_then(edge).unwrap_or(0);
        if at.uncompressed < low || edge(span).is_some_and(|high| at.uncompressed > high) {
            return None;
        }
        let resume = match rest.byte()? {
            0 => Resume::Fresh,
            _ if head.compression != Compression::Gzip => return None,
            bits => {
                let (length, packed) = (rest.size()?, rest.text()?);
                if length > WINDOW || length as u64 > at.uncompressed {
                    return None;
                }
                rows::inflate(packed, length)?;
                Resume::Block { bits, length: length as u32, packed: packed.to_vec() }
            }
        };
        points.push(Point { at, resume });
    }
    Some(points)
}

/// The groups of entries: each entry behind the last and within the archive.
fn groups(head: &Head, rest: &mut Rest<'_>) -> Option<Vec<Group>> {
    let mut groups = Vec::new();
    let (mut number, mut start, mut before) = (0u64, 0u64, 0);
    while number < head.entries {
        let count = u32::try_from(rest.number()?).ok().filter(|&count| count > 0)?;
        start = start.checked_add(rest.number()?)?;
        let length = u32::try_from(rest.number()?).ok().filter(|&length| u64::from(length) <= INDEX_GROUP_BYTES)?;
        let packed = rest.text()?.to_vec();
        let mut group = Group { number, count, start, length, packed, digests: Vec::new() };
        let columns = group.columns()?;
        let mut rows = group.rows(&columns)?;
        let mut files = 0;
        for place in 0..count {
            let entry = rows.next()?;
            let starts = place > 0 || entry.header == start;
            if !starts || entry.header < before || entry.offset <= entry.header || entry.offset > head.uncompressed {
                return None;
            }
            before = entry.offset;
            files += usize::from(entry.kind == Kind::File);
        }
        if !rows.over() {
            return None;
        }
        if head.file_digests {
            group.digests = rest.take(files * Algorithm::Sha256.size())?.to_vec();
        }
        number = number.checked_add(u64::from(count)).filter(|&number| number <= head.entries)?;
        groups.push(group);
    }
    Some(groups)
}
