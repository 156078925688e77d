//! Temporary directories, and listings of them.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{
            ffi::{OsStrExt, OsStringExt},
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
        },
    },
    path::{Path, PathBuf},
};

use porthole_core::{
    layer::{Expected, Finding, LayerReader},
    limits::Limits,
};
use porthole_testkit::partial::leaves_part_of_a_file;
use porthole_unpack::{Error, Options, Report, UnpackRoot};
use tempfile::TempDir;

/// The result of `lstat` and `readlink` for a path, and the content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: &'static str,
    pub(crate) mode: u32,
    /// Bytes of a file; 0 for anything else.
    pub(crate) size: u64,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: (i64, i64),
    pub(crate) inode: u64,
    pub(crate) device: u64,
    pub(crate) link: Vec<u8>,
    pub(crate) content: Vec<u8>,
}

/// Everything below a directory, sorted by name, directories before their children.
pub(crate) fn walk(root: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    let mut pending = children(root);
    while let Some(path) = pending.pop() {
        let one = look(root, &path).expect("what was unpacked can be read");
        if one.kind == "d" {
            pending.extend(children(&path));
        }
        found.push(one);
    }
    found
}

/// Children in reverse order.
fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory can be read");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    paths.sort_by(|one, other| other.file_name().cmp(&one.file_name()));
    paths
}

fn look(root: &Path, path: &Path) -> io::Result<Found> {
    let metadata = path.symlink_metadata()?;
    let of = metadata.file_type();
    let kind = match of {
        of if of.is_dir() => "d",
        of if of.is_symlink() => "l",
        of if of.is_fifo() => "p",
        of if of.is_char_device() => "c",
        of if of.is_block_device() => "b",
        _ => "f",
    };
    Ok(Found {
        path: path.strip_prefix(root).expect("below the root").as_os_str().as_bytes().to_vec(),
        kind,
        mode: metadata.permissions().mode() & 0o7777,
        size: if kind == "f" { metadata.len() } else { 0 },
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: (metadata.mtime(), metadata.mtime_nsec()),
        inode: metadata.ino(),
        device: metadata.rdev(),
        link: if kind == "l" { fs::read_link(path)?.into_os_string().into_vec() } else { Vec::new() },
        content: if kind == "f" { fs::read(path).unwrap_or_default() } else { Vec::new() },
    })
}

/// A directory that is removed on drop, however deep it is.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(TempDir::new().expect("a temporary directory can be made"));
        fs::create_dir(place.root()).expect("a directory can be made");
        place
    }

    /// The folder in which nothing may appear.
    pub(crate) fn outside(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.0.path().join("root")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        porthole_unpack::remove_all(&open(self.0.path()), b"root").expect("all can be removed");
    }
}

pub(crate) fn open(directory: &Path) -> OwnedFd {
    fs::File::open(directory).expect("a directory can be opened").into()
}

/// Options of root with all privileges.
pub(crate) const ALL: Options = Options { privileged: true, owner: true, devices: true };
/// Options of an unprivileged user.
pub(crate) const NONE: Options = Options { privileged: false, owner: false, devices: false };

/// Result of applying a layer.
pub(crate) struct Outcome {
    pub(crate) error: Option<String>,
    /// The data of a file was incomplete, so its attributes were not set.
    pub(crate) cut: bool,
}

/// Applies a compressed layer.
pub(crate) fn apply(root: &mut UnpackRoot, blob: &[u8]) -> Outcome {
    let mut layer = root.layer();
    let mut reader = LayerReader::new(Expected::default(), Limits::default());
    reader.push(blob, &mut layer);
    let report = reader.finish(&mut layer);
    let broken = report.findings.iter().find_map(|finding| match finding {
        Finding::Tar(error) => Some(error),
        _ => None,
    });
    let stopped = match (layer.error(), broken) {
        (None, Some(_)) => None,
        _ => layer.commit().err(),
    };
    if let Some(error @ Error::Disk { .. }) = &stopped {
        panic!("the disk is not to blame: {error}");
    }
    Outcome {
        cut: broken.is_some_and(leaves_part_of_a_file),
        error: stopped.map(|error| error.to_string()).or_else(|| broken.map(ToString::to_string)),
    }
}

/// Applies layers, none of which may fail, and calls `finish`.
pub(crate) fn unpack(directory: &Path, layers: &[Vec<u8>], options: Options) -> Report {
    let mut root = UnpackRoot::new(open(directory), options);
    for layer in layers {
        assert_eq!(apply(&mut root, layer).error, None);
    }
    root.finish().expect("the disk takes it")
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a closure without root's privileges, in a thread of its own: credentials belong to threads.
pub(crate) fn as_nobody<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    use rustix::{
        fs::{Gid, Uid},
        thread::{set_thread_gid, set_thread_groups, set_thread_uid},
    };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if is_root() {
                set_thread_groups(&[]).expect("root may leave its groups");
                set_thread_gid(Gid::from_raw(NOBODY)).expect("root may change its group");
                set_thread_uid(Uid::from_raw(NOBODY)).expect("root may change its user");
            }
            run()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

const NOBODY: u32 = 65534;
