//! Real bundles: cosign 3, sigstore-python, sigstore-js, GitHub, conda; logs of version 1 and 2; signed times.

use porthole_core::{
    descriptor::Descriptor,
    digest::{Algorithm, Digest},
    media_type::MediaType,
};
use porthole_signature::{
    demand::{Demand, DemandedIdentity, TextPattern},
    evidence::Evidence,
    key::PublicKey,
    root::TrustRoot,
    verify::{Outcome, SignatureCheck, SignatureVerifier, Signer},
};
use sigstore_verify::trust_root::{SIGSTORE_GITHUB_TRUSTED_ROOT, SIGSTORE_STAGING_TRUSTED_ROOT};

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("vectors/", $name))
    };
}

fn parse(bundle: &str) -> Result<Evidence, String> {
    let media_type = MediaType::parse("application/vnd.dev.sigstore.bundle.v0.3+json").expect("a media type");
    let layer = Descriptor::new(media_type, Digest::sha256(bundle.as_bytes()), bundle.len() as u64);
    Evidence::parse(&layer, bundle.as_bytes()).map_err(|error| error.to_string())
}

/// The digest that a bundle itself says it is about.
fn subject(bundle: &str) -> Descriptor {
    described(digest(bundle))
}

fn described(digest: Digest) -> Descriptor {
    Descriptor::new(MediaType::OCI_MANIFEST, digest, 100)
}

fn digest(bundle: &str) -> Digest {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let value: serde_json::Value = serde_json::from_str(bundle).expect("JSON");
    if let Some(digest) = value["messageSignature"]["messageDigest"]["digest"].as_str() {
        let hex: String = STANDARD.decode(digest).expect("base64").iter().map(|byte| format!("{byte:02x}")).collect();
        return format!("sha256:{hex}").parse().expect("a digest");
    }
    let statement = parse(bundle).expect("a bundle").statement.expect("a statement");
    let digests = statement.subjects.iter().flat_map(|subject| &subject.digests);
    let known = |(name, hex): (&String, &String)| {
        let known = [Algorithm::Sha256, Algorithm::Sha512].iter().any(|known| known.name() == name);
        known.then(|| format!("{name}:{hex}").parse().expect("a digest"))
    };
    digests.into_iter().find_map(known).expect("a digest that an image may have")
}

fn root(json: Option<&str>) -> SignatureVerifier {
    let root = json.map_or_else(TrustRoot::public_good, TrustRoot::parse).expect("a root");
    SignatureVerifier::new(&root).expect("usable")
}

fn check(bundle: &str, json: Option<&str>) -> SignatureCheck {
    root(json).check(&parse(bundle).expect("a bundle"), &subject(bundle), &Demand::default())
}

fn demand(identity: &str, issuer: &str) -> Demand {
    let exact = |text: &str| TextPattern::Exact(text.to_owned());
    Demand {
        identities: vec![DemandedIdentity { identity: exact(identity), issuer: exact(issuer) }],
        ..Demand::default()
    }
}

/// Valid bundles, with the root that vouches for them.
fn valid() -> Vec<(&'static str, &'static str, Option<&'static str>)> {
    let staging = Some(SIGSTORE_STAGING_TRUSTED_ROOT);
    vec![
        ("cosign 3", vector!("cosign-v3-blob.sigstore.json"), None),
        ("conda, DSSE, log 1", vector!("conda-attestation.sigstore.json"), None),
        ("conda, DSSE, log 2", vector!("conda-attestation-rekor2.sigstore.json"), staging),
        ("GitHub, SLSA 0.2, intoto", vector!("dsse.sigstore.json"), None),
        ("npm, SLSA 1, intoto", vector!("sigstore.js@2.0.0-provenance.sigstore.json"), None),
        ("wheel of GitHub", vector!("bundle_v3_github.whl.sigstore"), None),
        (
            "private repository of GitHub",
            vector!("github-private-attestation.sigstore.json"),
            Some(SIGSTORE_GITHUB_TRUSTED_ROOT),
        ),
        ("log 2, message", vector!("staging-rekor-v2.txt.sigstore.json"), staging),
        ("log 2, DSSE", vector!("a.dsse.staging-rekor-v2.txt.sigstore.json"), staging),
    ]
}

#[test]
fn valid_bundles_of_logs_1_and_2_hold_and_name_their_signer() {
    for (name, bundle, json) in valid() {
        let found = check(bundle, json);
        assert_eq!(found.outcome, Outcome::Stranger, "{name}: {found:?}");
        let Some(Signer::Certificate { identity, issuer, .. }) = &found.signer else { panic!("{name}: {found:?}") };
        assert!(!found.times.is_empty(), "{name}");
        let Some(issuer) = issuer else { continue };
        assert!(issuer.starts_with("https://"), "{name}: {issuer}");
        let trusted = root(json).check(&parse(bundle).expect("a bundle"), &subject(bundle), &demand(identity, issuer));
        assert_eq!(trusted.outcome, Outcome::Trusted, "{name}");
        let stranger = demand(identity, "https://another.example");
        let found = root(json).check(&parse(bundle).expect("a bundle"), &subject(bundle), &stranger);
        assert_eq!(found.outcome, Outcome::Stranger, "{name}: the issuer is another");
    }
}

