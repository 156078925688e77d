//! Keeps the contents of files until all layers are verified.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Read, Write},
    os::unix::fs::FileExt,
    path::Path,
};

use porthole_core::{
    tar::{Entry, EntrySink, Flow, Kind},
    tree::{Content, FileTree},
};

/// Contents of files in one temporary file without a name.
pub(super) struct Spool {
    out: BufWriter<File>,
    length: u64,
    /// Offset of each content in the spool, by layer and offset in the layer's archive.
    starts: HashMap<(u32, u64), u64>,
}

const BUFFER: usize = 256 << 10;

impl Spool {
    pub(super) fn new_in(directory: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(directory)?;
        Ok(Self { out: BufWriter::with_capacity(BUFFER, file), length: 0, starts: HashMap::new() })
    }

    /// Returns the sink of a layer. It adds the entries to the tree, and the contents of files to the spool.
    pub(super) fn layer<'s>(&'s mut self, tree: &'s mut FileTree, number: u32) -> Layer<'s> {
        Layer { spool: self, tree, number, error: None }
    }

    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Returns a reader from the first byte of a content to the end of the spool. The caller must stop at the content's size.
    pub(super) fn open(&self, content: Content) -> io::Result<impl Read + '_> {
        let start = self.starts.get(&(content.layer, content.offset));
        let position = *start.ok_or_else(|| io::Error::other("a file has no content (this is a bug in porthole)"))?;
        Ok(From { file: self.out.get_ref(), position })
    }
}

/// A reader of a file from a position to the end.
struct From<'f> {
    file: &'f File,
    position: u64,
}

impl Read for From<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

pub(super) struct Layer<'s> {
    spool: &'s mut Spool,
    tree: &'s mut FileTree,
    number: u32,
    error: Option<io::Error>,
}

impl Layer<'_> {
    pub(super) fn finish(self) -> io::Result<()> {
        self.error.map_or(Ok(()), Err)
    }
}

impl EntrySink for Layer<'_> {
    fn entry(&mut self, entry: Entry) -> Flow {
        if self.error.is_some() || self.tree.apply(&entry).is_err() {
            return Flow::Stop;
        }
        if entry.kind == Kind::File && entry.size > 0 {
            self.spool.starts.insert((self.number, entry.offset), self.spool.length);
            return Flow::WantData;
        }
        Flow::Continue
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.spool.length += bytes.len() as u64;
        match self.spool.out.write_all(bytes) {
            Ok(()) => Flow::Continue,
            Err(error) => {
                self.error = Some(error);
                Flow::Stop
            }
        }
    }
}
