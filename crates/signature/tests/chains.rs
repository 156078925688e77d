//! Signatures of Notation by certificates, against envelopes, chains and signed times that Python's `cryptography` and `openssl` made
//! (`notation/make_chains.py`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_core::{descriptor::Descriptor, digest::Digest, media_type::MediaType};
use porthole_signature::{
    authorities::{CertificateTrust, TrustedCertificates},
    demand::Demand,
    evidence::{Evidence, EvidenceError},
    key::PublicKey,
    root::TrustRoot,
    verify::{Lack, Outcome, SignatureCheck, SignatureVerifier, Signer},
};
use serde_json::Value;

const IMAGE: &str = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

/// A signature, and what a person names.
struct Case {
    name: String,
    media_type: String,
    envelope: Vec<u8>,
    demand: Demand,
    outcome: String,
    reason: String,
}

fn cases() -> Vec<Case> {
    let all: Value = serde_json::from_str(include_str!("notation/chains.json")).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let case = |case: &Value| {
        let mut certificates = TrustedCertificates::default();
        for (names, trust) in [
            ("signers", CertificateTrust::Signers),
            ("services", CertificateTrust::SigningAuthorities),
            ("times", CertificateTrust::Times),
        ] {
            for name in case[names].as_array().expect("names") {
                let file = all["certificates"][name.as_str().expect("a name")].as_str().expect("a certificate");
                certificates.add(trust, file.as_bytes()).expect("a certificate");
            }
        }
        if let Some(time) = case["at"].as_str() {
            certificates.judge_at(time).expect("a time");
        }
        if let Some(subject) = case["subject"].as_str() {
            certificates.ask_for_subject(subject).expect("a subject");
        }
        let envelope = text(&case["envelope"]);
        let media_type = text(&case["type"]);
        let envelope = match media_type.as_str() {
            "application/cose" => STANDARD.decode(envelope).expect("base64"),
            _ => envelope.into_bytes(),
        };
        let demand = Demand { certificates, ..Demand::default() };
        let (name, outcome, reason) = (text(&case["name"]), text(&case["outcome"]), text(&case["reason"]));
        Case { name, media_type, envelope, demand, outcome, reason }
    };
    all["cases"].as_array().expect("cases").iter().map(case).collect()
}

fn parse(media_type: &str, envelope: &[u8]) -> Result<Evidence, EvidenceError> {
    let media_type = MediaType::parse(media_type).expect("a media type");
    let layer = Descriptor::new(media_type, Digest::sha256(envelope), envelope.len() as u64);
    Evidence::parse(&layer, envelope)
}

fn verifier() -> SignatureVerifier {
    SignatureVerifier::new(&TrustRoot::public_good().expect("the shipped root")).expect("usable")
}

fn check(verifier: &SignatureVerifier, evidence: &Evidence, demand: &Demand) -> SignatureCheck {
    let subject = Descriptor::new(MediaType::OCI_MANIFEST, IMAGE.parse().expect("a digest"), 100);
    verifier.check(evidence, &subject, demand)
}

/// An outcome as the cases name it, and its reason.
fn described(found: &SignatureCheck) -> (&'static str, String) {
    let word = match &found.outcome {
        Outcome::Lacking(Lack::Certificate, _) => "lacking certificate",
        Outcome::Lacking(Lack::SigningAuthority, _) => "lacking signing authority",
        Outcome::Lacking(Lack::TimeAuthority, _) => "lacking time authority",
        Outcome::Lacking(Lack::Time, _) => "lacking time",
        other => other.word(),
    };
    (word, found.outcome.reason().unwrap_or_default().to_owned())
}

