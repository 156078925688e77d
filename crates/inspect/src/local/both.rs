//! Archives with both descriptions of their images, an OCI layout and `manifest.json`, as Docker has written since 25.

use super::{Archive, Error, Images, Opening, docker};
use porthole_core::{
    archive::{self, ArchivedImage},
    descriptor::Descriptor,
    digest::Digest,
    layout,
    manifest::{Document, Raw},
};
use porthole_registry::plan::descent::Descent;
use porthole_source::{Files, Place, ReadAt, read_up_to};
use std::collections::{HashMap, HashSet};

impl<D: Files, F: ReadAt> Images<D, F> {
    /// Adds the images that only `manifest.json` lists. An image is in both descriptions if both name the same
    /// configuration. Its manifest in the layout is kept, unless that has another number of layers: the manifest that
    /// Docker 25.0.0 writes has none (moby#47065).
    pub(super) async fn join(&mut self, opening: &Opening<'_>) -> Result<(), Error> {
        let Place::File(archive) = &self.files else { return Ok(()) };
        let document = opening.document(archive, archive::MANIFEST_FILE, "an archive without manifest.json").await?;
        // An OCI layout may have a file of this name that is something else.
        let Ok(archived) = archive::parse_manifest_with_limits(&document, opening.limits) else { return Ok(()) };
        let mut reached = Vec::new();
        for image in &self.images {
            reached.push(self.reach(&image.root).await?);
        }
        let mut contents = docker::Contents::default();
        for image in archived {
            let layers = image.layers.len();
            let names = image.repo_tags.clone();
            let config = config_digest(archive, &image, opening).await?;
            let alike = |reach: &Reached| config.and_then(|config| reach.layers.get(&config).copied());
            if reached.iter().filter_map(alike).any(|count| count == layers) {
                continue;
            }
            let before = contents.images.len();
            match contents.add(archive, image, opening).await {
                Ok(()) => {}
                // `manifest.json` contradicts the configuration: the layout is right.
                Err(Error::Inconsistent { .. }) if reached.iter().any(|reach| alike(reach).is_some()) => continue,
                Err(error) => return Err(error),
            }
            // The generated manifest replaces each entry of the layout that leads to the wrong manifest and to no
            // other.
            let Some(made) = contents.images.get(before).map(|image| image.root.clone()) else { continue };
            let replaces = |reach: &Reached| alike(reach).is_some() && reach.layers.len() == 1;
            for (entry, _) in self.images.iter_mut().zip(&reached).filter(|(_, reach)| replaces(reach)) {
                entry.root = made.clone();
                entry.names.extend(names.iter().cloned());
                contents.images.truncate(before);
            }
        }
        // An entry of the layout whose documents are missing would be a second image that cannot be read.
        if !contents.images.is_empty() {
            let mut reached = reached.iter();
            self.images.retain(|_| reached.next().is_none_or(|reach| reach.documents));
        }
        contents.paths.retain(|digest, _| archive.find(&layout::blob_path(digest)).is_none());
        self.images.extend(contents.images);
        self.made = contents.made;
        self.paths = contents.paths;
        Ok(())
    }

    /// Collects the manifests that a root leads to. Documents that cannot be read are skipped: their reader reports
    /// why.
    ///
    /// # Errors
    /// [`Error::Nesting`].
    async fn reach(&self, root: &Descriptor) -> Result<Reached, Error> {
        let mut reached = Reached::default();
        let mut seen = HashSet::from([root.digest]);
        let mut left = vec![(root.clone(), Descent::new(root.digest, &self.limits))];
        while let Some((descriptor, descent)) = left.pop() {
            match self.read_document(&descriptor).await {
                Ok(Document::Manifest(manifest)) => {
                    reached.documents = true;
                    reached.layers.insert(manifest.value.config.digest, manifest.value.layers.len());
                }
                Ok(Document::Index(index)) => {
                    for child in index.value.manifests {
                        if seen.len() as u64 <= self.limits.descriptors && seen.insert(child.digest) {
                            let mut below = descent.clone();
                            below.enter(&child.digest)?;
                            left.push((child, below));
                        }
                    }
                }
                Err(error) => reached.documents |= !error.is_missing_blob(),
            }
        }
        Ok(reached)
    }
}

/// What a root of the layout leads to.
#[derive(Default)]
struct Reached {
    /// Number of layers of each manifest, by the digest of its configuration.
    layers: HashMap<Digest, usize>,
    /// Whether the archive has any manifest that the root leads to, readable or not.
    documents: bool,
}

/// Returns the digest of an image's configuration: that in its path, else that of its bytes. `None` if the file is
/// missing.
async fn config_digest<F: ReadAt>(
    archive: &Archive<F>,
    image: &ArchivedImage,
    opening: &Opening<'_>,
) -> Result<Option<Digest>, Error> {
    if let Some(digest) = docker::digest_in(&image.config) {
        return Ok(Some(digest));
    }
    let Ok(file) = archive.open(&image.config).await else { return Ok(None) };
    let limit = opening.limits.manifest_bytes.saturating_add(1);
    let bytes = read_up_to(&file, limit).await.map_err(Error::read(opening.name))?;
    Ok(Some(*Raw::trust_on_first_use(bytes).digest()))
}
