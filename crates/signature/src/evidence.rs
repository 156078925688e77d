//! Reads the blobs of a referrer.
//!
//! cosign writes signatures in two formats: until version 2, a payload (`simplesigning`) or an envelope (DSSE) with signature, certificate
//! and log entry in annotations of its layer; since version 3, a bundle of Sigstore with all of these. BuildKit writes statements
//! without a signature. All of them are read into one type. Notation has formats of its own.

mod annotated;
mod notation;
mod payload;

pub use notation::NotationError;
pub use payload::{PayloadError, SignaturePayload};
pub use porthole_inspect::referrers::EvidenceFormat;

use crate::statement::{BillOfMaterials, Predicate, Statement, StatementError};
pub(crate) use notation::{NotationScheme, NotationSignature};
use porthole_core::descriptor::Descriptor;
use sigstore_verify::types::{Bundle, SignatureContent};

/// The evidence in one blob of a referrer.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The format of the evidence.
    pub format: EvidenceFormat,
    /// The statement in it.
    pub statement: Option<Statement>,
    /// The bill of materials in it, if it is a document without a signature.
    pub bill: Option<BillOfMaterials>,
    pub(crate) signed: Option<Signed>,
    pub(crate) notation: Option<Box<NotationSignature>>,
}

/// A signature with its certificates and log entries.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// Both formats of cosign as one.
    pub(crate) bundle: Bundle,
    /// The content of a payload of cosign; `None` if the digest of the image itself, or a statement about it, is signed.
    pub(crate) payload: Option<SignaturePayload>,
}

/// Why a blob is not the evidence that its media type states.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The media type is not one of evidence.
    #[error("expected a signature, a statement or a bill of materials, got the media type `{0}`")]
    MediaType(String),
    /// The payload of a signature.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// A signature of Notation.
    #[error(transparent)]
    Notation(#[from] NotationError),
    /// A statement of in-toto.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// An annotation of cosign.
    #[error("expected {expected} in the annotation `{name}`, got something else")]
    Annotation {
        /// Key of the annotation.
        name: &'static str,
        /// What is expected there.
        expected: &'static str,
    },
    /// A bundle or an envelope.
    #[error("expected a signature in the format of Sigstore, got something else: {0}")]
    Bundle(String),
    /// A document that is neither SPDX nor CycloneDX.
    #[error("expected SPDX or CycloneDX as JSON, got something else")]
    Bill,
}

impl Evidence {
    /// Largest blob that is read as evidence, in bytes. Bills of materials of large images are tens of megabytes.
    pub const MAX_BYTES: u64 = 64 << 20;

    /// Reads the blob of a layer whose media type is evidence. The blob has been compared with the digest of the layer.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`].
    pub fn parse(layer: &Descriptor, blob: &[u8]) -> Result<Self, EvidenceError> {
        let unknown = || EvidenceError::MediaType(layer.media_type.to_string());
        let format = EvidenceFormat::of(&layer.media_type).ok_or_else(unknown)?;
        let unsigned = Self { format, statement: None, bill: None, signed: None, notation: None };
        Ok(match format {
            EvidenceFormat::CosignPayload => {
                let payload = SignaturePayload::parse(blob)?;
                let bundle = annotated::of_payload(&layer.annotations, blob)?;
                Self { signed: Some(Signed { bundle, payload: Some(payload) }), ..unsigned }
            }
            EvidenceFormat::CosignEnvelope => {
                Self::of_bundle(format, annotated::of_envelope(&layer.annotations, blob)?)?
            }
            EvidenceFormat::SigstoreBundle => {
                let text = std::str::from_utf8(blob).map_err(|error| EvidenceError::Bundle(error.to_string()))?;
                let bundle = Bundle::from_json(text).map_err(|error| EvidenceError::Bundle(error.to_string()))?;
                Self::of_bundle(format, bundle)?
            }
            EvidenceFormat::Statement => Self { statement: Some(Statement::parse(blob)?), ..unsigned },
            EvidenceFormat::Bill => {
                let document = serde_json::from_slice(blob).map_err(|_| EvidenceError::Bill)?;
                let bill = BillOfMaterials::of_document(&document).ok_or(EvidenceError::Bill)?;
                Self { bill: Some(bill), ..unsigned }
            }
            EvidenceFormat::Notation => {
                let read = match layer.media_type.as_str() {
                    "application/cose" => NotationSignature::of_cose(blob)?,
                    _ => NotationSignature::of_jws(blob)?,
                };
                Self { notation: Some(Box::new(read)), ..unsigned }
            }
        })
    }

    fn of_bundle(format: EvidenceFormat, bundle: Bundle) -> Result<Self, EvidenceError> {
        let statement = match &bundle.content {
            SignatureContent::DsseEnvelope(envelope) => Some(Statement::parse(envelope.payload.as_bytes())?),
            _ => None,
        };
        let signed = Some(Signed { bundle, payload: None });
        Ok(Self { format, statement, bill: None, signed, notation: None })
    }

    /// The bill of materials in it, signed or not.
    pub fn bill_of_materials(&self) -> Option<BillOfMaterials> {
        match self.statement.as_ref().map(Statement::read) {
            Some(Predicate::Bill(bill)) => Some(bill),
            _ => self.bill.clone(),
        }
    }

    /// Whether it has a signature.
    pub fn is_signed(&self) -> bool {
        self.signed.is_some() || self.notation.is_some()
    }

    /// Whether a trust root of Sigstore judges its signature. Signatures of Notation are judged by certificates that a user names.
    pub fn is_judged_by_root(&self) -> bool {
        self.is_signed() && self.format != EvidenceFormat::Notation
    }
}
