//! Checkpoints: where decoding can start.

use super::{
    number::{Rest, put, put_text},
    rows::{self, Packer},
    tree::{Key, Output, Root, TreeWriter},
};
use crate::{
    decode::{BlockEnd, Checkpoint, inflate::WINDOW},
    media_type::Compression,
};

/// A leaf is closed when it reaches this number of bytes: after one checkpoint with a window, or some hundred without.
const LEAF: usize = 2 << 10;
/// The fastest level: windows are many and small, and are compressed while a layer arrives.
const WINDOW_LEVEL: u32 = 1;

/// Where decoding can start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) at: Checkpoint,
    pub(super) resume: Resume,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resume {
    /// A member or a frame starts.
    Fresh,
    /// A deflate block ended. `bits`: unused bits of the last byte below one set bit; `length`: bytes of the window;
    /// `packed`: the window, deflated.
    Block { bits: u8, length: u32, packed: Vec<u8> },
}

impl Point {
    /// Returns the end of the block; `Some(None)` for the start of a member or frame. `None` if the window cannot be
    /// inflated to its length.
    pub(super) fn block(&self) -> Option<Option<BlockEnd>> {
        match &self.resume {
            Resume::Fresh => Some(None),
            Resume::Block { bits, length, packed } => {
                let window = rows::inflate(packed, *length as usize)?;
                Some(Some(BlockEnd { at: self.at, bits: *bits, window }))
            }
        }
    }
}

/// Totals over all checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Points {
    pub(super) count: u64,
    /// Maximum of unpacked bytes from one checkpoint to the next, from the start to the first, and from the last to the end.
    pub(super) apart: u64,
}

pub(super) struct PointWriter {
    tree: TreeWriter,
    packer: Packer,
    points: Points,
    /// The last checkpoint, which is not written yet: it is left out if the archive ends there, because nothing is read after it.
    last: Option<Point>,
    /// Unpacked bytes before the last checkpoint that was written.
    before: u64,
    leaf: Vec<u8>,
    key: Key,
    /// The last checkpoint in the leaf.
    written: Checkpoint,
}

impl PointWriter {
    pub(super) fn new() -> Self {
        Self {
            tree: TreeWriter::default(),
            packer: Packer::new(WINDOW_LEVEL),
            points: Points::default(),
            last: None,
            before: 0,
            leaf: Vec::new(),
            key: Key::default(),
            written: Checkpoint::default(),
        }
    }

    /// Unpacked bytes before the last checkpoint.
    pub(super) fn last(&self) -> u64 {
        self.last.as_ref().map_or(self.before, |point| point.at.uncompressed)
    }

    pub(super) fn fresh(&mut self, out: &mut Output, at: Checkpoint) {
        self.push(out, Point { at, resume: Resume::Fresh });
    }

    pub(super) fn block(&mut self, out: &mut Output, block: &BlockEnd) {
        let (length, packed) = (block.window.len() as u32, self.packer.pack(&block.window));
        self.push(out, Point { at: block.at, resume: Resume::Block { bits: block.bits, length, packed } });
    }

    fn push(&mut self, out: &mut Output, point: Point) {
        if let Some(last) = self.last.replace(point) {
            self.write(out, &last);
        }
    }

    fn write(&mut self, out: &mut Output, point: &Point) {
        if self.leaf.len() >= LEAF {
            self.close(out);
        }
        let at = point.at;
        if self.leaf.is_empty() {
            self.key = Key { ordinal: self.points.count, place: at.uncompressed };
            self.written = Checkpoint::default();
        }
        put(&mut self.leaf, at.compressed - self.written.compressed);
        put(&mut self.leaf, at.uncompressed - self.written.uncompressed);
        match &point.resume {
            Resume::Fresh => self.leaf.push(0),
            Resume::Block { bits, length, packed } => {
                self.leaf.push(*bits);
                put(&mut self.leaf, u64::from(*length));
                put_text(&mut self.leaf, packed);
            }
        }
        self.written = at;
        self.points.apart = self.points.apart.max(at.uncompressed - self.before);
        self.before = at.uncompressed;
        self.points.count += 1;
    }

    fn close(&mut self, out: &mut Output) {
        if !self.leaf.is_empty() {
            self.tree.leaf(out, self.key, &self.leaf);
            self.leaf.clear();
        }
    }

    /// Ends the checkpoints. `uncompressed`: bytes of the archive.
    pub(super) fn finish(mut self, out: &mut Output, uncompressed: u64) -> (Points, Option<Root>) {
        if let Some(last) = self.last.take().filter(|point| point.at.uncompressed < uncompressed) {
            self.write(out, &last);
        }
        self.close(out);
        self.points.apart = self.points.apart.max(uncompressed.saturating_sub(self.before));
        (self.points, self.tree.finish(out))
    }
}

/// Finds the last of the `count` checkpoints of a leaf at or before a byte of the archive. `Some(None)`: all are after it.
/// `None`: the leaf is malformed. `end`: bytes of the blob and of the archive.
pub(super) fn find(
    bytes: &[u8],
    key: Key,
    count: u64,
    compression: Compression,
    end: Checkpoint,
    unpacked: u64,
) -> Option<Option<Point>> {
    let mut rest = Rest(bytes);
    let mut at = Checkpoint::default();
    let mut found = None;
    for number in 0..count {
        let (compressed, uncompressed) = (rest.number()?, rest.number()?);
        at.compressed = at.compressed.checked_add(compressed).filter(|&at| at < end.compressed)?;
        at.uncompressed = at.uncompressed.checked_add(uncompressed).filter(|&at| at < end.uncompressed)?;
        if compressed == 0 || uncompressed == 0 || number == 0 && at.uncompressed != key.place {
            return None;
        }
        let resume = match rest.byte()? {
            0 => Resume::Fresh,
            _ if compression != Compression::Gzip => return None,
            bits => {
                let (length, packed) = (rest.size()?, rest.text()?);
                if length > WINDOW || length as u64 > at.uncompressed {
                    return None;
                }
                Resume::Block { bits, length: length as u32, packed: packed.to_vec() }
            }
        };
        if at.uncompressed <= unpacked {
            found = Some(Point { at, resume });
        }
    }
    rest.0.is_empty().then_some(found)
}
