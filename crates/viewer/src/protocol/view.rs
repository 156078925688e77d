//! Views and rows.

use serde::{Deserialize, Serialize};

/// What to list and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct FileView {
    /// Which files are listed.
    pub mode: ViewMode,
    /// Layer that `UpTo` and `Only` refer to: 0 = bottom. The top layer if absent.
    pub layer: Option<u32>,
    /// The layer by blob digest, for a link that is opened before the image is known. `layer` takes precedence.
    pub layer_digest: Option<String>,
    /// Order of siblings.
    pub sort: RowSort,
    /// What a path must match: text, a glob or `/expression/`, see `sieve::PathFilter`. Empty shows
    /// everything. Parents of what fits are shown too.
    pub filter: String,
    /// Changes to show.
    pub changes: Changes,
}

/// Which files a view shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ViewMode {
    /// All layers stacked.
    #[default]
    Merged,
    /// Layers up to one.
    #[serde(rename = "upto")]
    UpTo,
    /// What one layer wrote and removed.
    Only,
    /// Deleted or overwritten by a later layer, but still in the image.
    Deleted,
}

impl ViewMode {
    /// The word in the address and in `data-view`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Merged => "merged",
            Self::UpTo => "upto",
            Self::Only => "only",
            Self::Deleted => "deleted",
        }
    }

    /// Whether the view is about one layer.
    pub fn wants_layer(self) -> bool {
        matches!(self, Self::UpTo | Self::Only)
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Merged, Self::UpTo, Self::Only, Self::Deleted].into_iter().find(|view| view.name() == word)
    }
}

/// Order of siblings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowSort {
    /// By the bytes of the name.
    Name,
    /// Biggest first; a directory by what it holds.
    #[default]
    Size,
    /// Modified last first; a directory by its own time.
    Time,
    /// What the highest layer wrote first.
    Layer,
}

impl RowSort {
    /// The next one, in the order of the columns; after the last comes the first.
    pub fn next(self) -> Self {
        match self {
            Self::Name => Self::Size,
            Self::Size => Self::Time,
            Self::Time => Self::Layer,
            Self::Layer => Self::Name,
        }
    }
}

/// The A, M and D toggles. All on shows unchanged rows too; with any off, only files with a change that is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    /// Rows of paths that the layer added.
    pub added: bool,
    /// Rows of paths that the layer wrote again.
    pub modified: bool,
    /// Rows of paths that the layer removed.
    pub removed: bool,
}

impl Default for Changes {
    fn default() -> Self {
        Self { added: true, modified: true, removed: true }
    }
}

impl Changes {
    /// Nothing is hidden.
    pub fn all(self) -> bool {
        self.added && self.modified && self.removed
    }
}

/// A window of the flattened tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowWindow {
    /// Index of the first row sent.
    pub from: u64,
    /// Rows `from..from + rows.len()`, fewer than asked for at the end of the list.
    pub rows: Vec<FileRow>,
    /// Rows in the whole list.
    pub total: u64,
    /// No layer will add or remove rows any more.
    pub complete: bool,
    /// Largest `total` of a row directly below the root: the scale of the bars.
    pub largest: u64,
    /// Bytes of all files that the view shows, filter aside.
    pub visible: u64,
    /// Greater whenever the list changed.
    pub revision: u64,
    /// Rows that fit filter and toggles themselves, parents aside; in closed directories, too.
    pub matches: u64,
    /// Deleted paths that the filter names, where it names none in this view.
    pub elsewhere: u64,
    /// What is wrong with the filter's expression.
    pub problem: Option<String>,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow {
    /// Escaped path, no leading slash.
    pub path: String,
    /// Escaped last component.
    pub name: String,
    /// 0 = directly below the root.
    pub depth: u32,
    /// The type of the entry.
    pub kind: RowKind,
    /// Logical bytes of a file, else 0.
    pub size: u64,
    /// Bytes below a directory, own size else.
    pub total: u64,
    /// Permission bits, set-uid, set-gid and sticky included.
    pub mode: u32,
    /// Numeric user id of the owner.
    pub uid: i64,
    /// Numeric group id of the owner.
    pub gid: i64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Nanoseconds of it.
    pub mtime_nsec: u32,
    /// Escaped symlink target as stored, or path of a hard link; else empty.
    pub link: String,
    /// Major number of a device, else 0.
    pub major: i64,
    /// Minor number of a device, else 0.
    pub minor: i64,
    /// Escaped names of extended attributes.
    pub xattrs: Vec<String>,
    /// Layer that last wrote it.
    pub layer: u32,
    /// What happened to it in this view.
    pub change: RowChange,
    /// Layer that removed or overwrote it.
    pub removed_by: Option<u32>,
    /// Why well-known readers list it differently.
    pub ambiguous: Option<String>,
    /// No archive names this directory.
    pub implied: bool,
    /// Something is below it in this view.
    pub has_children: bool,
    /// What is below it is in the list.
    pub expanded: bool,
    /// Place among the siblings in the list, from 1; 0 for a row that is not in the list.
    pub place: u32,
    /// Siblings in the list, itself included.
    pub siblings: u32,
}

/// The type of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowKind {
    /// A regular file.
    File,
    /// A directory, also one that no layer names.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A hard link to another path.
    Hardlink,
    /// A character device.
    Char,
    /// A block device.
    Block,
    /// A named pipe.
    Fifo,
}

impl RowKind {
    /// The word of `data-type` and `ls --json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Dir => "dir",
            Self::Symlink => "symlink",
            Self::Hardlink => "hardlink",
            Self::Char => "char",
            Self::Block => "block",
            Self::Fifo => "fifo",
        }
    }

    /// The first letter of `ls -l`.
    pub fn letter(self) -> char {
        match self {
            Self::File | Self::Hardlink => '-',
            Self::Dir => 'd',
            Self::Symlink => 'l',
            Self::Char => 'c',
            Self::Block => 'b',
            Self::Fifo => 'p',
        }
    }
}

/// What happened to a path in a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowChange {
    /// Not there before.
    Added,
    /// The layer wrote the path again.
    Modified,
    /// The layer removed the path.
    Removed,
    /// The layer leaves the path as it is.
    Unchanged,
}

impl RowChange {
    /// The word of `data-change` and `ls --json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Removed => "removed",
            Self::Unchanged => "unchanged",
        }
    }
}
