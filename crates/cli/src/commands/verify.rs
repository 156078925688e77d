//! `porthole verify`

use std::io::Write;

use clap::Args;
use porthole_core::{layer::LayerReport, manifest::Document};
use porthole_registry::client::Step;
use serde::Serialize;

use super::{SourceArgument, print_json};
use crate::{
    error::Error,
    layers::{self, Event, Job, Want},
    progress::Meter,
    session::Session,
    source::Source,
    ui::{Style, safe, size},
};

/// Download everything and check every digest, size and diff_id
///
/// Reports each step of the chain: index, manifest, configuration, layers. Ends with exit code 7 if anything is wrong.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole verify nginx@sha256:…
  porthole verify --json oci:layout:latest
  porthole verify layer:layer.tar.gz      computes what there is to compute")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
}

/// One step, done.
#[derive(Serialize)]
struct Report {
    step: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<u32>,
    /// What the descriptor promises, else what was computed.
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff_id: Option<String>,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    uncompressed: Option<u64>,
    state: State,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<String>,
}

/// What is known of a step.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Digest and size, and a layer's diff_id, are those that were promised.
    Verified,
    /// Nothing promised a digest: this one was computed, and promises what follows.
    Computed,
    /// Not what was promised.
    Wrong,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let source = arguments.source.open(session)?;
    let mut out = session.ui.out();
    let mut steps = 0;
    let mut wrong = 0;
    let mut tell = |report: Report| {
        steps += 1;
        wrong += usize::from(report.state == State::Wrong);
        if session.ui.json {
            print_json(&mut out, &report)?;
        } else {
            print(&mut out, session, &report)?;
        }
        // Each step is told when it is done.
        Ok::<_, Error>(session.ui.flush(&mut out)?)
    };
    let jobs = match &source {
        Source::Layer { .. } => Job::bare(),
        _ => {
            let mut reports: Vec<Report> = Vec::new();
            let resolved = source.image(session, &mut |step| {
                let report = report_of(step, &source);
                // A manifest that the reference itself names is told once, as the first document.
                let told = |report: &Report| reports.last().is_some_and(|last| last.digest == report.digest);
                reports.extend(report.filter(|report| !told(report)));
            });
            for report in reports {
                tell(report)?;
            }
            Job::of(&resolved?.image.layers)
        }
    };
    let meter = Meter::new(session.ui, &jobs);
    layers::read(&source, &jobs, Want::Reports, &session.limits, &meter, |job, event| match event {
        Event::Entries(_) => Ok(()),
        Event::Report(report) => tell(report_of_layer(job, &report)),
    })?;
    drop(meter);
    if wrong > 0 {
        return Err(Error::Verification { findings: wrong, steps });
    }
    if !matches!(source, Source::Layer { .. }) {
        session.ui.note(format_args!("every digest, size and diff_id is as promised ({steps} steps)"));
    }
    Ok(())
}

fn report_of(step: Step, source: &Source) -> Option<Report> {
    let (name, raw, state) = match step {
        Step::Document(document) => {
            let name = if matches!(document, Document::Index(_)) { "index" } else { "manifest" };
            let promised = match source {
                Source::Registry { reference, .. } => reference.digest().is_some(),
                _ => true,
            };
            (name, document.raw().clone(), if promised { State::Verified } else { State::Computed })
        }
        Step::Manifest(document) => ("manifest", document.raw().clone(), State::Verified),
        Step::Config(raw) => ("config", raw, State::Verified),
        _ => return None,
    };
    Some(Report {
        step: name,
        layer: None,
        digest: raw.digest().to_string(),
        got: None,
        diff_id: None,
        size: raw.size(),
        uncompressed: None,
        state,
        findings: Vec::new(),
    })
}

fn report_of_layer(job: &Job, report: &LayerReport) -> Report {
    let findings = job.findings(report);
    let state = match (&job.descriptor, findings.is_empty()) {
        (_, false) => State::Wrong,
        (Some(_), true) => State::Verified,
        (None, true) => State::Computed,
    };
    let digest = job.descriptor.as_ref().map_or(report.digest, |descriptor| descriptor.digest);
    Report {
        step: "layer",
        layer: Some(job.layer),
        digest: digest.to_string(),
        got: (digest != report.digest).then(|| report.digest.to_string()),
        diff_id: job.diff_id.or(report.diff_id).filter(|_| job.is_archive()).map(|diff_id| diff_id.to_string()),
        size: report.size,
        uncompressed: job.is_archive().then_some(report.uncompressed),
        state,
        findings: findings.iter().map(ToString::to_string).collect(),
    }
}

fn print(out: &mut impl Write, session: &Session<'_>, report: &Report) -> Result<(), Error> {
    let name = match report.layer {
        Some(layer) => format!("{} {layer}", report.step),
        None => report.step.to_owned(),
    };
    let state = match report.state {
        State::Verified => session.ui.paint(Style::Good, "verified"),
        State::Computed => session.ui.paint(Style::Changed, "computed"),
        State::Wrong => session.ui.paint(Style::Bad, "WRONG   "),
    };
    writeln!(out, "{name:<9} {state}  {}  {}", report.digest, size(report.size))?;
    if let Some(diff_id) = &report.diff_id {
        writeln!(out, "{:<9} diff_id   {diff_id}  {}", "", size(report.uncompressed.unwrap_or(0)))?;
    }
    for finding in &report.findings {
        writeln!(out, "{:<9} {}", "", session.ui.paint(Style::Bad, &safe(finding)))?;
    }
    Ok(())
}
