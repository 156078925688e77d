//! Reads an index page by page.

use std::sync::Arc;

use super::{
    Error, Offsets, SPAN,
    header::{Header, Malformed},
    name::{self, Target},
    number::Rest,
    point::{self, Point},
    rows::Group,
    span,
    tree::{self, Key, PageRef, Root},
};
use crate::{
    decode::Checkpoint,
    digest::{Algorithm, Digest},
    limits::INDEX_GROUP_BYTES,
    media_type::Compression,
    tar::{Entry, Kind},
};

/// Number of nodes kept in memory: at most 512 KiB, usually 192 KiB.
const NODES: usize = 64;
/// Number of leaves kept in memory: one of each tree.
const LEAVES: usize = 4;

/// A layer of at most this many unpacked bytes needs no checkpoint.
const SMALL: u64 = 4 << 20;

/// Answers questions about a layer from its index, which stays in a file or in memory.
///
/// A question that needs another page fails with [`Ask::Page`]. Read that page, [`give`](IndexReader::give) it to the
/// reader, and ask the same question again:
///
/// ```
/// use porthole_core::seek::{Ask, Error, HEADER_BYTES, IndexReader};
///
/// /// Asks a question about an index in memory.
/// fn ask<T>(
///     index: &mut IndexReader,
///     bytes: &[u8],
///     mut question: impl FnMut(&mut IndexReader) -> Result<T, Ask>,
/// ) -> Result<T, Error> {
///     loop {
///         match question(index) {
///             Ok(answer) => return Ok(answer),
///             Err(Ask::Page(page)) => {
///                 let start = page.offset() as usize;
///                 index.give(page, bytes[start..start + page.length()].to_vec())?;
///             }
///             Err(Ask::Failed(error)) => return Err(error),
///         }
///     }
/// }
///
/// fn names(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
///     let mut index = IndexReader::new(&bytes[..HEADER_BYTES], bytes.len() as u64)?;
///     let mut names = Vec::new();
///     while (names.len() as u64) < index.entry_count() {
///         let batch = ask(&mut index, bytes, |index| index.entries(names.len() as u64))?;
///         names.extend(batch.into_iter().map(|(entry, _)| entry.path));
///     }
///     Ok(names)
/// }
/// ```
///
/// Each page is checked against the digest that its parent has for it, up to the header. The header has only its own
/// checksum: an index is as trustworthy as the place where it was kept. A wrong index can make reading fail, but never
/// returns wrong bytes of a file, because they are checked against the blob's digest.
#[derive(Clone, Debug)]
pub struct IndexReader {
    pub(super) header: Header,
    /// Pages that were checked, the most recently used last.
    nodes: Pages,
    leaves: Pages,
}

type Pages = Vec<(u64, Arc<[u8]>)>;

/// Why a question has no answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The answer needs this page first.
    Page(PageRef),
    /// The question cannot be answered.
    Failed(Error),
}

impl From<Malformed> for Ask {
    fn from(error: Malformed) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Error> for Ask {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// How a layer can be read in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seekable {
    /// From any byte, because it is not compressed.
    Anywhere,
    /// From the start and from places that are at most this many unpacked bytes apart.
    Checkpoints {
        /// Unpacked bytes from one such place to the next, at most.
        apart: u64,
    },
    /// Only from its start, because it is one zstd frame or one deflate block: reading a file decodes everything before it.
    FromStart,
}

/// A leaf of a tree.
struct Leaf {
    bytes: Arc<[u8]>,
    key: Key,
    /// Items in it.
    count: u64,
    /// Place of the first item after it.
    next: Option<u64>,
}

impl IndexReader {
    /// Reads the first [`HEADER_BYTES`](super::HEADER_BYTES) of an index of `length` bytes.
    ///
    /// # Errors
    /// [`Malformed`] if the header is invalid; [`Malformed::Version`] for an index of another version.
    pub fn new(header: &[u8], length: u64) -> Result<Self, Malformed> {
        Ok(Self { header: Header::parse(header, length)?, nodes: Vec::new(), leaves: Vec::new() })
    }

    /// Takes a page that was [asked for](Ask::Page).
    ///
    /// # Errors
    /// [`Malformed::Page`] if the bytes do not match the page's digest.
    pub fn give(&mut self, page: PageRef, bytes: Vec<u8>) -> Result<(), Malformed> {
        if !page.is(&bytes) {
            return Err(Malformed::Page { offset: page.offset });
        }
        // Pages are distinguished by length only, so a few small leaves are kept with the nodes.
        let (pages, most) = match page.length <= tree::NODE_BYTES {
            true => (&mut self.nodes, NODES),
            false => (&mut self.leaves, LEAVES),
        };
        if pages.len() >= most {
            pages.remove(0);
        }
        pages.push((page.offset, bytes.into()));
        Ok(())
    }

