//! Signatures and statements, as JSON and as text.

use std::io::{self, Write};

use porthole_core::calendar;
use porthole_signature::{
    evidence::{Evidence, EvidenceFormat},
    gather::Gathered,
    root::{RootOrigin, TrustRoot},
    statement::{Predicate, Statement},
    verify::{NO_KEY, SignatureCheck, Signer},
};
use serde::Serialize;

use crate::{
    session::Session,
    ui::{Style, safe, size},
};

/// A blob that has a signature, or should have one, with the result of the check.
#[derive(Serialize)]
pub(crate) struct SignatureRow {
    /// Digest of the blob.
    pub(crate) digest: String,
    pub(crate) size: u64,
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<&'static str>,
    /// Digest of the manifest that the signature must be about.
    pub(crate) subject: String,
    /// Digest of the manifest that lists the blob.
    pub(crate) referrer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signer: Option<SignerRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_index: Option<u64>,
    /// Times at which the signature existed, as a log or a timestamp authority signed them (RFC 3339).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) times: Vec<String>,
    /// The trust root that the check used, if a trust root decides about this kind of signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trust_root: Option<RootRow>,
}

/// A trust root and its date.
#[derive(Clone, PartialEq, Serialize)]
pub(crate) struct RootRow {
    origin: &'static str,
    /// Day from which the newest of its keys and authorities is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<String>,
}

impl RootRow {
    pub(crate) fn of(root: &TrustRoot) -> Self {
        let origin = match root.origin() {
            RootOrigin::PublicGood => "public",
            RootOrigin::File => "file",
        };
        Self { origin, newest: root.newest_day() }
    }

    /// The origin as a line of text.
    pub(crate) fn words(&self) -> String {
        let name = match self.origin {
            "public" => "Sigstore's public instance",
            _ => "the file that was named",
        };
        let newest = self.newest.as_ref().map(|newest| format!(" of {newest}")).unwrap_or_default();
        format!("trust root: {name}{newest}")
    }
}

/// Returns the kind of a statement. `None` for a signature without a statement.
pub(crate) fn kind_of(evidence: &Evidence) -> Option<&'static str> {
    if evidence.bill.is_some() {
        return Some("bill");
    }
    match evidence.statement.as_ref().map(Statement::read)? {
        Predicate::Signature => None,
        Predicate::Provenance(_) => Some("provenance"),
        Predicate::Bill(_) => Some("bill"),
        Predicate::Vex(_) => Some("vex"),
        Predicate::Scan(_) => Some("scan"),
        _ => Some("other"),
    }
}

/// The signer. The check proved it only if the state of the signature is `trusted` or `stranger`.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum SignerRow {
    Key {
        fingerprint: String,
        algorithm: String,
    },
    Certificate {
        identity: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        issuer: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<String>,
    },
    Subject {
        subject: String,
        root: String,
        fingerprint: String,
    },
}

impl SignatureRow {
    pub(crate) fn of(gathered: &Gathered, check: &SignatureCheck, root: &TrustRoot) -> Self {
        let format = match &gathered.evidence {
            Ok(evidence) => Some(evidence.format),
            Err(_) => EvidenceFormat::of(&gathered.layer.media_type),
        };
        let by_root = gathered.evidence.as_ref().is_ok_and(Evidence::is_judged_by_root);
        Self {
            digest: gathered.layer.digest.to_string(),
            size: gathered.layer.size,
            state: check.outcome.word(),
            format: format.map(EvidenceFormat::name),
            subject: gathered.subject.digest.to_string(),
            referrer: gathered.referrer.to_string(),
            signer: check.signer.as_ref().map(SignerRow::of),
            reason: check.outcome.reason().map(str::to_owned),
            log_index: check.log_index,
            times: check.times.iter().copied().map(calendar::iso).collect(),
            trust_root: by_root.then(|| RootRow::of(root)),
        }
    }

    /// Whether the signer is proved.
    pub(crate) fn is_proved(&self) -> bool {
        matches!(self.state, "trusted" | "stranger")
    }

