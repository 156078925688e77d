//! `porthole trace`

mod report;
mod text;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use porthole_core::reference::Reference;
use porthole_inspect::trace::{record_name, record_step};
use porthole_registry::trace::{Recorded, Recorder};

use self::report::Report;
use super::stack::Stacked;
use crate::{
    argument::SourceArgument,
    error::Error,
    layers::Job,
    output::print_json,
    session::Session,
    source::{Source, Spec},
    ui::safe,
    wire::write_trace,
};

/// Show the HTTP exchanges for opening an image: the requests that a container engine sends when it pulls
///
/// Follows the name to its image as `inspect` does, and prints each exchange with its meaning, its time, its status and its bytes, in the
/// order in which they began. With --full the layers are downloaded and verified as well, except those that the cache knows. Bars show
/// the wait for an answer as dashes, and its body as equals signs.
///
/// Secrets are masked: authorization, cookies, and the parts of URLs that may hold tokens. The trace is printed when the look fails, too.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole trace nginx
  porthole trace --full --headers --no-cache ghcr.io/org/app:1.2
  porthole trace --har nginx.har nginx          for the network panel of a browser
  porthole trace --json nginx | jq '.steps[] | select(.status == 401) | .meaning'")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Download the layers as well
    #[arg(long)]
    full: bool,
    /// Print the header fields of requests and answers, and a curl line for each request
    #[arg(long)]
    headers: bool,
    /// Write the exchanges to this file as an HTTP Archive (HAR 1.2)
    #[arg(long, value_name = "FILE")]
    har: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let spec = arguments.source.spec()?;
    let Spec::Registry(reference) = &spec else {
        return Err(Error::usage(format!(
            "expected an image in a registry, got `{}`: nothing is sent to read a local source",
            safe(&arguments.source.source.to_string_lossy())
        )));
    };
    let recorder = session.record();
    record_name(recorder, reference);
    let outcome = look(&spec, arguments.full, recorder, session);
    show(reference, arguments, recorder, session)?;
    outcome
}

/// Runs the operation that is traced.
fn look(spec: &Spec, full: bool, recorder: &Recorder, session: &Session<'_>) -> Result<(), Error> {
    let source = Source::open(spec, session)?;
    let image = source.image(session, &mut |step| record_step(recorder, &step))?.image;
    if full {
        let jobs = Job::of(&image.layers);
        Stacked::read(session, &source, &jobs, false)?;
        for job in &jobs {
            note_cached(job, jobs.len(), recorder);
        }
    }
    Ok(())
}

/// Adds a note to the trace if no exchange fetched a layer, because the cache has its index.
fn note_cached(job: &Job, layers: usize, recorder: &Recorder) {
    let Some(digest) = job.descriptor.as_ref().map(|descriptor| descriptor.digest.to_string()) else { return };
    let about = |item: &Recorded| matches!(item, Recorded::Exchange(exchange) if exchange.name == digest);
    if !recorder.items().iter().any(about) {
        recorder.note(format!("layer {} of {layers} is known from the cache: nothing is fetched", job.number()));
    }
}

fn show(reference: &Reference, arguments: &Arguments, recorder: &Recorder, session: &Session<'_>) -> Result<(), Error> {
    let items = recorder.items();
    if let Some(path) = &arguments.har {
        write_har(path, recorder)?;
    }
    let report = Report::of(reference, &items, recorder);
    let mut out = session.ui.out();
    if session.ui.json {
        print_json(&mut out, &report)?;
    } else {
        text::print(&mut out, session.ui, &report, arguments.headers)?;
    }
    Ok(out.flush()?)
}

fn write_har(path: &Path, recorder: &Recorder) -> Result<(), Error> {
    let text = recorder.har(env!("CARGO_PKG_VERSION"));
    write_trace(path, &text).map_err(|source| Error::trace(Some(path), source))
}