    /// Digest of the blob.
    pub fn digest(&self) -> Digest {
        self.header.digest
    }

    /// Bytes of the blob.
    pub fn size(&self) -> u64 {
        self.header.size
    }

    /// Digest of the unpacked archive.
    pub fn diff_id(&self) -> Digest {
        self.header.diff_id
    }

    /// Bytes of the unpacked archive.
    pub fn uncompressed(&self) -> u64 {
        self.header.uncompressed
    }

    /// How the blob is compressed.
    pub fn compression(&self) -> Compression {
        self.header.compression
    }

    /// Whether digest and size of the blob were expected and matched when the index was written, and its diff_id if one was
    /// expected.
    pub fn verified(&self) -> bool {
        self.header.verified
    }

    /// How many entries there are.
    pub fn entry_count(&self) -> u64 {
        self.header.entries
    }

    /// Whether the digest of each regular file's content [is kept](super::IndexOptions::file_digests).
    pub fn has_file_digests(&self) -> bool {
        self.header.file_digests
    }

    /// Number of places where decoding can start, apart from the start of the blob.
    pub fn checkpoint_count(&self) -> u64 {
        self.header.points.count
    }

    /// How the layer can be read in parts.
    pub fn seekable(&self) -> Seekable {
        let Header { compression, points, uncompressed, .. } = self.header;
        match compression {
            Compression::None => Seekable::Anywhere,
            _ if points.count == 0 && uncompressed > SMALL => Seekable::FromStart,
            _ => Seekable::Checkpoints { apart: points.apart },
        }
    }

    /// The approximate position in the blob of each byte of the archive.
    ///
    /// # Errors
    /// [`Ask`].
    pub fn offsets(&mut self) -> Result<Offsets, Ask> {
        let page = self.page(&self.header.offsets.clone())?;
        let Header { size, uncompressed, .. } = self.header;
        let offsets = Offsets::from_page(&page, size, uncompressed).ok_or(Malformed::Part("offsets"))?;
        Ok(offsets)
    }

    /// Returns entries from number `from` on, in archive order and exactly as the scan of the layer returned them. Each
    /// regular file has the SHA-256 digest of its content if such digests are kept. A call returns up to some thousand
    /// entries, and none only if there are no more.
    ///
    /// # Errors
    /// [`Ask`].
    pub fn entries(&mut self, from: u64) -> Result<Vec<(Entry, Option<Digest>)>, Ask> {
        if from >= self.header.entries {
            return Ok(Vec::new());
        }
        let group = self.group(|key| key.ordinal <= from)?;
        let mut entries = Vec::new();
        self.rows(&group, |number, entry, digest| {
            if number >= from {
                entries.push((entry, digest));
            }
            true
        })?;
        // Without an entry, a caller that asks for the next ones would loop forever.
        if entries.is_empty() {
            return Err(Malformed::Part("entries").into());
        }
        Ok(entries)
    }

    /// An entry by its number, counted from 0 in archive order.
    ///
    /// # Errors
    /// [`Ask`]; [`Error::NoEntry`] if there are fewer entries.
    pub fn entry(&mut self, number: u64) -> Result<Located, Ask> {
        let count = self.header.entries;
        if number >= count {
            return Err(Error::NoEntry { number, count }.into());
        }
        let group = self.group(|key| key.ordinal <= number)?;
        let found = self.locate(&group, |at, _| at == number)?;
        Ok(found.ok_or(Malformed::Part("entries"))?)
    }

    /// Returns the entry whose data starts at this offset ([`Entry::offset`]). No two entries have the same.
    ///
    /// # Errors
    /// [`Ask`]; [`Error::NoFileAt`] if there is none.
    pub fn entry_at(&mut self, offset: u64) -> Result<Located, Ask> {
        if self.header.entries == 0 {
            return Err(Error::NoFileAt { offset }.into());
        }
        let group = self.group(|key| key.place < offset)?;
        let found = self.locate(&group, |_, entry| entry.offset == offset)?;
        Ok(found.ok_or(Error::NoFileAt { offset })?)
    }

