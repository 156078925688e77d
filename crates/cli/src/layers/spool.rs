//! Keeps the content of a file while its layer is read, until the layer is verified.

use std::{
    collections::HashMap,
    env,
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    sync::{Mutex, PoisonError},
};

use porthole_core::{
    path,
    tar::{Entry, EntrySink, Flow, Kind},
};
use tempfile::SpooledTempFile;

use crate::error::Error;

/// Maximum number of bytes of a file that are kept in memory. A longer file is kept in a temporary file without a name.
const MEMORY: usize = 8 << 20;

/// Selects the file whose content is kept.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    /// The last file with this clean path.
    Path(Vec<u8>),
    /// The file whose data starts at this offset of the archive.
    Offset(u64),
}

impl Which {
    fn is(&self, entry: &Entry) -> bool {
        entry.kind == Kind::File
            && match self {
                Self::Path(wanted) => path::clean(&entry.path) == *wanted,
                Self::Offset(wanted) => entry.offset == *wanted,
            }
    }
}

/// Keeps the content of one file of a layer.
pub(crate) struct Spool {
    which: Which,
    /// Offset in the archive of the content that was kept.
    offset: Option<u64>,
    bytes: SpooledTempFile,
    /// Whether the content has ended.
    complete: bool,
    error: Option<io::Error>,
}

impl Spool {
    pub(crate) fn new(which: Which) -> Self {
        Self { which, offset: None, bytes: SpooledTempFile::new(MEMORY), complete: false, error: None }
    }

    /// Writes a part of the content. To be called only when the layer is verified.
    pub(crate) fn copy_to(&mut self, part: Range<u64>, out: &mut impl Write) -> Result<(), Error> {
        let place = env::temp_dir();
        let failed = Error::cannot_write(&place);
        if let Some(error) = self.error.take() {
            return Err(failed(error));
        }
        if !self.complete {
            let text = "the layer was read twice and is not the same (this is a bug in porthole)";
            return Err(failed(io::Error::other(text)));
        }
        self.bytes.seek(SeekFrom::Start(part.start)).map_err(&failed)?;
        let mut left = part.end.saturating_sub(part.start);
        let mut buffer = vec![0; 64 << 10];
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = self.bytes.read(&mut buffer[..most]).map_err(&failed)?;
            if read == 0 {
                break;
            }
            out.write_all(&buffer[..read])?;
            left -= read as u64;
        }
        Ok(())
    }

    /// Starts to keep the content of an entry, if it is the selected file. Discards the content kept before. Returns whether it
    /// started.
    pub(super) fn begin(&mut self, entry: &Entry) -> bool {
        if !self.which.is(entry) || self.error.is_some() {
            return false;
        }
        self.bytes = SpooledTempFile::new(MEMORY);
        (self.offset, self.complete) = (Some(entry.offset), false);
        true
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            self.error = self.bytes.write_all(bytes).err();
        }
    }

    pub(super) fn end(&mut self) {
        self.complete = true;
    }
}

impl EntrySink for Spool {
    fn entry(&mut self, entry: Entry) -> Flow {
        if self.begin(&entry) { Flow::WantData } else { Flow::Continue }
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.write(bytes);
        if self.error.is_some() { Flow::Stop } else { Flow::Continue }
    }

    fn end_of_data(&mut self) {
        self.end();
    }
}

/// The content of one path in each layer that is read, so that no layer is read again for it.
pub(crate) struct Taken {
    path: Vec<u8>,
    spools: Mutex<HashMap<u32, Spool>>,
}

impl Taken {
    pub(crate) fn new(path: Vec<u8>) -> Self {
        Self { path, spools: Mutex::default() }
    }

    /// Returns the content that was kept from a layer, if it starts at this offset of the archive.
    pub(crate) fn find(&self, layer: u32, offset: u64) -> Option<Spool> {
        let mut spools = self.spools.lock().unwrap_or_else(PoisonError::into_inner);
        spools.remove(&layer).filter(|spool| spool.offset == Some(offset))
    }

    pub(super) fn spool(&self) -> Spool {
        Spool::new(Which::Path(self.path.clone()))
    }

    pub(super) fn keep(&self, layer: u32, spool: Spool) {
        if spool.complete && spool.error.is_none() {
            self.spools.lock().unwrap_or_else(PoisonError::into_inner).insert(layer, spool);
        }
    }
}
