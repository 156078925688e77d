//! Files that a user gives to a front end: dropped on it, or chosen in a dialog.

use porthole_source::{Place, ReadAt};
use std::{collections::BTreeMap, future::Future, io, ops::Range, pin::Pin, rc::Rc, sync::Arc};

/// A file of the front end, whose type the session does not know.
pub trait OpenFile {
    /// Size in bytes.
    fn size(&self) -> u64;

    /// Reads a range, which is cut at the end of the file.
    fn read(&self, range: Range<u64>) -> Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + '_>>;

    /// A stamp that distinguishes it from another file of the same name and size, such as the time of its last change, if there is one.
    fn stamp(&self) -> Option<u64> {
        None
    }

    /// URL at which a layer worker's transport reads a range. `None` = there is none, so the session reads the range and
    /// sends its bytes to the worker.
    fn address(&self, range: Range<u64>) -> Option<String>;
}

/// An [`OpenFile`] that is shared.
#[derive(Clone)]
pub struct GivenFile(Rc<dyn OpenFile>);

impl GivenFile {
    /// Shares a file.
    pub fn new(file: impl OpenFile + 'static) -> Self {
        Self(Rc::new(file))
    }

    pub(crate) fn stamp(&self) -> Option<u64> {
        self.0.stamp()
    }

    pub(crate) fn address(&self, range: Range<u64>) -> Option<String> {
        self.0.address(range)
    }

    /// The part of the file from an offset to its end.
    pub(crate) fn from(&self, start: u64) -> Self {
        Self::new(Rest { file: self.clone(), start: start.min(self.0.size()) })
    }

    /// Its bytes in a range.
    pub(crate) async fn bytes(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        self.0.read(range.start..range.end.min(self.0.size())).await
    }
}

/// A file without its beginning.
struct Rest {
    file: GivenFile,
    start: u64,
}

impl Rest {
    fn moved(&self, range: Range<u64>) -> Range<u64> {
        range.start.saturating_add(self.start)..range.end.saturating_add(self.start)
    }
}

impl OpenFile for Rest {
    fn size(&self) -> u64 {
        self.file.0.size() - self.start
    }

    fn read(&self, range: Range<u64>) -> Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + '_>> {
        self.file.0.read(self.moved(range))
    }

    fn address(&self, range: Range<u64>) -> Option<String> {
        self.file.0.address(self.moved(range))
    }
}

impl ReadAt for GivenFile {
    fn size(&self) -> u64 {
        self.0.size()
    }

    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.size().min(offset.saturating_add(buffer.len() as u64));
        if offset >= end {
            return Ok(0);
        }
        let bytes = self.0.read(offset..end).await?;
        let read = bytes.len().min(buffer.len());
        buffer[..read].copy_from_slice(&bytes[..read]);
        Ok(read)
    }
}

/// Bytes in memory, such as the image that is part of a front end.
impl OpenFile for Arc<[u8]> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, range: Range<u64>) -> Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + '_>> {
        let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap_or(usize::MAX).min(self.len()));
        let bytes = self.get(start..end).unwrap_or_default().to_vec();
        Box::pin(async move { Ok(bytes) })
    }

    fn address(&self, _range: Range<u64>) -> Option<String> {
        None
    }
}

/// A directory by the paths of its files, or one file.
pub type GivenPlace = Place<BTreeMap<String, GivenFile>, GivenFile>;

/// The reference that stands for a file of this name in addresses: its name as a repository of [`GIVEN`](crate::router::GIVEN).
/// If two names give the same reference, the file that was given last counts.
pub fn given_reference(name: &str) -> String {
    let mut repository = String::new();
    let mut separator = "";
    for character in name.chars().take(LONGEST) {
        match character.to_ascii_lowercase() {
            plain @ ('a'..='z' | '0'..='9') => {
                if !repository.is_empty() {
                    repository.push_str(separator);
                }
                separator = "";
                repository.push(plain);
            }
            '.' => separator = ".",
            _ if separator.is_empty() => separator = "-",
            _ => {}
        }
    }
    if repository.is_empty() {
        repository.push_str("file");
    }
    format!("{}/{repository}", crate::router::GIVEN)
}

/// Longest part of a name that its reference takes over, in characters.
const LONGEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::reference::Reference;

    #[test]
    fn every_name_becomes_a_reference() {
        for (name, expected) in [
            ("app.tar", "file.localhost/app.tar"),
            ("My App (1).TAR.GZ", "file.localhost/my-app-1.tar.gz"),
            ("..", "file.localhost/file"),
            ("-a--.__b_", "file.localhost/a.b"),
            ("größe.tar", "file.localhost/gr-e.tar"),
            ("", "file.localhost/file"),
        ] {
            let made = given_reference(name);
            assert_eq!(made, expected, "{name}");
            let parsed: Reference = made.parse().unwrap();
            assert_eq!(parsed.registry(), crate::router::GIVEN);
        }
        assert!(given_reference(&"x".repeat(5000)).parse::<Reference>().is_ok());
    }
}
