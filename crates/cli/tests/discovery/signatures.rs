//! `verify --key`, `verify --certificate-identity` and `attestation`, on images that the tests sign.

use super::{
    Server, ends,
    schema::{schema, validate},
};
use porthole_testkit::{
    image::{Blob, Built, Compression, Content, Image, Layer},
    registry::Site,
    signing::{
        Authority, Signatory, SignedLayer, attestation, notation, payload, referring, signature, signature_bundle,
        statement_bundle,
    },
};
use serde_json::{Value, json};
use std::{fs, process::Output};

const IDENTITY: &str = "https://github.com/a/b/.github/workflows/release.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

fn image() -> Built {
    let layer = Layer::new("ADD a").compression(Compression::Gzip).file("a", "content");
    Image::new().platform("linux", "amd64", None).layer(layer).build()
}

/// The tag that cosign 2 makes of a digest.
fn tag(subject: &Blob, suffix: &str) -> String {
    format!("{}.{suffix}", subject.digest.replace(':', "-"))
}

fn add(content: &mut Content, subject: &Blob, suffix: &str, layer: &SignedLayer) {
    let (manifest, blobs) = layer.manifest();
    for blob in blobs {
        content.add_blob(blob);
    }
    content.add_root(&tag(subject, suffix), manifest);
}

fn signed(by: &Signatory, log: Option<&Authority>) -> (Server, Built) {
    let image = image();
    let mut content = image.clone().into_content("1");
    add(&mut content, &image.manifest, "sig", &signature(payload(&image.manifest.digest), by, log));
    (Server::new(Site::new().repository("a/b", content)), image)
}

fn key_file(server: &Server, name: &str, who: &Signatory) {
    fs::write(server.path(name), who.public_key()).unwrap();
}

fn rows(output: &Output) -> Vec<Value> {
    let lines = output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let rows: Vec<Value> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
    for row in &rows {
        let schema = schema(if row.get("step").is_some() { "verify" } else { "attestation" });
        validate(row, &schema, &schema, "").unwrap();
    }
    rows
}

#[test]
fn by_a_key_the_image_is_verified_and_by_another_key_no_layer_is_fetched() {
    let (who, other) = (Signatory::new(), Signatory::new());
    let (server, image) = signed(&who, None);
    key_file(&server, "cosign.pub", &who);
    key_file(&server, "other.pub", &other);
    let output = server.run("verify --json --key cosign.pub REGISTRY/a/b:1");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let steps = rows(&output);
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["manifest", "config", "signature", "layer"]);
    assert_eq!(steps[2]["state"], "trusted");
    assert_eq!(steps[2]["signer"]["algorithm"], "ECDSA P-256");
    let layer = format!("/blobs/{}", image.layers[0].blob.digest);
    assert_eq!(server.internet.count(&layer), 1);
    ends(&server.run("verify --key other.pub REGISTRY/a/b:1"), 1, "by none of the signers that were named");
    assert_eq!(server.internet.count(&layer), 1, "no layer of an image that is not signed as asked");
    ends(
        &server.run("verify --key other.pub --key cosign.pub --no-layers REGISTRY/a/b:1"),
        0,
        "no layer was downloaded",
    );
    assert_eq!(server.internet.count(&layer), 1);
}

#[test]
fn an_image_without_a_signature_is_not_signed_and_not_wrong() {
    let server = Server::new(Site::new().repository("a/b", image().into_content("1")));
    key_file(&server, "cosign.pub", &Signatory::new());
    ends(&server.run("verify --key cosign.pub REGISTRY/a/b:1"), 1, "there is no signature");
    ends(&server.run("attestation REGISTRY/a/b:1"), 0, "nothing is attested about");
    ends(&server.run("attestation --key cosign.pub REGISTRY/a/b:1"), 1, "there is no attestation");
}

#[test]
fn a_signature_of_another_image_under_the_tag_of_this_one_is_wrong() {
    let who = Signatory::new();
    let image = image();
    let mut content = image.clone().into_content("1");
    let another = format!("sha256:{}", "0".repeat(64));
    add(&mut content, &image.manifest, "sig", &signature(payload(&another), &who, None));
    let server = Server::new(Site::new().repository("a/b", content));
    key_file(&server, "cosign.pub", &who);
    ends(&server.run("verify --key cosign.pub REGISTRY/a/b:1"), 7, "names another image");
}

