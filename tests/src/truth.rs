//! The rows of a file tree, from any program that lists it, and a comparison with an unpacked tree.

use crate::Result;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::Path,
};

/// One row, as in the page and in `porthole ls --json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Escaped path.
    pub path: String,
    /// `file`, `dir`, `symlink`, `hardlink`, `char`, `block` or `fifo`.
    pub kind: String,
    /// Size of a file in bytes, else 0.
    pub size: u64,
    /// Permission bits, including set-user-ID, set-group-ID and sticky.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
    /// Target of a link, escaped.
    pub link: String,
}

impl Row {
    /// Reads a row of `porthole ls --json`, or the attributes of a row in the page, which have the same names.
    pub fn read(value: &Value) -> Result<Self> {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| match &value[name] {
            Value::Number(number) => number.as_u64().ok_or_else(|| format!("{name} of {value} is no whole number")),
            Value::String(digits) => digits.parse().map_err(|_| format!("{name} of {value} is no number")),
            _ => Err(format!("{value} has no {name}")),
        };
        Ok(Self {
            path: text("path"),
            kind: text("type"),
            size: number("size")?,
            mode: u32::try_from(number("mode")?)?,
            uid: number("uid")?,
            gid: number("gid")?,
            link: text("link"),
        })
    }
}

/// A file on disk.
#[derive(Debug)]
struct Found {
    row: Row,
    inode: u64,
}

/// A root filesystem unpacked by another program.
pub struct Truth {
    files: BTreeMap<String, Found>,
}

impl Truth {
    /// Walks a folder without following links.
    pub fn walk(root: &Path) -> Result<Self> {
        let mut truth = Self { files: BTreeMap::new() };
        truth.descend(root, b"")?;
        Ok(truth)
    }

    fn descend(&mut self, folder: &Path, above: &[u8]) -> Result<()> {
        for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
            let entry = entry?;
            let metadata = fs::symlink_metadata(entry.path())?;
            let mut path = above.to_vec();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(entry.file_name().as_bytes());
            let link = if metadata.is_symlink() {
                fs::read_link(entry.path())?.into_os_string()
            } else {
                OsStr::new("").to_owned()
            };
            let row = Row {
                path: escape(&path),
                kind: kind(metadata.file_type()).to_owned(),
                size: if metadata.is_file() { metadata.len() } else { 0 },
                mode: metadata.mode() & 0o7777,
                uid: u64::from(metadata.uid()),
                gid: u64::from(metadata.gid()),
                link: escape(link.as_bytes()),
            };
            self.files.insert(row.path.clone(), Found { row, inode: metadata.ino() });
            if metadata.is_dir() {
                self.descend(&entry.path(), &path)?;
            }
        }
        Ok(())
    }

    /// Number of paths.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether the tree is empty.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Differences between a list and this tree: every name, type, size, mode, owner and link target.
    ///
    /// On disk all names of a file are equal; an archive has one as the file and the others as links to it. A hard
    /// link's row must therefore lead, step by step, to the row of a file with the same inode in this tree, and exactly one
    /// name of an inode must be the file.
    pub fn differences(&self, rows: &[Row]) -> Vec<String> {
        let mut differences = Vec::new();
        let by_path: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.path.as_str(), row)).collect();
        if by_path.len() != rows.len() {
            differences.push(format!("{} paths are listed twice", rows.len() - by_path.len()));
        }
        let mut files = BTreeSet::new();
        for row in rows {
            let Some(found) = self.files.get(&row.path) else {
                differences.push(format!("{}: listed, but not in the tree", row.path));
                continue;
            };
            let mut expected = found.row.clone();
            if row.kind == "hardlink" {
                let leads = follow(&by_path, row).and_then(|target| self.files.get(&target.path));
                if leads.is_none_or(|target| target.inode != found.inode) {
                    differences.push(format!("{}: {} is another file", row.path, row.link));
                }
                expected = Row { kind: row.kind.clone(), link: row.link.clone(), size: 0, ..expected };
            } else if row.kind == "file" && !files.insert(found.inode) {
                differences.push(format!("{}: a second file, where the tree has another name of the first", row.path));
            }
            if *row != expected {
                differences.push(format!("{}: expected {expected:?}, got {row:?}", row.path));
            }
        }
        let missing = self.files.keys().filter(|path| !by_path.contains_key(path.as_str()));
        differences.extend(missing.map(|path| format!("{path}: in the tree, but not listed")));
        differences
    }

    /// Panics if there are differences, and shows the first of them.
    pub fn check(&self, who: &str, rows: &[Row]) {
        let differences = self.differences(rows);
        let shown = differences.iter().take(12).map(String::as_str).collect::<Vec<_>>().join("\n");
        assert!(differences.is_empty(), "{who}: {} differences in {} rows\n{shown}", differences.len(), rows.len());
        assert_eq!(rows.len(), self.len(), "{who}: rows");
    }
}

