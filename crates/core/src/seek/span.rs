//! The edges between spans: the number of bytes unpacked there, and the chaining value of the blob's hash.

use super::{
    SPAN,
    number::{Rest, put},
    tree::{Key, Output, Root, TreeWriter},
};

/// Edges in a leaf: for 16 MiB of the blob.
const EDGES: usize = 128;

/// Number of edges in a blob of this size: one at the end of each span but the last.
pub(super) fn count(size: u64) -> u64 {
    size.saturating_sub(1) / SPAN
}

/// The edges in a leaf, decoded.
pub(super) struct Edges<'b> {
    /// Bytes unpacked at each edge.
    pub(super) unpacked: Vec<u64>,
    /// The chaining value at each edge, one after another.
    pub(super) chains: &'b [u8],
}

#[derive(Default)]
pub(super) struct SpanWriter {
    tree: TreeWriter,
    /// Edges in leaves that were written.
    before: u64,
    unpacked: Vec<u64>,
    chains: Vec<u8>,
}

impl SpanWriter {
    pub(super) fn push(&mut self, out: &mut Output, unpacked: u64, chain: &[u8]) {
        // The last leaf is kept back, because the end of the blob is not an edge between spans.
        if self.unpacked.len() == EDGES {
            self.close(out);
        }
        self.unpacked.push(unpacked);
        self.chains.extend_from_slice(chain);
    }

    fn close(&mut self, out: &mut Output) {
        let Some(&place) = self.unpacked.first() else { return };
        let mut bytes = Vec::new();
        let mut before = place;
        for &unpacked in &self.unpacked {
            put(&mut bytes, unpacked - before);
            before = unpacked;
        }
        bytes.extend_from_slice(&self.chains);
        self.tree.leaf(out, Key { ordinal: self.before, place }, &bytes);
        self.before += self.unpacked.len() as u64;
        self.unpacked.clear();
        self.chains.clear();
    }

    /// Writes the last leaf. `size`: bytes of the blob. `chain`: bytes of a chaining value.
    pub(super) fn finish(mut self, out: &mut Output, size: u64, chain: usize) -> Option<Root> {
        let left = count(size).saturating_sub(self.before);
        self.unpacked.truncate(left as usize);
        self.chains.truncate(self.unpacked.len() * chain);
        self.close(out);
        self.tree.finish(out)
    }
}

/// Decodes the `count` edges of a leaf that starts with `key`; `None` if it is malformed. `chain`: bytes of a chaining
/// value. `most`: bytes of the archive.
pub(super) fn edges(bytes: &[u8], key: Key, count: u64, chain: usize, most: u64) -> Option<Edges<'_>> {
    let count = usize::try_from(count).ok().filter(|&count| count <= EDGES)?;
    let mut rest = Rest(bytes);
    let mut before = key.place;
    let mut next = || {
        before = before.checked_add(rest.number()?)?;
        (before <= most).then_some(before)
    };
    let unpacked = (0..count).map(|_| next()).collect::<Option<Vec<_>>>()?;
    let starts = unpacked.first() == Some(&key.place);
    (starts && rest.0.len() == count * chain).then_some(Edges { unpacked, chains: rest.0 })
}
