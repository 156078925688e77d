//! Sources of images. Every method blocks the calling thread, which must not be a thread of the runtime.

mod spec;

use std::{future::Future, sync::Arc};

use porthole_core::{
    descriptor::Descriptor,
    manifest::{Document, Raw},
    platform::Platform,
};
use porthole_inspect::{
    layer::LayerJob,
    local,
    resolve::{PlatformChoice, ResolveStep, ResolvedImage, resolve},
};
use porthole_registry::client::RemoteImage;
use porthole_source::ImageSource;
use porthole_transfer::{Local, Source as Origin, pull::Follow, source::descriptor_of};
use tokio::runtime::Handle;

pub(crate) use self::spec::Spec;
use crate::{error::Error, session::Session};

/// An image source, opened.
pub(crate) struct Source {
    pub(crate) origin: Origin,
    runtime: Handle,
}

impl Source {
    pub(crate) fn open(spec: &Spec, session: &Session<'_>) -> Result<Self, Error> {
        let local = |local: Local, name: Option<&str>| {
            let root = local.find(name)?;
            Ok::<_, Error>(Origin::Local { local: Arc::new(local), root })
        };
        Ok(Self::new(
            match spec {
                Spec::Registry(reference) => {
                    Origin::Registry(RemoteImage::new(session.client(reference)?, reference.clone()).into())
                }
                Spec::Local { path, format, name } => {
                    local(Local::open_with_limits(path, *format, session.limits)?, name.as_deref())?
                }
                Spec::Layer(path) => Origin::Layer { path: path.clone(), limits: session.limits },
                Spec::Store { name } => local(Local::of_store(&session.store()?)?, Some(name))?,
            },
            session,
        ))
    }

    /// A source that reads the blobs of an image while they are pulled.
    pub(crate) fn pulling(follow: &Follow, session: &Session<'_>) -> Self {
        Self::new(Origin::Pull { follow: follow.clone(), limits: session.limits }, session)
    }

    fn new(origin: Origin, session: &Session<'_>) -> Self {
        Self { origin, runtime: session.runtime().clone() }
    }

    /// Whether the bytes come over the network.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self.origin, Origin::Registry(_))
    }

    /// Whether the source is a single layer without an image.
    pub(crate) fn is_bare(&self) -> bool {
        matches!(self.origin, Origin::Layer { .. })
    }

    /// Waits for a future of the source.
    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Fetches the document that the source names: an index or a manifest.
    pub(crate) fn document(&self) -> Result<Document, Error> {
        self.wait(self.origin.root()).map_err(|error| self.named(error.into()))
    }

    /// Fetches the bytes of the document that the source names. The document may be of any kind.
    pub(crate) fn raw_document(&self) -> Result<Raw, Error> {
        match &self.origin {
            Origin::Registry(remote) => Ok(self.wait(remote.client().fetch_raw_document(remote.reference()))?),
            Origin::Local { root, .. } => Ok(self.wait(self.origin.small_blob(root))?),
            Origin::Layer { .. } | Origin::Pull { .. } => Ok(self.document()?.raw().clone()),
        }
    }

    /// The descriptor of the document that the source names. A registry is asked only for headers, if it answers that.
    pub(crate) fn root(&self) -> Result<Descriptor, Error> {
        self.wait(self.origin.root_descriptor()).map_err(|error| self.named(error.into()))
    }

    /// Fetches the document that the source names or, with `--platform`, the manifest for that platform.
    pub(crate) fn named_document(&self, session: &Session<'_>) -> Result<Document, Error> {
        match session.wanted_platform() {
            Some(_) => Ok(Document::Manifest(self.image(session, &mut |_| {})?.image.manifest)),
            None => self.document(),
        }
    }

    /// Descriptor of [`named_document`](Self::named_document). If `computed`, its digest and size are computed from the document;
    /// otherwise they may be those that the source states.
    pub(crate) fn named_root(&self, session: &Session<'_>, computed: bool) -> Result<Descriptor, Error> {
        if computed || session.wanted_platform().is_some() {
            return Ok(descriptor_of(&self.named_document(session)?));
        }
        self.root()
    }

    /// Resolves the image for the platform of the session. Calls `observe` after each step.
    pub(crate) fn image(
        &self,
        session: &Session<'_>,
        observe: &mut dyn FnMut(ResolveStep),
    ) -> Result<ResolvedImage, Error> {
        let choice = PlatformChoice { platform: session.platform(), named: session.wanted_platform().is_some() };
        self.wait(resolve(&self.origin, &choice, observe)).map_err(|error| self.named(error.into()))
    }

    /// Resolves the image for `platform` or, without one, for the platform of the session.
    pub(crate) fn image_for(&self, platform: Option<&Platform>, session: &Session<'_>) -> Result<ResolvedImage, Error> {
        let Some(platform) = platform else { return self.image(session, &mut |_| {}) };
        let choice = PlatformChoice { platform: platform.clone(), named: false };
        self.wait(resolve(&self.origin, &choice, &mut |_| {})).map_err(|error| self.named(error.into()))
    }

    /// Adds the path of a bare layer to the error that it has no image.
    fn named(&self, error: Error) -> Error {
        match (error, &self.origin) {
            (
                Error::Local(local::Error::Source(porthole_source::Error::Unsupported(lacks))),
                Origin::Layer { path, .. },
            ) => Error::usage(format!("{lacks}: `{}`", path.display())),
            (error, _) => error,
        }
    }

    /// The layers of the image for the platform of the session, or the bare layer.
    pub(crate) fn layers(&self, session: &Session<'_>) -> Result<Vec<LayerJob>, Error> {
        if self.is_bare() {
            return Ok(LayerJob::bare());
        }
        Ok(LayerJob::of(&self.image(session, &mut |_| {})?.image.layers))
    }

    /// As [`layers`](Self::layers), but fails if the image is an artifact, which no engine unpacks.
    pub(crate) fn unpackable_layers(&self, session: &Session<'_>) -> Result<Vec<LayerJob>, Error> {
        if self.is_bare() {
            return Ok(LayerJob::bare());
        }
        let image = self.image(session, &mut |_| {})?.image;
        image.unpackable()?;
        Ok(LayerJob::of(&image.layers))
    }
}
