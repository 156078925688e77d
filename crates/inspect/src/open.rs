//! From an image and a path to the bytes of a file.
//!
//! [`resolve_path`] finds where the bytes are, in all layers or in [one](LoneLayer); [`LayerSearch`] does so by the seek
//! indexes of layers. [`FileParts`] reads them: by a seek
//! index or by a table of contents, each piece verified before it is returned. Where neither is known, the layer is read
//! whole ([`layer::read`](crate::layer::read)).

mod lone;
mod path;
mod search;

pub use self::{
    lone::LoneLayer,
    path::{At, FileLookup, Lost, resolve_path},
    search::{LayerSearch, SearchError},
};
use crate::{
    blob::read_range,
    seek::{self as index, SeekIndex},
};
use porthole_core::{
    descriptor::Descriptor,
    limits::Limits,
    seek::{self, FileReader},
    toc::{self, ChunkReader, Toc},
    tree::Content,
};
use porthole_source::{ImageSource, ReadAt};
use std::ops::{ControlFlow, Range};

/// The bytes of one file, or of a part of it, by ranges of its layer's blob.
pub struct FileParts(Parts);

enum Parts {
    /// By a seek index: one range, from the checkpoint before the part to its end.
    Spans { reader: Box<FileReader>, asked: bool },
    /// By a table of contents: the chunks that it names.
    Chunks(Box<ChunkReader>),
}

/// Why the bytes of a file are not returned.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    /// The source cannot be read.
    #[error(transparent)]
    Source(E),
    /// A part of the layer differs from the layer that was verified and indexed.
    #[error("{0}")]
    Part(seek::Error),
    /// The file cannot be read by the layer's table of contents.
    #[error("{0}")]
    Chunk(toc::ChunkError),
}

/// An error of a reader, without the type of the source's error.
#[derive(Debug)]
enum Refused {
    Part(seek::Error),
    Chunk(toc::ChunkError),
}

impl<E> From<Refused> for Error<E> {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Part(error) => Self::Part(error),
            Refused::Chunk(error) => Self::Chunk(error),
        }
    }
}

impl From<FileReader> for FileParts {
    /// Reads a file by the seek index of its layer.
    fn from(reader: FileReader) -> Self {
        Self(Parts::Spans { reader: Box::new(reader), asked: false })
    }
}

impl FileParts {
    /// Returns a reader for a part of a file, by the seek index of its layer. A part that exceeds the file is cut at
    /// its end.
    ///
    /// # Errors
    ///
    /// [`index::Error`] if no file starts at this offset of the archive, or the index cannot be read.
    pub async fn by_index(
        index: &SeekIndex<impl ReadAt>,
        content: Content,
        part: Range<u64>,
        limits: &Limits,
    ) -> Result<Self, index::Error> {
        Ok(index.open_at(content.offset, part, limits).await?.into())
    }

    /// Returns a reader for a part of a file, by the table of contents of its layer. A part that exceeds the file is
    /// cut at its end.
    ///
    /// # Errors
    ///
    /// [`toc::ChunkError`] if the table has no file at this offset.
    pub fn by_toc(toc: &Toc, content: Content, part: Range<u64>) -> Result<Self, toc::ChunkError> {
        Ok(Self(Parts::Chunks(Box::new(toc.open_at(content.offset, part)?))))
    }

    /// Reads the part and passes its bytes to `out` as they are verified, until `out` breaks or the part ends. `layer`
    /// is the descriptor of the layer, `None` for a layer that belongs to no image. Returns how many bytes of the blob
    /// were received.
    ///
    /// # Errors
    ///
    /// [`Error`]. Bytes that were passed to `out` before it are verified.
    pub async fn read<S: ImageSource>(
        mut self,
        source: &S,
        layer: Option<&Descriptor>,
        mut out: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<u64, Error<S::Error>> {
        let mut received = 0;
        let mut flow = ControlFlow::Continue(());
        while let Some(range) = self.wants() {
            let mut refused = None;
            let reading = read_range(source, layer, range.clone(), |bytes| {
                let give = &mut |part: &[u8]| {
                    if flow.is_continue() {
                        flow = out(part);
                    }
                };
                if let Err(error) = self.push(bytes, give) {
                    refused = Some(error);
                    return ControlFlow::Break(());
                }
                if self.done() { ControlFlow::Break(()) } else { flow }
            });
            received += reading.await.map_err(Error::Source)?;
            if let Some(refused) = refused {
                return Err(refused.into());
            }
            if flow.is_break() {
                return Ok(received);
            }
            if self.wants() == Some(range) {
                // The source returned nothing: `finish` reports how much is missing.
                break;
            }
        }
        self.finish(&mut |part| {
            if flow.is_continue() {
                flow = out(part);
            }
        })?;
        Ok(received)
    }

    /// Returns the next range of the blob to read.
    fn wants(&mut self) -> Option<Range<u64>> {
        match &mut self.0 {
            Parts::Spans { reader, asked } => {
                let range = (!std::mem::replace(asked, true) && !reader.done()).then(|| reader.range());
                range.filter(|range| !range.is_empty())
            }
            Parts::Chunks(reader) => reader.wants(),
        }
    }

    fn push(&mut self, bytes: &[u8], out: &mut impl FnMut(&[u8])) -> Result<(), Refused> {
        match &mut self.0 {
            Parts::Spans { reader, .. } => reader.push(bytes, out).map_err(Refused::Part),
            Parts::Chunks(reader) => reader.push(bytes, out).map_err(Refused::Chunk),
        }
    }

    fn done(&self) -> bool {
        match &self.0 {
            Parts::Spans { reader, .. } => reader.done(),
            Parts::Chunks(_) => false,
        }
    }

    fn finish(self, out: &mut impl FnMut(&[u8])) -> Result<(), Refused> {
        match self.0 {
            Parts::Spans { reader, .. } => reader.finish().map_err(Refused::Part),
            Parts::Chunks(reader) => reader.finish(out).map_err(Refused::Chunk),
        }
    }
}
