//! `porthole inspect`

mod text;

use std::{ffi::OsString, io::Write, ops::ControlFlow, path::Path};

use clap::Args;
use porthole_contents::secrets::SecretMask;
use porthole_core::layer::Progress;
use porthole_inspect::{
    artifact::{ArtifactFact, BlobHead},
    layer,
    overview::Overview,
    report::{ComparedBase, OverviewReport},
    waste::WasteReport,
};
use porthole_signature::gather::WantedEvidence;
use serde::Serialize;

use super::stack::Stacked;
use crate::{
    argument::SourceArgument,
    error::{Error, WrongLayer},
    layers::Job,
    output::print_json,
    progress::Meter,
    session::Session,
    signatures::{RootArgument, SignatureList},
    source::{Source, Spec},
};

/// Show an image: digests, platforms, layers, sizes, configuration and history
///
/// Reads documents only: the index if there is one, the manifest and the configuration. With --full all layers are downloaded and verified
/// as well, for the size of the unpacked layers, the size of the files that a container sees, and findings: deleted files that are still in
/// the image, copies, set-uid files, files with capabilities, paths that every user can write, entries that readers interpret differently.
///
/// With --signatures, the signatures of the image, and of the index that led to it, are fetched as well. Each is shown with the identity and its
/// issuer, or the key, or why it is not verified. No signer is required: `porthole verify` does that.
///
/// Secrets in the configuration are masked; `porthole config` prints it as it is.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole inspect nginx
  porthole inspect --base debian:12-slim nginx
  porthole inspect --platform linux/arm64 nginx
  porthole inspect --signatures registry.example/app:1.2
  porthole inspect --full --json oci:layout:latest | jq .findings")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Download the layers, for all sizes and findings
    #[arg(long)]
    full: bool,
    /// Compare the layers with those of this possible base image; proved if all of its layers are at the bottom of the inspected image
    #[arg(long, value_name = "SRC")]
    base: Option<OsString>,
    /// Show the signatures of the image, and the signers that the trust root proves
    #[arg(long)]
    signatures: bool,
    #[command(flatten)]
    root: RootArgument,
    /// Read documents only, which is the default: accepted for scripts that were written when it was not
    #[arg(long = "quick", hide = true, conflicts_with = "full")]
    _quick: bool,
}

/// The report, with the signatures if they were fetched.
#[derive(Serialize)]
struct Shown<'r> {
    #[serde(flatten)]
    report: &'r OverviewReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    signatures: Option<SignatureList>,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let asked = arguments.root.asked()?;
    let spec = arguments.source.spec()?;
    let source = Source::open(&spec, session)?;
    let mut resolved = source.image(session, &mut |_| {})?;
    SecretMask::default().documents(resolved.index.as_mut(), resolved.chosen.as_mut(), &mut resolved.image);
    let signatures = match arguments.signatures {
        true => Some(SignatureList::read(&source, &resolved, WantedEvidence::Signatures, &asked)?),
        false => None,
    };
    let mut overview = Overview::of(&resolved);
    let jobs = Job::of(&resolved.image.layers);
    if arguments.full && jobs.iter().any(|job| job.file.is_some()) {
        // The blobs of an artifact are not archives, so only their first bytes are described.
        overview.add_facts(describe(session, &source, &jobs)?);
    } else if arguments.full && jobs.iter().all(|job| job.promised) {
        let stacked = Stacked::read(session, &source, &jobs, true)?;
        let blobs = stacked.blobs(&jobs);
        let waste = WasteReport::of(&stacked.tree, Some(&resolved.image), &blobs);
        overview.add_layers(&stacked.tree, &blobs, &waste);
    }
    let reference = match &spec {
        Spec::Registry(reference) => Some(reference),
        _ => None,
    };
    let platform = overview.platform.clone();
    let mut report = OverviewReport::of(reference, &resolved, overview);
    if let Some(text) = &arguments.base {
        let base = Source::open(&Spec::parse(text, Path::exists)?, session)?;
        let base = base.image_for(platform.as_ref(), session)?.image;
        report.compare_with(ComparedBase::of(text.to_string_lossy().into_owned(), &resolved.image, &base));
    }
    let mut out = session.ui.out();
    if session.ui.json {
        print_json(&mut out, &Shown { report: &report, signatures })?;
    } else {
        text::print(&mut out, session.ui, &report)?;
        signatures.iter().try_for_each(|signatures| signatures.print(&mut out, session))?;
    }
    Ok(out.flush()?)
}

/// Reads and verifies the blobs of an artifact. Returns the facts in the first bytes of each.
///
/// # Errors
///
/// [`Error::Layers`] if any blob does not match its descriptor.
fn describe(session: &Session<'_>, source: &Source, jobs: &[Job]) -> Result<Vec<Vec<ArtifactFact>>, Error> {
    let meter = Meter::new(session.ui, jobs);
    let mut all = Vec::new();
    for job in jobs {
        let mut head = BlobHead::default();
        let mut seen = 0;
        let watch = |progress: Progress| {
            meter.advance(job.layer, progress.compressed - seen);
            seen = progress.compressed;
            ControlFlow::Continue(())
        };
        let report = source.wait(layer::read(&source.origin, job, &mut head, watch))?;
        meter.finish(job.layer, &report);
        let findings: Vec<_> = job.findings(&report).into_iter().cloned().collect();
        if !findings.is_empty() {
            return Err(Error::Layers(vec![WrongLayer { layer: job.named(), findings }]));
        }
        all.push(head.facts(&report));
    }
    Ok(all)
}
