//! Checks evidence: who signed an image, or why a signature does not count.

mod notation;
mod reason;
mod signer;

pub use signer::{CertificateClaims, Signer};

use crate::{
    demand::Demand,
    evidence::{Evidence, EvidenceFormat, Signed},
    key::PublicKey,
    root::{RootError, TrustRoot},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_core::{
    descriptor::Descriptor,
    digest::{Algorithm, Digest},
};
use reason::Refusal;
use sigstore_verify::{
    PublicKeyVerificationPolicy, VerificationPolicy, VerificationResult, Verifier,
    types::{Artifact, ArtifactDigest, HashAlgorithm, SignatureContent, bundle::VerificationMaterialContent},
};
use std::fmt;

/// Checks evidence offline, with one trust root.
pub struct SignatureVerifier {
    verifier: Verifier,
    logs: Vec<Vec<u8>>,
    asks_for_sct: bool,
}

/// The result for one piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureCheck {
    /// Whether the signature holds, and whose it is.
    pub outcome: Outcome,
    /// Who signed. Only [`Outcome::Trusted`] and [`Outcome::Stranger`] prove it.
    pub signer: Option<Signer>,
    /// Position in a log of signatures, if the log proved that it has the signature.
    pub log_index: Option<u64>,
    /// Times at which the signature existed, signed by a log or an authority, in seconds since 1970.
    pub times: Vec<i64>,
}

/// Whether a signature holds, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It holds, and its signer was named.
    Trusted,
    /// Its signer was not named. [`SignatureCheck::signer`] has the signer if that is proved.
    Stranger,
    /// There is no signature.
    Unsigned,
    /// It was not checked: no key was named, or the kind is not one that is checked here.
    Unchecked(String),
    /// The trust root lacks the authority or log: it is older than the signature, or of another instance.
    Unknown(String),
    /// What the user named does not suffice to judge it: what is lacking, and the reason.
    Lacking(Lack, String),
    /// It does not hold, with the reason.
    Wrong(String),
}

/// What the user has to name so that a signature of Notation can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A certificate that vouches for the signer.
    Certificate,
    /// A certificate of the service that signed for others.
    SigningAuthority,
    /// A certificate of the authority that signed the time.
    TimeAuthority,
    /// A time at which to judge.
    Time,
}

impl SignatureVerifier {
    /// A verifier that trusts what a root names. If the root has no logs, no log entry is required. If it has no logs of
    /// certificates, no proof that a certificate was logged is required.
    ///
    /// # Errors
    ///
    /// [`RootError`], if a key or a certificate of the root is malformed.
    pub fn new(root: &TrustRoot) -> Result<Self, RootError> {
        let verifier = Verifier::new(&root.root).map_err(|error| RootError::unusable(&error))?;
        let logs = root.root.tlogs.iter().map(|log| log.log_id.key_id.as_bytes().to_vec()).collect();
        Ok(Self { verifier, logs, asks_for_sct: !root.root.ctlogs.is_empty() })
    }

    /// Checks evidence that came with an image. `subject` describes the manifest or index that it must be about.
    pub fn check(&self, evidence: &Evidence, subject: &Descriptor, demand: &Demand) -> SignatureCheck {
        let image = &subject.digest;
        if let Some(signature) = &evidence.notation {
            return notation::check(signature, subject, demand);
        }
        let Some(signed) = &evidence.signed else {
            return match &evidence.statement {
                Some(statement) if !statement.is_about(image) => not_about(image, "statement").into(),
                _ => Outcome::Unsigned.into(),
            };
        };
        if let Some(payload) = &signed.payload
            && payload.image != *image
        {
            return Outcome::Wrong(format!("the signed payload names another image, {}", payload.image)).into();
        }
        if let Some(statement) = &evidence.statement
            && !statement.is_about(image)
        {
            return not_about(image, "signed statement").into();
        }
        match &signed.bundle.verification_material.content {
            VerificationMaterialContent::PublicKey(named) => self.check_key(signed, &named.hint, image, demand),
            _ => self.check_certificate(signed, evidence.format, image, demand),
        }
    }

