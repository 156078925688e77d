//! `porthole inspect`

mod report;
mod text;

use std::io::Write;

use clap::Args;
use porthole_core::tree::{LayerSummary, Mode};

use super::stack::Stacked;
use crate::{
    argument::SourceArgument,
    error::Error,
    layers::{Job, Known},
    output::print_json,
    session::Session,
    source::Source,
};

/// Show an image: digests, platforms, layers, sizes, configuration and history
///
/// Prints three sizes: of the download, of the unpacked layers, and of the files that a container sees. For the last two all layers are
/// downloaded and verified; `--quick` omits them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole inspect nginx
  porthole inspect --quick --platform linux/arm64 nginx
  porthole inspect --json oci:layout:latest | jq .sizes")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Do not download the layers
    #[arg(long)]
    quick: bool,
}

/// What only the layers themselves tell.
struct Unpacked {
    layers: Vec<(Known, LayerSummary)>,
    visible: u64,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let spec = arguments.source.spec()?;
    let source = Source::open(&spec, session)?;
    let resolved = source.image(session, &mut |_| {})?;
    // What an artifact holds is not unpacked.
    let jobs = Job::of(&resolved.image.layers);
    let unpacked = if arguments.quick || !jobs.iter().all(|job| job.promised) {
        None
    } else {
        Some(unpack(session, &source, &jobs)?)
    };
    let report = report::Report::of(&spec, &resolved, unpacked.as_ref());
    let mut out = session.ui.out();
    if session.ui.json {
        print_json(&mut out, &report)?;
    } else {
        text::print(&mut out, session.ui, &report)?;
    }
    Ok(out.flush()?)
}

fn unpack(session: &Session<'_>, source: &Source, jobs: &[Job]) -> Result<Unpacked, Error> {
    let stacked = Stacked::read(session, source, jobs, false)?;
    let summary = |(known, layer): (Known, u32)| {
        let summary = stacked.tree.summary(layer);
        (known, summary)
    };
    let visible = stacked.tree.view(Mode::Merged).total_size();
    Ok(Unpacked { layers: stacked.layers.into_iter().zip(0..).map(summary).collect(), visible })
}