#[test]
fn by_a_certificate_the_issuer_is_asked_for_and_the_trust_root_decides() {
    let authority = Authority::new();
    let (server, _) = signed(&authority.attest(IDENTITY, ISSUER), Some(&authority));
    fs::write(server.path("root.json"), authority.trusted_root()).unwrap();
    fs::write(server.path("other.json"), Authority::new().trusted_root()).unwrap();
    let verify =
        |more: &str| server.run(&format!("verify --no-layers --certificate-identity {IDENTITY} {more} REGISTRY/a/b:1"));
    ends(&verify(""), 2, "--certificate-identity needs --certificate-oidc-issuer");
    let issuer = format!("--certificate-oidc-issuer {ISSUER}");
    ends(&verify(&format!("{issuer} --trusted-root root.json")), 0, "no layer was downloaded");
    ends(&verify("--certificate-oidc-issuer https://gitlab.com --trusted-root root.json"), 1, "by none of the signers");
    ends(&verify(&format!("{issuer} --trusted-root other.json")), 9, "cannot be judged");
    ends(&verify(&issuer), 9, "the trust root of Sigstore's public instance that this program ships");
    let matching = "verify --no-layers --certificate-identity-regexp ^https://github.com/a/ --certificate-oidc-issuer-regexp \
                    githubusercontent.com$ --trusted-root root.json --json REGISTRY/a/b:1";
    let steps = rows(&server.run(matching));
    assert_eq!(steps[2]["signer"]["identity"], IDENTITY);
    assert_eq!((&steps[2]["log_index"], &steps[2]["times"]), (&json!(7), &json!(["2026-01-01T12:00:00Z"])));
    ends(
        &server.run("verify --certificate-identity-regexp ( --certificate-oidc-issuer x REGISTRY/a/b:1"),
        2,
        "malformed expression",
    );
}

fn signed_by_notation(who: &Signatory) -> Server {
    let image = image();
    let mut content = image.clone().into_content("1");
    let (manifest, blobs) = notation(&image.manifest, who);
    content.add_blob(manifest);
    for blob in blobs {
        content.add_blob(blob);
    }
    Server::new(Site::new().repository("a/b", content).with_referrers())
}

#[test]
fn a_signature_of_notation_is_verified_by_a_chain_of_certificates_at_a_time_that_was_named() {
    let authority = Authority::new();
    let server = signed_by_notation(&authority.attest("signer@example.org", ISSUER));
    fs::write(server.path("ca.pem"), authority.certificate()).unwrap();
    fs::write(server.path("other.pem"), Authority::new().certificate()).unwrap();
    let verify = |more: &str| server.run(&format!("verify --no-layers {more} REGISTRY/a/b:1"));
    let steps = rows(&verify("--json --certificate ca.pem --at 2026-01-01T12:00:00Z"));
    assert_eq!((&steps[2]["state"], &steps[2]["signer"]["kind"]), (&json!("trusted"), &json!("subject")));
    assert_eq!(steps[2]["signer"]["root"], "CN=authority of the tests");
    ends(&verify("--certificate ca.pem"), 9, "`--at TIME` judges at a time of your choice");
    ends(&verify("--certificate ca.pem --at 2027-01-01T12:00:00Z"), 9, "nothing proves when it was made");
    ends(&verify("--certificate other.pem --at 2026-01-01T12:00:00Z"), 9, "`--certificate FILE` names the certificate");
    ends(
        &verify("--signing-authority ca.pem --at 2026-01-01T12:00:00Z"),
        9,
        "`--certificate FILE` names the certificate",
    );
    let subject = "--certificate ca.pem --at 2026-01-01T12:00:00Z --certificate-subject";
    ends(&verify(&format!("{subject} O=Another")), 1, "by none of the signers that were named");
    ends(&verify(&format!("{subject} signer")), 2, "expected a subject such as");
    ends(&verify("--certificate-subject CN=a"), 2, "a subject alone proves no one");
    ends(&verify("--certificate ca.pem --at yesterday"), 2, "expected a time such as");
    let policy = json!({"rules": [{"images": "*", "certificates": [authority.certificate()]}]});
    fs::write(server.path("policy.json"), policy.to_string()).unwrap();
    ends(&verify("--policy policy.json --at 2026-01-01T12:00:00Z"), 0, "no layer was downloaded");
    ends(&verify("--policy policy.json"), 9, "no authority signed when it was made");
}

