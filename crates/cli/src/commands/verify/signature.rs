//! The step `signature`: whether someone who was named signed the image, or the index that led to it.

use std::io::Write;

use porthole_inspect::resolve::ResolvedImage;
use porthole_signature::{
    evidence::Evidence,
    gather::{WantedEvidence, gather},
    statement::Predicate,
};
use serde::Serialize;

use crate::{
    error::Error,
    evidence::SignatureRow,
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

/// Fetches and checks the signatures of an image. Prints each.
///
/// # Errors
///
/// None of them is by a signer that was named.
pub(super) fn run(
    out: &mut impl Write,
    source: &Source,
    resolved: &ResolvedImage,
    asked: &Asked,
    session: &Session<'_>,
) -> Result<(), Error> {
    let (verifier, root) = asked.verifier()?;
    let gathered = source.wait(gather(&source.origin, resolved, WantedEvidence::Signatures))?;
    let mut outcomes = Vec::new();
    for found in gathered.iter().filter(|found| found.evidence.as_ref().map_or(true, is_signature)) {
        let check = found.check(&verifier, &asked.demand);
        let row = SignatureRow::of(found, &check);
        match session.ui.json {
            true => print_json(out, &Step { step: "signature", row: &row })?,
            false => row.print(out, "signature", session)?,
        }
        session.ui.flush(out)?;
        outcomes.push(check.outcome);
    }
    judge(&outcomes, "signature", &root)
}

/// A statement is a signature only if that is what it says; one that, for example, lists vulnerabilities is not.
fn is_signature(evidence: &Evidence) -> bool {
    evidence.is_signed()
        && evidence.statement.as_ref().is_none_or(|statement| matches!(statement.read(), Predicate::Signature))
}
