//! `porthole referrers`

mod cells;
mod registry;
mod tree;

use std::io::Write;

use clap::Args;
use porthole_core::{digest::Digest, manifest::Document, media_type::MediaType};
use porthole_inspect::{
    referrers::referrers_of,
    report::{ReferrerReport, Via},
};
use porthole_transfer::Source as Origin;

use self::cells::{HEAD, cells};
use crate::{argument::SourceArgument, error::Error, output::print_json, session::Session, source::Source, ui::Style};

/// List the referrers of an image: signatures, attestations, SBOMs
///
/// Lists the manifests whose subject is the one that the source names. A registry is asked through the referrers API, or through the
/// fallback tag if it has no such API; a layout is searched. The tags of cosign (sha256-….sig, .att, .sbom) are looked up as well. A
/// registry's list is not verified: only the listed manifests themselves state their subject.
///
/// The images of an index may have referrers of their own: --platform lists those of one image.
///
/// With --tree, every document is read, and what refers to it in turn: the signature of a bill of materials, for example. BuildKit's
/// attestations in the index of an image are listed as well.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole referrers ghcr.io/a/b:1
  porthole referrers --platform linux/arm64 ghcr.io/a/b:1
  porthole referrers --tree ghcr.io/a/b:1
  porthole referrers --type application/spdx+json --json oci:layout")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// List only referrers of this artifact type, such as application/spdx+json
    #[arg(long = "type", value_name = "TYPE", value_parser = |text: &str| MediaType::parse(text).map_err(|error| error.to_string()))]
    artifact_type: Option<MediaType>,
    /// Follow referrers of referrers, and print them as a tree
    #[arg(long, conflicts_with = "artifact_type")]
    tree: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let source = arguments.source.open(session)?;
    let (subject, is_index) = subject(&source, session)?;
    if arguments.tree {
        return tree::run(&source, &subject, is_index, session);
    }
    let wanted = arguments.artifact_type.as_ref();
    let mut rows = match &source.origin {
        Origin::Registry(remote) => source.wait(registry::rows(remote, &subject, wanted))?,
        Origin::Local { .. } => {
            let found = source.wait(referrers_of(&source.origin, &subject, None))?.found;
            found.iter().map(|referrer| ReferrerReport::found(referrer, Via::Layout)).collect()
        }
        Origin::Layer { .. } | Origin::Pull { .. } => Vec::new(),
    };
    rows.retain(|row| wanted.is_none_or(|wanted| row.artifact_type.as_ref().is_some_and(|got| got.matches(wanted))));
    print(&rows, session)?;
    if rows.is_empty() {
        let of_type = wanted.map(|wanted| format!(" of type {wanted}")).unwrap_or_default();
        session.ui.note(format_args!("nothing{of_type} refers to {subject}"));
        if is_index {
            session.ui.note("it is an index: --platform asks for what refers to one of its images");
        }
    }
    Ok(())
}

/// Returns the digest of the subject, and whether it is known to be an index. If the reference has a digest, nothing is fetched.
fn subject(source: &Source, session: &Session<'_>) -> Result<(Digest, bool), Error> {
    if let (Origin::Registry(remote), None) = (&source.origin, session.wanted_platform())
        && let Some(digest) = remote.reference().digest()
    {
        return Ok((*digest, false));
    }
    let document = source.named_document(session)?;
    Ok((*document.raw().digest(), matches!(document, Document::Index(_))))
}

fn print(rows: &[ReferrerReport], session: &Session<'_>) -> Result<(), Error> {
    let mut out = session.ui.out();
    if session.ui.json {
        for row in rows {
            print_json(&mut out, &row.json())?;
        }
        return Ok(out.flush()?);
    }
    if rows.is_empty() {
        return Ok(());
    }
    let table: Vec<[String; 5]> = std::iter::once(HEAD.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| table.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    for (number, cells) in table.iter().enumerate() {
        let line = format!(
            "{:<w0$}  {:<w1$}  {:>w2$}  {:<w3$}  {}",
            cells[0],
            cells[1],
            cells[2],
            cells[3],
            cells[4],
            w0 = widths[0],
            w1 = widths[1],
            w2 = widths[2],
            w3 = widths[3],
        );
        let line = line.trim_end();
        writeln!(out, "{}", if number == 0 { session.ui.paint(Style::Faint, line) } else { line.to_owned() })?;
    }
    Ok(out.flush()?)
}