#[test]
fn a_signature_of_notation_is_verified_by_the_key_of_its_certificate() {
    let who = Authority::new().attest("signer@example.org", ISSUER);
    let server = signed_by_notation(&who);
    key_file(&server, "signer.pub", &who);
    key_file(&server, "other.pub", &Signatory::new());
    let steps = rows(&server.run("verify --json --no-layers --key signer.pub REGISTRY/a/b:1"));
    assert_eq!((&steps[2]["state"], &steps[2]["signer"]["algorithm"]), (&json!("trusted"), &json!("ECDSA P-256")));
    ends(&server.run("verify --key other.pub REGISTRY/a/b:1"), 1, "by none of the signers that were named");
}

#[test]
fn a_policy_names_the_signers_of_an_image() {
    let authority = Authority::new();
    let (server, _) = signed(&authority.attest(IDENTITY, ISSUER), Some(&authority));
    let root: Value = serde_json::from_str(&authority.trusted_root()).unwrap();
    let policy = |name: &str, rules: Value| fs::write(server.path(name), json!({"rules": rules}).to_string()).unwrap();
    let images = |path: &str| format!("{}{path}", server.authority());
    let identity = |issuer: &str| json!([{"identity_regexp": "^https://github.com/a/", "issuer": issuer}]);
    let other = Signatory::new().public_key();
    policy(
        "policy.json",
        json!([
            {"images": images(""), "keys": [other]},
            {"images": images("/a"), "identities": identity(ISSUER), "trusted_root": root},
        ]),
    );
    policy("wide.json", json!([{"images": "*", "keys": [other]}]));
    policy(
        "issuer.json",
        json!([{"images": images("/a/b"), "identities": identity("https://x.example"), "trusted_root": root}]),
    );
    policy("elsewhere.json", json!([{"images": "r.example", "keys": [other]}]));
    policy("misspelt.json", json!([{"images": "*", "keyz": [other]}]));
    policy("no-key.json", json!([{"images": "*", "keys": ["a"]}]));
    let verify = |name: &str| server.run(&format!("verify --no-layers --policy {name} REGISTRY/a/b:1"));
    ends(&verify("policy.json"), 0, "no layer was downloaded");
    let text = String::from_utf8(verify("policy.json").stdout).unwrap();
    assert!(text.contains(&format!("signed by {IDENTITY}, attested by {ISSUER}")), "{text}");
    ends(&verify("issuer.json"), 1, "by none of the signers that were named");
    ends(&verify("wide.json"), 9, "cannot be judged");
    let before = server.internet.log().len();
    ends(&verify("elsewhere.json"), 2, "no rule of the policy is about `");
    ends(&verify("misspelt.json"), 2, "unknown field `keyz`");
    ends(&verify("no-key.json"), 2, "expected a public key");
    ends(&verify("missing.json"), 4, "missing.json");
    ends(&server.run("verify --policy policy.json oci:layout"), 2, "about images of registries");
    assert_eq!(server.internet.log().len(), before, "a policy is read before anything is asked");
    ends(&server.run("attestation --policy policy.json REGISTRY/a/b:1"), 1, "there is no attestation");
}

#[test]
fn a_signature_of_the_index_counts_for_each_of_its_images() {
    let who = Signatory::new();
    let mut content = Content::of_index("1", &[image()]);
    let index = content.roots[0].blob.clone();
    add(&mut content, &index, "sig", &signature(payload(&index.digest), &who, None));
    let server = Server::new(Site::new().repository("a/b", content));
    key_file(&server, "cosign.pub", &who);
    ends(&server.run("verify --key cosign.pub --platform linux/amd64 REGISTRY/a/b:1"), 0, "every digest");
}

