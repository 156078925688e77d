//! `porthole unpack`

mod destination;
mod interrupt;

use std::{io::Write, path::PathBuf, process};

use clap::Args;
use porthole_unpack::{Options, Report, Rights, Root};
use serde::Serialize;

use self::destination::Destination;
pub(super) use self::interrupt::Interrupt;
use super::{SourceArgument, print_json};
use crate::{
    error::{Error, WrongLayer},
    layers::{Job, Reading, Want},
    progress::Meter,
    session::Session,
    source::Source,
    ui::{safe, size},
};

/// Write the files of an image into a directory, as a container runtime would
///
/// Every layer is verified while it is written. The directory appears only when all of it is right and complete: until then
/// the files are in a hidden one beside it, which a failure removes.
///
/// Without root, owners stay as they are and what only root may make is left out; the end tells how much that is.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole unpack alpine rootfs
  porthole unpack --platform linux/arm64 oci:layout:latest rootfs
  porthole unpack layer:layer.tar.gz files
  porthole unpack --json ./image.tar rootfs      what was written, and what was left out")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Directory that does not exist yet, or is empty
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Make character and block devices too, which needs root
    #[arg(long, conflicts_with = "rootless")]
    devices: bool,
    /// Do only what anybody may do [default where porthole does not run as root]
    #[arg(long)]
    rootless: bool,
    /// Leave owners as they are
    #[arg(long)]
    no_same_owner: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let options = options(arguments)?;
    let source = arguments.source.open(session)?;
    let jobs = match &source {
        Source::Layer { .. } => Job::bare(),
        _ => Job::of(&source.image(session, &mut |_| {})?.image.layers),
    };
    if let Some(job) = jobs.iter().find(|job| !job.is_archive()) {
        return Err(job.no_files());
    }
    let interrupt = Interrupt::listen(session);
    let destination = Destination::prepare(&arguments.directory)?;
    // Threads that wait for a registry would be waited for, were this an error like others.
    let go_on = || match interrupt.check() {
        Ok(()) => Ok::<_, Error>(()),
        Err(error) => {
            let error = destination.remove().err().unwrap_or(error);
            session.ui.error(&error);
            process::exit(error.exit_code().into())
        }
    };
    let mut root = Root::new(destination.open()?, options);
    let meter = Meter::new(session.ui, &jobs);
    let reading = Reading::new(session, &source, &meter, Want::Entries);
    let done = reading.stream(
        &jobs,
        |_, _| true,
        |job, arriving| {
            let mut layer = root.layer();
            let report = arriving.replay(&mut layer, go_on)?;
            let findings = job.findings(&report);
            if !findings.is_empty() {
                let findings = findings.into_iter().cloned().collect();
                return Err(Error::Layers(vec![WrongLayer { layer: job.layer, findings }]));
            }
            layer.commit().map_err(|error| Error::of_unpacking(job.layer, error))
        },
    );
    drop(meter);
    let finished = done.and_then(|()| {
        go_on()?;
        root.finish().map_err(|error| Error::of_unpacking(jobs.len().saturating_sub(1) as u32, error))
    });
    let report = match finished {
        Ok(report) => report,
        Err(error) => {
            destination.remove()?;
            return Err(error);
        }
    };
    destination.keep()?;
    tell(arguments, session, &jobs, &report)
}

fn options(arguments: &Arguments) -> Result<Options, Error> {
    let rights = Rights::of_this_process();
    if arguments.devices && !rights.root {
        return Err(Error::usage("--devices needs root"));
    }
    let privileged = rights.root && !arguments.rootless;
    Ok(Options {
        privileged,
        owner: privileged && !arguments.no_same_owner,
        devices: arguments.devices && privileged && rights.devices,
    })
}

/// What `--json` prints.
#[derive(Serialize)]
struct Json {
    path: String,
    layers: usize,
    entries: u64,
    bytes: u64,
    skipped: Skipped,
}

#[derive(Serialize)]
struct Skipped {
    owners: u64,
    devices: u64,
    xattrs: u64,
    list: Vec<Skip>,
}

#[derive(Serialize)]
struct Skip {
    layer: u32,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    xattr: Option<String>,
    reason: &'static str,
}

fn tell(arguments: &Arguments, session: &Session<'_>, jobs: &[Job], report: &Report) -> Result<(), Error> {
    let skipped = &report.skipped;
    if session.ui.json {
        let list = skipped.list.iter().map(|skip| Skip {
            layer: skip.layer,
            path: skip.path.clone(),
            xattr: skip.xattr.clone(),
            reason: skip.reason,
        });
        let json = Json {
            path: arguments.directory.to_string_lossy().into_owned(),
            layers: jobs.len(),
            entries: report.entries,
            bytes: report.bytes,
            skipped: Skipped {
                owners: skipped.owners,
                devices: skipped.devices,
                xattrs: skipped.xattrs,
                list: list.collect(),
            },
        };
        let mut out = session.ui.out();
        print_json(&mut out, &json)?;
        return Ok(out.flush()?);
    }
    let layers = if jobs.len() == 1 { "layer" } else { "layers" };
    session.ui.note(format_args!(
        "{} {layers}, {} entries, {} are in {}",
        jobs.len(),
        report.entries,
        size(report.bytes),
        safe(&arguments.directory.to_string_lossy()),
    ));
    let counts = [
        ("owners not set", skipped.owners),
        ("devices not made", skipped.devices),
        ("extended attributes not set", skipped.xattrs),
    ];
    for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        session.ui.note(format_args!("{what}: {count}"));
    }
    Ok(())
}
