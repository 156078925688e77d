//! Where an image comes from: one type over every kind of source that this machine reads.

use crate::{
    Local,
    ahead::{Remote, RemoteBlob},
    pull::Follow,
};
use porthole_core::{
    descriptor::Descriptor,
    digest::{Digest, Mismatch},
    failure::{Classify, Failure},
    limits::Limits,
    manifest::{Document, Raw},
};
use porthole_inspect::local;
use porthole_source::{BlobStream, Capability, ImageSource, SourceKind, Unsupported};
use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    ops::Range,
    path::PathBuf,
    sync::Arc,
};

/// Where an image comes from.
///
/// Local reads block the thread that polls them. A leaf polls them on a thread of its own, as `Runtime::block_on` does, not in
/// a task of a runtime.
#[derive(Clone)]
pub enum Source {
    /// A registry. It may be the one that the image goes to.
    Registry(Remote),
    /// A layout, an archive or the store.
    Local {
        /// The layout or archive, opened.
        local: Arc<Local>,
        /// The image in it.
        root: Descriptor,
    },
    /// The blob of one layer in a file.
    Layer {
        /// Path of the blob's file.
        path: PathBuf,
        /// Limits that its readers obey.
        limits: Limits,
    },
    /// The blobs of an image while it is pulled. Its documents are known from the pull.
    Pull {
        /// The blobs that arrive.
        follow: Follow,
        /// Limits that its readers obey.
        limits: Limits,
    },
}

impl Source {
    /// Announces the order in which blobs will be read as a whole, several of them at once. A registry then sends first what
    /// is needed first.
    pub fn announce(&self, blobs: impl IntoIterator<Item = Digest>) {
        if let Self::Registry(remote) = self {
            remote.announce(blobs);
        }
    }

    fn no_documents(&self) -> Error {
        self.kind().cannot(Capability::Documents).into()
    }
}

impl ImageSource for Source {
    type Error = Error;
    type Blob = SourceBlob;

    fn kind(&self) -> SourceKind {
        match self {
            Self::Registry(_) => SourceKind::Registry,
            Self::Local { local, .. } => local.kind(),
            Self::Layer { .. } => SourceKind::Layer,
            Self::Pull { .. } => SourceKind::Pull,
        }
    }

    fn limits(&self) -> &Limits {
        match self {
            Self::Registry(remote) => remote.limits(),
            Self::Local { local, .. } => local.limits(),
            Self::Layer { limits, .. } | Self::Pull { limits, .. } => limits,
        }
    }

    fn pinned(&self) -> Option<Digest> {
        match self {
            Self::Registry(remote) => remote.pinned(),
            Self::Local { root, .. } => Some(root.digest),
            Self::Layer { .. } | Self::Pull { .. } => None,
        }
    }

