//! Writes archives without I/O: each step returns the next bytes of the archive.
//!
//! The bytes depend only on the images. A caller should give the file its final name only when the archive is complete: some
//! readers accept a truncated archive.

use super::MANIFEST_FILE;
use crate::{
    descriptor::Descriptor,
    digest::{Digest, Mismatch, Verifier},
    layout::{BLOBS, INDEX_FILE, LAYOUT_FILE, REF_NAME},
    manifest::Raw,
};
use serde_json::json;
use std::collections::HashSet;

const BLOCK: usize = 512;
const ZEROS: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// An OCI layout as tar, piece by piece.
#[derive(Debug, Default)]
pub struct OciPacker {
    written: HashSet<Digest>,
}

/// A docker-archive, piece by piece: one image after another, the configuration of each first.
#[derive(Debug, Default)]
pub struct DockerPacker {
    written: HashSet<String>,
    images: Vec<Packed>,
}

#[derive(Debug)]
struct Packed {
    config: String,
    tags: Vec<String>,
    layers: Vec<String>,
}

/// A blob in an archive: a tar header, the unchanged bytes, padding.
#[derive(Debug)]
pub struct PackedBlob {
    head: Vec<u8>,
    verifier: Verifier,
    size: u64,
}

impl OciPacker {
    /// Returns the first bytes of the archive: the file `oci-layout`.
    pub fn begin(&self) -> Vec<u8> {
        file(LAYOUT_FILE, br#"{"imageLayoutVersion":"1.0.0"}"#)
    }

    /// Returns the entry of a document or configuration, or no bytes if the archive has it already.
    pub fn document(&mut self, raw: &Raw) -> Vec<u8> {
        if self.written.insert(*raw.digest()) { file(&path(raw.digest()), raw.bytes()) } else { Vec::new() }
    }

    /// Starts a blob. `None`: the archive has it already.
    pub fn blob(&mut self, descriptor: &Descriptor) -> Option<PackedBlob> {
        let Descriptor { digest, size, .. } = descriptor;
        self.written.insert(*digest).then(|| PackedBlob::new(&path(digest), digest, *size))
    }

    /// Whether the archive has a document or blob.
    pub fn has(&self, digest: &Digest) -> bool {
        self.written.contains(digest)
    }

    /// Returns `index.json` with the roots and their names, then the end of the archive.
    pub fn finish(self, roots: &[(Descriptor, Option<String>)]) -> Vec<u8> {
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
        [file(INDEX_FILE, index.to_string().as_bytes()), ZEROS.to_vec()].concat()
    }
}

impl DockerPacker {
    /// Starts the next image with its configuration and names such as `nginx:1.29`. `None`: the archive has an image with
    /// this configuration; the names are added to it, and its layers must not be added again.
    pub fn image(&mut self, config: &Raw, tags: &[String]) -> Option<Vec<u8>> {
        let name = format!("{}.json", config.digest().hex());
        let (position, fresh) = match self.images.iter().position(|image| image.config == name) {
            Some(position) => (position, None),
            None => {
                let bytes = file(&name, config.bytes());
                self.images.push(Packed { config: name, tags: Vec::new(), layers: Vec::new() });
                (self.images.len() - 1, Some(bytes))
            }
        };
        for tag in tags {
            if !self.images[position].tags.contains(tag) {
                self.images[position].tags.push(tag.clone());
            }
        }
        fresh
    }

    /// Starts the next layer of the current image, bottom first: a tar archive, optionally with gzip, of this digest and
    /// size. `None`: the archive has these bytes already.
    pub fn layer(&mut self, digest: &Digest, size: u64, gzip: bool) -> Option<PackedBlob> {
        let name = format!("{}.tar{}", digest.hex(), if gzip { ".gz" } else { "" });
        if let Some(image) = self.images.last_mut() {
            image.layers.push(name.clone());
        }
        self.written.insert(name.clone()).then(|| PackedBlob::new(&name, digest, size))
    }

    /// Returns `manifest.json`, then the end of the archive.
    pub fn finish(self) -> Vec<u8> {
        let entry = |image: &Packed| json!({ "Config": image.config, "RepoTags": image.tags, "Layers": image.layers });
        let manifest: Vec<_> = self.images.iter().map(entry).collect();
        [file(MANIFEST_FILE, json!(manifest).to_string().as_bytes()), ZEROS.to_vec()].concat()
    }
}

impl PackedBlob {
    fn new(name: &str, digest: &Digest, size: u64) -> Self {
        Self { head: header(name, size), verifier: Verifier::new(digest, size), size }
    }

