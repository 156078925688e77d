//! Images in files of this machine, read by threads that may block.

use porthole_core::{
    descriptor::Descriptor,
    limits::Limits,
    manifest::{Document, Raw},
};
use porthole_inspect::local::{Error, Images, LocalFormat};
use porthole_source::{BlobFiles, Place, ReadAt, SourceKind};
use porthole_store::{
    Layout, Store,
    disk::{self, BlockingReader, Directory, DiskFile, SpoolError, block_on},
};
use std::{fs::File, io::Read, os::unix::fs::FileTypeExt, path::Path, sync::Arc};

/// The images of a layout, an archive or the store. Every method blocks the thread.
#[derive(Clone, Debug)]
pub enum Local {
    /// A layout or an archive.
    Files(Arc<DiskImages>),
    /// The store, as it was when it was opened.
    Store(Arc<Layout>),
}

/// Name of standard input in errors.
pub const STANDARD_INPUT: &str = "standard input";

/// Images in files of this machine.
pub type DiskImages = Images<Directory, DiskFile>;

/// Opens the layout or the archive at a path, as [`Local::open_with_limits`] does.
///
/// # Errors
///
/// As [`Images::open`], and if the path cannot be opened.
pub fn open_path(path: &Path, format: Option<LocalFormat>, limits: Limits) -> Result<DiskImages, Error> {
    let name = path.display().to_string();
    // A named pipe, such as the one that `<(program)` of a shell names.
    if path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        let pipe = File::open(path).map_err(Error::read(&name))?;
        return open_stream(pipe, &name, format, limits);
    }
    let place = match disk::open(path).map_err(Error::opening(&name))? {
        Place::File(file) => Place::File(file.unpacked(&limits).map_err(|error| unspooled(&name, error))?),
        directory => directory,
    };
    block_on(Images::open(place, &name, format, limits))
}

/// Opens an archive that can be read once, from its start.
fn open_stream(
    stream: impl Read,
    name: &str,
    format: Option<LocalFormat>,
    limits: Limits,
) -> Result<DiskImages, Error> {
    let archive = disk::spool(stream, &limits).map_err(|error| unspooled(name, error))?;
    block_on(Images::open(Place::File(archive), name, format, limits))
}

fn unspooled(name: &str, error: SpoolError) -> Error {
    let name = name.to_owned();
    match error {
        SpoolError::Io(error) => Error::read(name)(error),
        SpoolError::Decode(source) => Error::Decode { name, source },
        SpoolError::Scratch { folder, source } => Error::scratch(&folder, &source),
        SpoolError::Xz { reason } => Error::Xz { name, reason },
    }
}

impl Local {
    /// Opens a layout or an archive; `format` is the one that is expected, if any. The path `-` is an archive on
    /// standard input; a named pipe is read as well. An archive that is compressed with gzip, zstd or xz is unpacked
    /// into a temporary file.
    ///
    /// # Errors
    ///
    /// As [`Images::open`], and if the path cannot be opened.
    pub fn open_with_limits(path: &Path, format: Option<LocalFormat>, limits: Limits) -> Result<Self, Error> {
        let images = if path == Path::new("-") {
            open_stream(std::io::stdin().lock(), STANDARD_INPUT, format, limits)?
        } else {
            open_path(path, format, limits)?
        };
        Ok(Self::Files(Arc::new(images)))
    }

    /// Opens the images of the store as they are now.
    ///
    /// # Errors
    ///
    /// As [`Store::local`].
    pub fn of_store(store: &Store) -> Result<Self, porthole_store::Error> {
        Ok(Self::Store(Arc::new(store.local()?)))
    }

    /// Root descriptor of the first image that has a tag.
    pub fn tagged(&self, tag: &str) -> Option<Descriptor> {
        match self {
            Self::Files(images) => images.tagged(tag),
            Self::Store(layout) => layout.tagged(tag),
        }
    }

    /// The kind of source.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Files(images) => images.kind(),
            Self::Store(layout) => layout.kind(),
        }
    }

    /// The limits that they were opened with.
    pub fn limits(&self) -> &Limits {
        match self {
            Self::Files(images) => images.limits(),
            Self::Store(layout) => BlobFiles::limits(&**layout),
        }
    }

    /// Root descriptors, each with a name where it has one; see [`Images::names`].
    pub fn names(&self) -> Vec<(Option<String>, Descriptor)> {
        match self {
            Self::Files(images) => images.names(),
            Self::Store(layout) => layout.names(),
        }
    }

    /// The root descriptor of a name; see [`Images::find`].
    ///
    /// # Errors
    ///
    /// As [`Images::find`].
    pub fn find(&self, name: Option<&str>) -> Result<Descriptor, Error> {
        match self {
            Self::Files(images) => images.find(name),
            Self::Store(layout) => Ok(layout.find(name)?),
        }
    }

    /// See [`BlobFiles::read_document`].
    ///
    /// # Errors
    ///
    /// As [`BlobFiles::read_document`].
    pub fn read_document(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        match self {
            Self::Files(images) => block_on(images.read_document(descriptor)),
            Self::Store(layout) => Ok(layout.read_document(descriptor)?),
        }
    }

    /// Reads a small blob as a whole; see [`BlobFiles::read_verified`].
    ///
    /// # Errors
    ///
    /// As [`BlobFiles::read_verified`].
    pub fn read_small(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        match self {
            Self::Files(images) => block_on(images.read_small(descriptor)),
            Self::Store(layout) => Ok(layout.read_small(descriptor)?),
        }
    }

    /// Opens a blob, which may be embedded in its descriptor. Returns its size in bytes, and a reader from `offset` to
    /// the end of the blob. The bytes are not verified.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is missing, or ends before `offset`.
    pub fn open_blob(&self, descriptor: &Descriptor, offset: u64) -> Result<(u64, Box<dyn Read + Send>), Error> {
        match self {
            Self::Files(images) => reader(block_on(images.open_bytes(descriptor))?, offset),
            Self::Store(layout) => reader(block_on(layout.open_bytes(descriptor))?, offset),
        }
    }
}

fn reader(file: impl ReadAt + Send + 'static, offset: u64) -> Result<(u64, Box<dyn Read + Send>), Error> {
    let size = file.size();
    if offset > size {
        return Err(porthole_source::Error::Offset { size, offset }.into());
    }
    Ok((size, Box::new(BlockingReader::new(file, offset))))
}
