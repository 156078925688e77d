//! The payload that cosign signs for an image until version 2 (`simple signing`).

use porthole_core::digest::Digest;
use serde_json::Value;

/// The content of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignaturePayload {
    /// The image that was signed.
    pub image: Digest,
    /// The name under which it was signed, as written. A copy of the image has another name and the same signature.
    pub reference: String,
    pub(crate) bytes: Vec<u8>,
}

/// Why bytes are not a payload of cosign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// They are not JSON.
    #[error("expected the payload of a cosign signature, got something that is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// They are a payload of another kind.
    #[error("expected the payload of a cosign signature, got one of the type `{0}`")]
    Type(String),
    /// No image is named.
    #[error("expected `critical.image.docker-manifest-digest` to be a digest, got `{0}`")]
    Image(String),
}

impl SignaturePayload {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, PayloadError> {
        let value: Value = serde_json::from_slice(bytes)?;
        let critical = &value["critical"];
        let kind = critical["type"].as_str().unwrap_or_default();
        // The second is what GPG signatures of the same format say.
        if !matches!(kind, "cosign container image signature" | "atomic container signature") {
            return Err(PayloadError::Type(kind.to_owned()));
        }
        let image = critical["image"]["docker-manifest-digest"].as_str().unwrap_or_default();
        let reference = critical["identity"]["docker-reference"].as_str().unwrap_or_default();
        Ok(Self {
            image: image.parse().map_err(|_| PayloadError::Image(image.to_owned()))?,
            reference: reference.to_owned(),
            bytes: bytes.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn payload(kind: &str, digest: &str) -> Result<SignaturePayload, PayloadError> {
        let value = json!({"critical": {
            "identity": {"docker-reference": "example.org/a"}, "image": {"docker-manifest-digest": digest}, "type": kind,
        }, "optional": null});
        SignaturePayload::parse(&serde_json::to_vec(&value).expect("JSON"))
    }

    #[test]
    fn a_payload_names_the_image_that_was_signed() {
        let image = Digest::sha256(b"image");
        let read = payload("cosign container image signature", &image.to_string()).expect("a payload");
        assert_eq!((read.image, read.reference.as_str()), (image, "example.org/a"));
    }

    #[test]
    fn a_signed_text_of_another_type_is_no_signature_of_an_image() {
        let digest = Digest::sha256(b"image").to_string();
        assert!(
            matches!(payload("something else", &digest), Err(PayloadError::Type(kind)) if kind == "something else")
        );
        let error = payload("cosign container image signature", "sha256:short").expect_err("no digest");
        assert!(matches!(error, PayloadError::Image(_)), "{error}");
        assert!(matches!(SignaturePayload::parse(b"{"), Err(PayloadError::Json(_))));
    }
}
