//! Images of this machine into archives.

use crate::{BlobProgress, Local, TransferObserver, copy, pull::Platforms};
use porthole_core::{
    decode::MIN_OUTPUT,
    descriptor::Descriptor,
    digest::{Digest, Hasher, Mismatch},
    failure::{Classify, Failure},
    image::{self, Image, Layer},
    limits::Limits,
    manifest::Document,
};
use porthole_inspect::{
    local,
    save::{self, DockerLayer, LayerUnpacker},
};
use porthole_store::{DockerArchive, OciArchive};
use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::Path,
};

/// Why an archive is not complete.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source cannot be read, or is not what it says.
    #[error(transparent)]
    Copy(#[from] copy::Error),
    /// The image is not one that the archive can hold.
    #[error(transparent)]
    Save(#[from] save::Error),
    /// The image's documents contradict each other.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// A layer that is unpacked for the archive cannot be written to a scratch file.
    #[error("cannot write `{path}`: {source}")]
    Scratch {
        /// The folder for scratch files.
        path: String,
        /// What the operating system reported.
        source: io::Error,
    },
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Copy(error) => error.failure(),
            Self::Save(error) => error.failure(),
            Self::Image(error) => error.failure(),
            Self::Scratch { .. } => Failure::machine(),
        }
    }
}

impl From<local::Error> for Error {
    fn from(error: local::Error) -> Self {
        Self::Copy(error.into())
    }
}

impl From<porthole_store::Error> for Error {
    fn from(error: porthole_store::Error) -> Self {
        Self::Copy(error.into())
    }
}

/// An image of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'l> {
    /// Where it is.
    pub local: &'l Local,
    /// Root descriptor of the image that is saved.
    pub root: &'l Descriptor,
}

impl Stored<'_> {
    /// Reports the blobs that an archive of these images will hold, as one [plan](crate::TransferEvent::Plan) for each image.
    ///
    /// # Errors
    ///
    /// [`Error`] if the documents of an image cannot be read.
    pub fn announce<'l>(
        images: impl IntoIterator<Item = Stored<'l>>,
        platforms: &Platforms,
        observer: &TransferObserver,
    ) -> Result<(), Error> {
        for image in images {
            let (plan, _) = copy::plan(image.local, image.root, platforms)?;
            observer.plan(plan.blobs.iter().chain(&plan.foreign));
        }
        Ok(())
    }
}

/// An OCI layout in a tar, being written: every byte as it is.
pub struct Oci<'a, W> {
    archive: OciArchive<W>,
    roots: Vec<(Descriptor, Option<String>)>,
    observer: &'a TransferObserver,
}

impl<'a, W: Write> Oci<'a, W> {
    /// Starts an archive.
    ///
    /// # Errors
    ///
    /// [`Error`] of the writer.
    pub fn new(out: W, observer: &'a TransferObserver) -> Result<Self, Error> {
        Ok(Self { archive: OciArchive::new(out)?, roots: Vec::new(), observer })
    }

    /// Adds an image, by a name if it has one. Returns the root, and how many documents of its index the source lacks, which
    /// are not in the archive either.
    ///
    /// # Errors
    ///
    /// [`Error`]. Blobs are verified on the way; an incomplete archive is unusable.
    pub fn image(
        &mut self,
        image: Stored<'_>,
        platforms: &Platforms,
        name: Option<&str>,
    ) -> Result<(Descriptor, usize), Error> {
        let (plan, missing) = copy::plan(image.local, image.root, platforms)?;
        for document in &plan.documents {
            self.archive.document(document.raw())?;
        }
        for blob in plan.blobs.iter().chain(&plan.foreign) {
            if self.archive.has(&blob.digest) {
                continue;
            }
            let mut watched = match Watched::open(image.local, blob, self.observer) {
                Err(Error::Copy(copy::Error::Local(error)))
                    if error.is_missing_blob() && blob.media_type.is_nondistributable() =>
                {
                    self.observer.blob(blob.digest, blob.size, BlobProgress::Skipped);
                    continue;
                }
                watched => watched?,
            };
            self.archive.blob(blob, |buffer| watched.read(buffer))?;
            watched.done();
        }
        self.roots.push((plan.root.clone(), name.map(str::to_owned)));
        Ok((plan.root, missing))
    }

    /// Ends the archive.
    ///
    /// # Errors
    ///
    /// [`Error`] of the writer.
    pub fn finish(self) -> Result<(), Error> {
        self.archive.finish(&self.roots)?;
        Ok(())
    }
}

/// Images of one archive for Docker, being written.
pub struct Docker<'a, W> {
    archive: DockerArchive<W>,
    /// Where layers are unpacked that Docker archives cannot hold as they are.
    scratch: &'a Path,
    limits: &'a Limits,
    observer: &'a TransferObserver,
}

