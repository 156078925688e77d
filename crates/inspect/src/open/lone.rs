//! One layer by itself, without those below.

use std::collections::BTreeMap;

use porthole_core::{
    limits::Limits,
    path,
    tar::{Entry, Kind},
    tree::{self, Content},
};

use super::path::{At, FileLookup};

/// The entries of a layer by their clean paths; of several with one path the last.
///
/// It is not a tree: a hard link may lead to a file of a layer below, and whiteouts are entries like others.
#[derive(Debug, Default)]
pub struct LoneLayer(BTreeMap<Vec<u8>, At>);

impl LoneLayer {
    /// Adds an entry of the layer; `layer` is the index of the layer in the image.
    ///
    /// # Errors
    ///
    /// [`tree::Error::TooManyNodes`] beyond [`Limits::tree_nodes`](porthole_core::limits::Limits::tree_nodes).
    pub fn add(&mut self, layer: u32, entry: Entry, limits: &Limits) -> Result<(), tree::Error> {
        self.insert(layer, entry);
        let limit = limits.tree_nodes;
        if self.0.len() as u64 > limit { Err(tree::Error::TooManyNodes { limit }) } else { Ok(()) }
    }

    fn insert(&mut self, layer: u32, entry: Entry) {
        let at = match entry.kind {
            Kind::File => At::File(Content { layer, offset: entry.offset, size: entry.size }),
            Kind::Directory => At::Directory,
            Kind::Symlink => At::Symlink(entry.link),
            // A link to an earlier entry of this layer is that entry; any other leads to a layer below.
            Kind::Hardlink => {
                let target = path::clean(&entry.link);
                match self.0.get(&target) {
                    Some(At::Directory) | None => At::Hardlink(target),
                    Some(at) => at.clone(),
                }
            }
            Kind::Global => return,
            kind => At::other(kind),
        };
        let path = path::clean(&entry.path);
        if !path.is_empty() {
            self.0.insert(path, at);
        }
    }

    /// Names in a directory, sorted.
    pub fn names(&self, directory: &[u8]) -> Vec<Vec<u8>> {
        let prefix = if directory.is_empty() { Vec::new() } else { [directory, b"/"].concat() };
        let below = self.0.range(prefix.clone()..).map_while(|(path, _)| path.strip_prefix(&prefix[..]));
        let mut names: Vec<_> =
            below.filter_map(|path| path.split(|&b| b == b'/').next()).map(<[u8]>::to_vec).collect();
        names.dedup();
        names
    }
}

impl FileLookup for LoneLayer {
    fn at(&self, path: &[u8]) -> Option<At> {
        let implied = || {
            let prefix = [path, b"/"].concat();
            let (next, _) = self.0.range(prefix.clone()..).next()?;
            next.starts_with(&prefix).then_some(At::Directory)
        };
        self.0.get(path).cloned().or_else(implied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_counts_and_directories_need_none() {
        let mut lone = LoneLayer::default();
        let mut add = |path: &str, kind, link: &str, offset| {
            let entry = Entry { link: link.into(), offset, size: 1, ..Entry::new(path, kind) };
            lone.insert(3, entry);
        };
        add("./a/file", Kind::File, "", 512);
        add("a/file", Kind::File, "", 2048);
        add("a/hard", Kind::Hardlink, "/a/file", 0);
        add("a/below", Kind::Hardlink, "b/other", 0);
        add("pipe", Kind::Fifo, "", 0);
        add("ab", Kind::File, "", 4096);
        let content = |offset| Some(At::File(Content { layer: 3, offset, size: 1 }));
        assert_eq!(lone.at(b"a/file"), content(2048));
        assert_eq!(lone.at(b"a/hard"), content(2048));
        assert_eq!(lone.at(b"a/below"), Some(At::Hardlink(b"b/other".to_vec())));
        assert_eq!(lone.at(b"a"), Some(At::Directory));
        assert_eq!(lone.at(b"pipe"), Some(At::Other("a named pipe")));
        assert_eq!(lone.at(b"b"), None);
        assert_eq!(lone.names(b"a"), [b"below".to_vec(), b"file".to_vec(), b"hard".to_vec()]);
        assert_eq!(lone.names(b""), [b"a".to_vec(), b"ab".to_vec(), b"pipe".to_vec()]);
    }
}
