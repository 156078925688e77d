//! The target for signatures, attestations, statements, bills of materials and public keys.

use porthole_core::{descriptor::Descriptor, digest::Digest, media_type::MediaType};
use porthole_signature::{
    demand::Demand,
    evidence::Evidence,
    key::PublicKey,
    root::TrustRoot,
    verify::{Outcome, SignatureVerifier},
};
use std::sync::OnceLock;

/// Reads a blob as evidence of each kind, and checks what it is. Behind a NUL come values of annotations, with a NUL between them.
pub fn evidence(data: &[u8]) {
    let mut parts = data.splitn(2, |&byte| byte == 0);
    let blob = parts.next().unwrap_or_default();
    let values: Vec<_> = parts.next().unwrap_or_default().split(|&byte| byte == 0).collect();
    let _ = PublicKey::parse(blob);
    for media_type in MEDIA_TYPES {
        let Ok(media_type) = MediaType::parse(media_type) else { continue };
        let mut layer = Descriptor::new(media_type, Digest::sha256(blob), blob.len() as u64);
        for (name, value) in ANNOTATIONS.iter().zip(&values).filter(|(_, value)| !value.is_empty()) {
            layer.annotations.insert((*name).to_owned(), String::from_utf8_lossy(value).into_owned());
        }
        let Ok(found) = Evidence::parse(&layer, blob) else { continue };
        if let Some(statement) = &found.statement {
            let _ = statement.read();
        }
        if let Some(verifier) = verifier() {
            let image = Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(b"image"), 5);
            let check = verifier.check(&found, &image, &Demand::default());
            assert_ne!(check.outcome, Outcome::Trusted, "no signer was named");
        }
    }
}

/// With the trust root that the programs ship.
fn verifier() -> Option<&'static SignatureVerifier> {
    static VERIFIER: OnceLock<Option<SignatureVerifier>> = OnceLock::new();
    let make = || SignatureVerifier::new(&TrustRoot::public_good().ok()?).ok();
    VERIFIER.get_or_init(make).as_ref()
}

const MEDIA_TYPES: [&str; 7] = [
    "application/jose+json",
    "application/cose",
    "application/vnd.dev.cosign.simplesigning.v1+json",
    "application/vnd.dsse.envelope.v1+json",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.in-toto+json",
    "application/spdx+json",
];

const ANNOTATIONS: [&str; 5] = [
    "dev.cosignproject.cosign/signature",
    "dev.sigstore.cosign/certificate",
    "dev.sigstore.cosign/chain",
    "dev.sigstore.cosign/bundle",
    "dev.sigstore.cosign/rfc3161timestamp",
];