/// The file that a hard link leads to, possibly through other links.
fn follow<'r>(rows: &BTreeMap<&str, &'r Row>, link: &'r Row) -> Option<&'r Row> {
    let mut row = link;
    for _ in 0..40 {
        if row.kind != "hardlink" {
            return Some(row);
        }
        row = rows.get(row.link.as_str())?;
    }
    None
}

fn kind(kind: fs::FileType) -> &'static str {
    if kind.is_dir() {
        "dir"
    } else if kind.is_symlink() {
        "symlink"
    } else if kind.is_char_device() {
        "char"
    } else if kind.is_block_device() {
        "block"
    } else if kind.is_fifo() {
        "fifo"
    } else {
        "file"
    }
}

/// Escapes a path: printable UTF-8 stays, a backslash is doubled, every other byte becomes `\xNN`. Independent of the
/// code under test.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                control if control.is_control() => {
                    control.to_string().bytes().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
                }
                printable => text.push(printable),
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn rows(truth: &Truth) -> Vec<Row> {
        truth.files.values().map(|found| found.row.clone()).collect()
    }

    /// A folder with a file that has two names, and its rows in an archive.
    fn tree(name: &str) -> (Truth, Vec<Row>) {
        let root = std::env::temp_dir().join(format!("porthole-truth-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("folder")).unwrap();
        fs::write(root.join("folder/file"), "12345").unwrap();
        fs::hard_link(root.join("folder/file"), root.join("folder/name")).unwrap();
        symlink("file", root.join("folder/soft\\link")).unwrap();
        let truth = Truth::walk(&root).unwrap();
        fs::remove_dir_all(root).unwrap();
        let mut rows = rows(&truth);
        let link = rows.iter_mut().find(|row| row.path == "folder/name").unwrap();
        (link.kind, link.size, link.link) = ("hardlink".to_owned(), 0, "folder/file".to_owned());
        (truth, rows)
    }

    #[test]
    fn a_tree_equals_itself_with_hard_links_as_an_archive_has_them() {
        let (truth, rows) = tree("same");
        assert_eq!(truth.differences(&rows), [""; 0]);
        assert!(rows.iter().any(|row| row.path == "folder/soft\\\\link" && row.link == "file"));
    }

    #[test]
    fn every_difference_is_found() {
        let (truth, good) = tree("other");
        let change = |path: &str, change: &dyn Fn(&mut Row)| {
            let mut rows = good.clone();
            change(rows.iter_mut().find(|row| row.path == path).unwrap());
            truth.differences(&rows).len()
        };
        assert_eq!(change("folder/file", &|row| row.size = 4), 1);
        assert_eq!(change("folder", &|row| row.mode = 0o700), 1);
        assert_eq!(change("folder/soft\\\\link", &|row| row.link = "other".to_owned()), 1);
        assert_eq!(change("folder/name", &|row| row.link = "folder".to_owned()), 1);
        assert_eq!(change("folder/name", &|row| row.kind = "file".to_owned()), 2);
        assert_eq!(change("folder/file", &|row| row.path = "folder/elsewhere".to_owned()), 3);
        assert_eq!(truth.differences(&good[1..]).len(), 1);
    }

    #[test]
    fn escapes_are_the_documented_ones() {
        assert_eq!(escape("größe".as_bytes()), "größe");
        assert_eq!(escape(b"a\\b\n\xff"), "a\\\\b\\x0a\\xff");
    }
}
