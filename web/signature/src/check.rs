//! Checking signatures, with the engine of `porthole verify` and `porthole attestation`.

use porthole_contents::secrets::SecretMask;
use porthole_core::{descriptor::Descriptor, digest::Digest, media_type::MediaType};
use porthole_signature::{
    authorities::TrustedCertificates,
    demand::{Demand, DemandedIdentity, TextPattern},
    evidence::{Evidence, EvidenceFormat},
    key::PublicKey,
    root::{RootOrigin, TrustRoot},
    statement::{BillOfMaterials, BuildProvenance, Predicate, ScanReport, VexStatement, parameter_lines},
    verify::{Outcome, SignatureCheck, SignatureVerifier, Signer},
};
use porthole_viewer::{
    protocol::{
        EvidenceAnswer, EvidenceBlob, EvidenceCard, EvidenceJob, EvidenceLack, ListedBill, ShownSigner,
        SignatureVerdict, SignerIdentity, SignerText, SignerWish,
    },
    words::{iso, size},
};

/// Checks what a session found.
pub(crate) fn check(job: &EvidenceJob) -> EvidenceAnswer {
    let mut bills: Vec<ListedBill> = Vec::new();
    let cards = prepare(&job.wish).map(|prepared| {
        let mut checked = |blob: &EvidenceBlob| {
            let parsed = parse(blob);
            let bill = parsed.as_ref().ok().and_then(Evidence::bill_of_materials);
            if let Some(bill) = bill.filter(|_| bills.iter().all(|other| other.name != blob.digest)) {
                bills.push(ListedBill::of(blob.digest.clone(), bill));
            }
            card(blob, parsed, &prepared)
        };
        job.blobs.iter().map(&mut checked).collect()
    });
    EvidenceAnswer { look: job.look, run: job.run, cards, bills }
}

/// What every signature of a job is checked by.
struct Prepared {
    verifier: SignatureVerifier,
    demand: Demand,
    /// The trust root, and how old it is.
    root: String,
}

fn prepare(wish: &SignerWish) -> Result<Prepared, String> {
    let key = |key: &String| PublicKey::parse(key.trim().as_bytes()).map_err(|error| error.to_string());
    let keys = wish.keys.iter().map(key).collect::<Result<_, _>>()?;
    let identities = wish.identities.iter().map(identity).collect::<Result<_, _>>()?;
    let certificates = TrustedCertificates::of(&wish.certificates).map_err(|error| error.to_string())?;
    let root = match wish.root.trim() {
        "" => TrustRoot::public_good(),
        root => TrustRoot::parse(root),
    };
    let root = root.map_err(|error| error.to_string())?;
    let verifier = SignatureVerifier::new(&root).map_err(|error| error.to_string())?;
    let name = match root.origin() {
        RootOrigin::PublicGood => "Sigstore's public instance",
        RootOrigin::File => "your own",
    };
    let date = root.newest_day().map(|day| format!(", of {day}")).unwrap_or_default();
    Ok(Prepared { verifier, demand: Demand { keys, identities, certificates }, root: format!("{name}{date}") })
}

fn identity(SignerIdentity { identity, issuer }: &SignerIdentity) -> Result<DemandedIdentity, String> {
    if identity.text.trim().is_empty() || issuer.text.trim().is_empty() {
        return Err("An identity needs its issuer: any other provider could attest the same identity.".to_owned());
    }
    Ok(DemandedIdentity { identity: pattern(identity)?, issuer: pattern(issuer)? })
}

fn pattern(SignerText { text, is_expression }: &SignerText) -> Result<TextPattern, String> {
    match is_expression {
        true => TextPattern::expression(text.trim()).map_err(|error| format!("malformed expression `{text}`: {error}")),
        false => Ok(TextPattern::Exact(text.trim().to_owned())),
    }
}

