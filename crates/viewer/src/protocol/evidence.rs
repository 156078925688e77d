//! Who signed the image, and what was attested about it.

use super::{FailureNotice, ListedBill};
pub use porthole_inspect::policy::{SignerCertificates, SignerIdentity, SignerRule, SignerText, SignerWish};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The rules of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFacts {
    /// As `porthole verify --policy` reads them.
    pub text: String,
    /// The rules of the text, in its order.
    pub rules: Vec<SignerRule>,
    /// The error in the text that was set last, in words. The rules before it stay.
    pub problem: Option<String>,
}

/// What the session found, for the program that checks signatures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceJob {
    /// Number of the look.
    pub look: u32,
    /// Number of the run.
    pub run: u32,
    /// Whose signature is asked for.
    pub wish: SignerWish,
    /// Blobs of referrers.
    pub blobs: Vec<EvidenceBlob>,
}

/// A blob of a referrer, compared with its digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceBlob {
    /// Digest of the document that it must be about.
    pub subject: String,
    /// Media type of that document.
    pub subject_type: String,
    /// Size of that document in bytes.
    pub subject_size: u64,
    /// Manifest that holds it.
    pub referrer: String,
    /// Digest of the blob.
    pub digest: String,
    /// Media type of the blob.
    pub media_type: String,
    /// Bytes of the blob.
    pub size: u64,
    /// Annotations of its descriptor.
    pub annotations: BTreeMap<String, String>,
    /// The blob.
    ///
    /// # Errors
    /// Why it was not read, or is not evidence.
    pub bytes: Result<Vec<u8>, EvidenceLack>,
}

/// Why a blob is not checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceLack {
    /// It is too large for the page to fetch it.
    TooLarge,
    /// It is not what its descriptor promises.
    Wrong(String),
}

/// The answer of the program that checks signatures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceAnswer {
    /// Number of the look.
    pub look: u32,
    /// Number of the run.
    pub run: u32,
    /// A card for each blob.
    ///
    /// # Errors
    /// Why a key, an identity or a trust root cannot be used, for a person.
    pub cards: Result<Vec<EvidenceCard>, String>,
    /// Bills of materials among the blobs, each blob once.
    pub bills: Vec<ListedBill>,
}

/// How far the search for evidence is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceProgress {
    /// Number of the run.
    pub run: u32,
    /// Where it is.
    pub state: EvidenceState,
}

/// Where the search for evidence is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceState {
    /// The registry is asked, or signatures are checked.
    Running,
    /// The person stopped it.
    Stopped,
    /// What was found, and what refers to the image beside it.
    Done(Vec<EvidenceCard>),
    /// What was asked for cannot be used, for a person.
    Refused(String),
    /// The registry did not answer as it should.
    Failed(Box<FailureNotice>),
}

/// What the page shows of a signature, a statement or another referrer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceCard {
    /// Digest of the blob, or of the document that refers to the image.
    pub digest: String,
    /// What it is, in a few words.
    pub title: String,
    /// It is a statement, such as provenance: it says more than who signed.
    pub is_statement: bool,
    /// The verdict on its signature; `None` for a referrer without evidence.
    pub verdict: Option<SignatureVerdict>,
    /// Who signed, where that is proved.
    pub signer: Option<ShownSigner>,
    /// The rest, with names.
    pub facts: Vec<(String, String)>,
}

/// A signer of the image, as the page names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownSigner {
    /// An identity, or a key by its fingerprint.
    pub name: String,
    /// The provider that attested the identity.
    pub attested_by: Option<String>,
}

/// The verdict on a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureVerdict {
    /// It holds, by a signer that was named.
    Trusted,
    /// It holds, or may hold, by a signer that was not named.
    Stranger,
    /// There is none.
    Unsigned,
    /// It was not checked.
    Unchecked,
    /// Nothing that is trusted vouches for it, or for its time.
    Unknown,
    /// It does not hold.
    Wrong,
}

impl SignatureVerdict {
    /// The word of `data-verdict`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Stranger => "stranger",
            Self::Unsigned => "unsigned",
            Self::Unchecked => "unchecked",
            Self::Unknown => "unknown",
            Self::Wrong => "wrong",
        }
    }
}
