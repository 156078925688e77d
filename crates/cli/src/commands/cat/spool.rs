//! Content that waits until it is verified.

use std::io::{self, Read, Seek, Write};

use porthole_core::{
    tar::{Entry, EntrySink, Flow, Kind},
    tree::Content,
};
use tempfile::SpooledTempFile;

/// Bytes that wait in memory; more wait in a file that has no name.
const MEMORY: usize = 8 << 20;

/// Takes one file's content out of a layer that is being read.
pub(super) struct Spool {
    content: Content,
    bytes: SpooledTempFile,
    /// Its end has come.
    complete: bool,
    error: Option<io::Error>,
}

impl Spool {
    pub(super) fn new(content: Content) -> Self {
        Self { content, bytes: SpooledTempFile::new(MEMORY), complete: false, error: None }
    }

    /// Writes what was taken: to be called once the layer is verified.
    pub(super) fn copy_to(mut self, out: &mut impl Write) -> io::Result<()> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if !self.complete {
            return Err(io::Error::other("the layer was read twice and is not the same (this is a bug in porthole)"));
        }
        self.bytes.rewind()?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            match self.bytes.read(&mut buffer)? {
                0 => return Ok(()),
                read => out.write_all(&buffer[..read])?,
            }
        }
    }
}

impl EntrySink for Spool {
    fn entry(&mut self, entry: Entry) -> Flow {
        if self.complete || self.error.is_some() {
            Flow::Stop
        } else if entry.kind == Kind::File && entry.offset == self.content.offset {
            Flow::WantData
        } else {
            Flow::Continue
        }
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        match self.bytes.write_all(bytes) {
            Ok(()) => Flow::Continue,
            Err(error) => {
                self.error = Some(error);
                Flow::Stop
            }
        }
    }

    fn end_of_data(&mut self) {
        self.complete = true;
    }
}
