//! Images in files of this machine, read by threads that may block.

use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    limits::Limits,
    manifest::{Document, Raw},
};
use porthole_inspect::local::{Error, Images, LocalFormat};
use porthole_source::{Place, ReadAt};
use porthole_store::{
    Store,
    disk::{self, BlockingReader, Directory, DiskFile, SpoolError, block_on},
};
use std::{io::Read, path::Path, sync::Arc};

/// The images of a layout, an archive or the store. Every method blocks the thread.
#[derive(Clone, Debug)]
pub struct Local(Arc<DiskImages>);

/// Images in files of this machine.
pub type DiskImages = Images<Directory, DiskFile>;

/// Opens the layout or the archive at a path, as [`Local::open_within`] does.
///
/// # Errors
///
/// As [`Images::open`], and if the path cannot be opened.
pub fn open_path(path: &Path, format: Option<LocalFormat>, limits: Limits) -> Result<DiskImages, Error> {
    let name = path.display().to_string();
    let place = match disk::open(path).map_err(Error::opening(&name))? {
        Place::File(file) => Place::File(file.unpacked(&limits).map_err(|error| unspooled(&name, error))?),
        directory => directory,
    };
    block_on(Images::open(place, &name, format, limits))
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
    /// Opens a layout or an archive, of this format if one is expected. The path `-` is an archive on standard input. An archive
    /// that is compressed with gzip, zstd or xz is unpacked into a temporary file.
    ///
    /// # Errors
    ///
    /// As [`Images::open`], and if the path cannot be opened.
    pub fn open_within(path: &Path, format: Option<LocalFormat>, limits: Limits) -> Result<Self, Error> {
        let images = if path == Path::new("-") {
            let name = "standard input";
            let archive = disk::spool(std::io::stdin().lock(), &limits).map_err(|error| unspooled(name, error))?;
            block_on(Images::open(Place::File(archive), name, format, limits))?
        } else {
            open_path(path, format, limits)?
        };
        Ok(Self(Arc::new(images)))
    }

    /// The images of the store as they are now.
    ///
    /// # Errors
    ///
    /// As [`open_within`](Self::open_within).
    pub fn of_store(store: &Store) -> Result<Self, Error> {
        Self::open_within(store.path(), Some(LocalFormat::OciLayout), *store.limits())
    }

    /// The images, for what reads them through [`ImageSource`](porthole_source::ImageSource).
    pub fn images(&self) -> &Arc<DiskImages> {
        &self.0
    }

    /// The limits that they were opened with.
    pub fn limits(&self) -> &Limits {
        self.0.limits()
    }

    /// See [`Images::names`].
    pub fn names(&self) -> Vec<(Option<String>, Descriptor)> {
        self.0.names()
    }

    /// See [`Images::find`].
    ///
    /// # Errors
    ///
    /// As [`Images::find`].
    pub fn find(&self, name: Option<&str>) -> Result<Descriptor, Error> {
        self.0.find(name)
    }

    /// See [`Images::read_document`].
    ///
    /// # Errors
    ///
    /// As [`Images::read_document`].
    pub fn read_document(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        block_on(self.0.read_document(descriptor))
    }

    /// See [`Images::read_small`].
    ///
    /// # Errors
    ///
    /// As [`Images::read_small`].
    pub fn read_small(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        block_on(self.0.read_small(descriptor))
    }

    /// Opens a blob: its size in bytes, and a reader that starts at `offset` and ends with the blob. What it reads has not
    /// been verified.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is missing, or ends before `offset`.
    pub fn open_blob(&self, digest: &Digest, offset: u64) -> Result<(u64, Box<dyn Read + Send>), Error> {
        let file = block_on(self.0.open_blob(digest))?;
        let size = file.size();
        if offset > size {
            return Err(porthole_source::Error::Offset { size, offset }.into());
        }
        Ok((size, Box::new(BlockingReader::new(file, offset))))
    }
}