    /// The tar header, which precedes the bytes of the blob.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Takes the next bytes of the blob, which the archive holds unchanged.
    ///
    /// # Errors
    ///
    /// [`Mismatch`] if the blob is longer than its size.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Mismatch> {
        self.verifier.update(bytes)
    }

    /// Ends the blob. Returns the padding that follows its bytes.
    ///
    /// # Errors
    ///
    /// [`Mismatch`] if the bytes do not match size or digest: the archive is unusable.
    pub fn finish(self) -> Result<&'static [u8], Mismatch> {
        self.verifier.finish()?;
        Ok(padding(self.size))
    }
}

fn path(digest: &Digest) -> String {
    format!("{BLOBS}/{}/{}", digest.algorithm().name(), digest.hex())
}

fn file(name: &str, bytes: &[u8]) -> Vec<u8> {
    let size = bytes.len() as u64;
    [&header(name, size), bytes, padding(size)].concat()
}

fn padding(size: u64) -> &'static [u8] {
    &ZEROS[..(size.next_multiple_of(BLOCK as u64) - size) as usize]
}

/// A header of a regular file with owner 0 and time 0 (POSIX.1-1988, `ustar`), as GNU tar extends it: a name of more than
/// 100 bytes, such as that of a SHA-512 digest, is stored in an entry of its own before it; a size from 8 GiB on is in base
/// 256.
fn header(name: &str, size: u64) -> Vec<u8> {
    if name.len() <= NAME {
        return block(name, size, b'0');
    }
    let length = name.len() as u64 + 1;
    let mut bytes = block("././@LongLink", length, b'L');
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(padding(length));
    bytes.extend_from_slice(&block(&name[..NAME], size, b'0'));
    bytes
}

/// Bytes of a name that a header holds.
const NAME: usize = 100;

fn block(name: &str, size: u64, kind: u8) -> Vec<u8> {
    let mut header = vec![0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    match size {
        0..0o100_000_000_000 => put(124, format!("{size:011o}\0").as_bytes()),
        _ => {
            put(124, &[0x80, 0, 0, 0]);
            put(128, &size.to_be_bytes());
        }
    }
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header as the `tar` crate writes it.
    fn other(name: &str, size: u64) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(size);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        header.as_bytes().to_vec()
    }

    fn read(bytes: &[u8]) -> (String, u64, bool) {
        let header = tar::Header::from_byte_slice(bytes);
        let sum: u32 = (0..BLOCK).map(|at| u32::from(if (148..156).contains(&at) { b' ' } else { bytes[at] })).sum();
        let path = header.path().unwrap().display().to_string();
        (path, header.size().unwrap(), header.cksum().unwrap() == sum)
    }

    #[test]
    fn headers_are_as_another_program_reads_them() {
        let short = format!("blobs/sha256/{}", "b".repeat(64));
        for name in ["oci-layout", short.as_str(), "x.tar.gz"] {
            for size in [0, 1, 511, 0o77_777_777_777, 0o100_000_000_000, 1 << 40] {
                let header = header(name, size);
                assert_eq!(read(&header), (name.to_owned(), size, true));
                if size < 0o100_000_000_000 {
                    assert_eq!(header[..148], other(name, size)[..148], "{name} {size}");
                    assert_eq!(header[156..], other(name, size)[156..], "{name} {size}");
                }
            }
        }
    }

    #[test]
    fn a_long_name_is_read_back() {
        let name = format!("blobs/sha512/{}", "a".repeat(128));
        let bytes = [file(&name, b"blob"), ZEROS.to_vec()].concat();
        let mut archive = tar::Archive::new(&bytes[..]);
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!((entry.path().unwrap().display().to_string(), entry.size()), (name, 4));
    }

    #[test]
    fn a_wrong_byte_leaves_no_archive() {
        let digest = Digest::sha256(b"blob");
        let descriptor = Descriptor::new(crate::media_type::MediaType::parse("a/b").unwrap(), digest, 4);
        let mut packer = OciPacker::default();
        let mut blob = packer.blob(&descriptor).unwrap();
        assert_eq!(blob.head().len(), BLOCK);
        blob.push(b"blob").unwrap();
        assert_eq!(blob.finish().unwrap().len(), BLOCK - 4);
        assert!(packer.blob(&descriptor).is_none());
        let mut wrong = OciPacker::default().blob(&descriptor).unwrap();
        wrong.push(b"bloB").unwrap();
        assert!(wrong.finish().is_err());
        let mut long = OciPacker::default().blob(&descriptor).unwrap();
        assert!(long.push(b"blobs").is_err());
    }
}
