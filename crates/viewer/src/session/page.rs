//! The image that is part of a front end: an OCI layout in one tar, read as if it came from a registry.

use crate::router::SAMPLE;
use porthole_core::{
    descriptor::Descriptor,
    digest::{Digest, Mismatch},
    image::Image,
    limits::Limits,
    manifest::{Document, Parsed, Raw},
    media_type::MediaType,
    platform::{self, Platform},
    reference::Reference,
    tar::{Entry, EntrySink, Flow, Scanner},
};
use porthole_registry::{
    Error,
    client::{Resolved, Step},
    error::Subject,
};
use std::collections::HashMap;

/// An OCI layout in memory.
#[derive(Clone, Debug, Default)]
pub struct Page {
    files: HashMap<Vec<u8>, Vec<u8>>,
}

impl Page {
    /// Reads a tar. It is part of the program, so an archive that is broken has no error of its own: its blobs are not found, or
    /// do not match their digests.
    pub fn read(archive: &[u8]) -> Self {
        let mut files = Files::default();
        let _ = Scanner::new(&Limits::default()).push(archive, &mut files);
        Self { files: files.files }
    }

    /// From the reference to the config, with the same steps as the client of a registry.
    pub(super) fn resolve(
        &self,
        reference: &Reference,
        platform: &Platform,
        observe: &mut dyn FnMut(Step),
    ) -> Result<Resolved, Error> {
        let root = self.root(reference)?;
        let document = self.document(&root)?;
        observe(Step::Document(document.clone()));
        let (index, chosen, manifest) = match document {
            Document::Manifest(manifest) => (None, None, manifest),
            Document::Index(index) => {
                let chosen = platform::select(&index.value.manifests, platform)?.clone();
                observe(Step::Chosen(chosen.clone()));
                let manifest = self.manifest(&chosen)?;
                (Some(Document::Index(index)), Some(chosen), manifest)
            }
        };
        observe(Step::Manifest(Document::Manifest(manifest.clone())));
        let config = self.raw(&manifest.value.config)?;
        observe(Step::Config(config.clone()));
        let image = Image::assemble(manifest, config)?;
        Ok(Resolved { index, chosen, image })
    }

    /// Bytes of a blob, as they are.
    pub(super) fn blob(&self, digest: &Digest) -> Option<&[u8]> {
        let algorithm = digest.to_string();
        let (algorithm, hex) = algorithm.split_once(':')?;
        self.files.get(format!("blobs/{algorithm}/{hex}").as_bytes()).map(Vec::as_slice)
    }

    fn root(&self, reference: &Reference) -> Result<Descriptor, Error> {
        let missing = || not_found("manifest", reference.to_string());
        let index = self.files.get(b"index.json".as_slice()).ok_or_else(missing)?;
        let index = parse(Raw::trust_on_first_use(index.clone()), &MediaType::OCI_INDEX)?;
        let Document::Index(index) = index else { return Err(missing()) };
        let wanted = |descriptor: &&Descriptor| match reference.digest() {
            Some(digest) => descriptor.digest == *digest,
            None => descriptor.annotations.get(REF_NAME).is_some_and(|name| names(name, reference)),
        };
        index.value.manifests.iter().find(wanted).cloned().ok_or_else(missing)
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        parse(self.raw(descriptor)?, &descriptor.media_type)
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Parsed<porthole_core::manifest::Manifest>, Error> {
        match self.document(descriptor)? {
            Document::Manifest(manifest) => Ok(manifest),
            Document::Index(_) => Err(not_found("manifest", descriptor.digest.to_string())),
        }
    }

    fn raw(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        let digest = || descriptor.digest.to_string();
        let bytes = self.blob(&descriptor.digest).ok_or_else(|| not_found("blob", digest()))?;
        let wrong = |mismatch: Mismatch| Error::Mismatch { what: Subject::new("blob", digest()), mismatch };
        Raw::verify(bytes.to_vec(), &descriptor.digest, Some(descriptor.size)).map_err(wrong)
    }
}

fn parse(raw: Raw, media_type: &MediaType) -> Result<Document, Error> {
    let what = Subject::new("manifest", raw.digest().to_string());
    Document::parse(raw, Some(media_type.as_str())).map_err(|error| Error::Document { what, error })
}

fn not_found(step: &'static str, name: String) -> Error {
    Error::NotFound { registry: SAMPLE.into(), what: Subject::new(step, name) }
}

/// A whole reference, or only a tag.
fn names(name: &str, reference: &Reference) -> bool {
    Some(name) == reference.tag() || name.parse::<Reference>().is_ok_and(|named| named == *reference)
}

const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Keeps the content of every file.
#[derive(Default)]
struct Files {
    files: HashMap<Vec<u8>, Vec<u8>>,
    path: Vec<u8>,
    bytes: Vec<u8>,
}

impl EntrySink for Files {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.path = porthole_core::path::clean(&entry.path);
        Flow::WantData
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.bytes.extend_from_slice(bytes);
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        self.files.insert(std::mem::take(&mut self.path), std::mem::take(&mut self.bytes));
    }
}
