//! A reference model: a file system of maps, and containerd's `archive.Apply` on it, step by step, without
//! optimisation.

use porthole_core::tar::{Entry, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// The result of `lstat` and `readlink` for a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: Option<Kind>,
    pub(crate) size: u64,
    pub(crate) link: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) uid: i64,
    pub(crate) gid: i64,
    pub(crate) mtime: i64,
}

/// Inodes by path below the root, with a leading `/`.
#[derive(Default)]
pub(crate) struct Model {
    names: BTreeMap<String, usize>,
    inodes: Vec<Seen>,
}

#[derive(Default)]
pub(crate) struct Applying {
    unpacked: BTreeSet<String>,
    directories: Vec<(String, i64)>,
    failed: bool,
}

type Result<T> = std::result::Result<T, &'static str>;

impl Model {
    pub(crate) fn paths(&self) -> BTreeSet<String> {
        self.names.keys().map(|path| path[1..].to_owned()).collect()
    }

    pub(crate) fn seen(&self) -> BTreeMap<String, Seen> {
        self.names.iter().map(|(path, inode)| (path[1..].to_owned(), self.inodes[*inode].clone())).collect()
    }

    /// Inodes by path.
    pub(crate) fn inodes(&self) -> BTreeMap<String, usize> {
        self.names.iter().map(|(path, inode)| (path[1..].to_owned(), *inode)).collect()
    }

    /// Sizes of all regular files ever created, by inode.
    pub(crate) fn files(&self) -> BTreeMap<usize, u64> {
        let files = self.inodes.iter().enumerate().filter(|(_, inode)| inode.kind == Some(Kind::File));
        files.map(|(number, inode)| (number, inode.size)).collect()
    }

    pub(crate) fn begin(&self) -> Applying {
        Applying::default()
    }

    pub(crate) fn apply(&mut self, applying: &mut Applying, entry: &Entry) -> Result<()> {
        let result = self.step(applying, entry);
        applying.failed |= result.is_err();
        result
    }

    pub(crate) fn finish(&mut self, applying: Applying) -> Result<()> {
        if applying.failed {
            return Err("failed before");
        }
        for (name, mtime) in &applying.directories {
            let path = self.root_path(name)?;
            if path != "/" {
                let inode = *self.names.get(&path).ok_or("no such directory")?;
                self.inodes[inode].mtime = *mtime;
            }
        }
        Ok(())
    }

    fn step(&mut self, applying: &mut Applying, entry: &Entry) -> Result<()> {
        let name = clean(text(&entry.path));
        let (directory, base) = split(&name);
        let directory = self.root_path(directory)?;
        let path = join(&directory, &join("/", base));
        if path == "/" {
            return Ok(());
        }
        if directory != "/" {
            self.make_parents(&directory)?;
        }
        let (parent, base) = split(&path);
        let parent = clean(parent);
        if base == ".wh..wh..opq" {
            for path in self.names.keys().cloned().collect::<Vec<_>>() {
                if is_below(&path, &parent) && !applying.unpacked.contains(&path) {
                    self.remove_all(&path);
                }
            }
            return Ok(());
        }
        if let Some(hidden) = base.strip_prefix(".wh.") {
            if ["", ".", ".."].contains(&hidden) {
                return Err("invalid whiteout name");
            }
            self.remove_all(&join(&parent, hidden));
            return Ok(());
        }
        let is_directory = |model: &Self| model.lstat(&path).is_ok_and(|inode| model.is(inode, Kind::Directory));
        if !(is_directory(self) && entry.kind == Kind::Directory) {
            self.remove_all(&path);
        }
        match entry.kind {
            Kind::Global => {
                applying.unpacked.insert(path);
                return Ok(());
            }
            Kind::Hardlink => {
                let (directory, base) = split(text(&entry.link));
                let target = join(&self.root_path(directory)?, base);
                let inode = *self.names.get(&target).ok_or("no such file")?;
                if self.is(inode, Kind::Directory) {
                    return Err("not permitted");
                }
                self.names.insert(path.clone(), inode);
            }
            Kind::Directory if is_directory(self) => {}
            Kind::Symlink if entry.link.is_empty() => return Err("no such file"),
            kind => self.create(&path, kind, entry.size, &entry.link),
        }
        let inode = self.names[&path];
        let seen = &mut self.inodes[inode];
        if entry.uid != -1 {
            seen.uid = entry.uid;
        }
        if entry.gid != -1 {
            seen.gid = entry.gid;
        }
        seen.mode = if seen.kind == Some(Kind::Symlink) { 0o777 } else { entry.permissions() };
        seen.mtime = entry.mtime.max(0);
        if entry.kind == Kind::Directory {
            applying.directories.push((name, entry.mtime.max(0)));
        }
        applying.unpacked.insert(path);
        Ok(())
    }

    fn create(&mut self, path: &str, kind: Kind, size: u64, link: &[u8]) {
        let seen = Seen { kind: Some(kind), size, link: link.to_vec(), mode: 0o755, uid: 0, gid: 0, mtime: 0 };
        self.names.insert(path.to_owned(), self.inodes.len());
        self.inodes.push(seen);
    }

