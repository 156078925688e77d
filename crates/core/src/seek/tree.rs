//! Pages, and the trees by which they are found.
//!
//! A tree is written from its leaves up while a layer streams: only the last node of each level is held in memory. A node
//! holds the digest of each of its children, so that a reader that trusts the root can check every page on the way down.

use super::number::{Rest, put};
use crate::{
    digest::{Algorithm, Hasher},
    limits::INDEX_PAGE_BYTES,
};

/// Children of a node.
const FANOUT: usize = 64;
/// Levels of nodes above the leaves. 64⁶ leaves are more than any index has.
pub(super) const MAX_HEIGHT: u8 = 6;
/// Bytes of a node: 64 children of at most four numbers of ten bytes and a digest.
pub(super) const NODE_BYTES: u32 = 8 << 10;

const DIGEST: usize = 32;

/// A page of an index: where it is, and the digest that its bytes must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRef {
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) digest: [u8; DIGEST],
}

impl PageRef {
    /// First byte of the page in the index.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of the page.
    pub fn length(&self) -> usize {
        self.length as usize
    }

    pub(super) fn put(&self, bytes: &mut Vec<u8>) {
        put(bytes, self.offset);
        put(bytes, u64::from(self.length));
        bytes.extend_from_slice(&self.digest);
    }

    /// Reads what [`PageRef::put`] wrote. `None` if the page does not lie between `start` and `end` or is longer than
    /// `most`.
    pub(super) fn read(rest: &mut Rest<'_>, start: u64, end: u64, most: u64) -> Option<Self> {
        let (offset, length) = (rest.number()?, u32::try_from(rest.number()?).ok()?);
        let digest = *rest.take(DIGEST)?.first_chunk()?;
        let inside = offset >= start && offset.checked_add(u64::from(length))? <= end;
        (inside && length > 0 && u64::from(length) <= most).then_some(Self { offset, length, digest })
    }

    /// Whether these are the bytes of the page.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.length() && digest(bytes) == self.digest
    }
}

fn digest(bytes: &[u8]) -> [u8; DIGEST] {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(bytes);
    hasher.finish().as_bytes().first_chunk().copied().unwrap_or_default()
}

/// The first item of a leaf or a subtree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    /// The number of its first item among all items of the tree, from 0.
    pub(super) ordinal: u64,
    /// The item's place, by which the tree is searched. `header.rs` has its meaning for each tree.
    pub(super) place: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Child {
    pub(super) key: Key,
    pub(super) page: PageRef,
}

/// The top page of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) page: PageRef,
    /// Levels of nodes above the leaves; 0 if the top page is a leaf.
    pub(super) height: u8,
    /// [`Key::place`] of the first leaf.
    pub(super) place: u64,
}

/// The bytes of an index in the order in which they are written.
#[derive(Default)]
pub(super) struct Output {
    /// Bytes that were [taken](Output::take).
    taken: u64,
    pending: Vec<u8>,
}

impl Output {
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    pub(super) fn page(&mut self, bytes: &[u8]) -> PageRef {
        let offset = self.length();
        self.append(bytes);
        PageRef { offset, length: u32::try_from(bytes.len()).unwrap_or(u32::MAX), digest: digest(bytes) }
    }

    pub(super) fn length(&self) -> u64 {
        self.taken + self.pending.len() as u64
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        let bytes = std::mem::take(&mut self.pending);
        self.taken += bytes.len() as u64;
        bytes
    }
}

/// A tree that is being written.
#[derive(Default)]
pub(super) struct TreeWriter {
    /// The children of the last node of each level, the lowest level first.
    levels: Vec<Vec<Child>>,
}

impl TreeWriter {
    /// Writes a leaf. Ordinals of successive leaves increase.
    pub(super) fn leaf(&mut self, out: &mut Output, key: Key, bytes: &[u8]) {
        let page = out.page(bytes);
        self.add(out, 0, Child { key, page });
    }

    fn add(&mut self, out: &mut Output, level: usize, child: Child) {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        let Some(children) = self.levels.get_mut(level) else { return };
        if children.len() == FANOUT {
            let parent = node(out, level, &std::mem::replace(children, vec![child]));
            self.add(out, level + 1, parent);
        } else {
            children.push(child);
        }
    }

    /// Writes the nodes that are not full. `None` if there is no leaf.
    pub(super) fn finish(mut self, out: &mut Output) -> Option<Root> {
        let mut level = 0;
        loop {
            let children = std::mem::take(self.levels.get_mut(level)?);
            if let ([only], true) = (children.as_slice(), self.levels.len() == level + 1) {
                return Some(Root { page: only.page, height: level as u8, place: only.key.place });
            }
            let parent = node(out, level, &children);
            level += 1;
            self.add(out, level, parent);
        }
    }
}

