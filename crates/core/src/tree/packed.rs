//! The versions of a tree in little memory: there may be a million, and most have few of their fields.

use super::{
    Ambiguity,
    chunks::Chunks,
    version::{Attributes, Flags, Version},
};
use crate::tar::Kind;
use std::collections::{BTreeMap, HashMap};

/// A list of versions.
#[derive(Clone, Default)]
pub(super) struct Versions {
    list: Chunks<Packed>,
    /// Size and offset of the versions where one of them is [`LARGE`] or more.
    large: BTreeMap<u32, (u64, u64)>,
    owners: Vec<Owner>,
    numbers: HashMap<Owner, u32>,
}

/// User, group and permissions, which most files share with others.
type Owner = (u32, u32, u16);

#[derive(Clone)]
struct Packed {
    size: [u16; 3],
    offset: [u16; 3],
    mtime: [u32; 2],
    /// A number of `owners`.
    owner: u32,
    previous: u32,
    layer: u32,
    extra: u32,
    inode: u32,
    kind: Kind,
    ambiguous: Option<Ambiguity>,
    flags: u8,
}

/// The first number that does not fit into 48 bits, or stands for one.
const LARGE: u64 = (1 << 48) - 1;

impl Versions {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Version> {
        (0..self.list.len() as u32).map(|id| self.get(id))
    }

    pub(super) fn get(&self, id: u32) -> Version {
        let packed = &self.list[id as usize];
        let (mut size, mut offset) = (joined(packed.size), joined(packed.offset));
        if size == LARGE {
            (size, offset) = self.large.get(&id).copied().unwrap_or((size, offset));
        }
        let (uid, gid, mode) = self.owners[packed.owner as usize];
        let [low, high] = packed.mtime;
        let mtime = u64::from(high) << 32 | u64::from(low);
        Version {
            previous: packed.previous,
            layer: packed.layer,
            size,
            offset,
            attributes: Attributes { mtime, uid, gid, mode },
            extra: packed.extra,
            inode: packed.inode,
            kind: packed.kind,
            ambiguous: packed.ambiguous,
            flags: Flags::of_bits(packed.flags),
        }
    }

    pub(super) fn push(&mut self, version: &Version) {
        let packed = self.pack(self.list.len() as u32, version);
        self.list.push(packed);
    }

    pub(super) fn set(&mut self, id: u32, version: &Version) {
        self.list[id as usize] = self.pack(id, version);
    }

    pub(super) fn set_inode(&mut self, id: u32, inode: u32) {
        self.list[id as usize].inode = inode;
    }

    pub(super) fn truncate(&mut self, count: u32) {
        self.list.truncate(count as usize);
        self.large.split_off(&count);
    }

    fn pack(&mut self, id: u32, version: &Version) -> Packed {
        let (mut size, mut offset) = (version.size, version.offset);
        self.large.remove(&id);
        if size >= LARGE || offset >= LARGE {
            self.large.insert(id, (size, offset));
            (size, offset) = (LARGE, LARGE);
        }
        let Attributes { mtime, uid, gid, mode } = version.attributes;
        Packed {
            size: split(size),
            offset: split(offset),
            mtime: [mtime as u32, (mtime >> 32) as u32],
            owner: self.owner((uid, gid, mode)),
            previous: version.previous,
            layer: version.layer,
            extra: version.extra,
            inode: version.inode,
            kind: version.kind,
            ambiguous: version.ambiguous,
            flags: version.flags.bits(),
        }
    }

    fn owner(&mut self, owner: Owner) -> u32 {
        let last = self.list.last().map(|packed| packed.owner);
        if let Some(last) = last.filter(|&last| self.owners[last as usize] == owner) {
            return last;
        }
        let owners = &mut self.owners;
        *self.numbers.entry(owner).or_insert_with(|| {
            owners.push(owner);
            owners.len() as u32 - 1
        })
    }
}

fn split(number: u64) -> [u16; 3] {
    [number as u16, (number >> 16) as u16, (number >> 32) as u16]
}

fn joined([low, middle, high]: [u16; 3]) -> u64 {
    u64::from(high) << 32 | u64::from(middle) << 16 | u64::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::version::NONE;

    #[test]
    fn a_version_stays_small() {
        assert_eq!(size_of::<Packed>(), 44);
    }

    #[test]
    fn a_version_comes_back_as_it_was() {
        let mut versions = Versions::default();
        let version = |size, offset, uid| Version {
            previous: 7,
            layer: 3,
            size,
            offset,
            attributes: Attributes { mtime: u64::MAX - 5, uid, gid: 2, mode: 0o4755 },
            extra: NONE,
            inode: 9,
            kind: Kind::Fifo,
            ambiguous: Some(Ambiguity::OpaqueOfSameLayer),
            flags: Flags { removed: true, several: true, ..Flags::default() },
        };
        let same = |a: &Version, b: &Version| assert_eq!(format!("{a:?}"), format!("{b:?}"));
        let numbers = [0, 1 << 40, LARGE - 1, LARGE, u64::MAX];
        let all: Vec<_> = numbers.iter().flat_map(|&a| numbers.map(|b| version(a, b, a as u32))).collect();
        all.iter().for_each(|version| versions.push(version));
        (0..).zip(&all).for_each(|(id, version)| same(&versions.get(id), version));
        versions.set(24, &all[0]);
        same(&versions.get(24), &all[0]);
        versions.set(0, &all[24]);
        versions.truncate(1);
        same(&versions.get(0), &all[24]);
        assert_eq!((versions.len(), versions.large.len()), (1, 1));
    }
}