#[test]
fn an_attestation_does_not_stand_in_for_a_signature() {
    let who = Signatory::new();
    let image = image();
    let mut content = image.clone().into_content("1");
    add(&mut content, &image.manifest, "att", &attestation(&provenance(&image), &who, None));
    let server = Server::new(Site::new().repository("a/b", content));
    key_file(&server, "cosign.pub", &who);
    ends(&server.run("verify --key cosign.pub REGISTRY/a/b:1"), 1, "there is no signature");
    key_file(&server, "other.pub", &Signatory::new());
    ends(&server.run("attestation --key other.pub REGISTRY/a/b:1"), 1, "there is an attestation, but by none");
    let output = server.run("attestation --json --key cosign.pub REGISTRY/a/b:1");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let [row] = &rows(&output)[..] else { panic!("{output:?}") };
    assert_eq!((row["kind"].as_str(), row["state"].as_str()), (Some("provenance"), Some("trusted")));
    assert_eq!(row["provenance"]["builder"], "https://builder.example");
    let text = server.run("attestation --key cosign.pub REGISTRY/a/b:1");
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("signed by the ECDSA P-256 key sha256:") && text.contains("https://builder.example"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let predicate = server.run("attestation --type provenance --predicate REGISTRY/a/b:1");
    let predicate: Value = serde_json::from_slice(&predicate.stdout).unwrap();
    assert_eq!(predicate, provenance(&image)["predicate"]);
    ends(&server.run("attestation --type bill --predicate REGISTRY/a/b:1"), 4, "not found");
}

fn provenance(image: &Built) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"name": "app", "digest": {"sha256": image.manifest.digest.trim_start_matches("sha256:")}}],
        "predicate": {
            "builder": {"id": "https://builder.example"},
            "materials": [{"uri": "pkg:docker/alpine@3 \u{1b}[31m", "digest": {"sha256": "ab"}}],
        },
    })
}

/// A statement of type `kind` about an image.
fn stated(image: &Built, kind: &str, predicate: Value) -> Value {
    let digest = image.manifest.digest.trim_start_matches("sha256:");
    json!({
        "_type": "https://in-toto.io/Statement/v1", "predicateType": kind, "predicate": predicate,
        "subject": [{"name": "app", "digest": {"sha256": digest}}],
    })
}

/// A registry with bundles about an image. It lists them by the referrers API, or with `by_tag` by the fallback tag.
fn with_bundles(image: &Built, bundles: &[(Blob, Option<&str>)], by_tag: bool) -> Server {
    let mut content = image.clone().into_content("1");
    let mut listed = Vec::new();
    for (bundle, predicate) in bundles {
        let (manifest, blobs) = referring(&image.manifest, bundle, *predicate);
        listed.push(manifest.descriptor());
        for blob in blobs.into_iter().chain([manifest]) {
            content.add_blob(blob);
        }
    }
    let site = if by_tag {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).to_string();
        content.add_root(&image.manifest.digest.replace(':', "-"), Blob::new(INDEX, index.into_bytes()));
        Site::new().repository("a/b", content)
    } else {
        Site::new().repository("a/b", content).with_referrers()
    };
    Server::new(site)
}

/// cosign's statement that an image is signed.
const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";
const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

