//! Signatures as cosign and Notation write them, made with a test authority that issues certificates, a test log, and keys.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, SanType, SigningKey as _, date_time_ymd,
};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::image::Blob;

/// Time of every signature: noon UTC on 2026-01-01, in seconds since 1970.
pub const SIGNED_AT: u64 = 1_767_268_800;

/// A signer with a key pair.
pub struct Signatory {
    key: KeyPair,
    /// Certificate of the key and that of the authority that issued it, as DER. `None` for a bare key.
    certificate: Option<Vec<u8>>,
    authority: Option<Vec<u8>>,
}

/// An authority that issues certificates for keys, and a log that records signatures.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    log: KeyPair,
}

impl Default for Signatory {
    fn default() -> Self {
        Self::new()
    }
}

impl Signatory {
    /// A signer with a bare key, without a certificate.
    pub fn new() -> Self {
        Self { key: KeyPair::generate().expect("a key of P-256"), certificate: None, authority: None }
    }

    /// The public key in the format of `cosign.pub`: PEM.
    pub fn public_key(&self) -> String {
        self.key.public_key_pem()
    }

    fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.key.sign(message).expect("a signature"))
    }

    /// The certificate as PEM, or the public key if there is no certificate.
    fn verifier(&self) -> String {
        self.certificate.as_ref().map_or_else(|| self.public_key(), |der| pem("CERTIFICATE", der))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// An authority with a log.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, "authority of the tests");
        (params.not_before, params.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(2035, 1, 1));
        let key = || KeyPair::generate().expect("a key of P-256");
        Self { issuer: CertifiedIssuer::self_signed(params, key()).expect("a certificate"), log: key() }
    }

    /// A signer with a certificate of this authority for an identity (an e-mail address or URL), which the provider `issuer`
    /// attested.
    pub fn attest(&self, identity: &str, issuer: &str) -> Signatory {
        let mut params = CertificateParams::default();
        let name = |text: &str| text.try_into().expect("ASCII");
        params.subject_alt_names = vec![match identity.contains("://") {
            true => SanType::URI(name(identity)),
            false => SanType::Rfc822Name(name(identity)),
        }];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2026, 1, 2));
        // Fulcio's extension for the issuer, as a UTF8String.
        let mut text = vec![12, u8::try_from(issuer.len()).expect("a short issuer")];
        text.extend_from_slice(issuer.as_bytes());
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, 8], text)];
        let key = KeyPair::generate().expect("a key of P-256");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").der().to_vec();
        Signatory { key, certificate: Some(certificate), authority: Some(self.issuer.der().to_vec()) }
    }

    /// The authority's own certificate, as PEM.
    pub fn certificate(&self) -> String {
        pem("CERTIFICATE", self.issuer.der())
    }

    /// The trusted root (`trusted_root.json`) with which a verifier trusts this authority and its log.
    pub fn trusted_root(&self) -> String {
        let since = json!({"start": "2025-01-01T00:00:00Z"});
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{
                "baseUrl": "https://log.example", "hashAlgorithm": "SHA2_256", "logId": {"keyId": STANDARD.encode(self.log_id())},
                "publicKey": {
                    "rawBytes": STANDARD.encode(self.log.subject_public_key_info()), "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": since,
                },
            }],
            "certificateAuthorities": [{
                "subject": {"organization": "tests", "commonName": "authority of the tests"}, "uri": "https://ca.example",
                "certChain": {"certificates": [{"rawBytes": STANDARD.encode(self.issuer.der())}]}, "validFor": since,
            }],
            "ctlogs": [], "timestampAuthorities": [],
        })
        .to_string()
    }

    fn log_id(&self) -> Vec<u8> {
        Sha256::digest(self.log.subject_public_key_info()).to_vec()
    }

    /// The log's response to a new entry, as cosign 2 keeps it in an annotation.
    fn log_entry(&self, body: &Value) -> Value {
        let body = STANDARD.encode(body.to_string());
        let id = hex(&self.log_id());
        json!({
            "SignedEntryTimestamp": self.promise(&body),
            "Payload": {"body": body, "integratedTime": SIGNED_AT, "logIndex": 7, "logID": id},
        })
    }

    /// The log's signed promise to include an entry (signed entry timestamp), in base64.
    fn promise(&self, body: &str) -> String {
        let id = hex(&self.log_id());
        // Canonical JSON: the keys are sorted.
        let promised = format!(r#"{{"body":"{body}","integratedTime":{SIGNED_AT},"logID":"{id}","logIndex":7}}"#);
        STANDARD.encode(self.log.sign(promised.as_bytes()).expect("a signature"))
    }

    /// A log entry as a bundle has it, with the proof that it is the only one in its tree.
    fn proved_entry(&self, body: &Value) -> Value {
        let canonical = body.to_string();
        let leaf = Sha256::new_with_prefix([0]).chain_update(&canonical).finalize();
        let (root, body64) = (STANDARD.encode(leaf), STANDARD.encode(&canonical));
        let note = format!("log.example\n1\n{root}\n");
        let signature = self.log.sign(note.as_bytes()).expect("a signature");
        let signature = STANDARD.encode([&self.log_id()[..4], &signature].concat());
        json!({
            "logIndex": "7", "logId": {"keyId": STANDARD.encode(self.log_id())}, "integratedTime": SIGNED_AT.to_string(),
            "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]}, "canonicalizedBody": body64,
            "inclusionPromise": {"signedEntryTimestamp": self.promise(&body64)},
            "inclusionProof": {
                "logIndex": "0", "rootHash": root, "treeSize": "1", "hashes": [],
                "checkpoint": {"envelope": format!("{note}\n\u{2014} log.example {signature}\n")},
            },
        })
    }
}

