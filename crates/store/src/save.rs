//! Archives that are written: OCI layouts in a tar, and what `docker load` reads.
//!
//! The same image gives the same bytes. Whoever writes one keeps it from sight until it is finished: an archive that was
//! cut off may look whole to some readers.

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

/// An OCI layout in a tar, being written.
pub struct OciArchive<W> {
    tar: Tar<W>,
    written: HashSet<Digest>,
}

impl<W: Write> OciArchive<W> {
    /// Starts an archive.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] of the writer.
    pub fn new(out: W) -> Result<Self, Error> {
        let mut tar = Tar { out };
        tar.file(LAYOUT_FILE, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(Self { tar, written: HashSet::new() })
    }

    /// Adds a document or a configuration, once.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] of the writer.
    pub fn document(&mut self, raw: &Raw) -> Result<(), Error> {
        if self.written.insert(*raw.digest()) {
            self.tar.file(&path(raw.digest()), raw.bytes())?;
        }
        Ok(())
    }

    /// Adds a blob, once: `read` fills a buffer with the next of its bytes and says how many, 0 at its end.
    ///
    /// # Errors
    ///
    /// What `read` says, [`Error::Mismatch`] for other bytes than the descriptor's, [`Error::Save`] of the writer.
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

    /// Whether it has a document or a blob.
    pub fn has(&self, digest: &Digest) -> bool {
        self.written.contains(digest)
    }

    /// Lists the roots, with their names if they have any, and ends the archive. Returns the writer.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] of the writer.
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

/// What `docker load` reads, being written: images one after the other, of each its configuration first.
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

    /// Begins the next image, by its configuration and names such as `nginx:1.29`. Returns `false` where the archive has an
    /// image of this configuration: that one gets the names, and no layers are wanted.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] of the writer.
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

    /// Adds the next layer of the image that was begun last, bottom first: a tar or a tar with gzip, of this digest and size.
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

    /// Lists the images and ends the archive. Returns the writer.
    ///
    /// # Errors
    ///
    /// [`Error::Save`] of the writer.
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

/// A tar of files that all belong to nobody and come from 1970.
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