fn card(
    blob: &EvidenceBlob,
    parsed: Result<Evidence, Outcome>,
    Prepared { verifier, demand, root }: &Prepared,
) -> EvidenceCard {
    let check = match &parsed {
        Ok(evidence) => match subject(blob) {
            Ok(subject) => verifier.check(evidence, &subject, demand),
            Err(error) => Outcome::Wrong(error).into(),
        },
        Err(outcome) => outcome.clone().into(),
    };
    let promised = MediaType::parse(&blob.media_type).ok().and_then(|media_type| EvidenceFormat::of(&media_type));
    let format = parsed.as_ref().map_or(promised, |evidence| Some(evidence.format));
    let by_root = parsed.as_ref().is_ok_and(Evidence::is_judged_by_root);
    let format = format.map_or_else(|| blob.media_type.clone(), |format| format.name().to_owned());
    let statement = parsed.ok().and_then(|evidence| statement(&evidence));
    let SignatureCheck { outcome, signer, log_index, times } = check;
    let is_proved = matches!(outcome, Outcome::Trusted | Outcome::Stranger);
    let shown = signer.as_ref().filter(|_| is_proved).map(shown);
    let mut facts = signer.map(|signer| facts_of_signer(signer, is_proved)).unwrap_or_default();
    facts.extend(outcome.reason().map(|reason| named("Reason", reason)));
    facts.extend(times.into_iter().map(|seconds| named("Signed time", iso(seconds))));
    facts.extend(log_index.map(|index| named("Position in the log", index.to_string())));
    let is_statement = statement.is_some();
    let title = match statement {
        Some((kind, of_statement)) => {
            facts.extend(of_statement);
            kind
        }
        None => format.clone(),
    };
    facts.extend(by_root.then(|| named("Trust root", root)));
    facts.push(named("Format", format));
    facts.push(named("About", &blob.subject));
    facts.push(named("Manifest", &blob.referrer));
    facts.push(named("Blob", format!("{} · {}", blob.digest, size(blob.size))));
    EvidenceCard {
        digest: blob.digest.clone(),
        title,
        is_statement,
        verdict: Some(verdict(&outcome)),
        signer: shown,
        facts,
    }
}

fn shown(signer: &Signer) -> ShownSigner {
    match signer {
        Signer::Key { fingerprint, algorithm } => {
            ShownSigner { name: format!("{algorithm} key {fingerprint}"), attested_by: None }
        }
        Signer::Certificate { identity, issuer, .. } => {
            ShownSigner { name: identity.clone(), attested_by: issuer.clone() }
        }
        Signer::Subject { subject, root, .. } => ShownSigner { name: subject.clone(), attested_by: Some(root.clone()) },
    }
}