#[test]
fn bundles_that_refer_to_an_image_are_its_signature_and_its_attestation() {
    let authority = Authority::new();
    let (who, image) = (authority.attest(IDENTITY, ISSUER), image());
    let predicate = json!({"runDetails": {"builder": {"id": "https://builder.example"}}});
    let attested = statement_bundle(&stated(&image, PROVENANCE, predicate), &who, Some(&authority));
    let by_statement = statement_bundle(&stated(&image, SIGN, json!({})), &who, Some(&authority));
    let by_digest = signature_bundle(&image.manifest.bytes, &who, Some(&authority));
    for (signed, predicate) in [(by_statement, Some(SIGN)), (by_digest, None)] {
        for by_tag in [false, true] {
            let bundles = [(signed.clone(), predicate), (attested.clone(), Some(PROVENANCE))];
            let server = with_bundles(&image, &bundles, by_tag);
            fs::write(server.path("root.json"), authority.trusted_root()).unwrap();
            let by = |issuer: &str| {
                format!("--certificate-identity {IDENTITY} --certificate-oidc-issuer {issuer} --trusted-root root.json")
            };
            let steps = rows(&server.run(&format!("verify --json --no-layers {} REGISTRY/a/b:1", by(ISSUER))));
            let [_, _, step] = &steps[..] else { panic!("{by_tag}: {steps:?}") };
            assert_eq!((&step["state"], &step["format"]), (&json!("trusted"), &json!("Sigstore bundle")), "{step}");
            assert_eq!((&step["log_index"], &step["times"]), (&json!(7), &json!(["2026-01-01T12:00:00Z"])));
            let blob = format!("/blobs/{}", attested.digest);
            assert_eq!(server.internet.count(&blob), 0, "an attestation is no signature, and stays where it is");
            let other = server.run(&format!("verify --no-layers {} REGISTRY/a/b:1", by("https://gitlab.com")));
            ends(&other, 1, "by none of the signers that were named");
            let output = server.run(&format!("attestation --json {} REGISTRY/a/b:1", by(ISSUER)));
            let [row] = &rows(&output)[..] else { panic!("{by_tag}: {output:?}") };
            assert_eq!((&row["kind"], &row["state"]), (&json!("provenance"), &json!("trusted")));
            assert_eq!(row["trust_root"], json!({"origin": "file", "newest": "2025-01-01"}));
        }
    }
}

#[test]
fn bundles_by_a_key_are_checked_by_that_key() {
    let (who, other, image, authority) = (Signatory::new(), Signatory::new(), image(), Authority::new());
    let about_another = stated(&Image::new().layer(Layer::new("ADD b").file("b", "")).build(), SIGN, json!({}));
    for by_tag in [false, true] {
        // An envelope contains the signed bytes, so a signature by a key needs no log. A signature of a digest needs the log.
        for bundle in [
            statement_bundle(&stated(&image, SIGN, json!({})), &who, None),
            signature_bundle(&image.manifest.bytes, &who, Some(&authority)),
        ] {
            let server = with_bundles(&image, &[(bundle, None)], by_tag);
            key_file(&server, "cosign.pub", &who);
            fs::write(server.path("root.json"), authority.trusted_root()).unwrap();
            let verify = "verify --no-layers --key cosign.pub --trusted-root root.json REGISTRY/a/b:1";
            ends(&server.run(verify), 0, "no layer was downloaded");
        }
        let bundle = statement_bundle(&stated(&image, SIGN, json!({})), &who, None);
        let server = with_bundles(&image, &[(bundle, Some(SIGN))], by_tag);
        key_file(&server, "other.pub", &other);
        ends(&server.run("verify --no-layers --key other.pub REGISTRY/a/b:1"), 1, "by none of the signers");
        let bundle = statement_bundle(&about_another, &who, None);
        let server = with_bundles(&image, &[(bundle, Some(SIGN))], by_tag);
        key_file(&server, "cosign.pub", &who);
        ends(&server.run("verify --no-layers --key cosign.pub REGISTRY/a/b:1"), 7, "is not about sha256:");
    }
}

