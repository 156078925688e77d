//! Resolves paths of entries inside the root, link by link, as containerd does.

use std::os::fd::OwnedFd;

use porthole_core::{path, tree};
use rustix::io::Errno;

use crate::{
    Error,
    disk::{Disk, enter},
};

/// Longest name of a directory entry in bytes (`NAME_MAX`).
pub(crate) const NAME_BYTES: usize = 255;
/// Longest path of a system call in bytes (`PATH_MAX` without the NUL).
pub(crate) const PATH_BYTES: usize = 4095;
/// Steps for following symbolic links in the paths of all entries. Real images need less than a hundredth.
const STEPS: u64 = 1 << 23;
/// Symbolic links that containerd follows in a path.
const LINKS: u32 = 255;
/// Symbolic links that the kernel follows in a path.
const KERNEL_LINKS: u32 = 40;
/// Number of bytes of a path that cost one step to clean, about as much as one name costs to look up.
const BYTES_A_STEP: u64 = 16;

/// Follows symbolic links within a budget of steps.
pub(crate) struct Resolver {
    steps: u64,
}

/// Position of a walk.
enum Place {
    /// In this directory, at this depth below the root.
    Directory(OwnedFd, usize),
    Link(Vec<u8>),
    /// At something that is neither directory nor symbolic link.
    Other,
    /// Missing, and so is everything below.
    Missing,
    /// A link was just followed, so the next name is looked up from the root.
    Unknown,
}

impl Default for Resolver {
    fn default() -> Self {
        Self { steps: STEPS }
    }
}

impl Resolver {
    /// Resolves a path to the clean path without symbolic links, and opens the directory there.
    ///
    /// # Errors
    ///
    /// [`tree::Error::TooManyLinks`](porthole_core::tree::Error::TooManyLinks) and similar errors. The inner result is the
    /// open directory, or the error of opening it: it may not exist.
    pub(crate) fn directory(&mut self, disk: &Disk, raw: &[u8]) -> Result<(Vec<u8>, Result<OwnedFd, Errno>), Error> {
        let direct = path::clean(raw);
        if !raw.split(|&b| b == b'/').any(|name| name == b"..") {
            match disk.open(&direct) {
                Err(Errno::LOOP) => {}
                opened => return Ok((direct, opened)),
            }
        }
        let resolved = self.resolve(disk, raw)?;
        let opened = disk.open(&resolved);
        Ok((resolved, opened))
    }

    /// Follows symbolic links until a pass over the path finds none. A relative target is joined to its directory as
    /// text, before links in that directory are followed; it stays relative only if nothing precedes it. containerd
    /// does the same; the result can differ from the kernel's if a target contains `..`.
    fn resolve(&mut self, disk: &Disk, path: &[u8]) -> Result<Vec<u8>, Error> {
        let mut followed = 0;
        let mut current = path.to_vec();
        loop {
            let before = followed;
            let absolute = current.starts_with(b"/");
            let mut directory = b"/".to_vec();
            let mut place = Place::Unknown;
            for (number, name) in current.split(|&b| b == b'/').filter(|name| !name.is_empty()).enumerate() {
                if followed > LINKS {
                    return Err(too_many_links(path));
                }
                let candidate = path::clean(&[&directory, b"/".as_slice(), name].concat());
                if candidate.len() > PATH_BYTES || name.len() > NAME_BYTES {
                    return Err(too_long(path));
                }
                self.charge(1 + candidate.len() as u64 / BYTES_A_STEP)?;
                place = match (place, name) {
                    (place @ (Place::Directory(..) | Place::Missing), b".") => place,
                    (Place::Directory(at, depth), name) if name != b".." => self.look_up(at, depth, name, path)?,
                    (Place::Missing, name) if name != b".." => Place::Missing,
                    (Place::Other, name) if name != b".." => return Err(not_a_directory(&candidate)),
                    _ => {
                        self.look_up(disk.open(b"").map_err(Error::at("open directory", b""))?, 0, &candidate, path)?
                    }
                };
                directory = match &place {
                    Place::Link(target) => {
                        followed += 1;
                        let alone = target.starts_with(b"/") || number == 0 && !absolute;
                        let next = if alone { target.clone() } else { join_text(&directory, target) };
                        place = Place::Unknown;
                        next
                    }
                    _ => [b"/", &candidate[..]].concat(),
                };
            }
            if before == followed {
                return Ok(path::clean(&directory));
            }
            current = directory;
        }
    }

    /// Walks a path as the kernel does: follows links, except in the last component. What a link outside the root leads to
    /// counts as missing.
    fn look_up(&mut self, mut at: OwnedFd, mut depth: usize, path: &[u8], whole: &[u8]) -> Result<Place, Error> {
        let mut followed = 0;
        let mut pending: Vec<Vec<u8>> = components(path);
        while let Some(name) = pending.pop() {
            self.charge(1)?;
            if name == b".." {
                let Some(above) = depth.checked_sub(1) else { return Ok(Place::Missing) };
                at = enter(&at, b"..").map_err(Error::at("open directory", path))?;
                depth = above;
                continue;
            }
            let errno = match enter(&at, &name) {
                Ok(directory) => {
                    at = directory;
                    depth += 1;
                    continue;
                }
                Err(errno) => errno,
            };
            let target = match errno {
                Errno::LOOP => rustix::fs::readlinkat(&at, &name[..], Vec::new()),
                Errno::NOENT => return Ok(Place::Missing),
                Errno::NOTDIR if pending.is_empty() => return Ok(Place::Other),
                Errno::NOTDIR => return Err(not_a_directory(path)),
                Errno::NAMETOOLONG => return Err(too_long(path)),
                errno => Err(errno),
            };
            let target = target.map_err(Error::at("read symbolic link", path))?.into_bytes();
            if pending.is_empty() {
                return Ok(Place::Link(target));
            }
            followed += 1;
            if followed > KERNEL_LINKS {
                return Err(too_many_links(whole));
            }
            if target.starts_with(b"/") {
                return Ok(Place::Missing);
            }
            pending.extend(components(&target));
        }
        Ok(Place::Directory(at, depth))
    }

    fn charge(&mut self, steps: u64) -> Result<(), Error> {
        let left = self.steps.checked_sub(steps).ok_or(tree::Error::TooManySteps { limit: STEPS })?;
        self.steps = left;
        Ok(())
    }
}

pub(crate) fn too_long(path: &[u8]) -> Error {
    tree::Error::NameTooLong(path::escape(path).into_owned()).into()
}

pub(crate) fn not_a_directory(path: &[u8]) -> Error {
    tree::Error::NotADirectory(path::escape(path).into_owned()).into()
}

fn too_many_links(path: &[u8]) -> Error {
    tree::Error::TooManyLinks(path::escape(path).into_owned()).into()
}

/// Components in reverse order, without empty ones and `.`.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    names(path).rev().map(<[u8]>::to_vec).collect()
}

fn names(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&b| b == b'/').filter(|name| !name.is_empty() && *name != b".")
}

/// Joins as Go's `filepath.Join` does: the result is clean, and relative if the directory is relative.
fn join_text(directory: &[u8], path: &[u8]) -> Vec<u8> {
    let whole = [directory, b"/", path].concat();
    if directory.starts_with(b"/") {
        return [b"/", &path::clean(&whole)[..]].concat();
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    for name in names(&whole) {
        match kept.last() {
            Some(&last) if name == b".." && last != b".." => _ = kept.pop(),
            _ => kept.push(name),
        }
    }
    if kept.is_empty() { b".".to_vec() } else { kept.join(&b'/') }
}
