//! `porthole report`

mod document;
mod markdown;
mod sarif;
mod thresholds;

use std::{io, io::Write};

use clap::{Args, ValueEnum};
use porthole_inspect::resolve::ResolvedImage;
use porthole_signature::gather::WantedEvidence;

use self::{document::Document, thresholds::Thresholds};
use super::gather::{Gathered, Sought};
use crate::{
    argument::SourceArgument,
    error::Error,
    output::print_json,
    session::Session,
    signatures::{RootArgument, SignatureList},
};

/// Report everything about an image on one page, for a pull request or a pipeline
///
/// Identity, signatures and attestations, sizes by layer, findings, dangers, waste, packages and secrets. Each layer is downloaded, verified and
/// read once. Secrets are always masked. The same image gives the same bytes, as long as the same signatures and attestations refer to it.
///
/// Dangers: set-uid and set-gid files, files with capabilities and paths that every user can write, which no package owns; devices outside
/// of /dev; downloads without TLS in the history; certificates that had expired when the image was made, and
/// those that expire within 30 days after it; shells in an image that calls itself distroless.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole report registry.example/app:1.2 > report.md
  porthole report --format sarif oci:layout:latest > porthole.sarif
  porthole report --ci --max-size 200MB --max-waste 20MB registry.example/app:1.2
  porthole report --ci --max-dangers 0 --max-medium-secrets 3 registry.example/app:1.2
  porthole report --json app:1.2 | jq -r '.packages.list[].purl'

Exit codes: 1 with --ci if a secret of high confidence is found or a threshold is missed.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// How to write the report [default: markdown, or json with --json]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    #[command(flatten)]
    root: RootArgument,
    #[command(flatten)]
    thresholds: Thresholds,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: the Markdown of GitHub and GitLab
    Markdown,
    /// For programs: one JSON document, with the list of packages
    Json,
    /// For code scanning: findings and secrets in SARIF 2.1.0
    Sarif,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let asked = arguments.root.asked()?;
    let source = arguments.source.open(session)?;
    let gathered = Gathered::read(
        session,
        &source,
        Sought { packages: true, secrets: true, digests: true, certificates: true, modified: false },
    )?;
    let inventory = gathered.inventory();
    let mut document = Document::new(&arguments.source.source, &gathered, &inventory, &arguments.thresholds);
    if let Some(image) = gathered.image.clone() {
        let resolved = ResolvedImage { index: gathered.index.clone(), chosen: None, image };
        // If the registry cannot list the referrers, the report is made without them.
        let found = SignatureList::read(&source, &resolved, WantedEvidence::All, &asked);
        document.signatures = Some(found.or_else(|error| SignatureList::unread(&asked, &error))?);
    }
    let format = arguments.format.unwrap_or(if session.ui.json { Format::Json } else { Format::Markdown });
    let mut out = session.ui.out();
    match format {
        Format::Markdown => markdown::print(&mut out, &document)?,
        Format::Json => print_json(&mut out, &document)?,
        Format::Sarif => {
            serde_json::to_writer_pretty(&mut out, &sarif::log(&document)).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    session.ui.flush(&mut out)?;
    gathered.unpackable()?;
    let failed = document.failed();
    if failed.is_empty() { Ok(()) } else { Err(Error::Thresholds(failed)) }
}
