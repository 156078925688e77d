//! Why content is not visible, and the directory that was lost with it.

use super::Cause;
use crate::{
    tar::Kind,
    tree::{
        Aspect, Aspects,
        aspect::Side,
        content::Stored,
        node::ROOT,
        node::{Arena, Found},
        version::NONE,
        view::own,
    },
};

/// Why the next version hides the content of a version, and how the two differ.
pub(super) fn cause(arena: &Arena, version: Found, next: Found) -> (Cause, Aspects) {
    if !next.is_alive() {
        return (Cause::Deleted, Aspects::NONE);
    }
    let before = Side::new(arena, version, next.layer.saturating_sub(1));
    let aspects = before.compare(&Side::new(arena, next, next.layer), 0);
    let any = |wanted: &[Aspect]| wanted.iter().any(|aspect| aspects.contains(*aspect));
    let cause = if any(&[Aspect::Type, Aspect::Content, Aspect::Unknown]) {
        Cause::Overwritten
    } else if any(&[Aspect::Mode, Aspect::Owner, Aspect::Xattr]) {
        Cause::Metadata
    } else {
        Cause::Duplicated
    };
    (cause, aspects)
}

/// Why a layer hides content that it wrote itself. Only contents are compared, because the attributes of the hidden entry are not kept.
pub(super) fn own_cause(arena: &Arena, stored: &Stored, node: u32) -> Cause {
    match own(arena, node, stored.layer).filter(|version| version.is_alive()) {
        None => Cause::Deleted,
        Some(next) => match arena.stored(next.id).and_then(|next| arena.same_content(stored, arena, &next)) {
            Some(true) => Cause::Duplicated,
            _ => Cause::Overwritten,
        },
    }
}

/// The highest directory above a node that layer `by` removed with everything in it, or whose metadata it changed; else the node itself.
pub(super) fn top(arena: &Arena, node: u32, by: u32, cause: Cause) -> u32 {
    let shares = |directory: u32| match cause {
        Cause::Deleted => own(arena, directory, by).is_some_and(|version| removes(arena, version)),
        Cause::Metadata => own(arena, directory, by).is_some_and(|version| changes_metadata(arena, version)),
        Cause::Overwritten | Cause::Duplicated => false,
    };
    let mut top = node;
    loop {
        let parent = arena.node(top).parent;
        if parent == ROOT || parent == NONE || !shares(parent) {
            return top;
        }
        top = parent;
    }
}

fn removes(arena: &Arena, version: Found) -> bool {
    !version.is_alive() && arena.told(version.id) != version.id
}

fn changes_metadata(arena: &Arena, version: Found) -> bool {
    if !version.is_alive() || version.kind != Kind::Directory || version.previous == NONE {
        return false;
    }
    let before = arena.found(version.previous);
    let layer = version.layer;
    let aspects = Side::new(arena, before, layer).compare(&Side::new(arena, version, layer), 0);
    before.is_alive()
        && !aspects.contains(Aspect::Type)
        && [Aspect::Mode, Aspect::Owner, Aspect::Xattr].iter().any(|aspect| aspects.contains(*aspect))
}
