//! Writes archives: OCI layouts as tar, and docker-archives for `docker load`.
//!
//! The same image always gives the same bytes. The caller should write to a temporary file and rename it: some readers accept
//! a truncated archive.

use crate::Error;
use porthole_core::{
    archive::write::{DockerPacker, OciPacker, PackedBlob},
    descriptor::Descriptor,
    digest::Digest,
    manifest::Raw,
};
use std::io::Write;

const BUFFER: usize = 256 << 10;

/// Writer of an OCI layout as tar.
pub struct OciArchive<W> {
    out: W,
    packer: OciPacker,
}

impl<W: Write> OciArchive<W> {
    /// Starts an archive.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] from the writer.
    pub fn new(mut out: W) -> Result<Self, Error> {
        let packer = OciPacker::default();
        out.write_all(&packer.begin()).map_err(Error::Save)?;
        Ok(Self { out, packer })
    }

    /// Adds a document or configuration, unless the archive has it.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] from the writer.
    pub fn document(&mut self, raw: &Raw) -> Result<(), Error> {
        self.out.write_all(&self.packer.document(raw)).map_err(Error::Save)
    }

    /// Adds a blob, unless the archive has it. `read` fills a buffer and returns the number of bytes, 0 at the end.
    ///
    /// # Errors
    ///
    /// Errors of `read`, [`Error::Mismatch`] if the bytes do not match the descriptor, [`Error::Save`] from the writer.
    pub fn blob<E: From<Error>>(
        &mut self,
        descriptor: &Descriptor,
        read: impl FnMut(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        self.packer.blob(descriptor).map_or(Ok(()), |blob| write_blob(&mut self.out, blob, read))
    }

    /// Whether the archive has a document or blob.
    pub fn has(&self, digest: &Digest) -> bool {
        self.packer.has(digest)
    }

    /// Writes `index.json` with the roots and their names, ends the archive and returns the writer.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] from the writer.
    pub fn finish(self, roots: &[(Descriptor, Option<String>)]) -> Result<W, Error> {
        end(self.out, &self.packer.finish(roots))
    }
}

/// Writer of a docker-archive: one image after another, the configuration of each first.
pub struct DockerArchive<W> {
    out: W,
    packer: DockerPacker,
}

impl<W: Write> DockerArchive<W> {
    /// Starts an archive without images.
    pub fn new(out: W) -> Self {
        Self { out, packer: DockerPacker::default() }
    }

    /// Starts the next image with its configuration and names such as `nginx:1.29`. Returns `false` if the archive already
    /// has an image with this configuration: then adds the names to that image, and the caller must not add its layers again.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] from the writer.
    pub fn image(&mut self, config: &Raw, tags: &[String]) -> Result<bool, Error> {
        let Some(bytes) = self.packer.image(config, tags) else { return Ok(false) };
        self.out.write_all(&bytes).map_err(Error::Save)?;
        Ok(true)
    }

    /// Adds the next layer of the current image, bottom first: a tar, optionally with gzip, with this digest and size.
    /// `read` is as in [`OciArchive::blob`].
    ///
    /// # Errors
    ///
    /// As [`OciArchive::blob`].
    pub fn layer<E: From<Error>>(
        &mut self,
        digest: &Digest,
        size: u64,
        gzip: bool,
        read: impl FnMut(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        self.packer.layer(digest, size, gzip).map_or(Ok(()), |blob| write_blob(&mut self.out, blob, read))
    }

    /// Writes `manifest.json`, ends the archive and returns the writer.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] from the writer.
    pub fn finish(self) -> Result<W, Error> {
        end(self.out, &self.packer.finish())
    }
}

fn write_blob<E: From<Error>>(
    out: &mut impl Write,
    mut blob: PackedBlob,
    mut read: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> Result<(), E> {
    out.write_all(blob.head()).map_err(Error::Save)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match read(&mut buffer)? {
            0 => break,
            length => {
                let bytes = &buffer[..length];
                blob.push(bytes).map_err(Error::Mismatch)?;
                out.write_all(bytes).map_err(Error::Save)?;
            }
        }
    }
    let padding = blob.finish().map_err(Error::Mismatch)?;
    Ok(out.write_all(padding).map_err(Error::Save)?)
}

fn end<W: Write>(mut out: W, bytes: &[u8]) -> Result<W, Error> {
    out.write_all(bytes).map_err(Error::Save)?;
    out.flush().map_err(Error::Save)?;
    Ok(out)
}