    fn locate(
        &self,
        group: &FoundGroup,
        mut wanted: impl FnMut(u64, &Entry) -> bool,
    ) -> Result<Option<Located>, Malformed> {
        let mut found: Option<Located> = None;
        let mut end = None;
        self.rows(group, |number, entry, digest| {
            if found.is_some() {
                end = Some(entry.header);
            } else if wanted(number, &entry) {
                found = Some(Located { number, entry, digest, end: group.end });
            }
            end.is_none()
        })?;
        Ok(found.map(|mut found| {
            // The data of a sparse file takes at most its size in the archive.
            found.end = found.entry.offset.saturating_add(found.entry.size).min(end.unwrap_or(found.end));
            found
        }))
    }

    /// Reads the last group of entries whose key fulfils `before`, or else the first group.
    fn group(&mut self, before: impl Fn(Key) -> bool) -> Result<FoundGroup, Ask> {
        let (root, entries) = (self.header.roots.entries, self.header.entries);
        let leaf = self.leaf(root, entries, before)?;
        let mut rest = Rest(&leaf.bytes);
        let mut read = || {
            let length = u32::try_from(rest.number()?).ok().filter(|&length| u64::from(length) <= INDEX_GROUP_BYTES)?;
            let (packed, digests) = (rest.text()?.to_vec(), rest.0.to_vec());
            let count = u32::try_from(leaf.count).ok()?;
            Some(Group { number: leaf.key.ordinal, count, start: leaf.key.place, length, packed, digests })
        };
        let group = read().ok_or(Malformed::Part("entries"))?;
        Ok(FoundGroup { group, end: leaf.next.unwrap_or(self.header.uncompressed) })
    }

    /// Passes the entries of a group to `give` until it returns false. Checks that each lies after the one before and inside the archive.
    fn rows(
        &self,
        FoundGroup { group, end }: &FoundGroup,
        mut give: impl FnMut(u64, Entry, Option<Digest>) -> bool,
    ) -> Result<(), Malformed> {
        let mut read = || {
            let columns = group.columns()?;
            let mut rows = group.rows(&columns)?;
            let mut digests = Rest(&group.digests);
            let mut before = group.start;
            for place in 0..group.count {
                let entry = rows.next()?;
                let starts = place > 0 || entry.header == group.start;
                // A blob that is one file has no header before its data.
                let one_file = self.header.entries == 1 && entry.offset == 0;
                let apart = entry.header < *end && entry.offset > entry.header;
                if !starts || entry.header < before || !(apart || one_file) {
                    return None;
                }
                if entry.offset > self.header.uncompressed {
                    return None;
                }
                before = entry.offset;
                let digest = match entry.kind == Kind::File && self.header.file_digests {
                    true => Some(Digest::from_value(Algorithm::Sha256, digests.take(Algorithm::Sha256.size())?)),
                    false => None,
                };
                if !give(group.number + u64::from(place), entry, digest) {
                    return Some(());
                }
            }
            (rows.over() && digests.0.is_empty()).then_some(())
        };
        read().ok_or(Malformed::Part("entries"))
    }

    /// Adds to `found` the targets of one leaf's rows with keys in `keys`. Starts at row `from`, or, if that is `None`, at
    /// the first such row of the run that begins at row `run`. Returns the row to continue from.
    pub(super) fn targets(
        &mut self,
        run: u64,
        from: Option<u64>,
        keys: (u64, u64),
        found: &mut Vec<Target>,
    ) -> Result<Option<u64>, Ask> {
        let end = name::run_end(run).min(self.header.rows);
        let (root, rows, entries) = (self.header.roots.names, self.header.rows, self.header.entries);
        let leaf = match from {
            Some(from) => self.leaf(root, rows, |key| key.ordinal <= from)?,
            // The last leaf that starts before the lowest key may end with such a key.
            None => self.leaf(root, rows, |key| key.ordinal <= run || key.ordinal < end && key.place < keys.0)?,
        };
        let after = leaf.key.ordinal + leaf.count;
        if leaf.key.ordinal < run || after > end {
            return Err(Malformed::Part("rows").into());
        }
        let more = name::targets(&leaf.bytes, leaf.key, leaf.count, entries, keys, found);
        Ok(more.ok_or(Malformed::Part("rows"))?.then_some(after).filter(|&after| after < end))
    }

    /// Returns the last place at or before a byte of the archive where decoding can start; `None` for the start of the blob.
    pub(super) fn point(&mut self, unpacked: u64) -> Result<Option<Point>, Ask> {
        let Header { points, roots, compression, size, uncompressed, .. } = self.header;
        if points.count == 0 {
            return Ok(None);
        }
        let leaf = self.leaf(roots.points, points.count, |key| key.place <= unpacked)?;
        let end = Checkpoint { compressed: size, uncompressed };
        let found = point::find(&leaf.bytes, leaf.key, leaf.count, compression, end, unpacked);
        Ok(found.ok_or(Malformed::Part("checkpoints"))?)
    }

