//! Signatures and attestations of cosign 2, whose parts are in annotations: by keys, and by certificates of an authority of our own.

use porthole_core::{descriptor::Descriptor, digest::Digest, media_type::MediaType};
use porthole_signature::{
    demand::{Demand, DemandedIdentity, TextPattern},
    evidence::Evidence,
    key::PublicKey,
    root::TrustRoot,
    verify::{Outcome, SignatureCheck, SignatureVerifier, Signer},
};
use porthole_testkit::signing::{Authority, SIGNED_AT, Signatory, SignedLayer, attestation, payload, signature};
use serde_json::{Value, json};

const IDENTITY: &str = "https://github.com/a/b/.github/workflows/release.yml@refs/tags/v1";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

fn image() -> Digest {
    Digest::sha256(b"image")
}

fn subject(digest: Digest) -> Descriptor {
    Descriptor::new(MediaType::OCI_MANIFEST, digest, 5)
}

fn statement() -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"name": "app", "digest": {"sha256": image().hex()}}], "predicate": {"builder": {"id": "https://builder.example"}},
    })
}

fn parse(layer: &SignedLayer) -> Result<Evidence, String> {
    let blob = &layer.blob;
    let media_type = MediaType::parse(&blob.media_type).expect("a media type");
    let mut descriptor = Descriptor::new(media_type, Digest::sha256(&blob.bytes), blob.bytes.len() as u64);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    descriptor.annotations = layer.annotations.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    Evidence::parse(&descriptor, &blob.bytes).map_err(|error| error.to_string())
}

fn verifier(authority: &Authority) -> SignatureVerifier {
    SignatureVerifier::new(&TrustRoot::parse(&authority.trusted_root()).expect("a root")).expect("usable")
}

fn by_identity(identity: &str, issuer: &str) -> Demand {
    let exact = |text: &str| TextPattern::Exact(text.to_owned());
    Demand {
        identities: vec![DemandedIdentity { identity: exact(identity), issuer: exact(issuer) }],
        ..Demand::default()
    }
}

fn by_key(who: &Signatory) -> Demand {
    Demand { keys: vec![PublicKey::parse(who.public_key().as_bytes()).expect("a key")], ..Demand::default() }
}

/// A signature and an attestation by someone whom the authority attested, both in its log.
fn keyless(authority: &Authority) -> [SignedLayer; 2] {
    let who = authority.attest(IDENTITY, ISSUER);
    [signature(payload(&image().to_string()), &who, Some(authority)), attestation(&statement(), &who, Some(authority))]
}

#[test]
fn by_certificate_and_log_the_identity_is_proved_with_its_time() {
    let authority = Authority::new();
    for layer in keyless(&authority) {
        let evidence = parse(&layer).expect("well formed");
        let check = |demand| verifier(&authority).check(&evidence, &subject(image()), &demand);
        let found = check(by_identity(IDENTITY, ISSUER));
        assert_eq!(found.outcome, Outcome::Trusted, "{found:?}");
        assert_eq!((found.log_index, found.times), (Some(7), vec![i64::try_from(SIGNED_AT).expect("in range")]));
        let Some(Signer::Certificate { identity, issuer, .. }) = found.signer else { panic!("no certificate") };
        assert_eq!((identity.as_str(), issuer.as_deref()), (IDENTITY, Some(ISSUER)));
        assert_eq!(check(by_identity(IDENTITY, "https://gitlab.com")).outcome, Outcome::Stranger);
        assert_eq!(check(by_identity("https://github.com/a/c", ISSUER)).outcome, Outcome::Stranger);
        assert_eq!(check(by_key(&Signatory::new())).outcome, Outcome::Stranger);
    }
}

#[test]
fn another_authority_or_log_is_unknown_and_not_wrong() {
    let (authority, other) = (Authority::new(), Authority::new());
    for layer in keyless(&authority) {
        let evidence = parse(&layer).expect("well formed");
        let found = verifier(&other).check(&evidence, &subject(image()), &by_identity(IDENTITY, ISSUER));
        assert!(matches!(found.outcome, Outcome::Unknown(_)), "{found:?}");
    }
    // The log is known, the authority is not: someone made their own certificate.
    let forged = other.attest(IDENTITY, ISSUER);
    let layer = signature(payload(&image().to_string()), &forged, Some(&authority));
    let found = verifier(&authority).check(
        &parse(&layer).expect("well formed"),
        &subject(image()),
        &by_identity(IDENTITY, ISSUER),
    );
    assert!(!matches!(found.outcome, Outcome::Trusted | Outcome::Stranger), "{found:?}");
}

#[test]
fn a_certificate_without_a_log_entry_is_refused() {
    let authority = Authority::new();
    let who = authority.attest(IDENTITY, ISSUER);
    for layer in [signature(payload(&image().to_string()), &who, None), attestation(&statement(), &who, None)] {
        let found = verifier(&authority).check(
            &parse(&layer).expect("well formed"),
            &subject(image()),
            &by_identity(IDENTITY, ISSUER),
        );
        assert!(matches!(found.outcome, Outcome::Wrong(_)), "{found:?}");
    }
}

