//! Writes images to the store, layouts and archives.

use std::{
    cell::Cell,
    env,
    ffi::OsString,
    io::{self, BufWriter, Write},
    path::Path,
    sync::Arc,
};

use porthole_core::{
    config::ImageConfig, descriptor::Descriptor, digest::Digest, manifest::Document, platform::NoMatch,
    reference::Reference,
};
use porthole_store::{Store, Unfinished};
use porthole_transfer::{
    Local, TransferObserver,
    archive::{self, Docker, Oci, Stored},
    copy,
    pull::{self, Follow, Options, Platforms, Pulled},
};
use tokio::sync::Notify;

use super::{Destination, Kind};
use crate::{
    error::Error,
    hosts,
    progress::{Heading, watch},
    reference,
    session::Session,
    source::Spec,
};

/// Default number of concurrent blob requests.
pub(crate) const JOBS: usize = 4;

/// The result of writing an image.
pub(crate) struct Written {
    /// The name of the image at the destination, if it has one.
    pub(crate) name: Option<String>,
    pub(crate) root: Descriptor,
    /// Bytes of blobs and documents that were received, or read and written.
    pub(crate) moved: u64,
    /// Bytes of blobs and documents that were present already.
    pub(crate) present: u64,
    /// Number of manifests that the index lists and the source lacks.
    pub(crate) missing: usize,
    /// Digest of the image that had the name before.
    pub(crate) replaced: Option<Digest>,
}

/// How an image is pulled.
pub(crate) struct Pulling<'p> {
    pub(crate) reference: &'p Reference,
    pub(crate) platforms: Platforms,
    pub(crate) jobs: usize,
    /// Names the image for the platform, and not the index that lists it.
    pub(crate) alone: bool,
    /// Lets other threads read blobs during the pull.
    pub(crate) follow: Follow,
    /// Ends the pull when notified.
    pub(crate) stop: Arc<Notify>,
}

/// Pulls an image from a registry. Sets the name when the image is complete.
pub(crate) fn pull(
    session: &Session<'_>,
    pulling: &Pulling<'_>,
    destination: &Destination,
) -> Result<(Written, Pulled), Error> {
    let reference = pulling.reference;
    let store = destination.store(session)?;
    // Blobs without a name must stay until the image has a name or is in an archive.
    let _adding = store.add()?;
    let name = destination.name().map_or_else(|| reference.to_string(), str::to_owned);
    let in_store = !matches!(destination, Destination::Archive { .. });
    let named = (in_store && !pulling.alone).then(|| name.clone());
    let options = Options {
        platforms: pulling.platforms.clone(),
        jobs: pulling.jobs,
        name: named,
        follow: pulling.follow.clone(),
    };
    let pulled = fetch(session, &store, reference, &options, &pulling.stop)?;
    mention_platform(session, &store, &pulled, &pulling.platforms);
    let root = if pulling.alone || !in_store { alone(&pulled, &pulling.platforms) } else { &pulled.root }.clone();
    let mut written = Written {
        name: Some(name.clone()),
        root: root.clone(),
        moved: pulled.fetched,
        present: pulled.saved,
        missing: 0,
        replaced: pulled.replaced,
    };
    match destination {
        Destination::Archive { kind, path, name } => {
            let named = match name {
                Some(name) => Some(typed(*kind, name)?),
                None => reference.tag().map(|_| reference.to_string()),
            };
            let local = Local::of_store(&store)?;
            suits(session, &local, &root)?;
            let image = Image { local: &local, root: &root, names: named.iter().cloned().collect() };
            watch(session.ui, Heading::Here, |observer| {
                write_archive(session, *kind, Some(path), &[image], &Platforms::All, observer)
            })?;
            written.name = named;
        }
        _ if pulling.alone => {
            written.replaced = store.tag(&name, &root)?.filter(|before| *before != root.digest);
        }
        _ => {}
    }
    Ok((written, pulled))
}

/// Prints a note if the reference names a single image, without an index, and the image is for another platform.
fn mention_platform(session: &Session<'_>, store: &Store, pulled: &Pulled, platforms: &Platforms) {
    let (Platforms::One(wanted), [(descriptor, manifest)]) = (platforms, &*pulled.manifests) else { return };
    if descriptor.digest != pulled.root.digest {
        return;
    }
    // If the configuration cannot be parsed, the image has no platform.
    let config = store.local().ok().and_then(|local| local.read_small(&manifest.value.config).ok());
    let offer = config.and_then(|raw| ImageConfig::parse_with_limits(&raw, &session.limits).ok()?.platform);
    if let Some(offer) = offer.filter(|offer| !wanted.runs(offer)) {
        session.ui.note(format_args!("the image is for {offer}, and there is no other: expected one for {wanted}"));
    }
}

