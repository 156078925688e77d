//! Two images compared: documents, layers and files.

mod plan;

pub use plan::{ComparePlan, ImageSide, LayerRun};

use porthole_core::{
    image::{self, Image, diff},
    tar::Kind,
    tree::{self, Aspect, Aspects, Comparison, Difference, FileTree, Mode, NodeId, View},
};

/// Compares the documents of two images: manifest, configuration, history and layers. `None` if both have the same
/// manifest: then nothing differs. Creation times are compared only with `times`.
pub fn documents(before: &Image, after: &Image, times: bool) -> Option<diff::Diff> {
    if before.manifest.raw.digest() == after.manifest.raw.digest() {
        return None;
    }
    let mut diff = image::diff(before, after);
    if !times {
        diff.manifest.retain(|change| !change.is_time());
        diff.config.retain(|change| !change.is_time());
        diff.history.retain(|change| !change.is_time());
    }
    Some(diff)
}

/// Names of the aspects that a comparison of files can ignore.
pub const IGNORABLE: [&str; 6] = ["content", "mode", "owner", "time", "xattr", "links"];

/// Returns the aspects that a name of [`IGNORABLE`] stands for; `None` for any other word.
///
/// ```
/// use porthole_core::tree::Aspect;
/// assert!(porthole_inspect::compare::ignored("owner").is_some_and(|aspects| aspects.contains(Aspect::Owner)));
/// assert_eq!(porthole_inspect::compare::ignored("size"), None);
/// ```
pub fn ignored(name: &str) -> Option<Aspects> {
    let aspects: &[Aspect] = match name {
        // If contents are ignored, unknown contents are ignored too.
        "content" => &[Aspect::Content, Aspect::Unknown],
        "mode" => &[Aspect::Mode],
        "owner" => &[Aspect::Owner],
        "time" => &[Aspect::Time],
        "xattr" => &[Aspect::Xattr],
        "links" => &[Aspect::Links],
        _ => return None,
    };
    Some(aspects.iter().copied().collect())
}

/// The files that differ, and their sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileComparison {
    /// Every path that differs, depth first, siblings by name.
    pub differences: Vec<Difference>,
    /// Sums of them.
    pub sums: FileSums,
}

/// Sums of the files that differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileSums {
    /// Paths that only the second image has.
    pub added: u64,
    /// Bytes of the files among them.
    pub added_bytes: u64,
    /// Paths that only the first image has.
    pub removed: u64,
    /// Bytes of the files among them.
    pub removed_bytes: u64,
    /// Paths that both images have, with a difference that is certain.
    pub changed: u64,
    /// Bytes by which changed files are larger in the second image.
    pub grown_bytes: u64,
    /// Bytes by which changed files are smaller in the second image.
    pub shrunk_bytes: u64,
    /// Files of the same size of which a digest is missing, so that their contents are not compared.
    pub unsure: u64,
}

/// Compares the files of two images whose lowest `shared` layers are the same. `below` limits the comparison to a path
/// and what is below it.
pub fn files(
    before: &FileTree,
    after: &FileTree,
    shared: u32,
    ignored: Aspects,
    below: Option<&[u8]>,
) -> FileComparison {
    let mut differences = tree::diff(before, after, &Comparison { shared, ignored });
    if let Some(below) = below {
        differences.retain(|found| is_at_or_below(&found.path, below));
    }
    let mut sums = FileSums::default();
    let (old, new) = (before.view(Mode::Merged), after.view(Mode::Merged));
    for found in &differences {
        sums.add(found, size(&old, found.before), size(&new, found.after));
    }
    FileComparison { differences, sums }
}

/// Whether either of two images has a cleaned path.
pub fn have(trees: [&FileTree; 2], path: &[u8]) -> bool {
    trees.iter().any(|tree| tree.view(Mode::Merged).find(path).is_some())
}

/// Whether it is unknown if a path differs at all.
pub fn is_unsure(found: &Difference) -> bool {
    let both = found.before.is_some() && found.after.is_some();
    both && found.aspects == Aspects::NONE.with(Aspect::Unknown)
}

impl FileSums {
    fn add(&mut self, found: &Difference, before: u64, after: u64) {
        match (found.before, found.after) {
            _ if is_unsure(found) => self.unsure += 1,
            (Some(_), Some(_)) => {
                self.changed += 1;
                self.grown_bytes = self.grown_bytes.saturating_add(after.saturating_sub(before));
                self.shrunk_bytes = self.shrunk_bytes.saturating_add(before.saturating_sub(after));
            }
            (Some(_), None) => {
                self.removed += 1;
                self.removed_bytes = self.removed_bytes.saturating_add(before);
            }
            (None, _) => {
                self.added += 1;
                self.added_bytes = self.added_bytes.saturating_add(after);
            }
        }
    }
}

fn size(view: &View<'_>, node: Option<NodeId>) -> u64 {
    let row = node.and_then(|node| view.row(node));
    row.filter(|row| row.kind == Kind::File).map_or(0, |row| row.size)
}

fn is_at_or_below(path: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || path.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::{digest::Digest, tar::Entry};

    fn tree(files: &[(&str, &str)], hashed: bool) -> FileTree {
        let mut tree = FileTree::new(100);
        tree.begin(0);
        for (path, content) in files {
            let entry = Entry { size: content.len() as u64, ..Entry::new(*path, Kind::File) };
            tree.apply_hashed(&entry, hashed.then(|| Digest::sha256(content.as_bytes()))).unwrap();
        }
        tree.commit();
        tree
    }

    const BEFORE: [(&str, &str); 4] = [("a/gone", "1234"), ("a/grown", "1"), ("a/other", "xx"), ("same", "s")];
    const AFTER: [(&str, &str); 4] = [("a/grown", "12345"), ("a/other", "yy"), ("new", "12"), ("same", "s")];

    #[test]
    fn sums_are_of_what_differs_for_certain() {
        let compare = |hashed, below| files(&tree(&BEFORE, hashed), &tree(&AFTER, hashed), 0, Aspects::NONE, below);
        let sums = FileSums {
            added: 1,
            added_bytes: 2,
            removed: 1,
            removed_bytes: 4,
            changed: 2,
            grown_bytes: 4,
            ..FileSums::default()
        };
        assert_eq!(compare(true, None).sums, sums);
        assert_eq!(compare(false, None).sums, FileSums { changed: 1, unsure: 2, ..sums });
        let below = compare(true, Some(b"a"));
        assert_eq!(below.sums, FileSums { added: 0, added_bytes: 0, ..sums });
        let paths: Vec<_> = below.differences.iter().map(|found| found.path.as_slice()).collect();
        assert_eq!(paths, [&b"a/gone"[..], b"a/grown", b"a/other"]);
    }

    #[test]
    fn every_name_leaves_something_out() {
        assert!(IGNORABLE.iter().all(|name| ignored(name).is_some_and(|aspects| !aspects.is_empty())));
    }

    #[test]
    fn a_prefix_of_a_name_is_no_directory() {
        assert!(is_at_or_below(b"etc/app", b"etc") && is_at_or_below(b"etc", b"etc") && is_at_or_below(b"x", b""));
        assert!(!is_at_or_below(b"etcetera", b"etc"));
        let trees = (tree(&BEFORE, false), tree(&AFTER, false));
        assert!(have([&trees.0, &trees.1], b"new") && !have([&trees.0, &trees.1], b"none"));
    }
}
