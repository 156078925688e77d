//! `porthole pull --unpack`: writes layers to a directory while they are downloaded.

use std::{io::Read, path::Path, thread};

use porthole_core::{image::Image, manifest::Raw};
use porthole_inspect::local;
use porthole_transfer::pull::{Cut, Follow, Pulled};
use porthole_unpack::StagedDirectory;

use crate::{
    commands::unpack::{How, Unpacked, Unpacking},
    destination::{self, Destination, Pulling, Written},
    error::Error,
    layers::Job,
    progress::Meter,
    session::Session,
    source::Source,
};

/// Pulls an image and unpacks it at the same time. If either fails, both end. The blobs that were pulled stay for the next pull.
pub(super) fn unpack(
    session: &Session<'_>,
    pulling: &Pulling<'_>,
    destination: &Destination,
    directory: &Path,
    how: &How,
) -> Result<((Written, Pulled), Unpacked), Error> {
    let options = how.options()?;
    // Fail before the download if the directory cannot be created.
    drop(StagedDirectory::prepare(directory)?);
    session.interrupt().claim(Some(&pulling.stop));
    thread::scope(|scope| {
        let pull = scope.spawn(|| destination::pull(session, pulling, destination));
        let unpacked = loop {
            let unpacked = image(session, &pulling.follow).and_then(|image| {
                let jobs = Job::of(&image.layers);
                let source = Source::pulling(&pulling.follow, session);
                let unpacking = Unpacking { session, source: &source, jobs: &jobs, options };
                let (written, report) = unpacking.run(directory, &Meter::beside_transfer(session.ui, &jobs))?;
                Ok((written, Unpacked::new(directory, &jobs, &report)))
            });
            // A wrong blob is downloaded once more. The files that were written are removed, so start again.
            if !matches!(unpacked.as_ref().map_err(cut), Err(Some(Cut::Anew))) {
                break unpacked;
            }
        };
        if unpacked.as_ref().is_err_and(|error| cut(error).is_none()) {
            pulling.stop.notify_one();
        }
        let pulled = pull.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (written, unpacked) = match (unpacked, pulled) {
            (Ok(unpacked), Ok(pulled)) => (pulled, unpacked),
            // Unpacking ended because the pull failed, so the error of the pull is the cause.
            (Err(error), Err(cause)) if cut(&error).is_some() => return Err(cause),
            (Err(error), _) => return Err(error),
            (Ok(_), Err(error)) => return Err(error),
        };
        let (directory, unpacked) = unpacked;
        directory.keep(how.syncs())?;
        Ok((written, unpacked))
    })
}

/// Waits until the pull has fetched the manifest and its configuration.
fn image(session: &Session<'_>, follow: &Follow) -> Result<Image, Error> {
    let over = || Error::Read { path: "blob".into(), source: Cut::Over.into() };
    let manifests = follow.manifests();
    session.interrupt().check()?;
    let manifests = manifests.ok_or_else(over)?;
    let (_, manifest) = manifests.first().ok_or_else(over)?;
    let config = &manifest.value.config;
    let mut bytes = Vec::new();
    let limit = session.limits.manifest_bytes;
    let read = follow.reader(&config.digest).take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|source| Error::Read { path: "blob".into(), source })?;
    let raw = Raw::verify(bytes, &config.digest, Some(config.size)).map_err(porthole_store::Error::from)?;
    let image = Image::assemble_with_limits(manifest.clone(), raw, &session.limits)?;
    image.unpackable()?;
    Ok(image)
}

/// Returns why reading a blob during the pull ended early, if that is the error.
fn cut(error: &Error) -> Option<Cut> {
    match error {
        Error::Read { source, .. } => Cut::of(source),
        Error::Local(local::Error::Source(porthole_source::Error::Read { error, .. })) => Cut::of(error),
        _ => None,
    }
}
