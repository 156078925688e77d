//! An index in memory.

use super::{Ask, Error, HEADER_BYTES, IndexReader, Malformed};

/// An index whose bytes are all in memory, so that every page is at hand.
#[derive(Clone, Debug)]
pub struct MemoryIndex {
    reader: IndexReader,
    bytes: Vec<u8>,
}

impl MemoryIndex {
    /// Takes the bytes of an index.
    ///
    /// # Errors
    /// [`Malformed`] if the header is invalid.
    pub fn new(bytes: Vec<u8>) -> Result<Self, Malformed> {
        let header = bytes.get(..HEADER_BYTES).unwrap_or(&bytes);
        Ok(Self { reader: IndexReader::new(header, bytes.len() as u64)?, bytes })
    }

    /// The reader, for questions that the header answers.
    pub fn reader(&self) -> &IndexReader {
        &self.reader
    }

    /// The bytes of the index.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Asks a question, and gives the reader the pages that it needs.
    ///
    /// # Errors
    /// [`Error::Index`] if a page does not match its digest; else the errors of the question.
    pub fn ask<T>(&mut self, mut question: impl FnMut(&mut IndexReader) -> Result<T, Ask>) -> Result<T, Error> {
        loop {
            match question(&mut self.reader) {
                Ok(answer) => return Ok(answer),
                Err(Ask::Failed(error)) => return Err(error),
                Err(Ask::Page(page)) => {
                    let rest = usize::try_from(page.offset()).ok().and_then(|start| self.bytes.get(start..));
                    let bytes = rest.and_then(|rest| rest.get(..page.length())).unwrap_or_default();
                    self.reader.give(page, bytes.to_vec())?;
                }
            }
        }
    }
}
