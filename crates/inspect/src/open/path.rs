//! Paths inside an image, followed as a kernel follows them below a root directory.

use porthole_core::{
    tar::Kind,
    tree::{Content, NodeId, View},
};

/// Symbolic links that are followed in one path, as in Linux.
const LINKS: u32 = 40;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// A file, and where its bytes are.
    File(Content),
    /// A directory, which may be implied by what lies below it.
    Directory,
    /// A symbolic link with this target, as stored.
    Symlink(Vec<u8>),
    /// A hard link whose target has no content here; the clean path of the target.
    Hardlink(Vec<u8>),
    /// An entry of another kind, named in words.
    Other(&'static str),
}

impl At {
    /// An entry of this kind, which has neither content nor a target.
    pub(super) fn other(kind: Kind) -> Self {
        Self::Other(match kind {
            Kind::Char => "a character device",
            Kind::Block => "a block device",
            Kind::Fifo => "a named pipe",
            _ => "not a file",
        })
    }
}

/// Finds what is at a clean path.
pub trait FileLookup {
    /// Returns what is at a clean path. No symbolic link is followed.
    fn at(&self, path: &[u8]) -> Option<At>;
}

impl FileLookup for View<'_> {
    fn at(&self, path: &[u8]) -> Option<At> {
        let node = self.find(path)?;
        if node == NodeId::ROOT {
            return Some(At::Directory);
        }
        let row = self.row(node)?;
        Some(match (row.kind, self.content(node)) {
            (_, Some(content)) => At::File(content),
            (Kind::Directory, _) => At::Directory,
            (Kind::Symlink, _) => At::Symlink(row.link),
            (Kind::Hardlink, _) => At::Hardlink(row.link),
            (kind, _) => At::other(kind),
        })
    }
}

/// Why a path names no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// There is nothing at this clean path.
    Missing(Vec<u8>),
    /// More symbolic links than a kernel follows in one path.
    TooManyLinks,
}

/// Follows a path. Returns the clean path that it leads to, and what is there.
///
/// Symbolic links before the last name are always followed, one at the last name if `follow` is set. `..` is the parent
/// of the directory that the links led to, and does not leave the root.
///
/// # Errors
///
/// [`Lost`].
pub fn resolve_path(files: &(impl FileLookup + ?Sized), path: &[u8], follow: bool) -> Result<(Vec<u8>, At), Lost> {
    let mut walk = PathWalk::new(path, follow);
    while let Some(here) = walk.next() {
        let at = files.at(&here);
        if let Some(end) = walk.take(here, at) {
            return end;
        }
    }
    Ok(walk.end())
}

/// A path that is being followed. Its user looks up one clean path after the other.
pub(super) struct PathWalk {
    directory: Vec<u8>,
    /// Names below the directory that are still to follow, in reverse order.
    pending: Vec<Vec<u8>>,
    links: u32,
    follow: bool,
}

impl PathWalk {
    pub(super) fn new(path: &[u8], follow: bool) -> Self {
        let pending = components(path).rev().map(<[u8]>::to_vec).collect();
        Self { directory: Vec::new(), pending, links: 0, follow }
    }

    /// The next path to look up. `None` if the path led to a directory.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let name = self.pending.pop()?;
            if name == b".." {
                let parent = self.directory.iter().rposition(|&b| b == b'/').unwrap_or(0);
                self.directory.truncate(parent);
                continue;
            }
            let mut here = self.directory.clone();
            if !here.is_empty() {
                here.push(b'/');
            }
            here.extend_from_slice(&name);
            return Some(here);
        }
    }

    /// Takes what the layers have at the path `here`. Returns the end of the walk, or `None` if it continues.
    pub(super) fn take(&mut self, mut here: Vec<u8>, at: Option<At>) -> Option<Result<(Vec<u8>, At), Lost>> {
        let target = match at {
            Some(At::Directory) => {
                self.directory = here;
                return None;
            }
            Some(at @ At::Symlink(_)) if self.pending.is_empty() && !self.follow => return Some(Ok((here, at))),
            Some(At::Symlink(target)) => target,
            Some(At::Hardlink(target)) => [b"/", &target[..]].concat(),
            Some(at) if self.pending.is_empty() => return Some(Ok((here, at))),
            // Nothing here, or an entry that is no directory and has names below it in the path.
            Some(_) | None => {
                for name in self.pending.iter().rev() {
                    here.push(b'/');
                    here.extend_from_slice(name);
                }
                return Some(Err(Lost::Missing(here)));
            }
        };
        self.links += 1;
        if self.links > LINKS {
            return Some(Err(Lost::TooManyLinks));
        }
        if target.starts_with(b"/") {
            self.directory.clear();
        }
        self.pending.extend(components(&target).rev().map(<[u8]>::to_vec));
        None
    }

    /// The directory that the path led to.
    pub(super) fn end(self) -> (Vec<u8>, At) {
        (self.directory, At::Directory)
    }
}

fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&b| b == b'/').filter(|name| !name.is_empty() && *name != b".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    impl FileLookup for HashMap<&str, At> {
        fn at(&self, path: &[u8]) -> Option<At> {
            self.get(std::str::from_utf8(path).unwrap()).cloned()
        }
    }

    #[test]
    fn links_stay_inside() {
        let file = At::File(Content { layer: 0, offset: 512, size: 1 });
        let link = |target: &str| At::Symlink(target.as_bytes().to_vec());
        let files = HashMap::from([
            ("etc", At::Directory),
            ("etc/passwd", file.clone()),
            ("etc/up", link("../../../etc/passwd")),
            ("etc/absolute", link("/etc/passwd")),
            ("etc/dangling", link("gone/deep")),
            ("etc/loop", link("loop")),
            ("etc/hard", At::Hardlink(b"etc/absolute".to_vec())),
            ("usr", At::Directory),
            ("usr/etc", link("/etc")),
            ("usr/deep", link("etc/..")),
            ("null", At::Other("a character device")),
        ]);
        let found = |path: &str, follow| {
            let missing = |path: Vec<u8>| format!("missing {}", String::from_utf8(path).unwrap());
            match resolve_path(&files, path.as_bytes(), follow) {
                Ok((path, at)) => format!("{}{}", String::from_utf8(path).unwrap(), if at == file { "" } else { "?" }),
                Err(Lost::Missing(path)) => missing(path),
                Err(Lost::TooManyLinks) => "loop".to_owned(),
            }
        };
        for (path, expected) in [
            ("etc/passwd", "etc/passwd"),
            ("/etc//./passwd", "etc/passwd"),
            ("../etc/passwd", "etc/passwd"),
            ("etc/up", "etc/passwd"),
            ("etc/absolute", "etc/passwd"),
            ("etc/hard", "etc/passwd"),
            ("usr/etc/up", "etc/passwd"),
            ("usr/etc/../etc/passwd", "etc/passwd"),
            ("usr/deep/etc/passwd", "etc/passwd"),
            ("usr/etc/../passwd", "missing passwd"),
            ("etc", "etc?"),
            ("", "?"),
            ("null", "null?"),
            ("null/x/y", "missing null/x/y"),
            ("etc/passwd/x", "missing etc/passwd/x"),
            ("etc/dangling", "missing etc/gone/deep"),
            ("nothing/at/all", "missing nothing/at/all"),
            ("etc/loop", "loop"),
        ] {
            assert_eq!(found(path, true), expected, "{path}");
        }
        assert_eq!(found("usr/etc/up", false), "etc/up?");
        assert_eq!(found("usr/etc", false), "usr/etc?");
    }
}
