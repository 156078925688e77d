//! Collects waste in one pass over all versions of all paths, and adds it up.

use super::{
    Cause, Copies, DownloadMap, Group, LayerWaste, Waste, Wasted,
    cause::{cause, own_cause, top},
};
use crate::{
    tar,
    tree::{
        Ambiguity, Aspects, FileTree, NodeId,
        content::{Record, Stored},
        node::Arena,
        version::NONE,
    },
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet, btree_map::Entry},
};

/// A content, one of its paths, and how that path lost it.
#[derive(Clone, Copy)]
struct Held {
    stored: Stored,
    node: u32,
    end: End,
}

/// What became of a content at one of its names.
#[derive(Clone, Copy)]
enum End {
    /// The name still has the content.
    Visible,
    /// A later layer changed the name: `layer`, the version with the content, and the version after it.
    Ended { layer: u32, version: u32, next: u32 },
    /// The layer that wrote the content overwrote or removed it itself.
    Lost,
}

pub(super) fn waste(tree: &FileTree, download: &impl DownloadMap) -> Waste {
    let arena = &tree.arena;
    let held = contents(arena);
    let elsewhere = Visible::new(arena, &held);
    let extents = Extents::new(arena, &held);
    let mut waste = Waste::default();
    let mut layers: BTreeMap<u32, LayerWaste> = BTreeMap::new();
    for Held { stored, node, end } in held {
        let Stored { layer, offset, size, .. } = stored;
        waste.all = waste.all.saturating_add(size);
        let brought = layers.entry(layer).or_default();
        brought.bytes = brought.bytes.saturating_add(size);
        let (by, (cause, aspects)) = match end {
            End::Visible => {
                waste.visible = waste.visible.saturating_add(size);
                continue;
            }
            End::Ended { layer, version, next } => (layer, cause(arena, arena.found(version), arena.found(next))),
            End::Lost => (layer, (own_cause(arena, &stored, node), Aspects::NONE)),
        };
        let range = offset..extents.end(&stored);
        let download = download.bytes(layer, range.clone());
        brought.wasted = brought.wasted.saturating_add(size);
        brought.download = brought.download.saturating_add(download);
        waste.download = waste.download.saturating_add(download);
        count(layers.entry(by).or_default(), cause, size);
        let moved = matches!(cause, Cause::Deleted | Cause::Overwritten)
            .then(|| arena.digests.get(stored.digest).and_then(|digest| elsewhere.find(digest)))
            .flatten();
        waste.items.push(Wasted {
            node: NodeId(node),
            top: NodeId(top(arena, node, by, cause)),
            layer,
            by,
            cause,
            aspects,
            size,
            stored: range,
            download,
            elsewhere: moved.map(NodeId),
        });
    }
    waste.items.sort_by_key(|item| (Reverse(item.size), item.node, item.layer));
    waste.layers = layers.into_iter().map(|(layer, of)| LayerWaste { layer, ..of }).collect();
    waste
}

fn count(by: &mut LayerWaste, cause: Cause, size: u64) {
    let sum = match cause {
        Cause::Deleted => &mut by.deleted,
        Cause::Overwritten => &mut by.overwritten,
        Cause::Duplicated => &mut by.duplicated,
        Cause::Metadata => &mut by.metadata,
    };
    *sum = sum.saturating_add(size);
    by.wastes = by.wastes.saturating_add(size);
}

pub(super) fn copies(tree: &FileTree) -> Vec<Copies> {
    let arena = &tree.arena;
    let visible = Visible::new(arena, &contents(arena));
    let mut copies: Vec<Copies> = visible
        .0
        .chunk_by(|a, b| a.digest == b.digest)
        .filter(|group| group.len() > 1)
        .map(|group| Copies { size: group[0].size, nodes: group.iter().map(|place| NodeId(place.node)).collect() })
        .collect();
    copies.sort_by_key(|copies| (Reverse(copies.spare()), copies.nodes[0]));
    copies
}

