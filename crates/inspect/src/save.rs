//! The layers of an archive of an image, and the reasons why an image cannot be saved as one. Every front end uses it.
//!
//! [`core::archive::write`](porthole_core::archive::write) lays out the bytes of an archive. This module decides how it holds each layer.

use porthole_core::{
    decode::{self, Unpacker},
    descriptor::Descriptor,
    digest::{Digest, Mismatch, Verifier},
    failure::{Blame, Classify, Failure, FailureClass},
    image::{self, Image, Layer},
    layer::NamedLayer,
    limits::Limits,
    media_type::{Compression, MediaType, Role},
};

/// Why an image cannot be saved as an archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image's documents contradict each other.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// It is not an image of a container.
    #[error("a Docker archive holds images, and this is an artifact: an OCI archive holds anything")]
    Artifact,
    /// A layer is not an archive of files, or one that cannot be read.
    #[error("layer {layer} {}: it is {media_type}", media_type.unreadable().unwrap_or("holds no files"))]
    NoFiles {
        /// Its number and the digest of its blob.
        layer: NamedLayer,
        /// Its media type.
        media_type: MediaType,
    },
    /// The blob of a layer has other bytes than its descriptor says.
    #[error("blob {digest} does not match its descriptor: {mismatch}")]
    Blob {
        /// Digest of the descriptor.
        digest: Digest,
        /// The expected and the actual digest or size.
        mismatch: Mismatch,
    },
    /// A layer cannot be unpacked.
    #[error("layer {layer}: {error}")]
    Decode {
        /// Its number and the digest of its blob.
        layer: NamedLayer,
        /// Why its bytes cannot be decompressed.
        error: decode::Error,
    },
    /// The unpacked layer does not match its diff_id.
    #[error("layer {layer} does not unpack to its diff_id: {mismatch}")]
    DiffId {
        /// Its number and the digest of its blob.
        layer: NamedLayer,
        /// The expected and the actual digest or size.
        mismatch: Mismatch,
    },
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Image(error) => error.failure(),
            Self::Artifact => Failure::input(),
            Self::NoFiles { .. } => Failure::new(FailureClass::Other, Blame::Image),
            Self::Blob { mismatch, .. } => mismatch.failure(),
            Self::Decode { layer, error } => error.failure().in_layer(*layer),
            Self::DiffId { layer, mismatch } => mismatch.failure().in_layer(*layer),
        }
    }
}

/// How a docker-archive holds a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DockerLayer {
    /// Byte for byte: a tar, or one with gzip.
    Kept {
        /// Whether it has gzip.
        gzip: bool,
    },
    /// As the unpacked tar, whose digest is the diff_id: some programs that load such archives do not support zstd.
    Unpacked,
}

impl DockerLayer {
    /// How a docker-archive holds a layer.
    ///
    /// # Errors
    ///
    /// [`Error::NoFiles`].
    pub fn of(layer: &Layer) -> Result<Self, Error> {
        let media_type = &layer.descriptor.media_type;
        match media_type.role() {
            Role::Layer(Compression::Zstd) => Ok(Self::Unpacked),
            Role::Layer(compression) => Ok(Self::Kept { gzip: compression == Compression::Gzip }),
            _ => Err(Error::NoFiles { layer: layer.named(), media_type: media_type.clone() }),
        }
    }
}

/// The layers of an image that a docker-archive can hold, bottom first.
///
/// # Errors
///
/// [`Error`], before any layer is read.
pub fn docker_layers(image: &Image) -> Result<Vec<(&Layer, DockerLayer)>, Error> {
    if !image.is_image() {
        return Err(Error::Artifact);
    }
    image.unpackable()?;
    image.layers.iter().map(|layer| Ok((layer, DockerLayer::of(layer)?))).collect()
}

/// Unpacks a layer that is compressed with zstd, and verifies its blob at the same time. The caller checks the diff_id.
///
/// After a failure to decode, the rest of the blob is only hashed. If the blob then does not match its digest, that is the error: it
/// explains the failure.
pub struct LayerUnpacker {
    layer: NamedLayer,
    digest: Digest,
    verifier: Verifier,
    unpacker: Unpacker,
    failure: Option<Error>,
}

impl LayerUnpacker {
    /// Begins a layer.
    pub fn new(layer: &Layer, limits: &Limits) -> Self {
        let Descriptor { digest, size, .. } = layer.descriptor;
        Self {
            layer: layer.named(),
            digest,
            verifier: Verifier::new(&digest, size),
            unpacker: Unpacker::new(Compression::Zstd, limits),
            failure: None,
        }
    }

    /// Hashes the next bytes of the blob, which are then given to [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// [`Error::Blob`] if there are more of them than the descriptor says.
    pub fn verify(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let digest = self.digest;
        self.verifier.update(bytes).map_err(|mismatch| Error::Blob { digest, mismatch })
    }

    /// Takes bytes from the front of `input`, and returns what they unpack to. `None` = more of the blob is needed.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<&[u8]> {
        if self.failure.is_some() {
            return None;
        }
        match self.unpacker.next(input) {
            Ok(unpacked) => unpacked,
            Err(error) => {
                self.failure = Some(Error::Decode { layer: self.layer, error });
                None
            }
        }
    }

    /// Notes that the unpacked bytes do not match the diff_id.
    pub fn refute(&mut self, mismatch: Mismatch) {
        let layer = self.layer;
        self.failure.get_or_insert(Error::DiffId { layer, mismatch });
    }

    /// Ends the blob.
    ///
    /// # Errors
    ///
    /// [`Error::Blob`] if the blob does not match its descriptor; otherwise the error that stopped the unpacking.
    pub fn finish(self) -> Result<(), Error> {
        let Self { layer, digest, verifier, unpacker, failure } = self;
        verifier.finish().map_err(|mismatch| Error::Blob { digest, mismatch })?;
        failure.map_or(Ok(()), Err)?;
        unpacker.finish().map_err(|error| Error::Decode { layer, error })
    }
}
