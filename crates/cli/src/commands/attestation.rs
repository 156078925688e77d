//! `porthole attestation`

mod row;
mod said;

use std::io::Write;

use clap::Args;
use porthole_core::digest::Digest;
use porthole_signature::{
    evidence::Evidence,
    gather::{Gathered, WantedEvidence, gather},
    verify::Outcome,
};

use self::row::Row;
use crate::{
    argument::SourceArgument,
    error::Error,
    evidence::{RootRow, SignatureRow, kind_of},
    output::print_json,
    session::Session,
    signers::{SignerArguments, judge},
};

/// Show what was attested about an image: provenance, bills of materials, scans
///
/// Reads the attestations of cosign (referrers, .att and .sbom tags) and those that BuildKit puts in the index, about the image and about
/// the index that led to it. Downloads no layer. A statement is shown with its signature: who made it is proved only by a signature that
/// holds.
///
/// With --key or --certificate-identity, at least one of the statements must be signed by a signer that was named, or the exit code is 1
/// (none, or by someone else), 7 (a signature does not hold) or 9 (the trust root does not know who vouches for it).
#[derive(Args)]
#[command(after_help = JSON, after_long_help = JSON)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Show only statements of this kind: provenance, bill, vex, scan, or the start of the URI of their type
    #[arg(long = "type", value_name = "KIND|URI")]
    kind: Option<String>,
    /// Print only the content of a statement, as unmasked JSON; the other options must select exactly one statement
    #[arg(long)]
    predicate: bool,
    #[command(flatten)]
    signers: SignerArguments,
}

const JSON: &str = "\
With --json, one object for each statement:
  kind         provenance, bill, vex, scan or other    predicate_type  the URI of its type
  digest, size of the blob                             subject         digest that it is about
  state        of its signature: unsigned, or as `porthole verify` prints it, with signer, reason,
               log_index and times
  trust_root   what decided: origin (public or file), and newest, the day of its newest key
  provenance   builder, build_type, source, commit, started, finished, invocation, materials, and
               parameters (what the build was given)
  bill         format, name, created, tools, packages (their number)
  vex          the statements of OpenVEX: vulnerability, status, products, justification
  scan         scanner, version, finished, vulnerabilities (their number), severities (how many of each)
  predicate    what it says, whole; secrets in it, other than in a bill, are masked

Examples:
  porthole attestation registry.example/app:1.2
  porthole attestation --type bill --predicate app:1.2 > sbom.json
  porthole attestation --type provenance --key cosign.pub app:1.2
  porthole attestation --json app:1.2 | jq -r 'select(.kind == \"provenance\").provenance.materials[].uri'";

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let asked = arguments.signers.asked(&arguments.source.spec()?)?;
    let source = arguments.source.open(session)?;
    if source.is_bare() {
        return Err(Error::usage("nothing attests a layer that belongs to no image"));
    }
    let resolved = source.image(session, &mut |_| {})?;
    let gathered = source.wait(gather(&source.origin, &resolved, WantedEvidence::All))?;
    let wanted = |found: &&Gathered| match &found.evidence {
        Ok(evidence) => kind_of(evidence).is_some_and(|kind| is_wanted(arguments.kind.as_deref(), kind, evidence)),
        Err(_) => arguments.kind.is_none(),
    };
    let shown: Vec<_> = gathered.iter().filter(wanted).collect();
    if arguments.predicate {
        return print_predicate(&shown, session);
    }
    let (verifier, root) = asked.verifier()?;
    let demand = &asked.demand;
    let mut out = session.ui.out();
    let (mut outcomes, mut by_root) = (Vec::new(), false);
    for found in &shown {
        let check = found.check(&verifier, demand);
        let signature = SignatureRow::of(found, &check, &root);
        by_root |= signature.trust_root.is_some();
        let row = Row::of(signature, found.evidence.as_ref().ok());
        match session.ui.json {
            true => print_json(&mut out, &row)?,
            false => row.print(&mut out, session)?,
        }
        outcomes.push(check.outcome);
    }
    if by_root && !session.ui.json {
        writeln!(out, "{}", RootRow::of(&root).words())?;
    }
    out.flush()?;
    if shown.is_empty() {
        session.ui.note(format_args!("nothing is attested about {}", resolved.image.manifest.raw.digest()));
    }
    let has_wrong = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Wrong(_)));
    if !demand.is_empty() || has_wrong {
        judge(&outcomes, "attestation", &root)?;
    }
    Ok(())
}

fn is_wanted(wanted: Option<&str>, kind: &str, evidence: &Evidence) -> bool {
    let Some(wanted) = wanted else { return true };
    let has_type = evidence.statement.as_ref().is_some_and(|statement| statement.predicate_type.starts_with(wanted));
    wanted == kind || wanted.contains(':') && has_type
}

fn print_predicate(shown: &[&Gathered], session: &Session<'_>) -> Result<(), Error> {
    let statements = shown.iter().filter_map(|found| found.evidence.as_ref().ok()?.statement.as_ref());
    let [statement] = statements.collect::<Vec<_>>()[..] else {
        let digests: Vec<Digest> = shown.iter().map(|found| found.layer.digest).collect();
        let names = digests.iter().map(Digest::to_string).collect::<Vec<_>>().join(", ");
        return Err(match digests.len() {
            0 => Error::NotFound { what: "attestation", name: "of this kind".to_owned() },
            count => Error::usage(format!(
                "--predicate prints one statement, and there are {count}; --type chooses: {names}"
            )),
        });
    };
    let mut out = session.ui.out();
    serde_json::to_writer_pretty(&mut out, &statement.predicate).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}
