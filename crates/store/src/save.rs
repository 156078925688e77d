//! Writes archives: OCI layouts as tar, and docker-archives for `docker load`.
//!
//! The output is deterministic. The caller should write to a temporary file and rename it: some readers accept a
//! truncated archive.

use crate::Error;
use porthole_core::{
    archive::MANIFEST_FILE,
    descriptor::Descriptor,
    digest::{Digest, Verifier},
    layout::{BLOBS, INDEX_FILE, LAYOUT_FILE, REF_NAME},
    manifest::Raw,
};
use serde_json::json;
use std::{collections::HashSet, io::Write};

const BUFFER: usize = 256 << 10;
const BLOCK: usize = 512;

/// Writer of an OCI layout as tar.
pub struct OciArchive<W> {
    tar: Tar<W>,
    written: HashSet<Digest>,
}

impl<W: Write> OciArchive<W> {
    /// Starts an archive.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] from the writer.
    pub fn new(out: W) -> Result<Self, Error> {
        let mut tar = Tar { out };
        tar.file(LAYOUT_FILE, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(Self { tar, written: HashSet::new() })
    }

    /// Adds a document or configuration, unless the archive has it.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] from the writer.
    pub fn document(&mut self, raw: &Raw) -> Result<(), Error> {
        if self.written.insert(*raw.digest()) {
            self.tar.file(&path(raw.digest()), raw.bytes())?;
        }
        Ok(())
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
        if !self.written.insert(descriptor.digest) {
            return Ok(());
        }
        self.tar.verified(&path(&descriptor.digest), &descriptor.digest, descriptor.size, read)
    }

    /// Whether the archive has a document or blob.
    pub fn has(&self, digest: &Digest) -> bool {
        self.written.contains(digest)
    }

    /// Writes `index.json` with the roots and their names, ends the archive and returns the writer.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] from the writer.
    pub fn finish(mut self, roots: &[(Descriptor, Option<String>)]) -> Result<W, Error> {
        let entry = |(root, name): &(Descriptor, Option<String>)| {
            let mut entry = json!({
                "mediaType": root.media_type.as_str(),
                "digest": root.digest.to_string(),
                "size": root.size,
            });
            if let Some(name) = name {
                entry["annotations"] = json!({ REF_NAME: name });
            }
            entry
        };
        let entries: Vec<_> = roots.iter().map(entry).collect();
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": entries });
        self.tar.file(INDEX_FILE, index.to_string().as_bytes())?;
        self.tar.finish()
    }
}

/// Writer of a docker-archive: one image after another, the configuration of each first.
pub struct DockerArchive<W> {
    tar: Tar<W>,
    written: HashSet<String>,
    images: Vec<Archived>,
}

struct Archived {
    config: String,
    tags: Vec<String>,
    layers: Vec<String>,
}

impl<W: Write> DockerArchive<W> {
    /// Starts an archive without images.
    pub fn new(out: W) -> Self {
        Self { tar: Tar { out }, written: HashSet::new(), images: Vec::new() }
    }

    /// Starts the next image with its configuration and names such as `nginx:1.29`. Returns `false` if the archive has
    /// an image with this configuration: the names are added to it, and its layers must not be added again.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] from the writer.
    pub fn image(&mut self, config: &Raw, tags: &[String]) -> Result<bool, Error> {
        let config_name = format!("{}.json", config.digest().hex());
        let (position, fresh) = match self.images.iter().position(|image| image.config == config_name) {
            Some(position) => (position, false),
            None => {
                self.tar.file(&config_name, config.bytes())?;
                self.images.push(Archived { config: config_name, tags: Vec::new(), layers: Vec::new() });
                (self.images.len() - 1, true)
            }
        };
        for tag in tags {
            if !self.images[position].tags.contains(tag) {
                self.images[position].tags.push(tag.clone());
            }
        }
        Ok(fresh)
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
        let name = format!("{}.tar{}", digest.hex(), if gzip { ".gz" } else { "" });
        if let Some(image) = self.images.last_mut() {
            image.layers.push(name.clone());
        }
        if self.written.insert(name.clone()) { self.tar.verified(&name, digest, size, read) } else { Ok(()) }
    }

    /// Writes `manifest.json`, ends the archive and returns the writer.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] from the writer.
    pub fn finish(mut self) -> Result<W, Error> {
        let entry =
            |image: &Archived| json!({ "Config": image.config, "RepoTags": image.tags, "Layers": image.layers });
        let manifest: Vec<_> = self.images.iter().map(entry).collect();
        self.tar.file(MANIFEST_FILE, json!(manifest).to_string().as_bytes())?;
        self.tar.finish()
    }
}

fn path(digest: &Digest) -> String {
    format!("{BLOBS}/{}/{}", digest.algorithm().name(), digest.hex())
}

/// Tar writer for files with owner 0 and time 0.
struct Tar<W> {
    out: W,
}

impl<W: Write> Tar<W> {
    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.header(name, bytes.len() as u64)?;
        self.out.write_all(bytes).map_err(Error::Save)?;
        self.pad(bytes.len() as u64)
    }

    fn verified<E: From<Error>>(
        &mut self,
        name: &str,
        digest: &Digest,
        size: u64,
        mut read: impl FnMut(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        self.header(name, size)?;
        let mut verifier = Verifier::new(digest, size);
        let mut buffer = vec![0; BUFFER];
        loop {
            match read(&mut buffer)? {
                0 => break,
                length => {
                    let bytes = &buffer[..length];
                    verifier.update(bytes).map_err(Error::Mismatch)?;
                    self.out.write_all(bytes).map_err(Error::Save)?;
                }
            }
        }
        verifier.finish().map_err(Error::Mismatch)?;
        Ok(self.pad(size)?)
    }

    fn header(&mut self, name: &str, size: u64) -> Result<(), Error> {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).map_err(Error::Save)?;
        header.set_mode(0o644);
        header.set_size(size);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        self.out.write_all(header.as_bytes()).map_err(Error::Save)
    }

    fn pad(&mut self, size: u64) -> Result<(), Error> {
        let rest = size.next_multiple_of(BLOCK as u64) - size;
        self.out.write_all(&[0; BLOCK][..rest as usize]).map_err(Error::Save)
    }

    fn finish(mut self) -> Result<W, Error> {
        self.out.write_all(&[0; 2 * BLOCK]).map_err(Error::Save)?;
        self.out.flush().map_err(Error::Save)?;
        Ok(self.out)
    }
}