    fn check_certificate(
        &self,
        signed: &Signed,
        format: EvidenceFormat,
        image: &Digest,
        demand: &Demand,
    ) -> SignatureCheck {
        let signer = signed.bundle.signing_certificate().and_then(signer::of_certificate);
        let is_logged = !signed.bundle.verification_material.tlog_entries.is_empty();
        // cosign 1 and 2 store the log's promise, and no proof of inclusion.
        let is_annotated = format != EvidenceFormat::SigstoreBundle && !signed.bundle.has_inclusion_proof();
        let mut policy = VerificationPolicy::any_identity();
        if is_annotated || !is_logged || !self.asks_for_log() {
            policy = policy.skip_tlog_unsafe();
        }
        if !self.asks_for_sct {
            policy = policy.skip_sct();
        }
        let result = match self.verify(signed, image, &policy) {
            Ok(result) => result,
            Err(refusal) => return SignatureCheck { signer, ..refusal.outcome().into() },
        };
        let outcome = match &signer {
            _ if !is_logged && self.asks_for_log() => Outcome::Wrong("no log has the signature".to_owned()),
            Some(Signer::Certificate { identity, issuer: Some(issuer), .. }) if demand.names(identity, issuer) => {
                Outcome::Trusted
            }
            Some(_) => Outcome::Stranger,
            None => Outcome::Wrong("the certificate names no identity".to_owned()),
        };
        SignatureCheck { outcome, signer, log_index: log_index(signed, &result), times: times(&result) }
    }

    fn verify(
        &self,
        signed: &Signed,
        image: &Digest,
        policy: &dyn sigstore_verify::Policy,
    ) -> Result<VerificationResult, Refusal> {
        self.check_entries(signed)?;
        let artifact = match &signed.payload {
            Some(payload) => Artifact::from_blob(&payload.bytes),
            None => Artifact::from_digest(digest_of(image)?),
        };
        self.verifier.verify(artifact, &signed.bundle, policy).map_err(|error| Refusal::of(&error))
    }

    fn asks_for_log(&self) -> bool {
        !self.logs.is_empty()
    }

    /// Values that a log entry states twice must agree: `sigstore-verify` reads the root hash in the checkpoint, and takes the log from there.
    fn check_entries(&self, signed: &Signed) -> Result<(), Refusal> {
        for entry in &signed.bundle.verification_material.tlog_entries {
            if self.asks_for_log() && !self.logs.iter().any(|log| log == entry.log_id.key_id.as_bytes()) {
                return Err(Refusal::Unknown("the log of signatures is not in the trust root".to_owned()));
            }
            let Some(proof) = &entry.inclusion_proof else { continue };
            let stated = proof.checkpoint.checkpoint().map(|checkpoint| *checkpoint.root_hash());
            if stated.is_some_and(|stated| stated != proof.root_hash) {
                return Err(Refusal::Wrong(
                    "the root hash of the log entry is not the one of its checkpoint".to_owned(),
                ));
            }
        }
        Ok(())
    }

    fn check_key(&self, signed: &Signed, hint: &str, image: &Digest, demand: &Demand) -> SignatureCheck {
        let Some(message) = message(signed) else {
            return self.check_digest(signed, image, demand);
        };
        let signature = match &signed.bundle.content {
            SignatureContent::DsseEnvelope(envelope) => envelope.signature.sig.as_bytes(),
            SignatureContent::MessageSignature(message) => message.signature.as_bytes(),
            _ => return Outcome::Unchecked("a signature of an unknown kind".to_owned()).into(),
        };
        let Some(key) = demand.keys.iter().find(|key| key.signed(&message, signature)) else {
            return self.by_another_key(signed, hint, &message, signature, demand);
        };
        let signer = Some(Signer::of_key(key));
        let mut check = SignatureCheck { signer, ..Outcome::Trusted.into() };
        // The key is the proof. A log entry that came with it must hold as well.
        if signed.bundle.has_inclusion_proof() && self.asks_for_log() {
            let policy = PublicKeyVerificationPolicy::new(key.der().clone());
            match self.verify(signed, image, &policy) {
                Ok(result) => {
                    check.log_index = log_index(signed, &result);
                    check.times = times(&result);
                }
                // An unknown log, or a kind of key that logs do not support, does not weaken the proof by the key.
                Err(Refusal::Unknown(_) | Refusal::Unsupported(_)) => {}
                Err(refusal @ Refusal::Wrong(_)) => check.outcome = refusal.outcome(),
            }
        }
        check
    }

    /// Checks a signature over the manifest itself, of which only the digest is known. cosign does not sign images so, but a bundle may
    /// hold such a signature.
    fn check_digest(&self, signed: &Signed, image: &Digest, demand: &Demand) -> SignatureCheck {
        let mut last = Outcome::Unchecked(NO_KEY.to_owned());
        for key in &demand.keys {
            let mut policy = PublicKeyVerificationPolicy::new(key.der().clone());
            if !signed.bundle.has_inclusion_proof() || !self.asks_for_log() {
                policy = policy.skip_tlog_unsafe();
            }
            match self.verify(signed, image, &policy) {
                Ok(result) => {
                    return SignatureCheck {
                        outcome: Outcome::Trusted,
                        signer: Some(Signer::of_key(key)),
                        log_index: log_index(signed, &result),
                        times: times(&result),
                    };
                }
                Err(refusal) => last = refusal.outcome(),
            }
        }
        last.into()
    }

