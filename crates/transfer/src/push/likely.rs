//! Where a registry may have a blob already.

use crate::Local;
use porthole_core::{descriptor::Descriptor, digest::Digest, manifest::Document, reference::Reference};
use std::collections::{HashMap, HashSet};

/// A repository that probably has blobs of the pushed image, because the store has images of it with these blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likely {
    /// Name of the repository, in the registry that is pushed to.
    pub repository: String,
    /// Blobs that can be mounted from it, if the registry still has the images that the store has.
    pub blobs: HashSet<Digest>,
}

/// Returns the repositories to mount an image's blobs from, by the other images that the store has from the same
/// registry: those with the most of the blobs first.
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

/// Returns the blobs of all images below a root whose manifests the store has. `left` counts down the documents that
/// may be read.
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

/// Most documents that are read to find repositories: the search is to save time, not to take it.
const DOCUMENTS: usize = 512;
/// Most repositories that are returned: the request for a token names all of them.
const REPOSITORIES: usize = 4;