    /// Whether the signature was not checked because a key made it and the user named no key.
    pub(crate) fn wants_key(&self) -> bool {
        self.reason.as_deref() == Some(NO_KEY)
    }

    /// The state as a word of the text output, with its style.
    pub(crate) fn state(&self) -> (Style, &'static str) {
        match self.state {
            "trusted" => (Style::Good, "signed"),
            "stranger" => (Style::Changed, "by another"),
            "unsigned" => (Style::Faint, "unsigned"),
            "unchecked" => (Style::Changed, "unchecked"),
            "unknown" => (Style::Changed, "UNKNOWN"),
            _ => (Style::Bad, "WRONG"),
        }
    }

    /// Prints the signer and the times, one a line, indented by `indent` characters.
    pub(crate) fn print_proof(&self, out: &mut impl Write, indent: usize, session: &Session<'_>) -> io::Result<()> {
        if let Some(signer) = &self.signer {
            let by = if self.is_proved() { "signed by" } else { "claims to be signed by" };
            for (number, line) in signer.lines().into_iter().enumerate() {
                let by = if number == 0 { format!("{by} ") } else { "  ".to_owned() };
                writeln!(out, "{:indent$} {by}{}", "", safe(&line))?;
            }
        }
        if let Some(reason) = &self.reason {
            let (style, _) = self.state();
            writeln!(out, "{:indent$} {}", "", session.ui.paint(style, &safe(reason)))?;
        }
        match (self.log_index, self.times.first()) {
            (Some(index), Some(time)) => writeln!(out, "{:indent$} in the log at {index} since {time}", ""),
            (Some(index), None) => writeln!(out, "{:indent$} in the log at {index}", ""),
            (None, Some(time)) => writeln!(out, "{:indent$} signed time {time}", ""),
            (None, None) => Ok(()),
        }
    }

    /// Prints one line for the signature: a name, the state, and the digest and size of the blob.
    pub(crate) fn print(&self, out: &mut impl Write, name: &str, session: &Session<'_>) -> io::Result<()> {
        let (style, word) = self.state();
        let state = session.ui.paint(style, &format!("{word:<10}"));
        writeln!(out, "{name:<9} {state} {}  {}", self.digest, size(self.size))?;
        self.print_proof(out, 9, session)
    }
}

impl SignerRow {
    fn of(signer: &Signer) -> Self {
        match signer {
            Signer::Key { fingerprint, algorithm } => {
                Self::Key { fingerprint: fingerprint.to_string(), algorithm: algorithm.to_string() }
            }
            Signer::Certificate { identity, issuer, claims } => Self::Certificate {
                identity: identity.clone(),
                issuer: issuer.clone(),
                source: claims.source.clone(),
                commit: claims.commit.clone(),
                reference: claims.reference.clone(),
                run: claims.run.clone(),
            },
            Signer::Subject { subject, root, fingerprint } => {
                Self::Subject { subject: subject.clone(), root: root.clone(), fingerprint: fingerprint.to_string() }
            }
        }
    }

    /// The signer as lines of text: first the identity, then further facts about it.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            Self::Key { fingerprint, algorithm } => vec![format!("the {algorithm} key {fingerprint}")],
            Self::Subject { subject, root, fingerprint } => {
                vec![format!("{subject}, for whom {root} vouches"), format!("with the certificate {fingerprint}")]
            }
            Self::Certificate { identity, issuer, source, commit, reference, .. } => {
                let mut lines = vec![match issuer {
                    Some(issuer) => format!("{identity}, attested by {issuer}"),
                    None => identity.clone(),
                }];
                if let Some(source) = source {
                    let reference = reference.as_ref().map(|reference| format!(" {reference}")).unwrap_or_default();
                    let commit = commit.as_ref().map(|commit| format!(" at {commit}")).unwrap_or_default();
                    lines.push(format!("from {source}{reference}{commit}"));
                }
                lines
            }
        }
    }
}
