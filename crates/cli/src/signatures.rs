//! Lists the signatures and attestations of an image when the user names no signer.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use porthole_inspect::resolve::ResolvedImage;
use porthole_signature::{
    evidence::EvidenceFormat,
    gather::{Gathered, WantedEvidence, gather},
};
use serde::Serialize;

use crate::{
    error::Error,
    evidence::{RootRow, SignatureRow, kind_of},
    session::Session,
    signers::Asked,
    source::Source,
    ui::{Style, size},
};

/// The option for the trust root.
#[derive(Args)]
pub(crate) struct RootArgument {
    /// For signatures: trust the authorities and logs in this `trusted_root.json`, not those of Sigstore's public instance
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
}

impl RootArgument {
    /// Returns a demand that names no signer, with this trust root.
    ///
    /// # Errors
    ///
    /// A trust root that cannot be read.
    pub(crate) fn asked(&self) -> Result<Asked, Error> {
        Asked::no_one(self.trusted_root.as_deref())
    }
}

/// The signatures and attestations of an image.
#[derive(Serialize)]
pub(crate) struct SignatureList {
    pub(crate) trust_root: RootRow,
    /// Why the referrers of the image could not be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unread: Option<String>,
    pub(crate) list: Vec<SignedRow>,
}

/// A signature, or a statement with its signature.
#[derive(Serialize)]
pub(crate) struct SignedRow {
    pub(crate) kind: &'static str,
    #[serde(flatten)]
    pub(crate) signature: SignatureRow,
}

impl SignatureList {
    /// Fetches the referrers of the image, and of the index that led to it, and checks their signatures.
    ///
    /// # Errors
    ///
    /// Those of the source; a trust root that cannot be used.
    pub(crate) fn read(
        source: &Source,
        resolved: &ResolvedImage,
        wanted: WantedEvidence,
        asked: &Asked,
    ) -> Result<Self, Error> {
        let (verifier, root) = asked.verifier()?;
        let row = |found: &Gathered| SignedRow {
            kind: kind(found),
            signature: SignatureRow::of(found, &found.check(&verifier, &asked.demand), &root),
        };
        let gathered = source.wait(gather(&source.origin, resolved, wanted))?;
        Ok(Self { trust_root: RootRow::of(&root), unread: None, list: gathered.iter().map(row).collect() })
    }

    /// A list without signatures, with the reason why none could be fetched.
    ///
    /// # Errors
    ///
    /// A trust root that cannot be used.
    pub(crate) fn unread(asked: &Asked, why: &Error) -> Result<Self, Error> {
        let (_, root) = asked.verifier()?;
        Ok(Self { trust_root: RootRow::of(&root), unread: Some(why.to_string()), list: Vec::new() })
    }

    /// The signatures, without attestations.
    pub(crate) fn signatures(&self) -> impl Iterator<Item = &SignatureRow> {
        self.list.iter().filter(|row| row.kind == SIGNATURE).map(|row| &row.signature)
    }

    /// Whether the image is signed, in a few words.
    pub(crate) fn words(&self) -> String {
        if let Some(why) = &self.unread {
            return format!("not known: {why}");
        }
        let count = |is: &str| self.signatures().filter(|row| row.state == is).count();
        let counts = [("stranger", "signed"), ("unchecked", "not checked"), ("unknown", "unknown"), ("wrong", "WRONG")];
        let counted = counts.into_iter().map(|(state, words)| (count(state), words)).filter(|(count, _)| *count > 0);
        let words: Vec<_> = counted.map(|(count, words)| format!("{count} {words}")).collect();
        if words.is_empty() { "not signed".to_owned() } else { words.join(", ") }
    }

    /// Prints the list as text, below a title.
    pub(crate) fn print(&self, out: &mut impl Write, session: &Session<'_>) -> io::Result<()> {
        writeln!(out, "\n{}", session.ui.paint(Style::Faint, "Signatures"))?;
        if self.list.is_empty() {
            return writeln!(out, "  {}", crate::ui::safe(&self.words()));
        }
        for row in &self.list {
            let SignedRow { signature, .. } = row;
            let (style, word) = row.state();
            let word = session.ui.paint(style, &format!("{word:<10}"));
            writeln!(out, "  {word} {}  {}", signature.digest, size(signature.size))?;
            signature.print_proof(out, 12, session)?;
            if signature.wants_key() {
                writeln!(out, "{:12} {GIVE_KEY}", "")?;
            }
        }
        writeln!(out, "  {}", self.trust_root.words())
    }
}

/// Note on a signature by a key: how the user can check it.
pub(crate) const GIVE_KEY: &str = "by a key: `porthole verify --key FILE` checks it";

const SIGNATURE: &str = "signature";

/// The kind of evidence in a blob. If the blob could not be read, the kind that its media type states.
fn kind(found: &Gathered) -> &'static str {
    match &found.evidence {
        Ok(evidence) => kind_of(evidence).unwrap_or(SIGNATURE),
        Err(_) => match EvidenceFormat::of(&found.layer.media_type) {
            Some(EvidenceFormat::CosignPayload | EvidenceFormat::Notation | EvidenceFormat::SigstoreBundle) => {
                SIGNATURE
            }
            Some(EvidenceFormat::Bill) => "bill",
            _ => "other",
        },
    }
}

impl SignedRow {
    /// The state as a word of the text output, with its style. The user named no signer, so a valid signature counts as `signed`
    /// and not as `by another`.
    pub(crate) fn state(&self) -> (Style, &'static str) {
        match self.signature.state() {
            (style, _) if self.signature.state == "stranger" => (style, "signed"),
            state => state,
        }
    }
}
