//! Fetching the evidence about an image.

use crate::evidence::{Evidence, EvidenceError, EvidenceFormat};
use porthole_core::{
    descriptor::Descriptor,
    digest::{Digest, Mismatch, Verifier},
    failure::{Classify, Failure},
    manifest::{Document, Manifest},
};
use porthole_inspect::{
    blob::read_range,
    referrers::{FoundBy, Referrer, referrers_of},
    resolve::ResolvedImage,
};
use porthole_source::ImageSource;
use std::ops::ControlFlow;

/// Which evidence is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Only what may be a signature of the image: attestations, which may be large, stay where they are.
    Signatures,
    /// Everything that says something about the image, signed or not.
    All,
}

/// A piece of evidence, and where it came from.
#[derive(Debug)]
pub struct Gathered {
    /// The digest that it is to be about: the image, or the index that led to it.
    pub subject: Digest,
    /// Digest of the manifest that holds it.
    pub referrer: Digest,
    /// How that manifest was found.
    pub by: FoundBy,
    /// The blob of that manifest.
    pub layer: Descriptor,
    /// The evidence, or why the blob is none.
    pub evidence: Result<Evidence, GatherError>,
}

/// Why a blob is no evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// It is not what its descriptor promises.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// It is not what its media type promises.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// It is larger than [`Evidence::MAX_BYTES`].
    #[error("{size} bytes are more than the {limit} that are read as evidence")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

impl Classify for GatherError {
    fn failure(&self) -> Failure {
        match self {
            Self::Mismatch(_) | Self::Evidence(_) => Failure::malformed(),
            Self::TooLarge { .. } => Failure::limit(),
        }
    }
}

/// Fetches the evidence about an image, and about the index that led to it: a signature of the index is one of each of its images.
///
/// # Errors
///
/// Those of the source. A blob that is not what it should be is in the list, with the reason.
pub async fn gather<S: ImageSource<Error: Classify>>(
    source: &S,
    resolved: &ResolvedImage,
    wanted: Wanted,
) -> Result<Vec<Gathered>, S::Error> {
    let index = match &resolved.index {
        Some(Document::Index(index)) => Some(index),
        _ => None,
    };
    let image = *resolved.image.manifest.raw.digest();
    let mut all = gather_about(source, &image, index.map(|index| &index.value), wanted).await?;
    if let Some(index) = index {
        all.extend(gather_about(source, index.raw.digest(), None, wanted).await?);
    }
    Ok(all)
}

async fn gather_about<S: ImageSource<Error: Classify>>(
    source: &S,
    subject: &Digest,
    index: Option<&porthole_core::manifest::Index>,
    wanted: Wanted,
) -> Result<Vec<Gathered>, S::Error> {
    let mut all = Vec::new();
    for Referrer { document, by, .. } in referrers_of(source, subject, index).await?.found {
        let Document::Manifest(manifest) = document else { continue };
        for layer in evidence_in(&manifest.value, wanted) {
            all.push(Gathered {
                subject: *subject,
                referrer: *manifest.raw.digest(),
                by: by.clone(),
                layer: layer.clone(),
                evidence: fetch(source, layer).await?,
            });
        }
    }
    Ok(all)
}

/// The layers of a referrer that hold evidence, by their media types.
pub fn evidence_in(manifest: &Manifest, wanted: Wanted) -> impl Iterator<Item = &Descriptor> {
    // Both say what kind of statement a bundle has, so that it need not be fetched.
    let predicate = manifest.annotations.get("dev.sigstore.bundle.predicateType");
    let is_attestation = predicate.is_some_and(|predicate| !predicate.starts_with("https://sigstore.dev/cosign/sign/"));
    manifest.layers.iter().filter(move |layer| match (EvidenceFormat::of(&layer.media_type), wanted) {
        (None, _) => false,
        (Some(_), Wanted::All) => true,
        (Some(EvidenceFormat::SigstoreBundle), Wanted::Signatures) => !is_attestation,
        (Some(format), Wanted::Signatures) => {
            matches!(format, EvidenceFormat::CosignPayload | EvidenceFormat::Notation)
        }
    })
}

async fn fetch<S: ImageSource>(source: &S, layer: &Descriptor) -> Result<Result<Evidence, GatherError>, S::Error> {
    let size = layer.size;
    if size > Evidence::MAX_BYTES {
        return Ok(Err(GatherError::TooLarge { size, limit: Evidence::MAX_BYTES }));
    }
    let mut bytes = Vec::new();
    let mut verifier = Verifier::new(&layer.digest, size);
    let mut wrong = None;
    read_range(source, Some(layer), 0..size, |part| match verifier.update(part) {
        Ok(()) => {
            bytes.extend_from_slice(part);
            ControlFlow::Continue(())
        }
        Err(mismatch) => {
            wrong = Some(mismatch);
            ControlFlow::Break(())
        }
    })
    .await?;
    if let Err(mismatch) = wrong.map_or_else(|| verifier.finish(), Err) {
        return Ok(Err(mismatch.into()));
    }
    Ok(Evidence::parse(layer, &bytes).map_err(GatherError::from))
}
