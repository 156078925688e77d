//! Signatures of Notation, against envelopes and certificates that Python's `cryptography` made (`notation/make.py`).

use porthole_core::{descriptor::Descriptor, digest::Digest, media_type::MediaType};
use porthole_signature::{
    demand::Demand,
    evidence::{Evidence, EvidenceError},
    key::PublicKey,
    root::TrustRoot,
    verify::{Lack, Outcome, SignatureCheck, SignatureVerifier, Signer},
};

const IMAGE: &str = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

/// An envelope and the certificate of its signer.
macro_rules! pair {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("notation/", $name, ".json")),
            include_bytes!(concat!("notation/", $name, ".crt")).as_slice(),
        )
    };
}

const SIGNED: [(&str, &str, &[u8]); 6] =
    [pair!("es256"), pair!("es384"), pair!("es512"), pair!("ps256"), pair!("ps384"), pair!("ps512")];

fn parse(media_type: &str, envelope: &str) -> Result<Evidence, EvidenceError> {
    let media_type = MediaType::parse(media_type).expect("a media type");
    let layer = Descriptor::new(media_type, Digest::sha256(envelope.as_bytes()), envelope.len() as u64);
    Evidence::parse(&layer, envelope.as_bytes())
}

/// As the envelopes describe the image.
fn subject(image: &str) -> Descriptor {
    Descriptor::new(MediaType::OCI_MANIFEST, image.parse().expect("a digest"), 100)
}

fn check(envelope: &str, image: &str, keys: &[&[u8]]) -> SignatureCheck {
    let verifier = SignatureVerifier::new(&TrustRoot::public_good().expect("the shipped root")).expect("usable");
    let keys = keys.iter().map(|key| PublicKey::parse(key).expect("a certificate")).collect();
    let demand = Demand { keys, ..Demand::default() };
    let evidence = parse("application/jose+json", envelope).expect("well formed");
    assert!(evidence.is_signed());
    verifier.check(&evidence, &subject(image), &demand)
}

#[test]
fn a_signature_of_notation_holds_for_its_certificate_and_for_no_other() {
    for (name, envelope, certificate) in SIGNED {
        let found = check(envelope, IMAGE, &[certificate]);
        assert_eq!(found.outcome, Outcome::Trusted, "{name}");
        let key = PublicKey::parse(certificate).expect(name);
        let by = Signer::Key { fingerprint: key.fingerprint(), algorithm: key.algorithm() };
        assert_eq!(found.signer, Some(by), "{name}");
        for (other, _, another) in SIGNED.iter().filter(|(other, ..)| *other != name) {
            assert_eq!(check(envelope, IMAGE, &[another]).outcome, Outcome::Stranger, "{name} with {other}");
        }
        assert!(matches!(check(envelope, IMAGE, &[]).outcome, Outcome::Unchecked(_)), "{name}");
    }
}

#[test]
fn a_signature_of_notation_for_another_image_is_wrong() {
    let (_, envelope, certificate) = SIGNED[0];
    let found = check(envelope, &Digest::sha256(b"another").to_string(), &[certificate]);
    assert_eq!(found.outcome, Outcome::Wrong(format!("the signed payload names another image, {IMAGE}")));
}

#[test]
fn an_envelope_that_was_altered_is_never_trusted() {
    for (name, envelope, certificate) in SIGNED {
        for at in (0..envelope.len()).step_by(5) {
            let mut bytes = envelope.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let Ok(altered) = String::from_utf8(bytes) else { continue };
            if parse("application/jose+json", &altered).is_err() {
                continue;
            }
            let trusted = check(&altered, IMAGE, &[certificate]).outcome == Outcome::Trusted;
            // What is not signed may change: the name of the signing program, and the certificate where its key stays the same.
            let header =
                envelope.find("\"header\"").expect("a header")..envelope.find("\"signature\"").expect("a signature");
            assert!(!trusted || header.contains(&at), "{name}, byte {at}");
        }
    }
}

#[test]
fn what_a_verifier_must_heed_and_this_one_does_not_is_never_trusted() {
    let found = |(_, envelope, certificate): (&str, &str, &[u8])| check(envelope, IMAGE, &[certificate]).outcome;
    assert!(matches!(found(pair!("critical")), Outcome::Unchecked(_)));
    assert!(matches!(found(pair!("expires")), Outcome::Lacking(Lack::Time, _)));
}

#[test]
fn what_is_no_envelope_of_notation_is_named() {
    let cases = [
        ("[", "no JSON"),
        ("{}", "base64url without padding in `protected`"),
        (r#"{"protected":"e30","payload":"e30","signature":""}"#, "`x5c`"),
        (r#"{"protected":"e30","payload":"e30","signature":"","header":{"x5c":["AAAA"]}}"#, "`crit`"),
        (
            r#"{"protected":"eyJhbGciOiJ4IiwiY3JpdCI6W119","payload":"e30","signature":"","header":{"x5c":["AAAA"]}}"#,
            "`cty`",
        ),
    ];
    for (envelope, part) in cases {
        let error = parse("application/jose+json", envelope).expect_err(envelope).to_string();
        assert!(error.contains(part), "{error}");
    }
    assert!(parse("application/cose", "\u{12}").expect_err("a number").to_string().contains("expected one signature"));
}
