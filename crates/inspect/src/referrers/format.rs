//! Which blobs of referrers are evidence: signatures, statements, bills of materials.

use porthole_core::media_type::MediaType;

/// The kinds of blobs that are evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceFormat {
    /// A signature of cosign until version 2.
    CosignPayload,
    /// An attestation of cosign until version 2.
    CosignEnvelope,
    /// A bundle of Sigstore.
    SigstoreBundle,
    /// An in-toto statement without a signature, as BuildKit writes it.
    Statement,
    /// A bill of materials without a signature.
    Bill,
    /// A signature of Notation.
    Notation,
}

impl EvidenceFormat {
    /// What the media type of a layer promises; `None` if a layer of that type is not evidence.
    pub fn of(media_type: &MediaType) -> Option<Self> {
        let text = media_type.as_str();
        if text.starts_with("application/vnd.dev.sigstore.bundle") {
            return Some(Self::SigstoreBundle);
        }
        Some(match text {
            "application/vnd.dev.cosign.simplesigning.v1+json" => Self::CosignPayload,
            "application/vnd.dsse.envelope.v1+json" => Self::CosignEnvelope,
            "application/vnd.in-toto+json" => Self::Statement,
            "application/spdx+json" | "text/spdx+json" | "application/vnd.cyclonedx+json" => Self::Bill,
            "application/jose+json" | "application/cose" => Self::Notation,
            _ => return None,
        })
    }

    /// What it is, in a few words.
    pub fn name(self) -> &'static str {
        match self {
            Self::CosignPayload => "cosign signature",
            Self::CosignEnvelope => "cosign attestation",
            Self::SigstoreBundle => "Sigstore bundle",
            Self::Statement => "statement",
            Self::Bill => "bill of materials",
            Self::Notation => "Notation signature",
        }
    }
}