#[test]
fn who_signed_is_said_without_naming_anyone() {
    let (authority, image) = (Authority::new(), image());
    let of_image = || payload(&image.manifest.digest);
    let run = |layer: Option<SignedLayer>, arguments: &str| {
        let mut content = image.clone().into_content("1");
        layer.iter().for_each(|layer| add(&mut content, &image.manifest, "sig", layer));
        let server = Server::new(Site::new().repository("a/b", content));
        fs::write(server.path("root.json"), authority.trusted_root()).unwrap();
        let output = server.run(&format!("{arguments} REGISTRY/a/b:1"));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), server)
    };
    let keyless = || Some(signature(of_image(), &authority.attest(IDENTITY, ISSUER), Some(&authority)));
    let by_key = || Some(signature(of_image(), &Signatory::new(), None));
    let another = || Some(signature(payload(&format!("sha256:{}", "0".repeat(64))), &Signatory::new(), None));
    let proved = format!("signed by {IDENTITY}, attested by {ISSUER}");
    let root = "trust root: the file that was named of 2025-01-01";
    let give_key = "by a key: `porthole verify --key FILE` checks it";
    let inspect = "inspect --signatures --trusted-root root.json";
    for (layer, expected) in [
        (None, vec!["Signatures\n  not signed\n"]),
        (keyless(), vec!["  signed ", proved.as_str(), "in the log at 7 since 2026-01-01T12:00:00Z", root]),
        (by_key(), vec!["  unchecked ", give_key]),
        (another(), vec!["  WRONG ", "the signed payload names another image"]),
    ] {
        let (text, _) = run(layer, inspect);
        expected.iter().for_each(|part| assert!(text.contains(part), "expected `{part}`, got:\n{text}"));
    }
    let (text, _) = run(keyless(), "inspect --signatures");
    assert!(text.contains("  UNKNOWN ") && text.contains("claims to be signed by"), "{text}");
    assert!(text.contains("trust root: Sigstore's public instance of 20"), "{text}");
    let (text, server) = run(keyless(), "inspect");
    assert!(!text.contains("Signatures"), "{text}");
    assert_eq!(server.internet.count("/referrers/"), 0, "signatures are fetched when they are asked for");
    for (layer, expected) in [
        (None, vec!["| Signatures | not signed |"]),
        (keyless(), vec!["| Signatures | 1 signed |", "| signature | signed | `https://github.com/a/b/", root]),
        (by_key(), vec!["| Signatures | 1 not checked |", give_key]),
        (another(), vec!["| Signatures | 1 WRONG |", "| signature | WRONG: `the signed payload names another"]),
    ] {
        let (text, _) = run(layer, "report --trusted-root root.json");
        expected.iter().for_each(|part| assert!(text.contains(part), "expected `{part}`, got:\n{text}"));
    }
    for (verb, states) in [
        (inspect, ["stranger", "unchecked", "wrong"]),
        ("report --trusted-root root.json", ["stranger", "unchecked", "wrong"]),
    ] {
        let schema = schema(verb.split(' ').next().unwrap());
        for (layer, state) in [keyless(), by_key(), another()].into_iter().zip(states) {
            let (text, _) = run(layer, &format!("{verb} --json"));
            let document: Value = serde_json::from_str(&text).unwrap();
            validate(&document, &schema, &schema, "").unwrap();
            let [row] = &document["signatures"]["list"].as_array().unwrap()[..] else { panic!("{text}") };
            assert_eq!((&row["kind"], &row["state"]), (&json!("signature"), &json!(state)), "{text}");
        }
        let (text, _) = run(None, &format!("{verb} --json"));
        let document: Value = serde_json::from_str(&text).unwrap();
        validate(&document, &schema, &schema, "").unwrap();
        assert_eq!(document["signatures"]["list"], json!([]));
    }
    let (text, _) = run(another(), "report --format sarif");
    let log: Value = serde_json::from_str(&text).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert!(results.iter().any(|result| result["ruleId"] == "wrong-signature" && result["level"] == "error"), "{text}");
}

#[test]
fn a_report_says_that_a_registry_does_not_tell_who_signed() {
    let server = Server::new(Site::new().repository("a/b", image().into_content("1")).with_referrers());
    server.internet.fault("/referrers/", 100, porthole_testkit::registry::Fault::Status(403));
    let output = server.run("report REGISTRY/a/b:1");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(
        output.status.code() == Some(0) && text.contains(" not known: ") && !text.contains("not signed"),
        "{output:?}"
    );
    assert_ne!(server.run("inspect --signatures REGISTRY/a/b:1").status.code(), Some(0));
}

