//! Secrets in the files of a layer, found while it is read.

use super::{SecretMatch, TextOrigin, scan};
use crate::limits::SCANNED_BYTES;
use porthole_core::{
    path,
    tar::{Entry, Kind},
};

/// What was found in one layer.
#[derive(Clone, Debug, Default)]
pub struct FileSecrets {
    /// The secrets, in archive order.
    pub secrets: Vec<FileSecret>,
    /// Texts that were not searched.
    pub unread: Vec<TooLargeToScan>,
    /// How many files were searched.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A text that exceeds the limit [`SCANNED_BYTES`].
#[derive(Clone, Debug)]
pub struct TooLargeToScan {
    /// Clean path of the file.
    pub path: Vec<u8>,
    /// Its size in bytes.
    pub size: u64,
}

/// A secret in a file.
#[derive(Clone, Debug)]
pub struct FileSecret {
    /// Clean path of the file, as the archive states it.
    pub path: Vec<u8>,
    /// Where its data starts in the archive of the layer.
    pub offset: u64,
    /// The secret.
    pub found: SecretMatch,
}

/// Bytes that distinguish a text from a binary file: one with a zero among them is not searched.
const HEAD: usize = 8 << 10;

/// Searches the files of one layer, also those that the same layer deletes. What it finds is provisional until the layer is
/// verified.
#[derive(Debug, Default)]
pub struct SecretCollector {
    all: FileSecrets,
    taking: Option<Taking>,
}

#[derive(Debug)]
struct Taking {
    path: Vec<u8>,
    offset: u64,
    size: u64,
    bytes: Vec<u8>,
}

impl SecretCollector {
    /// Starts with an entry. Returns whether its data is wanted.
    pub fn begin(&mut self, entry: &Entry) -> bool {
        let wanted = entry.kind == Kind::File && entry.size > 0;
        self.taking = wanted.then(|| Taking {
            path: path::clean(&entry.path),
            offset: entry.offset,
            size: entry.size,
            bytes: Vec::new(),
        });
        wanted
    }

    /// Takes data of the entry.
    pub fn push(&mut self, data: &[u8]) {
        let Some(taking) = &mut self.taking else { return };
        let head = HEAD.saturating_sub(taking.bytes.len()).min(data.len());
        if memchr::memchr(0, &data[..head]).is_some() {
            self.taking = None;
        } else if taking.size > SCANNED_BYTES {
            // Enough to know that it is a text.
            if taking.bytes.len() + data.len() >= HEAD {
                self.all
                    .unread
                    .extend(self.taking.take().map(|Taking { path, size, .. }| TooLargeToScan { path, size }));
            } else {
                taking.bytes.extend_from_slice(data);
            }
        } else {
            taking.bytes.extend_from_slice(data);
        }
    }

    /// Searches what was taken: the data of the entry is complete.
    pub fn end(&mut self) {
        let Some(Taking { path, offset, bytes, .. }) = self.taking.take() else { return };
        self.all.files += 1;
        self.all.bytes += bytes.len() as u64;
        let found = scan(&bytes, TextOrigin::File(&path));
        self.all.secrets.extend(found.into_iter().map(|found| FileSecret { path: path.clone(), offset, found }));
    }

    /// What was found since this was called last, with the files that were searched since.
    pub fn take(&mut self) -> FileSecrets {
        std::mem::take(&mut self.all)
    }

    /// All that was found.
    pub fn finish(self) -> FileSecrets {
        self.all
    }
}
