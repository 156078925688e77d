//! Signatures of Notation: a descriptor of an image, signed as a JSON Web Signature (RFC 7515, section 7.2.2) or as COSE (RFC 9052,
//! section 4.2), with the certificates of the signer.

mod cbor;
mod cose;
mod jws;

use crate::{
    chain::{MOST_CERTIFICATES, Moment},
    key::{JwsAlgorithm, PublicKey},
};
use porthole_core::digest::Digest;
use serde_json::Value;

/// A signature of Notation, with the certificates that came with it.
#[derive(Clone, Debug)]
pub(crate) struct NotationSignature {
    /// What was signed.
    pub(crate) target: NotationTarget,
    /// The chain of certificates as DER, the signer's first.
    pub(crate) chain: Vec<Vec<u8>>,
    /// The key of the first certificate.
    pub(crate) key: PublicKey,
    /// `None` if Notation does not define the algorithm.
    pub(crate) algorithm: Option<JwsAlgorithm>,
    /// The party that vouches for the time of the signature.
    pub(crate) scheme: NotationScheme,
    /// When the signature expires.
    pub(crate) expiry: Option<Moment>,
    /// What keeps this verifier from judging the signature, such as an unknown critical header.
    pub(crate) obstacle: Option<String>,
    /// A time stamp token (RFC 3161).
    pub(crate) token: Option<Vec<u8>>,
    /// The bytes that are signed.
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// The descriptor that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotationTarget {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) media_type: String,
}

/// Signing schemes (Notary Project, signing scheme).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotationScheme {
    /// `notary.x509`: the signer states no time that proves anything.
    X509,
    /// `notary.x509.signingAuthority`: a trusted service states the time.
    SigningAuthority(Moment),
    /// A scheme that Notation does not define.
    Unknown,
}

/// Why bytes are not a signature of Notation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotationError {
    /// They are not JSON.
    #[error("expected a signature of Notation, got something that is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// They are not CBOR.
    #[error("expected a signature of Notation, got something that is no CBOR of this form: {0}")]
    Cbor(&'static str),
    /// A part of it is missing or malformed.
    #[error("expected {expected} in `{name}` of a signature of Notation, got something else")]
    Part {
        /// Name of the field.
        name: &'static str,
        /// What is expected there.
        expected: &'static str,
    },
}

/// The protected header, in either format.
struct Header {
    content_type: Option<String>,
    scheme: Option<String>,
    /// The names of critical headers.
    critical: Vec<String>,
    expiry: Option<Moment>,
    authentic_time: Option<Moment>,
    algorithm: Option<JwsAlgorithm>,
}

/// The parts of an envelope, in either format.
struct Envelope {
    header: Header,
    payload: Vec<u8>,
    chain: Vec<Vec<u8>>,
    token: Option<Vec<u8>>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl NotationSignature {
    /// Reads an envelope as JSON.
    pub(super) fn of_jws(envelope: &[u8]) -> Result<Self, NotationError> {
        jws::read(envelope)?.signature()
    }

    /// Reads an envelope as CBOR.
    pub(super) fn of_cose(envelope: &[u8]) -> Result<Self, NotationError> {
        cose::read(envelope)?.signature()
    }
}

impl Envelope {
    fn signature(self) -> Result<NotationSignature, NotationError> {
        let Self { header, payload, chain, token, message, signature } = self;
        if header.content_type.as_deref() != Some(PAYLOAD) {
            return Err(wrong("cty", "the media type of a payload of Notation"));
        }
        if chain.len() > MOST_CERTIFICATES {
            return Err(wrong("x5c", "at most 16 certificates"));
        }
        let leaf = chain.first().ok_or_else(|| wrong("x5c", "a certificate"))?;
        let key =
            PublicKey::of_certificate(leaf).map_err(|_| wrong("x5c", "a certificate with a key of ECDSA or RSA"))?;
        let (scheme, obstacle) = header.scheme()?;
        let (expiry, algorithm) = (header.expiry, header.algorithm);
        let target = target(&payload)?;
        Ok(NotationSignature { target, chain, key, algorithm, scheme, expiry, obstacle, token, message, signature })
    }
}

impl Header {
    /// The scheme, and what keeps a verifier from judging the signature: headers that are marked as critical and not known (RFC 7515,
    /// section 4.1.11), and a scheme that is not known.
    fn scheme(&self) -> Result<(NotationScheme, Option<String>), NotationError> {
        let is_critical = |name: &str| self.critical.iter().any(|critical| critical == name);
        let unknown = self.critical.iter().find(|name| !KNOWN.contains(&name.as_str()));
        let mut obstacle = unknown.map(|name| format!("its critical header `{name}` is not known here"));
        let marked = [(true, SCHEME), (self.expiry.is_some(), EXPIRY), (self.authentic_time.is_some(), AUTHENTIC_TIME)];
        if marked.into_iter().any(|(is_there, name)| is_there != is_critical(name)) {
            return Err(wrong("crit", "the headers that are critical, and no others"));
        }
        let name = self.scheme.as_deref().ok_or_else(|| wrong(SCHEME, "a scheme"))?;
        let scheme = match (name, self.authentic_time) {
            ("notary.x509", None) => NotationScheme::X509,
            ("notary.x509.signingAuthority", Some(time)) => NotationScheme::SigningAuthority(time),
            ("notary.x509" | "notary.x509.signingAuthority", _) => {
                return Err(wrong(AUTHENTIC_TIME, "a time, and only of a signing authority"));
            }
            _ => {
                obstacle = obstacle.or_else(|| Some(format!("its scheme `{name}` is not known here")));
                NotationScheme::Unknown
            }
        };
        Ok((scheme, obstacle))
    }
}

/// The descriptor in a payload (Notary Project, signature specification, "Payload").
fn target(payload: &[u8]) -> Result<NotationTarget, NotationError> {
    let payload: Value = serde_json::from_slice(payload)?;
    let target = &payload["targetArtifact"];
    let digest = text(&target["digest"], "targetArtifact.digest", "a digest")?;
    Ok(NotationTarget {
        digest: digest.parse().map_err(|_| wrong("targetArtifact.digest", "a digest"))?,
        size: target["size"].as_u64().ok_or_else(|| wrong("targetArtifact.size", "a size"))?,
        media_type: text(&target["mediaType"], "targetArtifact.mediaType", "a media type")?.to_owned(),
    })
}

fn text<'a>(value: &'a Value, name: &'static str, expected: &'static str) -> Result<&'a str, NotationError> {
    value.as_str().ok_or_else(|| wrong(name, expected))
}

fn wrong(name: &'static str, expected: &'static str) -> NotationError {
    NotationError::Part { name, expected }
}

const PAYLOAD: &str = "application/vnd.cncf.notary.payload.v1+json";
const SCHEME: &str = "io.cncf.notary.signingScheme";
const EXPIRY: &str = "io.cncf.notary.expiry";
const AUTHENTIC_TIME: &str = "io.cncf.notary.authenticSigningTime";
const TOKEN: &str = "io.cncf.notary.timestampSignature";
/// Headers that may be critical.
const KNOWN: [&str; 3] = [SCHEME, EXPIRY, AUTHENTIC_TIME];