    /// The result if none of the named keys made the signature. A log entry or a hint may name the key that did.
    fn by_another_key(
        &self,
        signed: &Signed,
        hint: &str,
        message: &[u8],
        signature: &[u8],
        demand: &Demand,
    ) -> SignatureCheck {
        let logged = logged_key(signed);
        let signer = logged.as_ref().map(Signer::of_key);
        let is_named = |key: &PublicKey| {
            let fingerprint = key.fingerprint();
            let hinted = STANDARD.decode(hint).is_ok_and(|hint| hint == fingerprint.as_bytes());
            hinted || logged.as_ref().is_some_and(|logged| logged.fingerprint() == fingerprint)
        };
        let is_altered = logged.as_ref().is_some_and(|logged| !logged.signed(message, signature));
        let outcome = if demand.keys.iter().any(is_named) || is_altered {
            Outcome::Wrong("the signature is not one of this content by the key that it names".to_owned())
        } else if demand.is_empty() {
            Outcome::Unchecked(NO_KEY.to_owned())
        } else {
            Outcome::Stranger
        };
        SignatureCheck { signer, ..outcome.into() }
    }
}

/// The reason of [`Outcome::Unchecked`] where a key signed and none was named.
pub const NO_KEY: &str = "it is signed with a key, and no key was named";

fn not_about(image: &Digest, what: &str) -> Outcome {
    Outcome::Wrong(format!("the {what} is not about {image}"))
}

/// The bytes that a key signed.
fn message(signed: &Signed) -> Option<Vec<u8>> {
    match (&signed.bundle.content, &signed.payload) {
        (SignatureContent::DsseEnvelope(envelope), _) => Some(envelope.pae()),
        (_, Some(payload)) => Some(payload.bytes.clone()),
        _ => None,
    }
}

fn digest_of(image: &Digest) -> Result<ArtifactDigest, Refusal> {
    let algorithm = match image.algorithm() {
        Algorithm::Sha256 => HashAlgorithm::Sha2256,
        Algorithm::Sha512 => HashAlgorithm::Sha2512,
        other => return Err(Refusal::Unsupported(format!("digests of the algorithm {}", other.name()))),
    };
    ArtifactDigest::new(algorithm, image.as_bytes()).map_err(|error| Refusal::Unsupported(error.to_string()))
}

/// The position in the log, if the log proved it.
fn log_index(signed: &Signed, result: &VerificationResult) -> Option<u64> {
    let entry = signed.bundle.verification_material.tlog_entries.first()?;
    // The promise of a log covers index and time. It is checked wherever there is a time, with or without a proof of inclusion.
    let is_promised = entry.inclusion_promise.is_some() && entry.integrated_time.is_some();
    (result.tlog_verified() || is_promised).then(|| u64::try_from(entry.log_index.as_i64()).ok()).flatten()
}

fn times(result: &VerificationResult) -> Vec<i64> {
    result.verified_timestamps().iter().map(|time| time.as_second()).collect()
}

/// The key that a log entry names, unproved.
fn logged_key(signed: &Signed) -> Option<PublicKey> {
    let entry = signed.bundle.verification_material.tlog_entries.first()?;
    let body: serde_json::Value = serde_json::from_slice(entry.canonicalized_body.as_bytes()).ok()?;
    let spec = &body["spec"];
    let key = [
        &spec["signature"]["publicKey"]["content"],
        &spec["signatures"][0]["verifier"],
        &spec["content"]["envelope"]["signatures"][0]["publicKey"],
        &spec["hashedRekordV002"]["signature"]["verifier"]["publicKey"]["rawBytes"],
    ];
    let key = key.into_iter().find_map(|key| key.as_str())?;
    PublicKey::parse(&STANDARD.decode(key).ok()?).ok()
}

impl From<Outcome> for SignatureCheck {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, signer: None, log_index: None, times: Vec::new() }
    }
}

impl Outcome {
    /// The word for it in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Stranger => "stranger",
            Self::Unsigned => "unsigned",
            Self::Unchecked(_) => "unchecked",
            Self::Unknown(_) | Self::Lacking(..) => "unknown",
            Self::Wrong(_) => "wrong",
        }
    }

    /// The reason, for outcomes that need one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Unchecked(reason) | Self::Unknown(reason) | Self::Lacking(_, reason) | Self::Wrong(reason) => {
                Some(reason)
            }
            Self::Trusted | Self::Stranger | Self::Unsigned => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trusted => f.write_str("signed"),
            Self::Stranger => f.write_str("signed by someone who was not named"),
            Self::Unsigned => f.write_str("not signed"),
            Self::Unchecked(reason) => write!(f, "not checked: {reason}"),
            Self::Unknown(reason) => write!(f, "unknown to the trust root: {reason}"),
            Self::Lacking(_, reason) => write!(f, "cannot be judged: {reason}"),
            Self::Wrong(reason) => write!(f, "wrong: {reason}"),
        }
    }
}