fn fetch(
    session: &Session<'_>,
    store: &Store,
    reference: &Reference,
    options: &Options,
    stop: &Notify,
) -> Result<Pulled, Error> {
    let client = session.client(reference)?;
    // If the name exists, the image is probably up to date, so no blobs are expected.
    let is_there = |name| Local::of_store(store).is_ok_and(|local| local.find(Some(name)).is_ok());
    let is_new = !options.name.as_deref().is_some_and(is_there);
    session.ui.stderr.keeps("the downloaded bytes are kept, and the same command resumes");
    let run = |observer: &TransferObserver| {
        session.runtime().block_on(async {
            hosts::prepare(session, &client, reference, is_new);
            tokio::select! {
                pulled = pull::pull(&client, store, reference, options, observer) => Ok(pulled?),
                () = stop.notified() => Err(session.interrupt().stopped()),
            }
        })
    };
    let pulled = watch(session.ui, Heading::Here, run)?;
    hosts::remember(session, &client, reference);
    Ok(pulled)
}

/// The image that was pulled for one platform, without the index that lists it. The root if there are several.
fn alone<'p>(pulled: &'p Pulled, platforms: &Platforms) -> &'p Descriptor {
    match (&pulled.manifests[..], platforms) {
        ([(only, _)], Platforms::One(_)) => only,
        _ => &pulled.root,
    }
}

/// Copies an image from the store or a path on this machine.
pub(crate) fn send(
    session: &Session<'_>,
    spec: &Spec,
    platforms: &Platforms,
    jobs: usize,
    destination: &Destination,
) -> Result<Written, Error> {
    let (local, name) = open(session, spec)?;
    let root = local.find(name)?;
    suits(session, &local, &root)?;
    let names = names(&local, &root, name);
    if let Destination::Archive { kind, path, name } = destination {
        let names = match name {
            Some(name) => vec![typed(*kind, name)?],
            None => names,
        };
        let shown = names.first().cloned();
        let image = Image { local: &local, root: &root, names };
        let mut written = watch(session.ui, Heading::Here, |observer| {
            write_archive(session, *kind, Some(path), &[image], platforms, observer)
        })?;
        written.name = shown;
        return Ok(written);
    }
    let name = destination.name().map(str::to_owned).or_else(|| names.into_iter().next());
    let name = name.ok_or_else(|| Error::usage("expected a NAME behind the destination: the image has none yet"))?;
    let store = destination.store(session)?;
    let copied = watch(session.ui, Heading::Here, |observer| {
        copy::into_store(&local, &root, &store, &name, platforms, jobs, observer)
    })?;
    Ok(Written {
        name: Some(name),
        root: copied.root,
        moved: copied.written,
        present: copied.present,
        missing: copied.missing,
        replaced: copied.replaced,
    })
}

/// Writes images into one archive, or to stdout without a path. Returns its bytes.
pub(crate) fn save(
    session: &Session<'_>,
    specs: &[Spec],
    platforms: &Platforms,
    kind: Kind,
    path: Option<&Path>,
) -> Result<u64, Error> {
    let store = session.store()?;
    // Blobs without a name must stay until they are in the archive.
    let _adding = store.add()?;
    let mut found = Vec::new();
    for spec in specs {
        found.push(match spec {
            Spec::Registry(reference) => {
                let options =
                    Options { platforms: platforms.clone(), jobs: JOBS, name: None, follow: Follow::default() };
                let pulled = fetch(session, &store, reference, &options, &Notify::new())?;
                let names = reference.tag().map(|_| reference.to_string()).into_iter().collect();
                (Local::of_store(&store)?, alone(&pulled, platforms).clone(), names)
            }
            spec => {
                let (local, name) = open(session, spec)?;
                let root = local.find(name)?;
                let names = names(&local, &root, name);
                (local, root, names)
            }
        });
    }
    for (local, root, _) in &found {
        suits(session, local, root)?;
    }
    let images: Vec<_> = found.iter().map(|(local, root, names)| Image { local, root, names: names.clone() }).collect();
    let written =
        watch(session.ui, Heading::Here, |observer| write_archive(session, kind, path, &images, platforms, observer))?;
    Ok(written.moved)
}

/// Opens a source on this machine. Also returns the name in the argument.
pub(super) fn open<'s>(session: &Session<'_>, spec: &'s Spec) -> Result<(Local, Option<&'s str>), Error> {
    Ok(match spec {
        Spec::Local { path, format, name } => {
            (Local::open_with_limits(path, *format, session.limits)?, name.as_deref())
        }
        Spec::Store { name } => (Local::of_store(&session.store()?)?, Some(name)),
        Spec::Layer(_) => return Err(Error::usage("expected an image, got a bare layer, which has no manifest")),
        Spec::Registry(_) => return Err(Error::usage("expected an image on this machine")),
    })
}

