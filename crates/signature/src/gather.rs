//! Fetching the evidence about an image.

use crate::{
    demand::Demand,
    evidence::{Evidence, EvidenceError},
    verify::{Outcome, SignatureCheck, SignatureVerifier},
};
use porthole_core::{descriptor::Descriptor, digest::Digest, failure::Classify};
pub use porthole_inspect::referrers::WantedEvidence;
use porthole_inspect::{
    referrers::{RawEvidence, RawEvidenceError, fetch_evidence},
    resolve::ResolvedImage,
};
use porthole_source::ImageSource;

/// A piece of evidence, and where it came from.
#[derive(Debug)]
pub struct Gathered {
    /// The document that it must be about: the image, or the index that led to it.
    pub subject: Descriptor,
    /// Digest of the manifest that holds it.
    pub referrer: Digest,
    /// The blob of that manifest.
    pub layer: Descriptor,
    /// The evidence, or why the blob is not evidence.
    pub evidence: Result<Evidence, GatherError>,
}

/// Why a blob is not evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// The blob could not be read.
    #[error(transparent)]
    Raw(#[from] RawEvidenceError),
    /// The content does not match its media type.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// Fetches the evidence about an image, and about the index that led to it, as
/// [`fetch_evidence`], and reads it.
///
/// # Errors
///
/// Errors of the source. A blob that is not evidence is in the list, with the reason.
pub async fn gather<S: ImageSource<Error: Classify>>(
    source: &S,
    resolved: &ResolvedImage,
    wanted: WantedEvidence,
) -> Result<Vec<Gathered>, S::Error> {
    let found = fetch_evidence(source, resolved, wanted, Evidence::MAX_BYTES).await?;
    Ok(found.blobs.into_iter().map(Gathered::of).collect())
}

impl Gathered {
    fn of(raw: RawEvidence) -> Self {
        let RawEvidence { subject, referrer, layer, bytes } = raw;
        let read = |bytes: Vec<u8>| Evidence::parse(&layer, &bytes).map_err(GatherError::from);
        let evidence = bytes.map_err(GatherError::from).and_then(read);
        Self { subject, referrer, layer, evidence }
    }

    /// Checks the evidence against its subject. A blob that is not evidence gives [`Outcome::Wrong`]; one that is too large to
    /// read, [`Outcome::Unchecked`].
    pub fn check(&self, verifier: &SignatureVerifier, demand: &Demand) -> SignatureCheck {
        match &self.evidence {
            Ok(evidence) => verifier.check(evidence, &self.subject, demand),
            Err(error @ GatherError::Raw(RawEvidenceError::TooLarge { .. })) => {
                Outcome::Unchecked(error.to_string()).into()
            }
            Err(error) => Outcome::Wrong(error.to_string()).into(),
        }
    }
}