#[test]
fn each_chain_and_each_signed_time_has_its_outcome_and_its_reason() {
    let verifier = verifier();
    let mut failed = Vec::new();
    for case in cases() {
        let (outcome, reason) = match parse(&case.media_type, &case.envelope) {
            Ok(evidence) => described(&check(&verifier, &evidence, &case.demand)),
            Err(error) => ("malformed", error.to_string()),
        };
        if outcome != case.outcome || !reason.contains(&case.reason) {
            failed
                .push(format!("{}: expected {} ({}), got {outcome} ({reason})", case.name, case.outcome, case.reason));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn who_signed_and_when_is_what_certificate_and_authority_say() {
    let verifier = verifier();
    let of = |name: &str| {
        let case = cases().into_iter().find(|case| case.name == name).expect("a case");
        check(&verifier, &parse(&case.media_type, &case.envelope).expect("well formed"), &case.demand)
    };
    let found = of("chain and signed time");
    let Some(Signer::Subject { subject, root, .. }) = &found.signer else { panic!("{found:?}") };
    assert_eq!((subject.as_str(), root.as_str()), (r"CN=signer,O=Tests\, Inc.,C=XX", r"CN=root,O=Tests\, Inc.,C=XX"));
    assert!(found.times.len() == 1 && found.times[0] > 1_767_225_600, "{found:?}");
    // A signer's own clock is no proof.
    assert!(of("time that was named").times.is_empty());
    assert_eq!(of("signing authority").times, [1_780_315_200]);
    // Without a certificate that was named, only the key is proved.
    assert!(matches!(of("another root").signer, Some(Signer::Key { .. })));
}

#[test]
fn the_key_of_a_chain_is_enough_without_its_certificates() {
    let case = cases().into_iter().find(|case| case.name == "signer that expired").expect("a case");
    let envelope: Value = serde_json::from_slice(&case.envelope).expect("JSON");
    let leaf = envelope["header"]["x5c"][0].as_str().expect("a certificate");
    let leaf = format!("-----BEGIN CERTIFICATE-----\n{leaf}\n-----END CERTIFICATE-----\n");
    let demand = Demand { keys: vec![PublicKey::parse(leaf.as_bytes()).expect("a key")], ..Demand::default() };
    let found = check(&verifier(), &parse(&case.media_type, &case.envelope).expect("well formed"), &demand);
    assert_eq!(found.outcome, Outcome::Trusted);
}

/// The same numbers each time (Marsaglia's xorshift).
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).expect("31 bits")
}

#[test]
fn of_a_thousand_changes_of_what_is_signed_none_is_trusted() {
    let (verifier, mut state, mut changed) = (verifier(), 88_172_645_463_325_252, 0);
    for case in cases().into_iter().filter(|case| case.outcome == "trusted") {
        for _ in 0..60 {
            let mut envelope = case.envelope.clone();
            let at = next(&mut state) % envelope.len();
            envelope[at] ^= 1 << (next(&mut state) % 8);
            if is_unsigned(&case, &envelope, at) {
                continue;
            }
            changed += 1;
            let Ok(evidence) = parse(&case.media_type, &envelope) else { continue };
            let found = check(&verifier, &evidence, &case.demand);
            assert_ne!(found.outcome, Outcome::Trusted, "{}, byte {at}", case.name);
        }
    }
    assert!(changed >= 1000, "{changed}");
}

/// Whether a change leaves what is signed as it was: the name of the signing program, spaces of JSON, parts of a signed time that nothing
/// depends on.
fn is_unsigned(case: &Case, envelope: &[u8], at: usize) -> bool {
    let find = |what: &[u8]| case.envelope.windows(what.len()).position(|window| window == what);
    let agent = find(b"io.cncf.notary.signingAgent").expect("its name");
    let token = find(b"io.cncf.notary.timestampSignature");
    let end = |from: usize| {
        case.envelope[from..].windows(2).position(|two| two == b"\"}").map_or(usize::MAX, |end| from + end + 2)
    };
    let is_json = case.media_type == "application/jose+json";
    let of_agent = agent.saturating_sub(2)..=agent + 40;
    let of_token = token.map_or(0..0, |token| token.saturating_sub(2)..if is_json { end(token) } else { usize::MAX });
    of_agent.contains(&at) || of_token.contains(&at) || envelope == case.envelope
}