pub(super) fn groups(waste: &Waste, tree: &FileTree) -> Vec<Group> {
    let mut places: HashMap<(NodeId, u32, Cause), usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for item in &waste.items {
        let place = *places.entry((item.top, item.by, item.cause)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group {
                node: item.top,
                path: tree.path(item.top),
                directory: false,
                layers: Vec::new(),
                by: item.by,
                cause: item.cause,
                aspects: Aspects::NONE,
                files: 0,
                size: 0,
                download: 0,
                elsewhere: item.elsewhere,
            });
        }
        let group = &mut groups[place];
        group.directory |= item.top != item.node;
        if !group.layers.contains(&item.layer) {
            group.layers.push(item.layer);
        }
        group.aspects = group.aspects.iter().chain(item.aspects.iter()).collect();
        group.files += 1;
        group.size = group.size.saturating_add(item.size);
        group.download = group.download.saturating_add(item.download);
        group.elsewhere = group.elsewhere.filter(|_| group.files == 1);
    }
    for group in &mut groups {
        group.layers.sort_unstable();
    }
    groups.sort_by(|a, b| (Reverse(a.size), &a.path, a.by).cmp(&(Reverse(b.size), &b.path, b.by)));
    groups
}

/// Every content of every layer, once each, without empty ones.
fn contents(arena: &Arena) -> Vec<Held> {
    let mut held = Vec::new();
    let mut shared: BTreeMap<u32, Held> = BTreeMap::new();
    for node in 1..arena.nodes.len() as u32 {
        let mut next: Option<(u32, u32)> = None;
        for version in arena.versions(node) {
            let end = match next {
                None => End::Visible,
                Some((layer, next)) => End::Ended { layer, version: version.id, next },
            };
            next = Some((version.layer, version.id));
            let stored = arena.stored(version.id).filter(|stored| version.is_alive() && stored.size > 0);
            let Some(stored) = stored else { continue };
            let name = Held { stored, node, end };
            match version.inode {
                NONE => held.push(name),
                inode => match shared.entry(inode) {
                    Entry::Occupied(mut before) => {
                        if name.outlives(before.get(), version.kind == tar::Kind::File) {
                            before.insert(name);
                        }
                    }
                    Entry::Vacant(place) => _ = place.insert(name),
                },
            }
        }
    }
    let mut lost = HashSet::new();
    for content in &arena.lost {
        if content.inode == NONE || !shared.contains_key(&content.inode) && lost.insert(content.inode) {
            held.push(Held { stored: content.stored, node: content.node, end: End::Lost });
        }
    }
    held.extend(shared.into_values());
    held
}

impl Held {
    /// Whether this name kept the content longer than the other, or as long and is the original name (`brought`).
    fn outlives(&self, other: &Self, brought: bool) -> bool {
        let until = |held: &Self| match held.end {
            End::Visible => u64::MAX,
            End::Ended { layer, .. } => u64::from(layer),
            End::Lost => 0,
        };
        (until(self), brought) > (until(other), false)
    }
}

/// Positions of visible contents, by digest and node.
struct Visible<'t>(Vec<Place<'t>>);

struct Place<'t> {
    /// The first bytes of the digest, to avoid most full comparisons.
    head: u64,
    digest: Record<'t>,
    node: u32,
    size: u64,
}

impl<'t> Visible<'t> {
    fn new(arena: &'t Arena, held: &[Held]) -> Self {
        let place = |held: &Held| match held.end {
            End::Visible => {
                let digest = arena.digests.get(held.stored.digest)?;
                Some(Place { head: digest.head(), digest, node: held.node, size: held.stored.size })
            }
            _ => None,
        };
        let mut places: Vec<Place<'t>> = held.iter().filter_map(place).collect();
        places.sort_unstable_by(|a, b| (a.head, a.digest, a.node).cmp(&(b.head, b.digest, b.node)));
        Self(places)
    }

    /// The first node with a content.
    fn find(&self, digest: Record<'_>) -> Option<u32> {
        let wanted = (digest.head(), digest);
        let first = self.0.partition_point(|place| (place.head, place.digest) < wanted);
        self.0.get(first).filter(|place| place.digest == digest).map(|place| place.node)
    }
}

/// End of each content in its archive. A sparse file ends before the next content, whatever its logical size.
struct Extents(Vec<(u32, u64)>);

impl Extents {
    fn new(arena: &Arena, held: &[Held]) -> Self {
        let sparse = Some(Ambiguity::Archive(tar::EntryAmbiguity::Sparse));
        if !arena.versions.iter().any(|version| version.ambiguous == sparse) {
            return Self(Vec::new());
        }
        let mut starts: Vec<_> = held.iter().map(|held| (held.stored.layer, held.stored.offset)).collect();
        starts.sort_unstable();
        Self(starts)
    }

    fn end(&self, stored: &Stored) -> u64 {
        let end = stored.offset.saturating_add(stored.size);
        let next = self.0.partition_point(|start| *start <= (stored.layer, stored.offset));
        match self.0.get(next) {
            Some((layer, start)) if *layer == stored.layer => end.min(*start),
            _ => end,
        }
    }
}
