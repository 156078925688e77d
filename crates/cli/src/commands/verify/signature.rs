//! The step `signature`: whether a signer that the user named signed the image, or the index that led to it.

use std::io::Write;

use porthole_inspect::resolve::ResolvedImage;
use porthole_signature::{
    evidence::Evidence,
    gather::{WantedEvidence, gather},
};
use serde::Serialize;

use crate::{
    error::Error,
    evidence::{RootRow, SignatureRow, kind_of},
    output::print_json,
    session::Session,
    signers::{Asked, judge},
    source::Source,
};

#[derive(Serialize)]
struct Step<'r> {
    step: &'static str,
    #[serde(flatten)]
    row: &'r SignatureRow,
}

/// Fetches, checks and prints the signatures of an image.
///
/// # Errors
///
/// No signature is by a signer that the user named.
pub(super) fn run(
    out: &mut impl Write,
    source: &Source,
    resolved: &ResolvedImage,
    asked: &Asked,
    session: &Session<'_>,
) -> Result<(), Error> {
    let (verifier, root) = asked.verifier()?;
    let gathered = source.wait(gather(&source.origin, resolved, WantedEvidence::Signatures))?;
    let (mut outcomes, mut by_root) = (Vec::new(), false);
    for found in gathered.iter().filter(|found| found.evidence.as_ref().map_or(true, is_signature)) {
        let check = found.check(&verifier, &asked.demand);
        let row = SignatureRow::of(found, &check, &root);
        by_root |= row.trust_root.is_some();
        match session.ui.json {
            true => print_json(out, &Step { step: "signature", row: &row })?,
            false => row.print(out, "signature", session)?,
        }
        session.ui.flush(out)?;
        outcomes.push(check.outcome);
    }
    if by_root && !session.ui.json {
        writeln!(out, "{:9} {}", "", RootRow::of(&root).words())?;
        session.ui.flush(out)?;
    }
    judge(&outcomes, "signature", &root)
}

/// Whether evidence is a signature of the image. A signed statement with other content, such as a list of vulnerabilities, is not.
fn is_signature(evidence: &Evidence) -> bool {
    evidence.is_signed() && kind_of(evidence).is_none()
}