impl<'a, W: Write> Docker<'a, W> {
    /// Starts an archive; layers with zstd are unpacked in the folder `scratch`, without a name.
    pub fn new(out: W, scratch: &'a Path, limits: &'a Limits, observer: &'a TransferObserver) -> Self {
        Self { archive: DockerArchive::new(out), scratch, limits, observer }
    }

    /// Adds the image for a platform, by names such as `nginx:1.29`: its configuration byte for byte, and its layers as they
    /// are where they are plain or have gzip. Other layers are unpacked, because not all that load such archives know zstd; the
    /// diff_ids stay the same. Returns the manifest that was chosen.
    ///
    /// # Errors
    ///
    /// [`Error`]. Blobs are verified on the way; an incomplete archive is unusable.
    pub fn image(&mut self, image: Stored<'_>, platforms: &Platforms, tags: &[String]) -> Result<Descriptor, Error> {
        let (plan, _) = copy::plan(image.local, image.root, platforms)?;
        let Some(Document::Manifest(manifest)) =
            plan.documents.into_iter().find(|document| *document.raw().digest() == plan.root.digest)
        else {
            return Err(save::Error::Artifact.into());
        };
        let config = image.local.read_small(&manifest.value.config)?;
        let whole = Image::assemble_with_limits(manifest, config, self.limits)?;
        let layers = save::docker_layers(&whole)?;
        if !self.archive.image(&whole.config_raw, tags)? {
            return Ok(plan.root);
        }
        self.observer.blob(*whole.config_raw.digest(), whole.config_raw.size(), BlobProgress::Done);
        for (layer, held) in layers {
            let Descriptor { digest, size, .. } = layer.descriptor;
            let mut watched = Watched::open(image.local, &layer.descriptor, self.observer)?;
            match held {
                DockerLayer::Unpacked => {
                    let (mut unpacked, digest, size) = self.unpack(layer, &mut watched)?;
                    let scratch = self.scratch;
                    let read = |buffer: &mut [u8]| unpacked.read(buffer).map_err(|error| unusable(scratch, error));
                    self.archive.layer(&digest, size, false, read)?;
                }
                DockerLayer::Kept { gzip } => {
                    self.archive.layer(&digest, size, gzip, |buffer| watched.read(buffer))?;
                }
            }
            watched.done();
        }
        Ok(plan.root)
    }

    /// Ends the archive.
    ///
    /// # Errors
    ///
    /// [`Error`] of the writer.
    pub fn finish(self) -> Result<(), Error> {
        self.archive.finish()?;
        Ok(())
    }

    /// The unpacked archive of a layer in a file without a name, its digest and its size.
    fn unpack(&self, layer: &Layer, reader: &mut Watched<'_>) -> Result<(File, Digest, u64), Error> {
        let mut unpacker = LayerUnpacker::new(layer, self.limits);
        let mut hasher = Hasher::new(layer.diff_id.unwrap_or(layer.descriptor.digest).algorithm());
        let mut file = tempfile::tempfile_in(self.scratch).map_err(|error| unusable(self.scratch, error))?;
        let (mut input, mut size) = (vec![0; MIN_OUTPUT], 0);
        loop {
            let length = reader.read(&mut input)?;
            if length == 0 {
                break;
            }
            let mut rest = &input[..length];
            unpacker.verify(rest)?;
            while let Some(unpacked) = unpacker.next(&mut rest) {
                size += unpacked.len() as u64;
                hasher.update(unpacked);
                file.write_all(unpacked).map_err(|error| unusable(self.scratch, error))?;
            }
        }
        let got = hasher.finish();
        if let Some(expected) = layer.diff_id.filter(|expected| *expected != got) {
            unpacker.refute(Mismatch::Digest { expected, got });
        }
        unpacker.finish()?;
        file.rewind().map_err(|error| unusable(self.scratch, error))?;
        Ok((file, got, size))
    }
}

fn unusable(scratch: &Path, source: io::Error) -> Error {
    Error::Scratch { path: scratch.display().to_string(), source }
}

/// A blob that is read, with its progress reported.
struct Watched<'o> {
    reader: Box<dyn Read + Send>,
    digest: Digest,
    size: u64,
    observer: &'o TransferObserver,
}

impl<'o> Watched<'o> {
    fn open(local: &Local, blob: &Descriptor, observer: &'o TransferObserver) -> Result<Self, Error> {
        let (_, reader) = local.open_blob(blob, 0)?;
        let Descriptor { digest, size, .. } = *blob;
        observer.blob(digest, size, BlobProgress::Started { kept: 0 });
        Ok(Self { reader, digest, size, observer })
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(copy::Error::Read(error).into()),
                Ok(read) => {
                    self.observer.blob(self.digest, self.size, BlobProgress::Moved { bytes: read as u64 });
                    return Ok(read);
                }
            }
        }
    }

    fn done(self) {
        self.observer.blob(self.digest, self.size, BlobProgress::Done);
    }
}
