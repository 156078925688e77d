//! Fetches what may be evidence: blobs of referrers whose media types promise signatures, statements or bills of
//! materials.

use super::{EvidenceFormat, Referrer, referrers_of};
use crate::{blob::read_whole, resolve::ResolvedImage};
use porthole_core::{
    descriptor::Descriptor,
    digest::{Digest, Mismatch},
    failure::Classify,
    manifest::{Document, Index, Manifest, Parsed},
};
use porthole_source::ImageSource;

/// Which evidence is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedEvidence {
    /// Only what may be a signature of the image. Attestations, which may be large, are not fetched.
    Signatures,
    /// All evidence about the image, signed or not.
    All,
}

/// What refers to an image and to the index that led to it.
#[derive(Debug, Default)]
pub struct FoundEvidence {
    /// Blobs that promise evidence.
    pub blobs: Vec<RawEvidence>,
    /// Referrers without such a blob.
    pub others: Vec<Document>,
    /// Bytes of documents and blobs that were received.
    pub received: u64,
}

/// A blob that promises evidence.
#[derive(Debug)]
pub struct RawEvidence {
    /// The image or the index that it must be about.
    pub subject: Descriptor,
    /// Digest of the manifest that holds it.
    pub referrer: Digest,
    /// Its descriptor in that manifest.
    pub layer: Descriptor,
    /// The blob, compared with its descriptor.
    pub bytes: Result<Vec<u8>, RawEvidenceError>,
}

/// Why there are no bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RawEvidenceError {
    /// The blob is not what its descriptor promises.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The blob is larger than the limit of the caller.
    #[error("{size} bytes are more than the {limit} that are read as evidence")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

/// Fetches the evidence about an image, and about the index that led to it: a signature of the index is also one of
/// each of its images. A blob of more than `limit` bytes is not fetched.
///
/// # Errors
///
/// Those of the source. A blob that does not match its descriptor is in the list, with the reason.
pub async fn fetch_evidence<S: ImageSource<Error: Classify>>(
    source: &S,
    resolved: &ResolvedImage,
    wanted: WantedEvidence,
    limit: u64,
) -> Result<FoundEvidence, S::Error> {
    let index = match &resolved.index {
        Some(Document::Index(index)) => Some(index),
        _ => None,
    };
    let mut found = FoundEvidence::default();
    let image = described(&resolved.image.manifest);
    about(source, &image, index.map(|index| &index.value), wanted, limit, &mut found).await?;
    if let Some(index) = index {
        about(source, &described(index), None, wanted, limit, &mut found).await?;
    }
    Ok(found)
}

fn described<T>(document: &Parsed<T>) -> Descriptor {
    Descriptor::new(document.media_type.clone(), *document.raw.digest(), document.raw.size())
}

async fn about<S: ImageSource<Error: Classify>>(
    source: &S,
    subject: &Descriptor,
    index: Option<&Index>,
    wanted: WantedEvidence,
    limit: u64,
    found: &mut FoundEvidence,
) -> Result<(), S::Error> {
    for Referrer { document, .. } in referrers_of(source, &subject.digest, index).await?.found {
        found.received += document.raw().size();
        let manifest = match &document {
            Document::Manifest(manifest) if has_evidence(&manifest.value) => manifest,
            _ => {
                found.others.push(document);
                continue;
            }
        };
        for layer in evidence_in(&manifest.value, wanted) {
            let bytes = match layer.size {
                size if size > limit => Err(RawEvidenceError::TooLarge { size, limit }),
                _ => {
                    let (bytes, received) = read_whole(source, layer).await?;
                    found.received += received;
                    bytes.map_err(RawEvidenceError::from)
                }
            };
            let (subject, referrer) = (subject.clone(), *manifest.raw.digest());
            found.blobs.push(RawEvidence { subject, referrer, layer: layer.clone(), bytes });
        }
    }
    Ok(())
}

fn has_evidence(manifest: &Manifest) -> bool {
    manifest.layers.iter().any(|layer| EvidenceFormat::of(&layer.media_type).is_some())
}

/// The layers of a referrer that hold evidence, by their media types.
fn evidence_in(manifest: &Manifest, wanted: WantedEvidence) -> impl Iterator<Item = &Descriptor> {
    // States the kind of statement in a bundle, so that an attestation need not be fetched to recognise it.
    let predicate = manifest.annotations.get("dev.sigstore.bundle.predicateType");
    let is_attestation = predicate.is_some_and(|predicate| !predicate.starts_with("https://sigstore.dev/cosign/sign/"));
    manifest.layers.iter().filter(move |layer| match (EvidenceFormat::of(&layer.media_type), wanted) {
        (None, _) => false,
        (Some(_), WantedEvidence::All) => true,
        (Some(EvidenceFormat::SigstoreBundle), WantedEvidence::Signatures) => !is_attestation,
        (Some(format), WantedEvidence::Signatures) => {
            matches!(format, EvidenceFormat::CosignPayload | EvidenceFormat::Notation)
        }
    })
}
