use crate::ReadAt;
use std::{collections::BTreeMap, future::Future, io};

/// Files that are found by their paths: a directory on disk, the entries of an archive, files that a person drops on a page.
pub trait Files {
    /// An opened file. It owns what it needs, so that it can outlive the directory.
    type File: ReadAt;

    /// Opens the file at a path relative to the top, with `/` between its parts.
    ///
    /// # Errors
    ///
    /// [`OpenError`]. A link that leads out of the directory is [`OpenError::NotAFile`].
    fn open(&self, path: &str) -> impl Future<Output = Result<Self::File, OpenError>>;
}

/// Files by their paths, such as those that a person dropped on a page.
impl<F: ReadAt + Clone> Files for BTreeMap<String, F> {
    type File = F;

    async fn open(&self, path: &str) -> Result<F, OpenError> {
        self.get(path).cloned().ok_or(OpenError::NotFound)
    }
}

/// Why a file is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such path.
    #[error("not found")]
    NotFound,
    /// The path is not a regular file, or is a link to a file outside.
    #[error("not a regular file inside the directory")]
    NotAFile,
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The form of a place with images.
#[derive(Clone, Debug)]
pub enum Place<D, F> {
    /// A directory, whose files are found by their paths.
    Directory(D),
    /// One file: an archive.
    File(F),
}
