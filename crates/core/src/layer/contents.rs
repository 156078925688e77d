//! Makes entries of the unpacked bytes of a blob, which are a tar archive or one file.

use crate::{
    decode::{Format, Unpacker},
    limits::Limits,
    tar::{self, Entry, EntrySink, Flow, Kind, Scanner},
};

/// Reader of the unpacked bytes of a blob.
pub(crate) enum Contents {
    Archive(Box<Scanner>),
    /// The blob of an artifact that is not an archive. The file is its only entry.
    File(OneFile),
}

/// A blob that is a file.
pub(crate) struct OneFile {
    name: Vec<u8>,
    size: u64,
    /// Bytes that have not arrived yet.
    left: u64,
    begun: bool,
    /// Whether the sink wants the data.
    wanted: bool,
}

impl Contents {
    pub(crate) fn archive(limits: &Limits) -> Self {
        Self::Archive(Box::new(Scanner::new(limits)))
    }

    pub(crate) fn file(name: Vec<u8>, size: u64) -> Self {
        Self::File(OneFile { name, size, left: size, begun: false, wanted: false })
    }

    pub(crate) fn push(&mut self, bytes: &[u8], sink: &mut impl EntrySink) -> Result<(), tar::Error> {
        match self {
            Self::Archive(scanner) => scanner.push(bytes, sink),
            Self::File(file) => {
                file.begin(sink);
                if file.wanted && sink.data(bytes) == Flow::Stop {
                    file.wanted = false;
                }
                file.left = file.left.saturating_sub(bytes.len() as u64);
                if file.left == 0 {
                    file.end(sink);
                }
                Ok(())
            }
        }
    }

    /// Handles the end of the bytes. [`finish`](Self::finish) reports an archive that ends too early.
    pub(crate) fn end(&mut self, sink: &mut impl EntrySink) {
        if let Self::File(file) = self {
            file.begin(sink);
            file.end(sink);
        }
    }

    pub(crate) fn finish(&mut self) -> Result<(), tar::Error> {
        match self {
            Self::Archive(scanner) => scanner.finish(),
            Self::File(_) => Ok(()),
        }
    }

    pub(crate) fn scanner(&self) -> Option<&Scanner> {
        match self {
            Self::Archive(scanner) => Some(scanner),
            Self::File(_) => None,
        }
    }

    pub(crate) fn entries(&self) -> u64 {
        match self {
            Self::Archive(scanner) => scanner.entries(),
            Self::File(file) => u64::from(file.begun),
        }
    }
}

impl OneFile {
    fn end(&mut self, sink: &mut impl EntrySink) {
        if std::mem::take(&mut self.wanted) {
            sink.end_of_data();
        }
    }

    fn begin(&mut self, sink: &mut impl EntrySink) {
        if !std::mem::replace(&mut self.begun, true) {
            let entry = Entry { size: self.size, ..Entry::new(std::mem::take(&mut self.name), Kind::File) };
            self.wanted = sink.entry(entry) == Flow::WantData;
        }
    }
}

/// Whether a blob that starts with `head` is a readable archive. `over`: the blob ends after `head`. `None`: more of the blob is needed.
pub(crate) fn is_archive(head: &[u8], over: bool, limits: &Limits) -> Option<bool> {
    let compression = match Format::sniff(head) {
        Some(Format::Tar) => return Some(true),
        Some(found) => found.compression(),
        None if over || head.len() >= Format::PREFIX => return Some(false),
        None => return None,
    };
    let Some(compression) = compression else { return Some(false) };
    // A fixed part, so that the result does not depend on how the blob is split.
    let trial = head.get(..TRIAL);
    let (mut unpacker, mut left, mut start) = (Unpacker::new(compression, limits), trial.unwrap_or(head), Vec::new());
    loop {
        match unpacker.next(&mut left) {
            Ok(Some(bytes)) => start.extend_from_slice(bytes),
            Ok(None) if over || trial.is_some() => return Some(false),
            Ok(None) => return None,
            Err(_) => return Some(false),
        }
        if let Some(block) = start.first_chunk() {
            return Some(tar::is_header(block));
        }
    }
}

/// Maximum length of the part of a compressed blob in which its first tar block is looked for: more than any block of zstd.
const TRIAL: usize = 512 << 10;
