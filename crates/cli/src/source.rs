//! Where images come from: a registry, a file or directory, or a bare layer.

mod blob;
mod range;
mod spec;

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use porthole_core::{
    descriptor::Descriptor,
    image::Image,
    limits::Limits,
    manifest::Document,
    platform::{self, NoMatch, Platform},
    reference::Reference,
};
use porthole_registry::client::{Resolved, Step};
use porthole_transfer::{Local, pull::Follow};
use tokio::runtime::Handle;

pub(crate) use self::{blob::Blob, range::More, spec::Spec};
use crate::{
    error::Error,
    session::{Client, Session},
};

/// An image source, opened.
pub(crate) enum Source {
    Registry {
        reference: Reference,
        client: Arc<Client>,
        runtime: Handle,
    },
    Local {
        local: Box<Local>,
        root: Descriptor,
    },
    Layer {
        path: PathBuf,
    },
    /// The blobs of an image while it is pulled; its documents are known.
    Coming {
        follow: Follow,
    },
}

impl Source {
    pub(crate) fn open(spec: &Spec, session: &Session<'_>) -> Result<Self, Error> {
        Ok(match spec {
            Spec::Registry(reference) => Self::Registry {
                reference: reference.clone(),
                client: session.client(reference)?,
                runtime: session.runtime().clone(),
            },
            Spec::Local { path, format, name } => {
                let local = Local::open_within(path, *format, session.limits)?;
                let root = local.find(name.as_deref())?;
                Self::Local { local: Box::new(local), root }
            }
            Spec::Layer(path) => Self::Layer { path: path.clone() },
            Spec::Store { name } => {
                let local = Local::of_store(&session.store()?)?;
                let root = local.find(Some(name))?;
                Self::Local { local: Box::new(local), root }
            }
        })
    }

    /// The document that the source names: an index or a manifest.
    pub(crate) fn document(&self) -> Result<Document, Error> {
        match self {
            Self::Registry { reference, client, runtime } => Ok(runtime.block_on(client.fetch_document(reference))?),
            Self::Local { local, root } => Ok(local.read_document(root)?),
            Self::Layer { path } => Err(no_manifest(path)),
            Self::Coming { .. } => Err(only_blobs()),
        }
    }

    /// What the source names; of a registry without the document, where that can be done.
    pub(crate) fn root(&self) -> Result<Descriptor, Error> {
        match self {
            Self::Registry { reference, client, runtime } => Ok(runtime.block_on(client.fetch_root(reference))?),
            _ => Ok(descriptor_of(&self.document()?)),
        }
    }

    /// The manifest for a platform.
    pub(crate) fn manifest(&self, session: &Session<'_>) -> Result<Document, Error> {
        Ok(Document::Manifest(self.image(session, &mut |_| {})?.image.manifest))
    }

    /// The image for the platform of the session; `observe` is told of each step when it is done.
    pub(crate) fn image(&self, session: &Session<'_>, observe: &mut dyn FnMut(Step)) -> Result<Resolved, Error> {
        let platform = session.platform();
        let resolved = match self {
            Self::Registry { reference, client, runtime } => {
                runtime.block_on(client.fetch_image(reference, &platform, observe))?
            }
            Self::Local { local, root } => local_image(local, root, &platform, &session.limits, observe)?,
            Self::Layer { path } => return Err(no_manifest(path)),
            Self::Coming { .. } => return Err(only_blobs()),
        };
        // Without an index there was nothing to choose from: who asked for a platform still gets no other.
        match (session.wanted_platform(), &resolved.image.config.platform) {
            (Some(wanted), Some(offer)) if !wanted.runs(offer) => {
                Err(NoMatch { wanted: wanted.clone(), available: vec![offer.clone()] }.into())
            }
            _ => Ok(resolved),
        }
    }

    /// Opens a layer from its first byte: the blob of `descriptor`, or the file of a bare layer.
    pub(crate) fn open_layer(&self, descriptor: Option<&Descriptor>) -> Result<Blob, Error> {
        match (self, descriptor) {
            (Self::Registry { reference, client, runtime }, Some(descriptor)) => {
                Blob::fetch(client, runtime, reference, descriptor)
            }
            (Self::Local { local, .. }, Some(descriptor)) => {
                let (_, reader) = local.open_blob(&descriptor.digest, 0)?;
                Ok(Blob::read_from(reader, Path::new("blob")))
            }
            (Self::Coming { follow }, Some(descriptor)) => {
                Ok(Blob::read_from(Box::new(follow.reader(&descriptor.digest)), Path::new("blob")))
            }
            (Self::Layer { path }, _) => {
                let file = File::open(path).map_err(|source| Error::Read { path: path.clone(), source })?;
                Ok(Blob::read_from(Box::new(file) as Box<dyn Read + Send>, path))
            }
            (_, None) => Err(Error::usage("a layer of an image has a descriptor (this is a bug in porthole)")),
        }
    }
}

/// As an index would list a document.
pub(crate) fn descriptor_of(document: &Document) -> Descriptor {
    Descriptor::new(document.media_type().clone(), *document.raw().digest(), document.raw().size())
}

fn no_manifest(path: &Path) -> Error {
    Error::usage(format!("a bare layer has no manifest: `{}`", path.display()))
}

fn only_blobs() -> Error {
    Error::usage("an image that is being pulled is read blob by blob (this is a bug in porthole)")
}

/// As the client does it, over a layout.
fn local_image(
    local: &Local,
    root: &Descriptor,
    platform: &Platform,
    limits: &Limits,
    observe: &mut dyn FnMut(Step),
) -> Result<Resolved, Error> {
    let mut document = local.read_document(root)?;
    observe(Step::Document(document.clone()));
    let mut index = None;
    let mut chosen = None;
    let mut path = vec![root.digest];
    let manifest = loop {
        let parsed = match document {
            Document::Manifest(manifest) => break manifest,
            Document::Index(parsed) => parsed,
        };
        let entry = platform::select(&parsed.value.manifests, platform)?.clone();
        observe(Step::Chosen(entry.clone()));
        if path.contains(&entry.digest) || path.len() as u64 > limits.index_depth {
            return Err(Error::Nesting { limit: limits.index_depth });
        }
        path.push(entry.digest);
        document = local.read_document(&entry)?;
        index.get_or_insert(Document::Index(parsed));
        chosen = Some(entry);
    };
    observe(Step::Manifest(Document::Manifest(manifest.clone())));
    let config = local.read_small(&manifest.value.config)?;
    observe(Step::Config(config.clone()));
    Ok(Resolved { index, chosen, image: Image::assemble_within(manifest, config, limits)? })
}