#[test]
fn parameters_vulnerabilities_and_scans_are_shown_and_secrets_in_them_masked() {
    let (who, image) = (Signatory::new(), image());
    let token = ["kV7-qP2xW9", "sL4mT8"].concat();
    let given = json!({"args": {"build-arg:API_TOKEN": token, "build-arg:NAME": "app \u{1b}[31m"}});
    let vex: Vec<_> = (0..30)
        .map(|number| json!({"vulnerability": {"name": format!("CVE-{number}")}, "status": "fixed", "products": ["pkg:oci/a", "b"]}))
        .collect();
    let results =
        json!({"Results": [{"Vulnerabilities": [{"Severity": "HIGH"}, {"Severity": "HIGH"}, {"Severity": "LOW"}]}]});
    let scan = json!({"scanner": {"uri": "https://scan.example", "version": "1", "result": results}});
    let bundles = [
        (PROVENANCE, json!({"buildDefinition": {"externalParameters": given}})),
        ("https://openvex.dev/ns/v0.2.0", json!({"statements": vex})),
        ("https://cosign.sigstore.dev/attestation/vuln/v1", scan),
    ]
    .map(|(kind, predicate)| (statement_bundle(&stated(&image, kind, predicate), &who, None), Some(kind)));
    let server = with_bundles(&image, &bundles, false);
    let output = server.run("attestation --json REGISTRY/a/b:1");
    assert!(!String::from_utf8_lossy(&output.stdout).contains(&token), "{output:?}");
    let rows = rows(&output);
    let of = |kind: &str| rows.iter().find(|row| row["kind"] == kind).unwrap();
    assert_eq!(of("provenance")["provenance"]["parameters"]["args"]["build-arg:API_TOKEN"], "********");
    assert_eq!(of("vex")["vex"].as_array().map(Vec::len), Some(30));
    assert_eq!(
        of("vex")["vex"][29],
        json!({"vulnerability": "CVE-29", "status": "fixed", "products": ["pkg:oci/a", "b"]})
    );
    assert_eq!(of("scan")["scan"]["severities"], json!({"high": 2, "low": 1}));
    let text = String::from_utf8(server.run("attestation REGISTRY/a/b:1").stdout).unwrap();
    for part in [
        "  parameter  args.build-arg:API_TOKEN=********\n",
        "  parameter  args.build-arg:NAME=app \\x1b[31m\n",
        "  statement  CVE-0  fixed  pkg:oci/a and 1 more\n",
        "  statement  and 10 more: --json has all\n",
        "  scanner    https://scan.example\n",
        "  found      2 high, 1 low\n",
    ] {
        assert!(text.contains(part), "expected `{part}`, got:\n{text}");
    }
    assert!(!text.contains("CVE-20 ") && !text.contains(&token), "{text}");
}

#[test]
fn attestations_of_buildkit_in_the_index_are_shown_as_unsigned() {
    let image = image();
    let statement = Blob::new("application/vnd.in-toto+json", provenance(&image).to_string().into_bytes());
    let config = Blob::new("application/vnd.oci.image.config.v1+json", b"{}".to_vec());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor(), "layers": [statement.descriptor()],
    });
    let manifest = Blob::new(MANIFEST, manifest.to_string().into_bytes());
    let mut entry = manifest.descriptor();
    entry["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    entry["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.manifest.digest,
    });
    let mut of_image = image.manifest.descriptor();
    of_image["platform"] = json!({"os": "linux", "architecture": "amd64"});
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [of_image, entry]});
    let mut content = image.clone().into_content("image");
    for blob in [statement, config, manifest] {
        content.add_blob(blob);
    }
    content.add_root("1", Blob::new(INDEX, index.to_string().into_bytes()));
    let server = Server::new(Site::new().repository("a/b", content));
    let output = server.run("attestation --json --platform linux/amd64 REGISTRY/a/b:1");
    let [row] = &rows(&output)[..] else { panic!("{output:?}") };
    assert_eq!((row["kind"].as_str(), row["state"].as_str()), (Some("provenance"), Some("unsigned")), "{row}");
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[test]
fn a_key_that_is_none_is_named_before_anything_is_asked() {
    let (server, _) = signed(&Signatory::new(), None);
    fs::write(server.path("no.pub"), "-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----\n").unwrap();
    ends(&server.run("verify --key no.pub REGISTRY/a/b:1"), 2, "expected a public key, got a private one");
    ends(&server.run("verify --key missing.pub REGISTRY/a/b:1"), 4, "missing.pub");
    assert_eq!(server.internet.log().len(), 0);
}