#[test]
fn a_log_entry_of_another_signature_is_refused() {
    let authority = Authority::new();
    let [mut first, _] = keyless(&authority);
    let [second, _] = keyless(&authority);
    let entry = "dev.sigstore.cosign/bundle";
    first.annotations.insert(entry.to_owned(), second.annotations[entry].clone());
    let found = verifier(&authority).check(
        &parse(&first).expect("well formed"),
        &subject(image()),
        &by_identity(IDENTITY, ISSUER),
    );
    assert!(matches!(found.outcome, Outcome::Wrong(_)), "{found:?}");
}

#[test]
fn every_field_that_is_tampered_with_is_refused_with_its_reason() {
    let authority = Authority::new();
    let verifier = verifier(&authority);
    let demand = by_identity(IDENTITY, ISSUER);
    let check =
        |layer: &SignedLayer| parse(layer).map(|evidence| verifier.check(&evidence, &subject(image()), &demand));
    for layer in keyless(&authority) {
        for name in layer.annotations.keys().filter(|name| name.starts_with("dev.")) {
            let text = layer.annotations[name].as_str().expect("a text");
            // The signature of an attestation is in its envelope.
            for at in (0..text.len()).step_by(5) {
                // The last character of a text in base64 has bits that mean nothing.
                if matches!(text.as_bytes().get(at + 1), None | Some(b'=' | b'"')) {
                    continue;
                }
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] = if bytes[at].eq_ignore_ascii_case(&b'a') { b'B' } else { b'A' };
                let mut altered = layer.clone();
                altered.annotations.insert(name.clone(), json!(String::from_utf8(bytes).expect("ASCII")));
                let Ok(SignatureCheck { outcome, .. }) = check(&altered) else { continue };
                assert!(
                    outcome.reason().is_some_and(|reason| !reason.is_empty()),
                    "{name} at {at} of {}: {outcome:?}, {}",
                    text.len(),
                    &text[at.saturating_sub(30)..(at + 30).min(text.len())]
                );
                assert!(matches!(outcome, Outcome::Wrong(_) | Outcome::Unknown(_)), "{name} at {at}: {outcome:?}");
            }
        }
        // The hint at a key in an envelope is not signed, and not used.
        let hint = String::from_utf8_lossy(&layer.blob.bytes).find("\"keyid\":\"\"").map_or(0..0, |at| at..at + 10);
        for at in (0..layer.blob.bytes.len()).filter(|at| !hint.contains(at)) {
            let mut altered = layer.clone();
            altered.blob.bytes[at] ^= 1;
            let Ok(SignatureCheck { outcome, .. }) = check(&altered) else { continue };
            assert!(!matches!(outcome, Outcome::Trusted | Outcome::Stranger), "byte {at}: {outcome:?}");
        }
    }
}

#[test]
fn by_key_with_a_log_entry_another_key_is_no_wrong_signature() {
    let (who, other, authority) = (Signatory::new(), Signatory::new(), Authority::new());
    let layer = signature(payload(&image().to_string()), &who, Some(&authority));
    let check = |layer: &SignedLayer, demand| {
        verifier(&authority).check(&parse(layer).expect("well formed"), &subject(image()), &demand)
    };
    assert_eq!(check(&layer, by_key(&who)).outcome, Outcome::Trusted);
    let stranger = check(&layer, by_key(&other));
    assert_eq!(stranger.outcome, Outcome::Stranger);
    assert!(stranger.signer.is_some(), "the log names the key");
    let mut altered = layer.clone();
    let another = signature(payload(&Digest::sha256(b"another").to_string()), &who, None);
    let name = "dev.cosignproject.cosign/signature";
    altered.annotations.insert(name.to_owned(), another.annotations[name].clone());
    for demand in [by_key(&who), by_key(&other)] {
        let found = check(&altered, demand);
        assert!(matches!(found.outcome, Outcome::Wrong(_)), "{found:?}");
    }
}

#[test]
fn an_attestation_by_a_key_is_about_the_image_that_it_names() {
    let who = Signatory::new();
    let layer = attestation(&statement(), &who, None);
    let evidence = parse(&layer).expect("well formed");
    assert!(evidence.statement.is_some());
    let authority = Authority::new();
    assert_eq!(verifier(&authority).check(&evidence, &subject(image()), &by_key(&who)).outcome, Outcome::Trusted);
    let found = verifier(&authority).check(&evidence, &subject(Digest::sha256(b"another")), &by_key(&who));
    assert!(matches!(found.outcome, Outcome::Wrong(_)), "{found:?}");
    assert_eq!(
        verifier(&authority).check(&evidence, &subject(image()), &by_key(&Signatory::new())).outcome,
        Outcome::Stranger
    );
}

#[test]
fn annotations_that_are_malformed_are_named() {
    let authority = Authority::new();
    let [layer, _] = keyless(&authority);
    for (name, expected) in [
        ("dev.cosignproject.cosign/signature", "a signature in base64"),
        ("dev.sigstore.cosign/certificate", "certificates as PEM"),
        ("dev.sigstore.cosign/bundle", "an entry of a log"),
    ] {
        let mut altered = layer.clone();
        altered.annotations.insert(name.to_owned(), json!("\u{1b}[31mnonsense"));
        let error = parse(&altered).expect_err(name);
        assert_eq!(error, format!("expected {expected} in the annotation `{name}`, got something else"));
    }
}
