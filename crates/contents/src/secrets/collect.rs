//! Secrets in the files of a layer, found while it is read.

use super::{SecretMatch, binary, scan_file, wide};
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
    /// Bytes of these files.
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
    /// The secret, and the rule that found it.
    pub found: SecretMatch,
}

/// Bytes that distinguish a text from a binary file: one with a zero among them is not searched.
pub(super) const HEAD: usize = 8 << 10;

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
    /// It may be a private key in a binary format.
    may_be_key: bool,
    bytes: Vec<u8>,
}

impl Taking {
    /// Whether the file is still searched if there is a zero among its first bytes.
    fn may_have_zeros(&self, data: &[u8]) -> bool {
        let start: Vec<u8> = self.bytes.iter().chain(data).take(2).copied().collect();
        self.may_be_key || wide::is_marked(&start)
    }

    /// Whether all that is known of a large file is text.
    fn is_text(&self) -> bool {
        !wide::is_marked(&self.bytes) || wide::decoded(&self.bytes).is_some()
    }
}

impl SecretCollector {
    /// Starts with an entry. Returns whether its data is wanted.
    pub fn begin(&mut self, entry: &Entry) -> bool {
        let wanted = entry.kind == Kind::File && entry.size > 0;
        self.taking = wanted.then(|| {
            let path = path::clean(&entry.path);
            let may_be_key = binary::may_be(&path, entry.size);
            Taking { path, offset: entry.offset, size: entry.size, may_be_key, bytes: Vec::new() }
        });
        wanted
    }

    /// Takes data of the entry.
    pub fn push(&mut self, data: &[u8]) {
        let Some(taking) = &mut self.taking else { return };
        let head = HEAD.saturating_sub(taking.bytes.len()).min(data.len());
        if memchr::memchr(0, &data[..head]).is_some() && !taking.may_have_zeros(data) {
            self.taking = None;
        } else if taking.size > SCANNED_BYTES {
            // These bytes show that it is a text.
            taking.bytes.extend_from_slice(&data[..head]);
            if taking.bytes.len() >= HEAD {
                let text = self.taking.take().filter(Taking::is_text);
                self.all.unread.extend(text.map(|Taking { path, size, .. }| TooLargeToScan { path, size }));
            }
        } else {
            taking.bytes.extend_from_slice(data);
        }
    }

    /// Ends the entry and searches the data that was kept.
    pub fn end(&mut self) {
        let Some(Taking { path, offset, bytes, .. }) = self.taking.take() else { return };
        let Some(found) = scan_file(&path, &bytes) else { return };
        self.all.files += 1;
        self.all.bytes += bytes.len() as u64;
        self.all.secrets.extend(found.into_iter().map(|found| FileSecret { path: path.clone(), offset, found }));
    }

    /// What was found since the last call, with the files that were searched since.
    pub fn take(&mut self) -> FileSecrets {
        std::mem::take(&mut self.all)
    }

    /// All that was found.
    pub fn finish(self) -> FileSecrets {
        self.all
    }
}