/// Checks that an image which no index lists is for the platform of `--platform`.
pub(super) fn suits(session: &Session<'_>, local: &Local, root: &Descriptor) -> Result<(), Error> {
    let (Some(wanted), Document::Manifest(manifest)) = (session.wanted_platform(), local.read_document(root)?) else {
        return Ok(());
    };
    let config = local.read_small(&manifest.value.config)?;
    match porthole_core::image::Image::assemble_with_limits(manifest, config, &session.limits)?.config.platform {
        Some(offer) if !wanted.runs(&offer) => Err(NoMatch { wanted: wanted.clone(), available: vec![offer] }.into()),
        _ => Ok(()),
    }
}

/// Names of an image: the one in the argument, else all names that the image has in its source.
pub(super) fn names(local: &Local, root: &Descriptor, asked: Option<&str>) -> Vec<String> {
    match asked {
        Some(name) if name.parse::<Digest>().is_err() => vec![name.to_owned()],
        _ => {
            let is_it =
                |(name, descriptor): (Option<String>, Descriptor)| name.filter(|_| descriptor.digest == root.digest);
            local.names().into_iter().filter_map(is_it).collect()
        }
    }
}

/// An image that goes into an archive.
pub(super) struct Image<'i> {
    pub(super) local: &'i Local,
    pub(super) root: &'i Descriptor,
    pub(super) names: Vec<String>,
}

impl<'i> Image<'i> {
    fn stored(&self) -> Stored<'i> {
        Stored { local: self.local, root: self.root }
    }
}

/// Writes images to an archive, which appears when it is complete, or to stdout. The result describes the last image.
pub(super) fn write_archive(
    session: &Session<'_>,
    kind: Kind,
    path: Option<&Path>,
    images: &[Image<'_>],
    platforms: &Platforms,
    observer: &TransferObserver,
) -> Result<Written, Error> {
    let unwritable = |source: io::Error| match path {
        // A reader that closes the pipe is not a failure; see `Error::is_broken_pipe`.
        None => Error::Write(source),
        Some(path) => Error::cannot_write(path)(source),
    };
    // A failed write, such as to a full disk, is an error of the output and not of the archive.
    let named = |error: archive::Error| match error {
        archive::Error::Copy(copy::Error::Store(porthole_store::Error::Save(source))) => unwritable(source),
        error => error.into(),
    };
    Stored::announce(images.iter().map(Image::stored), platforms, observer)?;
    let output = path.map(Unfinished::create).transpose().map_err(unwritable)?;
    let scratch = output.as_ref().and_then(Unfinished::folder).map_or_else(env::temp_dir, Path::to_owned);
    let mut written = None;
    let bytes = Cell::new(0);
    {
        let target: Box<dyn Write + '_> = match &output {
            Some(output) => Box::new(output.file()),
            None => Box::new(io::stdout()),
        };
        let out = BufWriter::with_capacity(1 << 20, Counted { target, bytes: &bytes });
        match kind {
            Kind::Oci => {
                let mut archive = Oci::new(out, observer).map_err(named)?;
                for image in images {
                    let names = image.names.iter().map(|name| Some(name.as_str()));
                    let unnamed = image.names.is_empty().then_some(None);
                    for name in names.chain(unnamed) {
                        written = Some(archive.image(image.stored(), platforms, name).map_err(named)?);
                    }
                }
                archive.finish().map_err(named)?;
            }
            Kind::Docker => {
                let mut archive = Docker::new(out, &scratch, &session.limits, observer);
                for image in images {
                    let root = archive.image(image.stored(), platforms, &tags(&image.names)).map_err(named)?;
                    written = Some((root, 0));
                }
                archive.finish().map_err(named)?;
            }
        }
    }
    if let Some(output) = output {
        output.keep().map_err(unwritable)?;
    }
    let (root, missing) = written.ok_or_else(|| Error::usage("expected an image to write"))?;
    Ok(Written { name: None, root, moved: bytes.get(), present: 0, missing, replaced: None })
}

/// Counts the bytes that are written.
struct Counted<'c> {
    target: Box<dyn Write + 'c>,
    bytes: &'c Cell<u64>,
}

impl Write for Counted<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.target.write(buffer)?;
        self.bytes.set(self.bytes.get() + written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

/// Checks a name that was typed for an archive. In a docker-archive it must be a reference.
fn typed(kind: Kind, name: &str) -> Result<String, Error> {
    match kind {
        Kind::Oci => Ok(name.to_owned()),
        Kind::Docker => Ok(reference::parse(&OsString::from(name))?.to_string()),
    }
}

/// Returns the references to write to a docker-archive, as Docker shows them. Omits references with a digest, and bare tags, by
/// which a layout names images.
fn tags(names: &[String]) -> Vec<String> {
    let reference = |name: &String| {
        let reference = name.parse::<Reference>().ok().filter(|reference| reference.digest().is_none())?;
        name.contains(['/', ':']).then(|| reference.familiar())
    };
    names.iter().filter_map(reference).collect()
}