    async fn root(&self) -> Result<Document, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.root().await?),
            Self::Local { local, root } => Ok(local.read_document(root)?),
            Self::Layer { .. } | Self::Pull { .. } => Err(self.no_documents()),
        }
    }

    async fn root_descriptor(&self) -> Result<Descriptor, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.root_descriptor().await?),
            _ => Ok(descriptor_of(&self.root().await?)),
        }
    }

    async fn document(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.document(descriptor).await?),
            Self::Local { local, .. } => Ok(local.read_document(descriptor)?),
            Self::Layer { .. } | Self::Pull { .. } => Err(self.no_documents()),
        }
    }

    async fn small_blob(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.small_blob(descriptor).await?),
            Self::Local { local, .. } => Ok(local.read_small(descriptor)?),
            Self::Layer { .. } | Self::Pull { .. } => Err(self.no_documents()),
        }
    }

    async fn open_blob(&self, descriptor: &Descriptor, range: Range<u64>) -> Result<SourceBlob, Error> {
        match self {
            Self::Registry(remote) => Ok(SourceBlob::Remote(remote.open(descriptor, range).await?)),
            Self::Local { local, .. } => {
                let whole = range == (0..descriptor.size);
                let (_, reader) = local.open_blob(descriptor, range.start)?;
                let reader: Box<dyn Read + Send> =
                    if whole { reader } else { Box::new(reader.take(range.end.saturating_sub(range.start))) };
                Ok(SourceBlob::file(reader, "blob"))
            }
            Self::Pull { follow, .. } if range.start == 0 => {
                Ok(SourceBlob::file(Box::new(follow.reader(&descriptor.digest)), "blob"))
            }
            Self::Pull { .. } => Err(self.kind().cannot(Capability::Ranges).into()),
            Self::Layer { .. } => self.open_bare(range).await,
        }
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.referrers(subject).await?),
            // Any of its images may refer to another one.
            Self::Local { local, .. } => Ok(local.names().into_iter().map(|(_, descriptor)| descriptor).collect()),
            Self::Layer { .. } | Self::Pull { .. } => Err(self.kind().cannot(Capability::Referrers).into()),
        }
    }

    async fn tagged(&self, tag: &str) -> Result<Option<Document>, Error> {
        match self {
            Self::Registry(remote) => Ok(remote.tagged(tag).await?),
            Self::Local { local, .. } => Ok(local.tagged(tag).map(|root| local.read_document(&root)).transpose()?),
            Self::Layer { .. } | Self::Pull { .. } => Ok(None),
        }
    }

    async fn bare_size(&self) -> Result<u64, Error> {
        match self {
            Self::Layer { path, .. } => Ok(std::fs::metadata(path).map_err(read(path))?.len()),
            _ => Err(self.kind().cannot(Capability::BareLayer).into()),
        }
    }

    async fn open_bare(&self, range: Range<u64>) -> Result<SourceBlob, Error> {
        let Self::Layer { path, .. } = self else { return Err(self.kind().cannot(Capability::BareLayer).into()) };
        let mut file = File::open(path).map_err(read(path))?;
        // A pipe can only be read from its start.
        if range.start > 0 {
            file.seek(SeekFrom::Start(range.start)).map_err(read(path))?;
        }
        Ok(SourceBlob::file(Box::new(file.take(range.end.saturating_sub(range.start))), &path.display().to_string()))
    }
}

/// The descriptor by which an index would list a document.
pub fn descriptor_of(document: &Document) -> Descriptor {
    Descriptor::new(document.media_type().clone(), *document.raw().digest(), document.raw().size())
}

/// A blob of a [`Source`], opened.
pub enum SourceBlob {
    /// Of a registry.
    Remote(RemoteBlob),
    /// In a file.
    File {
        /// The rest of the blob.
        reader: Box<dyn Read + Send>,
        /// Its name in errors.
        name: String,
    },
}

impl SourceBlob {
    fn file(reader: Box<dyn Read + Send>, name: &str) -> Self {
        Self::File { reader, name: name.to_owned() }
    }
}

impl BlobStream for SourceBlob {
    type Error = Error;

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::Remote(blob) => Ok(blob.read(buffer).await?),
            Self::File { reader, name } => loop {
                match reader.read(buffer) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    result => return result.map_err(|error| porthole_source::Error::read(name.as_str())(error).into()),
                }
            },
        }
    }

    fn overhead(&self) -> u64 {
        match self {
            Self::Remote(blob) => blob.overhead(),
            Self::File { .. } => 0,
        }
    }
}

/// Why a source cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The registry, or the connection to it, failed.
    #[error(transparent)]
    Registry(#[from] porthole_registry::Error),
    /// The store, layout or archive cannot be read, or the kind of source lacks what was asked for.
    #[error(transparent)]
    Local(#[from] local::Error),
    /// Bytes that do not match the digests of the image.
    #[error("source does not match the digests of its image: {0}")]
    Wrong(#[from] Mismatch),
}

impl From<porthole_source::Error> for Error {
    fn from(error: porthole_source::Error) -> Self {
        Self::Local(error.into())
    }
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Registry(error) => error.failure(),
            Self::Local(error) => error.failure(),
            Self::Wrong(error) => error.failure(),
        }
    }
}

impl From<Unsupported> for Error {
    fn from(unsupported: Unsupported) -> Self {
        Self::Local(unsupported.into())
    }
}

impl Error {
    /// Whether the source can be read, but lacks what was asked for.
    pub(crate) fn is_absence(&self) -> bool {
        match self {
            Self::Registry(error) => {
                matches!(error, porthole_registry::Error::NotFound { .. } | porthole_registry::Error::Foreign { .. })
            }
            Self::Local(error) => error.is_missing_blob(),
            Self::Wrong(_) => false,
        }
    }
}

fn read(path: &std::path::Path) -> impl FnOnce(io::Error) -> Error {
    let name = path.display().to_string();
    move |error| porthole_source::Error::read(name)(error).into()
}