/// The payload that cosign 2 signs for an image.
pub fn payload(digest: &str) -> Vec<u8> {
    json!({
        "critical": {
            "identity": {"docker-reference": "registry.example/app"}, "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string()
    .into_bytes()
}

/// A signature of cosign 2: the layer with its payload. If `log` is given, its log records the signature.
pub fn signature(payload: Vec<u8>, by: &Signatory, log: Option<&Authority>) -> SignedLayer {
    let signature = by.sign(&payload);
    let body = record_of_bytes(&payload, &signature, by);
    let annotations = annotations(by, log.map(|log| log.log_entry(&body)), signature);
    SignedLayer { blob: Blob::new("application/vnd.dev.cosign.simplesigning.v1+json", payload), annotations }
}

/// An attestation of cosign 2: the layer with an envelope around a statement. If `log` is given, its log records it.
pub fn attestation(statement: &Value, by: &Signatory, log: Option<&Authority>) -> SignedLayer {
    let (envelope, body) = envelope(statement, by);
    let envelope = envelope.to_string();
    let mut annotations = annotations(by, log.map(|log| log.log_entry(&body)), String::new());
    annotations.insert("predicateType".to_owned(), json!("https://example.org/x"));
    SignedLayer { blob: Blob::new("application/vnd.dsse.envelope.v1+json", envelope.into_bytes()), annotations }
}

/// A Sigstore bundle with a signature of bytes, as cosign 3 writes it. If `log` is given, its log records the signature.
pub fn signature_bundle(content: &[u8], by: &Signatory, log: Option<&Authority>) -> Blob {
    let signature = by.sign(content);
    let body = record_of_bytes(content, &signature, by);
    let digest = STANDARD.encode(Sha256::digest(content));
    let message = json!({"messageDigest": {"algorithm": "SHA2_256", "digest": digest}, "signature": signature});
    bundle("messageSignature", &message, &body, by, log)
}

/// A Sigstore bundle with an envelope around a statement, as cosign 3 writes it. If `log` is given, its log records it.
pub fn statement_bundle(statement: &Value, by: &Signatory, log: Option<&Authority>) -> Blob {
    let (envelope, body) = envelope(statement, by);
    bundle("dsseEnvelope", &envelope, &body, by, log)
}

fn bundle(field: &str, content: &Value, body: &Value, by: &Signatory, log: Option<&Authority>) -> Blob {
    let mut material = match &by.certificate {
        Some(certificate) => json!({"certificate": {"rawBytes": STANDARD.encode(certificate)}}),
        None => json!({"publicKey": {"hint": STANDARD.encode(Sha256::digest(by.key.subject_public_key_info()))}}),
    };
    material["tlogEntries"] = log.map(|log| log.proved_entry(body)).into_iter().collect();
    let mut bundle = json!({"mediaType": BUNDLE, "verificationMaterial": material});
    bundle[field] = content.clone();
    Blob::new(BUNDLE, bundle.to_string().into_bytes())
}

/// The manifest with a bundle whose subject is the signed manifest, as cosign 3 writes it, and its blobs. `predicate` is the type
/// of the bundle's statement.
pub fn referring(subject: &Blob, bundle: &Blob, predicate: Option<&str>) -> (Blob, [Blob; 2]) {
    let config = Blob::new("application/vnd.oci.empty.v1+json", b"{}".to_vec());
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE, "config": config.descriptor(),
        "layers": [bundle.descriptor()], "subject": subject.descriptor(),
    });
    if let Some(predicate) = predicate {
        manifest["annotations"] =
            json!({"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": predicate});
    }
    (Blob::new(MANIFEST, manifest.to_string().into_bytes()), [config, bundle.clone()])
}

/// The log's record of a signature of bytes.
fn record_of_bytes(content: &[u8], signature: &str, by: &Signatory) -> Value {
    json!({
        "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": hex(&Sha256::digest(content))}},
            "signature": {"content": signature, "publicKey": {"content": STANDARD.encode(by.verifier())}},
        },
    })
}