    /// Returns the end, in the blob, of the first span after which this many bytes of the archive are unpacked.
    pub(super) fn edge_after(&mut self, unpacked: u64) -> Result<u64, Ask> {
        let Header { roots, size, uncompressed, .. } = self.header;
        if span::count(size) == 0 {
            return Ok(size);
        }
        let leaf = self.leaf(roots.edges, span::count(size), |key| key.place < unpacked)?;
        let edges = span::edges(&leaf.bytes, leaf.key, leaf.count, self.chain_size(), uncompressed);
        let edges = edges.ok_or(Malformed::Part("spans"))?;
        let edge = leaf.key.ordinal + edges.unpacked.partition_point(|&at| at < unpacked) as u64;
        Ok((edge + 1).saturating_mul(SPAN).min(size))
    }

    /// Adds to `chains` the chaining values at the edges before the spans from `from` up to, not including, `end`, as many
    /// as one leaf has. Returns the span to continue from.
    pub(super) fn chains(&mut self, from: u64, end: u64, chains: &mut Vec<u8>) -> Result<u64, Ask> {
        let Header { roots, size, uncompressed, .. } = self.header;
        // The edge before span n is item n - 1.
        let (Some(first), Some(last)) = (from.checked_sub(1), end.checked_sub(1)) else { return Ok(end) };
        let leaf = self.leaf(roots.edges, span::count(size), |key| key.ordinal <= first)?;
        let chain = self.chain_size();
        let edges = span::edges(&leaf.bytes, leaf.key, leaf.count, chain, uncompressed);
        let edges = edges.ok_or(Malformed::Part("spans"))?;
        let after = (leaf.key.ordinal + leaf.count).min(last);
        let place = |edge: u64| (edge - leaf.key.ordinal) as usize * chain;
        chains.extend_from_slice(edges.chains.get(place(first)..place(after)).ok_or(Malformed::Part("spans"))?);
        Ok(after + 1)
    }

    fn chain_size(&self) -> usize {
        self.header.digest.algorithm().chain_size()
    }

    /// Reads the last leaf whose key fulfils `before`, or else the first leaf. `items`: number of items in the tree.
    fn leaf(&mut self, root: Option<Root>, items: u64, before: impl Fn(Key) -> bool) -> Result<Leaf, Ask> {
        let root = root.ok_or(Malformed::Part("header"))?;
        let (mut key, mut page) = (Key { ordinal: 0, place: root.place }, root.page);
        let (mut end, mut next) = (items, None);
        for level in (1..=root.height).rev() {
            let bytes = self.page(&page)?;
            let children = tree::children(&bytes, &page, level, key, end, super::HEADER_BYTES as u64);
            let children = children.ok_or(Malformed::Part("node"))?;
            let place = children.partition_point(|child| before(child.key)).saturating_sub(1);
            if let Some(child) = children.get(place + 1) {
                (end, next) = (child.key.ordinal, Some(child.key.place));
            }
            let child = children.get(place).ok_or(Malformed::Part("node"))?;
            (key, page) = (child.key, child.page);
        }
        let bytes = self.page(&page)?;
        Ok(Leaf { bytes, key, count: end - key.ordinal, next })
    }

    /// Returns a page that was given; else asks for it.
    fn page(&mut self, page: &PageRef) -> Result<Arc<[u8]>, Ask> {
        for pages in [&mut self.nodes, &mut self.leaves] {
            let place =
                pages.iter().rposition(|(offset, bytes)| *offset == page.offset && bytes.len() == page.length());
            if let Some(place) = place {
                let found = pages.remove(place);
                let bytes = Arc::clone(&found.1);
                pages.push(found);
                return Ok(bytes);
            }
        }
        Err(Ask::Page(*page))
    }
}

/// An entry, with its number and its extent in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Located {
    /// Its number, counted from 0 in archive order.
    pub number: u64,
    /// The entry as the scan of the layer returned it.
    pub entry: Entry,
    /// The SHA-256 digest of its content, if it is a regular file and such digests are kept.
    pub digest: Option<Digest>,
    /// Offset in the archive at or before which its data ends.
    pub(super) end: u64,
}

/// A group of entries, and the offset in the archive at which its last entry has ended.
struct FoundGroup {
    group: Group,
    end: u64,
}
