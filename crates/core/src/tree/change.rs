//! Applies changes: writes, removals, and their counts.

use super::{
    Ambiguity, Error, FileTree, LayerSummary,
    content::Lost,
    resolve::{NAME_BYTES, too_long},
    version::{Flags, NONE, Version},
};
use crate::{path, tar::Kind};

/// Why a path is removed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Replaced,
    Whiteout,
    Opaque,
}

impl FileTree {
    pub(super) fn white_out(&mut self, parent: u32, name: &[u8], hidden: &[u8]) -> Result<(), Error> {
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(Error::Whiteout(path::escape(name).into_owned()));
        }
        if hidden.len() > NAME_BYTES {
            return Err(too_long(hidden));
        }
        if let Some(open) = &mut self.open {
            open.whitened.insert(parent);
        }
        if let Some(node) = self.arena.child(parent, hidden).filter(|&node| self.arena.is_live(node)) {
            self.remove(node, Cause::Whiteout);
        }
        Ok(())
    }

    /// Removes everything in a directory that no entry of this layer named.
    pub(super) fn make_opaque(&mut self, directory: u32) {
        let Some(open) = &mut self.open else { return };
        let mark = open.mark;
        if open.opaque.insert(directory, open.implied) == Some(open.implied) {
            return;
        }
        let mut pending = vec![directory];
        while let Some(directory) = pending.pop() {
            let mut child = self.arena.node(directory).first_live;
            while child != NONE {
                let next = self.arena.node(child).next_live;
                let head = self.arena.node(child).head;
                if self.arena.is_new(head, &mark) && self.arena.version(head).flags.unpacked {
                    pending.push(child);
                } else {
                    self.remove(child, Cause::Opaque);
                }
                child = next;
            }
        }
    }

    /// Records the removal of a path and everything below it.
    pub(super) fn remove(&mut self, node: u32, cause: Cause) {
        if let Some(open) = &mut self.open {
            open.parent = None;
        }
        let mut pending = vec![node];
        while let Some(node) = pending.pop() {
            let mut child = self.arena.node(node).first_live;
            while child != NONE {
                pending.push(child);
                child = self.arena.node(child).next_live;
            }
            self.remove_one(node, cause);
        }
    }

    fn remove_one(&mut self, node: u32, cause: Cause) {
        let Some(open) = &self.open else { return };
        let (mark, layer) = (open.mark, open.layer);
        // A search of the layer's entries would take the whiteouts below a directory as proof that the layer has it.
        let marked = open.whitened.contains(&node) || open.opaque.contains_key(&node);
        let head = self.arena.node(node).head;
        if head == NONE {
            return;
        }
        if marked && cause != Cause::Replaced {
            self.not_plain();
        }
        let mut gone = self.arena.version(head);
        if self.arena.is_new(head, &mark) {
            self.not_plain();
            let Version { previous, flags, ambiguous, .. } = gone;
            if previous != NONE && self.arena.version(previous).is_alive() {
                gone = self.arena.version(previous);
                gone.previous = previous;
            }
            gone.flags.unpacked = flags.unpacked;
            gone.ambiguous = match cause {
                Cause::Replaced => ambiguous,
                Cause::Whiteout => Some(Ambiguity::WhiteoutOfSameLayer),
                Cause::Opaque => Some(Ambiguity::OpaqueOfSameLayer),
            };
        } else {
            gone.previous = head;
            gone.flags = Flags::default();
            gone.ambiguous = None;
        }
        gone.layer = layer;
        gone.flags.removed = true;
        self.put(node, gone);
        self.arena.set_live(node, false);
    }

    /// Records what an entry created.
    pub(super) fn write(&mut self, node: u32, mut version: Version) {
        let Some(open) = &self.open else { return };
        let head = self.arena.node(node).head;
        let mut previous = head;
        if self.arena.is_new(head, &open.mark) {
            let before = self.arena.version(head);
            previous = before.previous;
            version.flags.unpacked |= before.flags.unpacked;
        }
        version.previous = previous;
        if previous != NONE {
            let before = self.arena.version(previous);
            let same = before.is_alive() && version.kind == Kind::Directory && before.kind == Kind::Directory;
            version.flags.unchanged =
                same && before.attributes == version.attributes && before.extra == NONE && version.extra == NONE;
            version.flags.several = before.flags.several || !version.flags.unchanged;
        }
        self.put(node, version);
        self.arena.set_live(node, true);
    }

    /// Makes a version the newest of its node, replacing a version of the same layer, and updates the counts.
    fn put(&mut self, node: u32, version: Version) {
        let Some(open) = &mut self.open else { return };
        let head = self.arena.node(node).head;
        let before_is_alive = version.previous != NONE && self.arena.version(version.previous).is_alive();
        if self.arena.is_new(head, &open.mark) {
            count(&mut open.summary, &self.arena.version(head), before_is_alive, u64::wrapping_sub);
            count(&mut open.summary, &version, before_is_alive, u64::wrapping_add);
            self.lose(node, head, &version);
            self.arena.versions.set(head, &version);
        } else {
            count(&mut open.summary, &version, before_is_alive, u64::wrapping_add);
            self.arena.nodes[node as usize].head = self.arena.versions.len() as u32;
            self.arena.versions.push(&version);
        }
    }
}

impl FileTree {
    /// Remembers content that the open layer wrote at a node and is about to replace.
    fn lose(&mut self, node: u32, head: u32, next: &Version) {
        let before = self.arena.version(head);
        let stays = next.is_alive() && next.kind == before.kind && next.offset == before.offset;
        if before.kind != Kind::File || !before.is_alive() || before.size == 0 || stays {
            return;
        }
        let (inode, stored) = (before.inode, self.arena.stored(head));
        self.arena.digests.take(head);
        self.arena.lost.extend(stored.map(|stored| Lost { node, stored, inode }));
    }
}

fn count(summary: &mut LayerSummary, version: &Version, before_is_alive: bool, step: fn(u64, u64) -> u64) {
    let count = match (version.is_alive(), before_is_alive) {
        (true, true) if version.flags.unchanged => None,
        (true, true) => Some(&mut summary.modified),
        (true, false) => Some(&mut summary.added),
        (false, true) => Some(&mut summary.removed),
        (false, false) => None,
    };
    if let Some(count) = count {
        *count = step(*count, 1);
    }
    if version.is_alive() {
        summary.bytes = step(summary.bytes, version.size);
    }
}
