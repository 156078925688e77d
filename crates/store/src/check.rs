//! Checks a store: reads every blob again and compares it with its digest.

use crate::{
    Error, Store,
    lock::Lock,
    store::{DAMAGED, SWEEP_LOCK},
    sweep::files,
};
use porthole_core::{
    digest::{Algorithm, Digest, Hasher},
    layout::BLOBS,
    manifest::Document,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Number of blobs that were read.
    pub blobs: u64,
    /// Bytes of these blobs.
    pub bytes: u64,
    /// Blobs whose bytes do not have the digest in their file name, or cannot be read.
    pub damaged: Vec<Damaged>,
    /// Blobs that a named image needs and that the store lacks. Damaged blobs that this check sets aside are not listed.
    pub missing: Vec<Digest>,
}

/// A blob whose bytes do not have the digest in its file name, or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Digest that the blob is stored under.
    pub digest: Digest,
    /// What is wrong with it.
    pub damage: Damage,
    /// The names of images that need it.
    pub names: Vec<String>,
    /// Path of the blob in `damaged/`, if it was set aside.
    pub aside: Option<PathBuf>,
}

/// What is wrong with a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Its bytes have another digest.
    Digest(Digest),
    /// It cannot be read to its end.
    Unreadable(String),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(got) => write!(f, "its bytes have the digest {got}"),
            Self::Unreadable(reason) => write!(f, "it cannot be read: {reason}"),
        }
    }
}

impl Store {
    /// Reads every blob again and compares it with its digest. Calls `observe` with the number of bytes of each piece read. With
    /// `aside`, moves each damaged blob to the folder `damaged/`, so that the next pull fetches it again.
    ///
    /// # Errors
    ///
    /// [`Error`] if the store itself cannot be read, or a damaged blob cannot be moved.
    pub fn check(&self, aside: bool, observe: &mut dyn FnMut(u64)) -> Result<Checked, Error> {
        // Blobs must not disappear while they are read.
        let path = self.path().join(SWEEP_LOCK);
        let _lock = if aside { Lock::exclusive(&path)? } else { Lock::shared(&path)? };
        check(self, aside, observe)
    }
}

fn check(store: &Store, aside: bool, observe: &mut dyn FnMut(u64)) -> Result<Checked, Error> {
    let mut checked = Checked::default();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
        let folder = store.path().join(BLOBS).join(algorithm.name());
        for (path, _) in files(&folder)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // Files that are not named by a digest are not blobs.
            let Ok(digest) = format!("{}:{name}", algorithm.name()).parse::<Digest>() else { continue };
            checked.blobs += 1;
            let found = hash(&path, algorithm, &mut |count| {
                checked.bytes += count;
                observe(count);
            });
            let damage = match found {
                Ok(got) if got == digest => continue,
                Ok(got) => Damage::Digest(got),
                // Another process has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => Damage::Unreadable(error.to_string()),
            };
            checked.damaged.push(Damaged { digest, damage, names: Vec::new(), aside: None });
        }
    }
    let needed = needed(store)?;
    checked.missing = needed.keys().filter(|digest| !store.blob(digest).exists()).copied().collect();
    for damaged in &mut checked.damaged {
        damaged.names = needed.get(&damaged.digest).into_iter().flatten().cloned().collect();
        if aside {
            damaged.aside = Some(set_aside(store, &damaged.digest)?);
        }
    }
    Ok(checked)
}

fn hash(path: &Path, algorithm: Algorithm, observe: &mut dyn FnMut(u64)) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; PIECE];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                observe(count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Returns the blobs that images in `index.json` need, each with the names of those images. Follows only the images of an
/// index whose manifests are in the store. Omits what a damaged document refers to.
fn needed(store: &Store) -> Result<BTreeMap<Digest, BTreeSet<String>>, Error> {
    let local = store.local()?;
    let mut needed: BTreeMap<Digest, BTreeSet<String>> = BTreeMap::new();
    for image in local.images() {
        let mut pending = vec![image.root.clone()];
        while let Some(descriptor) = pending.pop() {
            let names = needed.entry(descriptor.digest).or_default();
            let before = names.len();
            names.extend(image.names.iter().cloned());
            if !image.names.is_empty() && names.len() == before {
                continue;
            }
            match local.read_document(&descriptor) {
                Ok(Document::Index(index)) => {
                    let there = |digest: &Digest| store.blob(digest).exists();
                    pending.extend(index.value.manifests.into_iter().filter(|image| there(&image.digest)));
                }
                Ok(Document::Manifest(manifest)) => {
                    let layers = manifest.value.layers.iter().filter(|layer| !layer.media_type.is_nondistributable());
                    for blob in layers.chain([&manifest.value.config]) {
                        needed.entry(blob.digest).or_default().extend(image.names.iter().cloned());
                    }
                }
                Err(_) => {}
            }
        }
    }
    Ok(needed)
}

/// Moves a blob to `damaged/`, so that the next pull fetches it again. The bytes are kept, so that the damage can be examined.
fn set_aside(store: &Store, digest: &Digest) -> Result<PathBuf, Error> {
    let folder = store.path().join(DAMAGED);
    fs::create_dir_all(&folder).map_err(Error::write(&folder))?;
    let aside = folder.join(format!("{}-{}", digest.algorithm().name(), digest.hex()));
    fs::rename(store.blob(digest), &aside).map_err(Error::write(&aside))?;
    Ok(aside)
}

const PIECE: usize = 256 << 10;
