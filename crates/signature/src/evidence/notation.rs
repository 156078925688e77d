//! Signatures of Notation: a JSON Web Signature (RFC 7515, section 7.2.2) of the descriptor of an image, with the certificates of the signer.

use crate::key::{JwsAlgorithm, PublicKey};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use porthole_core::digest::Digest;
use serde_json::Value;

/// A signature of Notation, with the key that it names.
#[derive(Clone, Debug)]
pub(crate) struct NotationSignature {
    /// The image that was signed.
    pub(crate) image: Digest,
    /// The key of the signer's certificate. What vouches for that certificate is not read.
    pub(crate) key: PublicKey,
    /// `None` = an algorithm that Notation does not have.
    pub(crate) algorithm: Option<JwsAlgorithm>,
    /// Why it cannot be judged here, even if the key made it.
    pub(crate) obstacle: Option<String>,
    /// The protected header and the payload as in the envelope: the message that is signed (RFC 7515, section 5.1).
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// Why bytes are no signature of Notation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotationError {
    /// They are no JSON.
    #[error("expected a signature of Notation, got something that is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A part of it is missing or malformed.
    #[error("expected {expected} in `{name}` of a signature of Notation, got something else")]
    Part {
        /// Name of the field.
        name: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
}

impl NotationSignature {
    pub(super) fn parse(envelope: &[u8]) -> Result<Self, NotationError> {
        let envelope: Value = serde_json::from_slice(envelope)?;
        let (header, protected) = part(&envelope, "protected")?;
        let (content, payload) = part(&envelope, "payload")?;
        let signature = text(&envelope["signature"], "signature", BASE64)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| wrong("signature", BASE64))?;
        let protected: Value = serde_json::from_slice(&protected)?;
        if protected["cty"] != PAYLOAD {
            return Err(wrong("cty", "the media type of a payload of Notation"));
        }
        let payload: Value = serde_json::from_slice(&payload)?;
        let image = text(&payload["targetArtifact"]["digest"], "targetArtifact.digest", "a digest")?;
        let certificate = text(&envelope["header"]["x5c"][0], "x5c", CERTIFICATE)?;
        let certificate = STANDARD.decode(certificate).map_err(|_| wrong("x5c", CERTIFICATE))?;
        let algorithm = text(&protected["alg"], "alg", "an algorithm")?;
        Ok(Self {
            image: image.parse().map_err(|_| wrong("targetArtifact.digest", "a digest"))?,
            key: PublicKey::of_certificate(&certificate)
                .map_err(|_| wrong("x5c", "a certificate with a key of ECDSA or RSA"))?,
            algorithm: JwsAlgorithm::named(algorithm),
            obstacle: obstacle(&protected)?,
            message: format!("{header}.{content}").into_bytes(),
            signature,
        })
    }
}

/// What a verifier has to heed, and this one does not: headers that are marked as critical (RFC 7515, section 4.1.11), the end of a
/// signature's life, since no clock decides anything here, and schemes that are not known.
fn obstacle(protected: &Value) -> Result<Option<String>, NotationError> {
    let critical = protected["crit"].as_array().ok_or_else(|| wrong("crit", "a list"))?;
    let unknown = critical.iter().find(|name| !KNOWN.iter().any(|known| *name == known));
    if let Some(name) = unknown {
        return Ok(Some(format!("its critical header {name} is not known here")));
    }
    if let Some(time) = protected[EXPIRY].as_str() {
        return Ok(Some(format!("it ends at {time}, and no clock is asked here")));
    }
    let scheme = text(&protected[SCHEME], "io.cncf.notary.signingScheme", "a scheme")?;
    let known = matches!(scheme, "notary.x509" | "notary.x509.signingAuthority");
    Ok((!known).then(|| format!("its scheme `{scheme}` is not known here")))
}

/// A part of the envelope, as it is written and as bytes.
fn part<'a>(envelope: &'a Value, name: &'static str) -> Result<(&'a str, Vec<u8>), NotationError> {
    let written = text(&envelope[name], name, BASE64)?;
    let bytes = URL_SAFE_NO_PAD.decode(written).map_err(|_| wrong(name, BASE64))?;
    Ok((written, bytes))
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
/// Headers that may be critical.
const KNOWN: [&str; 3] = [SCHEME, EXPIRY, "io.cncf.notary.authenticSigningTime"];
const BASE64: &str = "base64url without padding";
const CERTIFICATE: &str = "a certificate in base64";
