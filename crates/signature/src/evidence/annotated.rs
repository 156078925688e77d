//! Signatures of cosign until version 2, whose parts are in annotations, as bundles.

use super::EvidenceError;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_core::digest::unhex;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sigstore_verify::types::{Bundle, DerCertificate};
use std::collections::BTreeMap;

type Annotations = BTreeMap<String, String>;

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

/// A signature over a payload.
pub(super) fn of_payload(annotations: &Annotations, payload: &[u8]) -> Result<Bundle, EvidenceError> {
    let wrong = || EvidenceError::Annotation { name: SIGNATURE, expected: "a signature in base64" };
    let signature =
        annotations.get(SIGNATURE).map(|text| text.trim()).filter(|text| !text.is_empty()).ok_or_else(wrong)?;
    STANDARD.decode(signature).map_err(|_| wrong())?;
    bundle(
        annotations,
        "messageSignature",
        json!({
            "messageDigest": {"algorithm": "SHA2_256", "digest": STANDARD.encode(Sha256::digest(payload))},
            "signature": signature,
        }),
    )
}

/// A signed envelope.
pub(super) fn of_envelope(annotations: &Annotations, envelope: &[u8]) -> Result<Bundle, EvidenceError> {
    let envelope: Value = serde_json::from_slice(envelope).map_err(|error| EvidenceError::Bundle(error.to_string()))?;
    bundle(annotations, "dsseEnvelope", envelope)
}

fn bundle(annotations: &Annotations, kind: &str, content: Value) -> Result<Bundle, EvidenceError> {
    let mut material = match annotations.get(CERTIFICATE) {
        Some(certificate) => {
            let chain = annotations.get(CHAIN).map(String::as_str).unwrap_or_default();
            let mut certificates = certificates(certificate, CERTIFICATE)?;
            certificates.extend(self::certificates(chain, CHAIN)?);
            json!({"x509CertificateChain": {"certificates": certificates}})
        }
        None => json!({"publicKey": {"hint": ""}}),
    };
    material["tlogEntries"] =
        Value::Array(annotations.get(LOG_ENTRY).map(|text| log_entry(text)).transpose()?.into_iter().collect());
    if let Some(timestamp) = annotations.get(TIMESTAMP) {
        let wrong = || EvidenceError::Annotation { name: TIMESTAMP, expected: "a signed time" };
        let timestamp: Value = serde_json::from_str(timestamp).map_err(|_| wrong())?;
        let token = timestamp["SignedRFC3161Timestamp"].as_str().ok_or_else(wrong)?;
        material["timestampVerificationData"] = json!({"rfc3161Timestamps": [{"signedTimestamp": token}]});
    }
    let mut bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.2",
        "verificationMaterial": material,
    });
    bundle[kind] = content;
    serde_json::from_value(bundle).map_err(|error| EvidenceError::Bundle(error.to_string()))
}

/// Every certificate of a text in PEM.
fn certificates(text: &str, name: &'static str) -> Result<Vec<Value>, EvidenceError> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = text.split_inclusive(END).filter(|block| !block.trim().is_empty());
    blocks
        .map(|block| match DerCertificate::from_pem(block.trim()) {
            Ok(certificate) => Ok(json!({"rawBytes": STANDARD.encode(certificate.as_bytes())})),
            Err(_) => Err(EvidenceError::Annotation { name, expected: "certificates as PEM" }),
        })
        .collect()
}

/// The log entry, as Rekor returned it when the signature was logged.
fn log_entry(text: &str) -> Result<Value, EvidenceError> {
    let read = || {
        let value: Value = serde_json::from_str(text).ok()?;
        let payload = &value["Payload"];
        let body = payload["body"].as_str()?;
        let entry: Value = serde_json::from_slice(&STANDARD.decode(body).ok()?).ok()?;
        Some(json!({
            "logIndex": payload["logIndex"].as_u64()?.to_string(),
            "logId": {"keyId": STANDARD.encode(unhex(payload["logID"].as_str()?.as_bytes())?)},
            "kindVersion": {"kind": entry["kind"].as_str()?, "version": entry["apiVersion"].as_str()?},
            "integratedTime": payload["integratedTime"].as_u64()?.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": value["SignedEntryTimestamp"].as_str()?},
            "canonicalizedBody": body,
        }))
    };
    read().ok_or(EvidenceError::Annotation { name: LOG_ENTRY, expected: "an entry of a log" })
}
