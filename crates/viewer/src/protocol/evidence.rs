//! Who signed the image, and what was attested about it.

use super::FailureNotice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whose signature a person asks for. What is empty is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerWish {
    /// A public key, as PEM.
    pub key: String,
    /// An identity in a certificate, exactly.
    pub identity: String,
    /// The URL of the provider that attested it, exactly.
    pub issuer: String,
    /// A trust root as JSON, in place of that of Sigstore's public instance.
    pub root: String,
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
    /// What it is to be about.
    pub subject: String,
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
    /// The blob as text.
    ///
    /// # Errors
    /// Why it was not read, or is none.
    pub text: Result<String, EvidenceLack>,
}

/// Why a blob is no evidence before it was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceLack {
    /// It is too large for the page to fetch it.
    TooLarge,
    /// It is not what its descriptor promises.
    Wrong(String),
}

/// What the program that checks signatures says of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceAnswer {
    /// Number of the look.
    pub look: u32,
    /// Number of the run.
    pub run: u32,
    /// A row for each blob.
    ///
    /// # Errors
    /// Why a key, an identity or a trust root cannot be used, for a person.
    pub rows: Result<Vec<EvidenceRow>, String>,
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
    /// What was found, and what refers to the image beside it.
    Done {
        /// Signatures and statements.
        rows: Vec<EvidenceRow>,
        /// Referrers that hold no evidence.
        others: Vec<ReferrerFact>,
    },
    /// What was asked for cannot be used, for a person.
    Refused(String),
    /// The registry did not answer as it should.
    Failed(Box<FailureNotice>),
}

/// A signature or a statement, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// Digest of the blob.
    pub digest: String,
    /// Bytes of the blob.
    pub size: u64,
    /// What it is, in a few words.
    pub format: String,
    /// What it is to be about.
    pub subject: String,
    /// Manifest that holds it.
    pub referrer: String,
    /// What became of its signature.
    pub verdict: SignatureVerdict,
    /// Why, where there is more to say.
    pub reason: Option<String>,
    /// Who signed; proved only if the verdict is trusted or stranger.
    pub signer: Option<SignerFact>,
    /// Position in a log, proved.
    pub log_index: Option<u64>,
    /// When it existed, as a log or an authority signed: ISO 8601 in UTC.
    pub times: Vec<String>,
    /// What it says.
    pub statement: Option<StatementFact>,
}

/// What became of a signature.
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
    /// The trust root does not know who vouches for it.
    Unknown,
    /// It does not hold.
    Wrong,
}

/// Who signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignerFact {
    /// The holder of a key.
    Key {
        /// SHA-256 of the public key.
        fingerprint: String,
        /// Its algorithm.
        algorithm: String,
    },
    /// Someone whom a provider attested.
    Certificate {
        /// An address, or the URI of a workflow.
        identity: String,
        /// URL of the provider.
        issuer: Option<String>,
        /// Repository, commit, reference and run, with their names.
        claims: Vec<(String, String)>,
    },
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatementFact {
    /// Provenance, bill of materials, or another kind.
    pub kind: String,
    /// URI of its type.
    pub predicate_type: String,
    /// What it says, with names.
    pub facts: Vec<(String, String)>,
}

/// A document that refers to the image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferrerFact {
    /// Its digest.
    pub digest: String,
    /// Its artifact type, or the media type of its configuration.
    pub artifact_type: String,
    /// Bytes of the document.
    pub size: u64,
    /// The title in its annotations.
    pub title: Option<String>,
}

impl SignatureVerdict {
    /// Its word, for programs.
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
