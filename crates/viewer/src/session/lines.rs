//! A file of lines that a front end saves.

use super::SavedFile;
use porthole_inspect::report::json::write_json;
use serde::Serialize;
use serde_json::ser::CompactFormatter;
use std::io::{self, Write};

/// A file that is being written.
pub(super) struct Lines<F> {
    file: F,
    buffer: Vec<u8>,
}

impl<F: SavedFile> Lines<F> {
    /// An empty file.
    pub(super) fn of(file: F) -> Self {
        Self { file, buffer: Vec::with_capacity(PIECE) }
    }

    /// Writes a value on a line of its own, as the command line does with `--json`.
    pub(super) fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        write_json(&mut *self, value, CompactFormatter)?;
        self.write_all(b"\n")
    }

    /// Keeps the file. Returns the address where it was kept, or why it was not.
    pub(super) fn finish(mut self) -> Result<String, String> {
        self.flush().map_err(|error| error.to_string())?;
        self.file.finish()
    }
}

impl<F: SavedFile> Write for Lines<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.file.write(&self.buffer);
            self.buffer.clear();
        }
        Ok(())
    }
}

/// Bytes that are handed over at once.
const PIECE: usize = 64 << 10;
