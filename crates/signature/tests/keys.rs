//! Signatures by keys of every kind that cosign makes, against `openssl` as the signer.

use porthole_core::{descriptor::Descriptor, digest::Digest, media_type::MediaType};
use porthole_signature::{
    demand::Demand,
    evidence::Evidence,
    key::{KeyError, PublicKey},
    root::TrustRoot,
    verify::{Outcome, SignatureCheck, SignatureVerifier, Signer},
};

const PAYLOAD: &[u8] = include_bytes!("keys/payload.json");
const IMAGE: &str = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

/// A pair of key and signature.
macro_rules! pair {
    ($key:literal, $signature:literal) => {
        ($signature, include_bytes!(concat!("keys/", $key, ".pub")), include_str!(concat!("keys/", $signature, ".sig")))
    };
}

fn pairs() -> Vec<(&'static str, PublicKey, &'static str)> {
    let pairs: [(&str, &[u8], &str); 9] = [
        pair!("p256", "p256"),
        pair!("p384", "p384"),
        pair!("p384", "p384-sha256"),
        pair!("p521", "p521"),
        pair!("p521", "p521-sha256"),
        pair!("rsa2048", "rsa2048"),
        pair!("rsa2048", "rsa2048-pss"),
        pair!("rsa4096", "rsa4096"),
        pair!("ed25519", "ed25519"),
    ];
    pairs.into_iter().map(|(name, key, signature)| (name, PublicKey::parse(key).expect(name), signature)).collect()
}

fn evidence(payload: &[u8], signature: &str) -> Evidence {
    let media_type = MediaType::parse("application/vnd.dev.cosign.simplesigning.v1+json").expect("a media type");
    let mut layer = Descriptor::new(media_type, Digest::sha256(payload), payload.len() as u64);
    layer.annotations.insert("dev.cosignproject.cosign/signature".to_owned(), signature.to_owned());
    Evidence::parse(&layer, payload).expect("well formed")
}

fn check(evidence: &Evidence, image: &str, keys: &[&PublicKey]) -> SignatureCheck {
    let verifier = SignatureVerifier::new(&TrustRoot::public_good().expect("the shipped root")).expect("usable");
    let demand = Demand { keys: keys.iter().map(|&key| key.clone()).collect(), ..Demand::default() };
    let subject = Descriptor::new(MediaType::OCI_MANIFEST, image.parse().expect("a digest"), 100);
    verifier.check(evidence, &subject, &demand)
}

#[test]
fn a_signature_by_a_key_of_any_kind_holds_for_that_key_and_for_no_other() {
    let pairs = pairs();
    for (name, key, signature) in &pairs {
        let evidence = evidence(PAYLOAD, signature);
        let found = check(&evidence, IMAGE, &[key]);
        assert_eq!(found.outcome, Outcome::Trusted, "{name}");
        let by = Signer::Key { fingerprint: key.fingerprint(), algorithm: key.algorithm() };
        assert_eq!(found.signer, Some(by), "{name}");
        for (other, another, _) in pairs.iter().filter(|(_, another, _)| another.fingerprint() != key.fingerprint()) {
            assert_eq!(check(&evidence, IMAGE, &[another]).outcome, Outcome::Stranger, "{name} with the key {other}");
        }
    }
}

#[test]
fn one_of_several_keys_is_enough() {
    let pairs = pairs();
    let keys: Vec<_> = pairs.iter().map(|(_, key, _)| key).collect();
    assert_eq!(check(&evidence(PAYLOAD, pairs[8].2), IMAGE, &keys).outcome, Outcome::Trusted);
}

#[test]
fn a_valid_signature_of_another_image_is_wrong() {
    let (_, key, signature) = &pairs()[0];
    let another = Digest::sha256(b"another image").to_string();
    let found = check(&evidence(PAYLOAD, signature), &another, &[key]);
    assert_eq!(found.outcome, Outcome::Wrong(format!("the signed payload names another image, {IMAGE}")));
}

#[test]
fn a_payload_that_was_altered_is_not_signed_by_the_key() {
    let (_, key, signature) = &pairs()[0];
    let altered = String::from_utf8(PAYLOAD.to_vec()).expect("text").replace("registry.example", "registry.examp1e");
    assert_eq!(check(&evidence(altered.as_bytes(), signature), IMAGE, &[key]).outcome, Outcome::Stranger);
}

#[test]
fn a_bit_of_a_signature_flipped_is_refused_for_every_kind_of_key() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    for (name, key, signature) in &pairs() {
        let whole = STANDARD.decode(signature).expect("base64");
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            let found = check(&evidence(PAYLOAD, &STANDARD.encode(bytes)), IMAGE, &[key]);
            assert_ne!(found.outcome, Outcome::Trusted, "{name}, byte {at}");
        }
    }
}

#[test]
fn without_a_key_a_signature_by_a_key_is_not_checked() {
    let found = check(&evidence(PAYLOAD, pairs()[0].2), IMAGE, &[]);
    assert!(matches!(found.outcome, Outcome::Unchecked(_)), "{found:?}");
}

#[test]
fn keys_that_are_too_short_or_of_another_curve_are_refused() {
    let short = PublicKey::parse(include_bytes!("keys/rsa1024.pub"));
    assert!(matches!(&short, Err(KeyError::Rsa(text)) if text.contains("1024")), "{short:?}");
    let other = PublicKey::parse(include_bytes!("keys/secp256k1.pub"));
    assert!(matches!(other, Err(KeyError::Algorithm(curve)) if curve == "1.3.132.0.10"));
}

#[test]
fn a_private_key_or_another_file_is_named_as_what_it_is() {
    let private = PublicKey::parse(
        b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
    );
    assert_eq!(private.expect_err("private"), KeyError::Private);
    assert_eq!(PublicKey::parse(b"hello").expect_err("no key"), KeyError::Format);
    assert_eq!(PublicKey::parse(b"").expect_err("no key"), KeyError::Format);
}