/// An envelope around a statement, and the log's record of it.
fn envelope(statement: &Value, by: &Signatory) -> (Value, Value) {
    const TYPE: &str = "application/vnd.in-toto+json";
    let statement = statement.to_string();
    let signed = format!("DSSEv1 {} {TYPE} {} {statement}", TYPE.len(), statement.len());
    let signature = by.sign(signed.as_bytes());
    let envelope = json!({
        "payloadType": TYPE, "payload": STANDARD.encode(&statement), "signatures": [{"keyid": "", "sig": signature}],
    });
    let record = json!({
        "apiVersion": "0.0.1", "kind": "dsse", "spec": {
            "envelopeHash": {"algorithm": "sha256", "value": hex(&Sha256::digest(envelope.to_string()))},
            "payloadHash": {"algorithm": "sha256", "value": hex(&Sha256::digest(&statement))},
            "signatures": [{"signature": signature, "verifier": STANDARD.encode(by.verifier())}],
        },
    });
    (envelope, record)
}

/// A signature of Notation by a signer with a certificate: the manifest whose subject is the signed manifest, and its blobs.
pub fn notation(subject: &Blob, by: &Signatory) -> (Blob, [Blob; 2]) {
    let scheme = "io.cncf.notary.signingScheme";
    let protected = json!({
        "alg": "ES256", "crit": [scheme], "cty": "application/vnd.cncf.notary.payload.v1+json", scheme: "notary.x509",
        "io.cncf.notary.signingTime": "2026-01-01T12:00:00Z",
    });
    let payload = json!({ "targetArtifact": subject.descriptor() });
    let [protected, payload] = [protected, payload].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signature = by.key.sign(format!("{protected}.{payload}").as_bytes()).expect("a signature");
    let chain = [&by.certificate, &by.authority].map(|der| STANDARD.encode(der.as_ref().expect("a certificate")));
    let envelope = json!({
        "protected": protected, "payload": payload, "signature": URL_SAFE_NO_PAD.encode(integers(&signature)),
        "header": { "x5c": chain, "io.cncf.notary.signingAgent": "tests" },
    });
    let envelope = Blob::new("application/jose+json", envelope.to_string().into_bytes());
    let config = Blob::new("application/vnd.cncf.notary.signature", b"{}".to_vec());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor(), "layers": [envelope.descriptor()],
        "subject": subject.descriptor(),
    });
    (Blob::new(MANIFEST, manifest.to_string().into_bytes()), [config, envelope])
}

/// Converts a P-256 signature from DER to the form of JSON Web Signatures (RFC 7518, section 3.4): two integers of 32 bytes
/// each.
fn integers(der: &[u8]) -> [u8; 64] {
    let mut raw = [0; 64];
    // After the header of the SEQUENCE, each INTEGER is a tag, a length and the bytes.
    let mut rest = &der[2..];
    for place in raw.chunks_mut(32) {
        let (integer, next) = rest[2..].split_at(usize::from(rest[1]));
        let integer = integer.strip_prefix(&[0]).unwrap_or(integer);
        place[32 - integer.len()..].copy_from_slice(integer);
        rest = next;
    }
    raw
}

/// A layer of a signature's manifest, with the annotations of its descriptor.
#[derive(Clone)]
pub struct SignedLayer {
    /// The signed bytes.
    pub blob: Blob,
    /// Annotations that cosign adds: the signature, certificate and log entry.
    pub annotations: Map<String, Value>,
}

impl SignedLayer {
    /// The manifest with this layer, as cosign 2 tags it, and its blobs.
    pub fn manifest(&self) -> (Blob, [Blob; 2]) {
        let config = Blob::new("application/vnd.oci.image.config.v1+json", b"{}".to_vec());
        let mut layer = self.blob.descriptor();
        layer["annotations"] = Value::Object(self.annotations.clone());
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor(), "layers": [layer],
        });
        (Blob::new(MANIFEST, manifest.to_string().into_bytes()), [config, self.blob.clone()])
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

fn annotations(by: &Signatory, entry: Option<Value>, signature: String) -> Map<String, Value> {
    let mut annotations = Map::new();
    annotations.insert("dev.cosignproject.cosign/signature".to_owned(), json!(signature));
    if let Some(certificate) = &by.certificate {
        annotations.insert("dev.sigstore.cosign/certificate".to_owned(), json!(pem("CERTIFICATE", certificate)));
    }
    if let Some(entry) = entry {
        annotations.insert("dev.sigstore.cosign/bundle".to_owned(), json!(entry.to_string()));
    }
    annotations
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