fn named(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn subject(blob: &EvidenceBlob) -> Result<Descriptor, String> {
    let media_type = MediaType::parse(&blob.subject_type).map_err(|error| error.to_string())?;
    let digest = blob.subject.parse::<Digest>().map_err(|error| error.to_string())?;
    Ok(Descriptor::new(media_type, digest, blob.subject_size))
}

fn parse(blob: &EvidenceBlob) -> Result<Evidence, Outcome> {
    let bytes = match &blob.bytes {
        Ok(bytes) => bytes,
        Err(EvidenceLack::TooLarge) => {
            return Err(Outcome::Unchecked(
                "it is too large to be fetched unasked: porthole attestation reads it".into(),
            ));
        }
        Err(EvidenceLack::Wrong(why)) => return Err(Outcome::Wrong(why.clone())),
    };
    let read = || {
        let media_type = MediaType::parse(&blob.media_type).map_err(|error| error.to_string())?;
        let digest = blob.digest.parse().map_err(|_| "expected a digest".to_owned())?;
        let mut descriptor = Descriptor::new(media_type, digest, blob.size);
        descriptor.annotations.clone_from(&blob.annotations);
        Evidence::parse(&descriptor, bytes).map_err(|error| error.to_string())
    };
    read().map_err(Outcome::Wrong)
}

fn verdict(outcome: &Outcome) -> SignatureVerdict {
    match outcome {
        Outcome::Trusted => SignatureVerdict::Trusted,
        Outcome::Stranger => SignatureVerdict::Stranger,
        Outcome::Unsigned => SignatureVerdict::Unsigned,
        Outcome::Unknown(_) | Outcome::Lacking(..) => SignatureVerdict::Unknown,
        Outcome::Wrong(_) => SignatureVerdict::Wrong,
        _ => SignatureVerdict::Unchecked,
    }
}

fn facts_of_signer(signer: Signer, is_proved: bool) -> Vec<(String, String)> {
    let by = if is_proved { "Signed by" } else { "Claims to be by" };
    match signer {
        Signer::Key { fingerprint, algorithm } => vec![named(by, format!("{algorithm} key {fingerprint}"))],
        Signer::Certificate { identity, issuer, claims } => {
            let mut facts = vec![named(by, identity)];
            facts.extend(pairs([
                ("Attested by", issuer),
                ("source", claims.source),
                ("ref", claims.reference),
                ("commit", claims.commit),
                ("run", claims.run),
            ]));
            facts
        }
        Signer::Subject { subject, root, fingerprint } => {
            vec![named(by, subject), named("Attested by", root), named("Certificate", fingerprint.to_string())]
        }
    }
}

/// What a statement is, and what it says.
fn statement(evidence: &Evidence) -> Option<(String, Vec<(String, String)>)> {
    if let Some(bill) = &evidence.bill {
        return Some(("bill of materials".to_owned(), facts_of_bill(bill)));
    }
    let statement = evidence.statement.as_ref()?;
    let read = statement.read();
    let name = read.name().to_owned();
    let mut facts = match read {
        // It says that the image is signed, which the card says.
        Predicate::Signature => return None,
        Predicate::Provenance(provenance) => facts_of_provenance(provenance),
        Predicate::Bill(bill) => facts_of_bill(&bill),
        Predicate::Vex(statements) => facts_of_vex(statements),
        Predicate::Scan(report) => facts_of_scan(report),
        _ => Vec::new(),
    };
    facts.insert(0, named("Type", &statement.predicate_type));
    Some((name, facts))
}

fn facts_of_provenance(mut provenance: BuildProvenance) -> Vec<(String, String)> {
    // Build arguments are among them.
    SecretMask::default().json(&mut provenance.parameters);
    let mut facts = pairs([
        ("builder", provenance.builder),
        ("source", provenance.source),
        ("commit", provenance.commit),
        ("started", provenance.started),
        ("finished", provenance.finished),
        ("run", provenance.invocation),
    ]);
    facts.extend(provenance.materials.into_iter().take(MATERIALS).map(|material| {
        let digest = material.digests.into_iter().next().map(|(name, hex)| format!("@{name}:{hex}"));
        ("material".to_owned(), format!("{}{}", material.uri, digest.unwrap_or_default()))
    }));
    let parameters = parameter_lines(&provenance.parameters);
    facts.extend(parameters.into_iter().take(PARAMETERS).map(|line| ("parameter".to_owned(), line)));
    facts
}

fn facts_of_vex(statements: Vec<VexStatement>) -> Vec<(String, String)> {
    let mut facts = vec![named("statements", statements.len().to_string())];
    facts.extend(statements.into_iter().take(VULNERABILITIES).map(|one| {
        let products = one.products.join(", ");
        (one.vulnerability, format!("{} {products}", one.status))
    }));
    facts
}

fn facts_of_scan(report: ScanReport) -> Vec<(String, String)> {
    let mut facts = pairs([("scanner", report.scanner), ("version", report.version), ("finished", report.finished)]);
    facts.extend(report.severities.into_iter().map(|(severity, count)| (severity, count.to_string())));
    facts
}

/// Materials, parameters and vulnerabilities that are sent to the page, of each.
const MATERIALS: usize = 100;
const PARAMETERS: usize = 100;
const VULNERABILITIES: usize = 100;

fn facts_of_bill(bill: &BillOfMaterials) -> Vec<(String, String)> {
    let mut facts =
        vec![("format".to_owned(), bill.format.clone()), ("packages".to_owned(), bill.packages.len().to_string())];
    facts.extend(pairs([("name", bill.name.clone()), ("created", bill.created.clone())]));
    facts.extend(bill.tools.iter().map(|tool| ("made by".to_owned(), tool.clone())));
    facts
}

fn pairs<const N: usize>(named: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_testkit::signing::{Authority, Signatory, SignedLayer, attestation, payload, signature};
    use serde_json::json;

    /// A secret of the form of GitHub's tokens.
    fn token() -> String {
        ["ghp_16C7e42F292c6912", "E7710c838347Ae178B4a"].concat()
    }

    fn digest() -> String {
        Digest::sha256(b"image").to_string()
    }

    fn blob(layer: &SignedLayer) -> EvidenceBlob {
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        EvidenceBlob {
            subject: digest(),
            referrer: digest(),
            digest: layer.blob.digest.clone(),
            media_type: layer.blob.media_type.clone(),
            size: layer.blob.bytes.len() as u64,
            annotations: layer.annotations.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            subject_type: MediaType::OCI_MANIFEST.to_string(),
            subject_size: 5,
            bytes: Ok(layer.blob.bytes.clone()),
        }
    }

    fn rows(wish: SignerWish, layers: &[SignedLayer]) -> Result<Vec<EvidenceCard>, String> {
        check(&EvidenceJob { look: 1, run: 2, wish, blobs: layers.iter().map(blob).collect() }).cards
    }

    #[test]
    fn a_key_is_the_signer_that_was_named_and_another_is_not() {
        let who = Signatory::new();
        let layer = signature(payload(&digest()), &who, None);
        let by = |key: &Signatory| SignerWish { keys: vec![key.public_key()], ..SignerWish::default() };
        let verdict = |wish| rows(wish, std::slice::from_ref(&layer)).expect("usable")[0].verdict.expect("evidence");
        assert_eq!(verdict(by(&who)), SignatureVerdict::Trusted);
        assert_eq!(verdict(by(&Signatory::new())), SignatureVerdict::Stranger);
        assert_eq!(verdict(SignerWish::default()), SignatureVerdict::Unchecked);
    }

    #[test]
    fn an_identity_is_proved_by_the_trust_root_that_was_given() {
        let authority = Authority::new();
        let who = authority.attest("me@example.org", "https://login.example.org");
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
            "subject": [{"digest": {"sha256": Digest::sha256(b"image").hex()}}],
            "predicate": {
                "buildDefinition": {"externalParameters": {"args": {"build-arg:TOKEN": token(), "build-arg:A": "1"}}},
                "runDetails": {"builder": {"id": "https://builder.example"}},
            },
        });
        let layers =
            [signature(payload(&digest()), &who, Some(&authority)), attestation(&statement, &who, Some(&authority))];
        let exact = |text: &str| SignerText { text: text.into(), is_expression: false };
        let by = |issuer: &str| vec![SignerIdentity { identity: exact("me@example.org"), issuer: exact(issuer) }];
        let wish = SignerWish {
            identities: by("https://login.example.org"),
            root: authority.trusted_root(),
            ..SignerWish::default()
        };
        let found = rows(wish.clone(), &layers).expect("usable");
        assert!(found.iter().all(|row| row.verdict == Some(SignatureVerdict::Trusted)), "{found:?}");
        assert!(found[0].facts.contains(&named("Signed time", "2026-01-01T12:00:00Z")), "{found:?}");
        assert!(found[0].facts.contains(&named("Signed by", "me@example.org")), "{found:?}");
        assert_eq!((found[1].title.as_str(), found[1].is_statement), ("provenance", true));
        assert!(found[1].facts.contains(&named("builder", "https://builder.example")), "{found:?}");
        assert!(found[1].facts.contains(&named("parameter", "args.build-arg:A=1")), "{found:?}");
        assert!(!format!("{found:?}").contains(&token()), "a build argument is masked: {found:?}");
        assert!(found[0].facts.iter().any(|(name, root)| name == "Trust root" && root.starts_with("your own, of 20")));
        let signer =
            ShownSigner { name: "me@example.org".into(), attested_by: Some("https://login.example.org".into()) };
        assert_eq!(found[0].signer, Some(signer));
        let found = rows(SignerWish { root: String::new(), ..wish.clone() }, &layers).expect("usable");
        assert!(
            found.iter().all(|row| row.verdict == Some(SignatureVerdict::Unknown) && row.signer.is_none()),
            "{found:?}"
        );
        assert!(
            rows(SignerWish { identities: by(""), ..wish.clone() }, &layers).is_err(),
            "an identity needs an issuer"
        );
        assert!(rows(SignerWish { root: "{}".into(), ..wish }, &layers).is_err());
        assert!(rows(SignerWish { keys: vec!["no key".into()], ..SignerWish::default() }, &layers).is_err());
    }
}