#[test]
fn a_valid_bundle_about_another_image_is_wrong() {
    for (name, bundle, json) in valid() {
        let image = described(Digest::sha256(b"another image"));
        let found = root(json).check(&parse(bundle).expect("a bundle"), &image, &Demand::default());
        assert!(matches!(found.outcome, Outcome::Wrong(_)), "{name}: {found:?}");
    }
}

#[test]
fn a_root_that_does_not_know_authority_or_log_says_unknown_and_never_wrong() {
    let staging = Some(SIGSTORE_STAGING_TRUSTED_ROOT);
    for (name, bundle, json) in valid() {
        let other = if json.is_none() { staging } else { None };
        let found = check(bundle, other);
        assert!(matches!(found.outcome, Outcome::Unknown(_)), "{name}: {found:?}");
    }
}

#[test]
fn bundles_that_the_conformance_tests_of_sigstore_refuse_are_refused() {
    for (name, bundle) in [
        ("an entry of the log about something else", vector!("bundle_cve_2022_36056.txt.sigstore")),
        ("no certificate", vector!("bundle_no_cert_v1.txt.sigstore")),
        ("no checkpoint", vector!("bundle_no_checkpoint.txt.sigstore")),
        ("no log entry", vector!("bundle_no_log_entry.txt.sigstore")),
        ("no signed time", vector!("bundle_v3_no_signed_time.txt.sigstore.json")),
        ("two signatures", vector!("dsse-2sigs.sigstore.json")),
        ("an unknown version", vector!("bundle_invalid_version.txt.sigstore")),
    ] {
        if let Ok(evidence) = parse(bundle) {
            let found = [None, Some(SIGSTORE_STAGING_TRUSTED_ROOT)]
                .map(|json| root(json).check(&evidence, &subject(bundle), &Demand::default()).outcome);
            assert!(found.iter().any(|found| matches!(found, Outcome::Wrong(_))), "{name}: {found:?}");
            assert!(
                found.iter().all(|found| matches!(found, Outcome::Wrong(_) | Outcome::Unknown(_))),
                "{name}: {found:?}"
            );
        }
    }
}

#[test]
fn a_bundle_by_a_key_holds_for_that_key_with_its_log_entry() {
    let bundle = vector!("managed-key/bundle.sigstore.json");
    let key = PublicKey::parse(include_bytes!("vectors/managed-key/key.pub")).expect("a key");
    let evidence = parse(bundle).expect("a bundle");
    let demand = |key| Demand { keys: vec![key], ..Demand::default() };
    let found = root(None).check(&evidence, &subject(bundle), &demand(key.clone()));
    assert_eq!(found.outcome, Outcome::Trusted, "{found:?}");
    assert!(found.log_index.is_some(), "{found:?}");
    let other = PublicKey::parse(include_bytes!("keys/p256.pub")).expect("a key");
    let found = root(None).check(&evidence, &subject(bundle), &demand(other));
    assert!(matches!(found.outcome, Outcome::Wrong(_)), "{found:?}");
    let another = described(Digest::sha256(b"another image"));
    let found = root(None).check(&evidence, &another, &demand(key));
    assert!(matches!(found.outcome, Outcome::Wrong(_)), "{found:?}");
}

/// Places that no verdict relies on: hints and the name of the format; certificates beside the first (those of the root count); the lines of
/// witnesses below a checkpoint; what a signed time carries beside what is signed.
fn is_unsigned_place(path: &str) -> bool {
    path == "/mediaType"
        || path.ends_with("/keyid")
        || path.ends_with("/checkpoint/envelope")
        || path.ends_with("/signedTimestamp")
        || path.contains("/certificates/") && !path.contains("/certificates/0/")
}

/// Every text and number of a document, by JSON pointer.
fn leaves(value: &serde_json::Value, path: &str, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => map.iter().for_each(|(key, value)| {
            leaves(value, &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), found)
        }),
        serde_json::Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| leaves(value, &format!("{path}/{at}"), found))
        }
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn a_thousand_mutations_of_valid_bundles_are_refused() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let (mut tried, mut accepted) = (0, Vec::new());
    for (name, bundle, json) in valid() {
        let verifier = root(json);
        let image = subject(bundle);
        let original: serde_json::Value = serde_json::from_str(bundle).expect("JSON");
        let mut places = Vec::new();
        leaves(&original, "", &mut places);
        let before = verifier.check(&parse(bundle).expect("a bundle"), &image, &Demand::default());
        for _ in 0..130 {
            let path = &places[next() as usize % places.len()];
            let mut value = original.clone();
            let leaf = value.pointer_mut(path).expect("a place");
            let Some(text) = leaf.as_str().filter(|text| !text.is_empty()) else { continue };
            let mut bytes = text.as_bytes().to_vec();
            let at = next() as usize % bytes.len();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            *leaf = serde_json::Value::String(String::from_utf8_lossy(&bytes).into_owned());
            tried += 1;
            let mutated = value.to_string();
            let Ok(evidence) = parse(&mutated) else { continue };
            let found = verifier.check(&evidence, &image, &Demand::default());
            // Where nothing was proved by the place, everything that is said stays as it was.
            let is_accepted = matches!(found.outcome, Outcome::Trusted | Outcome::Stranger);
            if is_accepted && !(is_unsigned_place(path) && found == before) {
                accepted.push(format!("{name}: {path} at {at}"));
            }
        }
    }
    assert!(tried >= 1000, "{tried}");
    assert_eq!(accepted, Vec::<String>::new());
}