    fn is(&self, inode: usize, kind: Kind) -> bool {
        self.inodes[inode].kind == Some(kind)
    }

    fn make_parents(&mut self, path: &str) -> Result<()> {
        if path == "/" {
            return Ok(());
        }
        match self.lstat(path) {
            Ok(inode) if self.is(inode, Kind::Directory) => return Ok(()),
            Ok(_) => return Err("not a directory"),
            Err("no such file") => {}
            Err(error) => return Err(error),
        }
        self.make_parents(&clean(split(path).0))?;
        self.create(path, Kind::Directory, 0, b"");
        Ok(())
    }

    fn remove_all(&mut self, path: &str) {
        self.names.retain(|name, _| name != path && !is_below(name, path));
    }

    /// Resolves a path as the kernel does: follows relative links before the last component. A link out of the root counts as missing.
    fn lstat(&self, path: &str) -> Result<usize> {
        self.lstat_from("/", path, &mut 0).map(|(_, inode)| inode.unwrap_or(usize::MAX))
    }

    fn lstat_from(&self, start: &str, path: &str, links: &mut u32) -> Result<(String, Option<usize>)> {
        let mut at = start.to_owned();
        let mut inode = self.names.get(start).copied();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        for (number, part) in parts.iter().enumerate() {
            if *part == ".." {
                if at == "/" {
                    return Err("no such file");
                }
                at = clean(split(&at).0);
                inode = self.names.get(&at).copied();
                continue;
            }
            if inode.is_some_and(|inode| !self.is(inode, Kind::Directory)) {
                return Err("not a directory");
            }
            let next = join(&at, part);
            let found = *self.names.get(&next).ok_or("no such file")?;
            if self.is(found, Kind::Symlink) && number + 1 < parts.len() {
                let target = text(&self.inodes[found].link).to_owned();
                *links += 1;
                if *links > 40 {
                    return Err("too many links");
                }
                if target.starts_with('/') {
                    return Err("no such file");
                }
                (at, inode) = self.stat_from(&at, &target, links)?;
            } else {
                (at, inode) = (next, Some(found));
            }
        }
        Ok((at, inode))
    }

    fn stat_from(&self, start: &str, path: &str, links: &mut u32) -> Result<(String, Option<usize>)> {
        let (at, inode) = self.lstat_from(start, path, links)?;
        let Some(found) = inode.filter(|found| self.is(*found, Kind::Symlink)) else { return Ok((at, inode)) };
        let target = text(&self.inodes[found].link).to_owned();
        *links += 1;
        match () {
            () if *links > 40 => Err("too many links"),
            () if target.starts_with('/') => Err("no such file"),
            () => self.stat_from(&clean(split(&at).0), &target, links),
        }
    }

    /// containerd's `fs.RootPath`: absolute below the root, `/` is the root.
    fn root_path(&self, path: &str) -> Result<String> {
        let mut path = path.to_owned();
        let mut walked = 0;
        loop {
            let before = walked;
            path = self.walk_links(&path, &mut walked)?;
            if before == walked {
                let whole = join("/", &path);
                if path == whole {
                    return Ok(path);
                }
                path = whole;
            }
        }
    }

    fn walk_link(&self, path: &str, walked: &mut u32) -> Result<(String, bool)> {
        if *walked > 255 {
            return Err("too many links");
        }
        let path = join("/", path);
        match self.lstat(&path) {
            _ if path == "/" => Ok((path, false)),
            Err("no such file") => Ok((path, false)),
            Err(error) => Err(error),
            Ok(inode) if self.is(inode, Kind::Symlink) => {
                *walked += 1;
                Ok((text(&self.inodes[inode].link).to_owned(), true))
            }
            Ok(_) => Ok((path, false)),
        }
    }

    fn walk_links(&self, path: &str, walked: &mut u32) -> Result<String> {
        match split(path) {
            ("", file) => Ok(self.walk_link(file, walked)?.0),
            ("/", "") => Ok("/".to_owned()),
            (directory, "") => self.walk_links(&directory[..directory.len() - 1], walked),
            (directory, file) => {
                let directory = self.walk_links(directory, walked)?;
                let (path, is_link) = self.walk_link(&join(&directory, file), walked)?;
                Ok(if is_link && !path.starts_with('/') { join(&directory, &path) } else { path })
            }
        }
    }
}

fn is_below(path: &str, directory: &str) -> bool {
    directory == "/" || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// Go's `filepath.Split`.
fn split(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |slash| slash + 1))
}

/// Go's `filepath.Join` of two elements.
fn join(directory: &str, path: &str) -> String {
    match (directory, path) {
        ("", "") => String::new(),
        ("", path) | (path, "") => clean(path),
        (directory, path) => clean(&format!("{directory}/{path}")),
    }
}

/// Go's `filepath.Clean`.
fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut out: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if out.last().is_some_and(|last| *last != "..") => _ = out.pop(),
            ".." if absolute => {}
            part => out.push(part),
        }
    }
    match (absolute, out.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}

/// Paths in these tests are ASCII.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("a name is ASCII")
}
