//! Where a registry may have a blob already.

use crate::Local;
use porthole_core::{descriptor::Descriptor, digest::Digest, manifest::Document, reference::Reference};
use std::collections::{HashMap, HashSet};

/// A repository of which a store has images, and those blobs of them that a push sends elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likely {
    /// In the registry that is pushed to.
    pub repository: String,
    /// What can be mounted from it, if the registry still has what the store has.
    pub blobs: HashSet<Digest>,
}

/// The repositories to mount an image's blobs from, by what else a store has from the same registry: those with most of them first.
pub fn likely(store: &Local, root: &Descriptor, to: &Reference) -> Vec<Likely> {
    let mut left = DOCUMENTS;
    let wanted: HashSet<Digest> = blobs(store, root, &mut left).collect();
    let mut known: HashMap<String, HashSet<Digest>> = HashMap::new();
    for (name, other) in store.names() {
        // A name without a path may be a mere tag.
        let name = name.filter(|name| name.contains('/')).and_then(|name| name.parse::<Reference>().ok());
        let Some(name) = name.filter(|name| name.registry() == to.registry()) else { continue };
        if name.repository() != to.repository() {
            let shared = blobs(store, &other, &mut left).filter(|blob| wanted.contains(blob));
            known.entry(name.repository().to_owned()).or_default().extend(shared);
        }
    }
    let mut likely: Vec<Likely> = known
        .into_iter()
        .filter(|(_, blobs)| !blobs.is_empty())
        .map(|(repository, blobs)| Likely { repository, blobs })
        .collect();
    likely.sort_by(|a, b| b.blobs.len().cmp(&a.blobs.len()).then_with(|| a.repository.cmp(&b.repository)));
    likely.truncate(REPOSITORIES);
    likely
}

/// The blobs of all images below a root, as far as the store has them.
fn blobs<'s>(store: &'s Local, root: &Descriptor, left: &'s mut usize) -> impl Iterator<Item = Digest> + 's {
    let mut pending = vec![root.clone()];
    std::iter::from_fn(move || {
        loop {
            let next = pending.pop()?;
            *left = left.checked_sub(1)?;
            match store.read_document(&next) {
                Ok(Document::Index(index)) => pending.extend(index.value.manifests),
                Ok(Document::Manifest(manifest)) => {
                    let parts = std::iter::once(&manifest.value.config).chain(&manifest.value.layers);
                    return Some(parts.map(|part| part.digest).collect::<Vec<_>>());
                }
                Err(_) => {}
            }
        }
    })
    .flatten()
}

/// Documents that are read to find them: this is to save time, not to spend it.
const DOCUMENTS: usize = 512;
/// A token is asked for all of them.
const REPOSITORIES: usize = 4;
