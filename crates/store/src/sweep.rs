//! Removes blobs that no name refers to.

use crate::{
    Error, Layout, Store, held,
    ingest::MAP_SUFFIX,
    journal::{Steps, canonical},
    store::{DAMAGED, INGEST},
};
use porthole_core::{
    descriptor::Descriptor,
    digest::{Algorithm, Digest},
    layout::BLOBS,
    manifest::Document,
    media_type::Role,
};
use std::{
    collections::HashSet,
    fs::{self, Metadata},
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Result of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Number of blobs that were removed.
    pub blobs: u64,
    /// Partial blobs removed.
    pub partials: u64,
    /// Total bytes of the removed files, including damaged blobs that had been set aside. Of a sparse file, only the blocks
    /// on disk count.
    pub bytes: u64,
    /// Number of earlier images kept because of the `history` of a name.
    pub kept: u64,
}

pub(crate) fn sweep(store: &Store, partials: bool, history: usize) -> Result<Swept, Error> {
    let local = store.local()?;
    let mut needed = HashSet::new();
    for image in local.images() {
        mark(&local, &image.root, &mut needed)?;
    }
    let mut swept = Swept::default();
    for root in before(store, &local, history)? {
        swept.kept += u64::from(!needed.contains(&root.digest));
        mark(&local, &root, &mut needed)?;
    }
    for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
        let folder = store.path().join(BLOBS).join(algorithm.name());
        for (path, metadata) in files(&folder)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let digest = format!("{}:{name}", algorithm.name()).parse::<Digest>();
            // Leave files that are not named by a digest, except leftovers of an interrupted write.
            let ours = digest.map_or_else(|_| name.starts_with('.'), |digest| !needed.contains(&digest));
            if ours {
                remove(&path)?;
                swept.blobs += 1;
                swept.bytes += metadata.len();
            }
        }
    }
    for (path, metadata) in files(&store.path().join(INGEST))? {
        // A map is useless without its blob, so remove both.
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let blob = name.split_once(MAP_SUFFIX).map(|(blob, _)| path.with_file_name(blob));
        if partials || blob.as_ref().is_some_and(|blob| !blob.exists()) {
            remove(&path)?;
            swept.partials += u64::from(blob.is_none());
            // The file may be sparse.
            swept.bytes += metadata.len().min(metadata.blocks() * 512);
        }
    }
    if partials {
        for (path, metadata) in files(&store.path().join(DAMAGED))? {
            remove(&path)?;
            swept.bytes += metadata.len();
        }
    }
    Ok(swept)
}

/// Returns the earlier images of the existing names, up to `history` steps back. Images that have left the store are
/// omitted.
fn before(store: &Store, local: &Layout, history: usize) -> Result<Vec<Descriptor>, Error> {
    let entries = if history > 0 { store.journal().entries()? } else { Vec::new() };
    let mut roots = Vec::new();
    for (image, name) in local.images().iter().flat_map(|image| image.names.iter().map(move |name| (image, name))) {
        let canonical = canonical(name);
        let of: Vec<_> = entries.iter().filter(|entry| entry.reference == canonical).cloned().collect();
        let steps = Steps::new(&of, Some(&image.root.digest));
        for digest in (1..=history.min(steps.available())).filter_map(|step| steps.back(step)) {
            roots.extend(held::root(local, digest)?);
        }
    }
    Ok(roots)
}

/// Marks a descriptor and everything it refers to. Follows only the images of an index whose manifests are in the store.
fn mark(local: &Layout, root: &Descriptor, needed: &mut HashSet<Digest>) -> Result<(), Error> {
    let mut pending = vec![root.clone()];
    while let Some(descriptor) = pending.pop() {
        if !needed.insert(descriptor.digest) || !matches!(descriptor.media_type.role(), Role::Index | Role::Manifest) {
            continue;
        }
        match local.read_document(&descriptor) {
            Ok(Document::Index(index)) => pending.extend(index.value.manifests),
            Ok(Document::Manifest(manifest)) => {
                pending.push(manifest.value.config.clone());
                pending.extend(manifest.value.layers.iter().cloned());
                pending.extend(manifest.value.subject.clone());
            }
            Err(porthole_source::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

pub(crate) fn files(folder: &Path) -> Result<Vec<(PathBuf, Metadata)>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io(folder))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io(folder))?;
        let metadata = entry.metadata().map_err(Error::io(folder))?;
        if metadata.is_file() {
            files.push((entry.path(), metadata));
        }
    }
    Ok(files)
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::write(path)(error)),
        _ => Ok(()),
    }
}