/// Writes a node above children of this level.
fn node(out: &mut Output, level: usize, children: &[Child]) -> Child {
    let key = children.first().map(|child| child.key).unwrap_or_default();
    let mut bytes = vec![level as u8 + 1];
    let mut before = key.ordinal;
    for Child { key, page } in children {
        put(&mut bytes, key.ordinal - before);
        put(&mut bytes, key.place);
        page.put(&mut bytes);
        before = key.ordinal;
    }
    Child { key, page: out.page(&bytes) }
}

/// Decodes the children of the node at `page`, which is `level` levels above the leaves and holds the items from `key` up to
/// item `end`. `None` if it is malformed. `start`: offset of the first page of the index.
///
/// Children lie before their parent, so that no page leads back to itself.
pub(super) fn children(bytes: &[u8], page: &PageRef, level: u8, key: Key, end: u64, start: u64) -> Option<Vec<Child>> {
    let mut rest = Rest(bytes);
    if rest.byte()? != level {
        return None;
    }
    let most = if level == 1 { INDEX_PAGE_BYTES } else { u64::from(NODE_BYTES) };
    let mut children: Vec<Child> = Vec::new();
    let mut ordinal = key.ordinal;
    while !rest.0.is_empty() {
        let step = rest.number()?;
        ordinal = ordinal.checked_add(step)?;
        let key = Key { ordinal, place: rest.number()? };
        let page = PageRef::read(&mut rest, start, page.offset, most)?;
        if ordinal >= end || children.is_empty() != (step == 0) || children.len() == FANOUT {
            return None;
        }
        children.push(Child { key, page });
    }
    (children.first()?.key == key).then_some(children)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_of_any_size_leads_to_every_leaf() {
        for leaves in [0u64, 1, 2, 63, 64, 65, 4096, 4097, 5000] {
            let mut out = Output::default();
            out.append(b"head");
            let mut tree = TreeWriter::default();
            for leaf in 0..leaves {
                tree.leaf(&mut out, Key { ordinal: leaf * 3, place: leaf * 7 }, &leaf.to_le_bytes());
            }
            let root = tree.finish(&mut out);
            let bytes = out.take();
            assert_eq!(out.length(), bytes.len() as u64);
            let Some(root) = root else {
                assert_eq!(leaves, 0);
                continue;
            };
            assert_eq!(u64::from(root.height), [1, 64, 4096].iter().filter(|&&most| leaves > most).count() as u64);
            let mut pages = vec![(root.height, Key { ordinal: 0, place: root.place }, leaves * 3, root.page)];
            let mut found = 0;
            while let Some((level, key, end, page)) = pages.pop() {
                let part = &bytes[page.offset as usize..][..page.length()];
                assert!(page.is(part) && !page.is(&part[1..]));
                if level == 0 {
                    assert_eq!((part, key.place), (&(key.ordinal / 3).to_le_bytes()[..], key.ordinal / 3 * 7));
                    found += 1;
                    continue;
                }
                let children = children(part, &page, level, key, end, 4).expect("a node");
                let ends = children.iter().skip(1).map(|child| child.key.ordinal).chain([end]);
                pages.extend(children.iter().zip(ends).map(|(child, end)| (level - 1, child.key, end, child.page)));
            }
            assert_eq!(found, leaves);
        }
    }

    #[test]
    fn a_node_that_cannot_be_is_refused() {
        let page = |offset, length| PageRef { offset, length, digest: [0; DIGEST] };
        let child = |ordinal, page| Child { key: Key { ordinal, place: 0 }, page };
        let parse = |written: &[Child], level: u8, end| {
            let mut out = Output::default();
            out.append(&[0; 1000]);
            let node = node(&mut out, usize::from(level) - 1, written);
            let bytes = out.take();
            children(&bytes[1000..], &node.page, 1, node.key, end, 512).is_some()
        };
        let (first, second) = (child(5, page(600, 10)), child(9, page(610, 10)));
        assert!(parse(&[first, second], 1, 10));
        assert!(!parse(&[first, second], 1, 9), "behind the last item");
        assert!(!parse(&[first, second], 2, 10), "another level");
        assert!(!parse(&[first, child(5, page(610, 10))], 1, 10), "two children start with one item");
        assert!(!parse(&[first, child(9, page(995, 10))], 1, 10), "a page behind its parent");
        assert!(!parse(&[first, child(9, page(500, 10))], 1, 10), "a page in the header");
        assert!(!parse(&[first, child(9, page(u64::MAX, 10))], 1, 10), "a page nowhere");
        assert!(!parse(&[child(5, page(600, 0))], 1, 10), "an empty page");
        assert!(!parse(&[], 1, 10), "no children");
        let many: Vec<Child> = (0..=FANOUT as u64).map(|n| child(n, page(600, 10))).collect();
        assert!(parse(&many[1..], 1, 100) && !parse(&many, 1, 100), "too many children");
    }
}
