//! Resolves paths of entries inside the root, as containerd does.

use super::{
    Error, FileTree,
    node::{Arena, ROOT},
};
use crate::{path, tar::Kind};

/// Longest name of a directory entry in bytes (`NAME_MAX`).
pub(super) const NAME_BYTES: usize = 255;
/// Longest path of a system call in bytes (`PATH_MAX` without the NUL).
pub(super) const PATH_BYTES: usize = 4095;
/// Steps for following symbolic links in the paths of all entries. Real images need less than a hundredth.
pub(super) const LINK_STEPS: u64 = 1 << 23;
/// Symbolic links that containerd follows in a path.
const LINKS: u32 = 255;
/// Symbolic links that the kernel follows in a path.
const KERNEL_LINKS: u32 = 40;
/// Bytes of a path whose cleaning counts as one step, because it takes as long as the look-up of one name.
const BYTES_A_STEP: u64 = 16;

/// Result of a walk through existing directories.
pub(super) enum Walk {
    /// The whole path exists.
    Found(u32),
    /// The directory exists; the rest of the path, from this byte on, does not.
    Missing(u32, usize),
    /// A component is a symbolic link.
    Link,
    /// A component before the last is neither a directory nor a symbolic link.
    NotADirectory,
}

impl FileTree {
    /// Walks a clean path.
    pub(super) fn walk(&self, path: &[u8]) -> Walk {
        let mut at = ROOT;
        let mut start = 0;
        for name in components(path) {
            if at != ROOT && !is_directory(&self.arena, at) {
                return Walk::NotADirectory;
            }
            match living_child(&self.arena, at, name) {
                None => return Walk::Missing(at, start),
                Some(child) if is_symlink(&self.arena, child) => return Walk::Link,
                Some(child) => at = child,
            }
            start += name.len() + 1;
        }
        Walk::Found(at)
    }

    /// Walks a path and follows symbolic links inside the root; never ends at a link. If links were followed, also
    /// returns the resolved path.
    pub(super) fn walk_links(&mut self, path: &[u8]) -> Result<(Walk, Option<Vec<u8>>), Error> {
        let direct = path::clean(path);
        if !path.split(|&b| b == b'/').any(|name| name == b"..") {
            match self.walk(&direct) {
                Walk::Link => {}
                walk => return Ok((walk, Some(direct))),
            }
        }
        let resolved = self.resolve(path)?;
        Ok((self.walk(&resolved), Some(resolved)))
    }

    /// Follows symbolic links until a pass over the path finds none. A relative target is joined to its directory as
    /// text, before links in that directory are followed; it stays relative only if nothing precedes it. containerd
    /// does the same, and links that lead upwards show the difference.
    fn resolve(&mut self, path: &[u8]) -> Result<Vec<u8>, Error> {
        let mut followed = 0;
        let mut current = path.to_vec();
        loop {
            let before = followed;
            let absolute = current.starts_with(b"/");
            let mut directory = b"/".to_vec();
            let mut place = Place::Node(ROOT);
            for (number, name) in current.split(|&b| b == b'/').filter(|name| !name.is_empty()).enumerate() {
                if followed > LINKS {
                    return Err(too_many_links(path));
                }
                let candidate = path::clean(&[&directory, b"/".as_slice(), name].concat());
                if candidate.len() > PATH_BYTES || name.len() > NAME_BYTES {
                    return Err(too_long(path));
                }
                charge(&mut self.link_steps, 1 + candidate.len() as u64 / BYTES_A_STEP)?;
                place = match (place, name) {
                    (Place::Unknown, _) | (_, b"..") => {
                        look_up(&self.arena, Place::Node(ROOT), &candidate, &mut self.link_steps)?
                    }
                    (place, b".") => place,
                    (place, name) => look_up(&self.arena, place, name, &mut self.link_steps)?,
                };
                let target = match place {
                    Place::Node(node) => self.arena.alive(node).and_then(|version| self.arena.symlink(&version)),
                    _ => None,
                };
                directory = match target {
                    None => [b"/", &candidate[..]].concat(),
                    Some(target) => {
                        followed += 1;
                        place = Place::Unknown;
                        let alone = target.starts_with(b"/") || number == 0 && !absolute;
                        if alone { target.to_vec() } else { join(&directory, target) }
                    }
                };
            }
            if before == followed {
                return Ok(path::clean(&directory));
            }
            current = directory;
        }
    }
}

/// Walks a path as the kernel does: follows links, except in the last component. A link out of the root counts as missing.
fn look_up(arena: &Arena, start: Place, path: &[u8], steps: &mut u64) -> Result<Place, Error> {
    let Place::Node(mut at) = start else { return Ok(start) };
    let mut followed = 0;
    let mut pending: Vec<&[u8]> = components(path).rev().collect();
    while let Some(name) = pending.pop() {
        charge(steps, 1)?;
        if name == b".." {
            if at == ROOT {
                return Ok(Place::Missing);
            }
            at = arena.node(at).parent;
            continue;
        }
        if at != ROOT && !is_directory(arena, at) {
            return Err(Error::NotADirectory(path::escape(path).into_owned()));
        }
        let Some(child) = living_child(arena, at, name) else {
            return Ok(Place::Missing);
        };
        let target = arena.alive(child).and_then(|version| arena.symlink(&version));
        let Some(target) = target.filter(|_| !pending.is_empty()) else {
            at = child;
            continue;
        };
        followed += 1;
        if followed > KERNEL_LINKS {
            return Err(too_many_links(path));
        }
        if target.starts_with(b"/") {
            return Ok(Place::Missing);
        }
        pending.extend(components(target).rev());
    }
    Ok(Place::Node(at))
}

fn charge(left: &mut u64, steps: u64) -> Result<(), Error> {
    *left = left.checked_sub(steps).ok_or(Error::TooManySteps { limit: LINK_STEPS })?;
    Ok(())
}

/// The directory that a pass over a path has reached.
#[derive(Clone, Copy)]
enum Place {
    Node(u32),
    /// Missing, and so is everything below.
    Missing,
    /// A link was followed: look it up from the root.
    Unknown,
}

fn too_many_links(path: &[u8]) -> Error {
    Error::TooManyLinks(path::escape(path).into_owned())
}

pub(super) fn too_long(path: &[u8]) -> Error {
    Error::NameTooLong(path::escape(path).into_owned())
}

/// Components, without empty ones and `.`.
fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&b| b == b'/').filter(|name| !name.is_empty() && *name != b".")
}

/// Go's `filepath.Join`: clean, and relative if the directory is.
fn join(directory: &[u8], path: &[u8]) -> Vec<u8> {
    let whole = [directory, b"/", path].concat();
    if directory.starts_with(b"/") {
        return [b"/", &path::clean(&whole)[..]].concat();
    }
    let mut names: Vec<&[u8]> = Vec::new();
    for name in components(&whole) {
        match names.last() {
            Some(&last) if name == b".." && last != b".." => _ = names.pop(),
            _ => names.push(name),
        }
    }
    if names.is_empty() { b".".to_vec() } else { names.join(&b'/') }
}

fn living_child(arena: &Arena, parent: u32, name: &[u8]) -> Option<u32> {
    arena.child(parent, name).filter(|&child| arena.is_live(child))
}

fn is_directory(arena: &Arena, node: u32) -> bool {
    arena.alive(node).is_some_and(|version| version.kind == Kind::Directory)
}

fn is_symlink(arena: &Arena, node: u32) -> bool {
    arena.alive(node).is_some_and(|version| arena.symlink(&version).is_some())
}
