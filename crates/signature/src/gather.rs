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
    /// What it is to be about: the image, or the index that led to it.
    pub subject: Descriptor,
    /// Digest of the manifest that holds it.
    pub referrer: Digest,
    /// The blob of that manifest.
    pub layer: Descriptor,
    /// The evidence, or why the blob is none.
    pub evidence: Result<Evidence, GatherError>,
}

/// Why a blob is no evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// There are no bytes of it.
    #[error(transparent)]
    Raw(#[from] RawEvidenceError),
    /// It is not what its media type promises.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// Fetches the evidence about an image, and about the index that led to it, as
/// [`fetch_evidence`], and reads it.
///
/// # Errors
///
/// Those of the source. A blob that is not what it should be is in the list, with the reason.
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

    /// Checks the evidence against its subject. A blob that is not evidence is wrong, and one that was not read is not checked.
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
