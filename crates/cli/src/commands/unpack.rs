//! `porthole unpack`

use std::{
    io::Write,
    path::{Path, PathBuf},
    process,
};

use clap::Args;
use porthole_core::layer::{LayerNumber, NamedLayer};
use porthole_unpack::{Options, Report, Rights, StagedDirectory, UnpackRoot};
use serde::Serialize;

use crate::{
    argument::SourceArgument,
    error::{Error, WrongLayer},
    layers::{Job, Reading, Want, no_files},
    output::print_json,
    progress::Meter,
    session::Session,
    source::Source,
    ui::{safe, size},
};

/// Write the files of an image into a directory, as a container runtime would
///
/// Every layer is verified while it is written. The directory appears when everything is verified and complete; until then the files are
/// in a hidden directory beside it, which is removed on failure.
///
/// Without root, files belong to the current user, and entries that only root can create are skipped and counted.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole unpack alpine rootfs
  porthole unpack --platform linux/arm64 oci:layout:latest rootfs
  porthole unpack layer:layer.tar.gz files
  porthole unpack --json ./image.tar rootfs      what was written and what was skipped")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Directory that does not exist, or is empty
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    how: How,
}

/// Options for unpacking an image.
#[derive(Args)]
pub(super) struct How {
    /// Also create character and block devices, which needs root
    #[arg(long, conflicts_with = "rootless")]
    devices: bool,
    /// Skip what only root can do [default unless run as root]
    #[arg(long)]
    rootless: bool,
    /// Do not change owners
    #[arg(long)]
    no_same_owner: bool,
    /// Do not wait until the files are on the disk before the directory appears
    #[arg(long)]
    no_sync: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let options = arguments.how.options()?;
    let source = arguments.source.open(session)?;
    let jobs = source.unpackable_layers(session)?;
    session.interrupt().claim(None);
    let unpacking = Unpacking { session, source: &source, jobs: &jobs, options };
    let meter = Meter::new(session.ui, &jobs);
    let (destination, report) = unpacking.run(&arguments.directory, &meter)?;
    drop(meter);
    destination.keep(arguments.how.syncs())?;
    let unpacked = Unpacked::new(&arguments.directory, &jobs, &report);
    if session.ui.json {
        let mut out = session.ui.out();
        print_json(&mut out, &unpacked)?;
        return Ok(out.flush()?);
    }
    unpacked.tell(session);
    Ok(())
}

impl How {
    /// Whether any of these options is given.
    pub(super) fn is_given(&self) -> bool {
        self.devices || self.rootless || self.no_same_owner || self.no_sync
    }

    /// Whether the files must be on the disk before the directory appears.
    pub(super) fn syncs(&self) -> bool {
        !self.no_sync
    }

    /// Combines the arguments with the privileges of this process.
    pub(super) fn options(&self) -> Result<Options, Error> {
        let rights = Rights::of_this_process();
        if self.devices && !rights.root {
            return Err(Error::usage("--devices needs root"));
        }
        let privileged = rights.root && !self.rootless;
        Ok(Options {
            privileged,
            owner: privileged && !self.no_same_owner,
            devices: self.devices && privileged && rights.devices,
        })
    }
}

/// An image to unpack.
pub(super) struct Unpacking<'u> {
    pub(super) session: &'u Session<'u>,
    pub(super) source: &'u Source,
    pub(super) jobs: &'u [Job],
    pub(super) options: Options,
}

impl Unpacking<'_> {
    /// Writes all layers into a hidden directory beside the destination. On failure, removes the directory. On success, all files
    /// are written and verified, and [`StagedDirectory::keep`] makes the directory appear.
    pub(super) fn run(&self, directory: &Path, meter: &Meter<'_>) -> Result<(StagedDirectory, Report), Error> {
        if let Some(job) = self.jobs.iter().find(|job| !job.is_archive()) {
            return Err(no_files(job));
        }
        let destination = StagedDirectory::prepare(directory)?;
        // Exit here on a signal. Returning an error would first wait for the threads that read from a registry.
        let go_on = || match self.session.interrupt().check() {
            Ok(()) => Ok::<_, Error>(()),
            Err(error) => {
                let error = destination.remove().err().map_or(error, Error::from);
                self.session.ui.error(&error);
                process::exit(error.exit_code().into())
            }
        };
        let mut root = UnpackRoot::new(destination.open()?, self.options);
        let reading = Reading::new(self.session, self.source, meter, Want::Entries);
        let done = reading.stream(
            self.jobs,
            |_, _| true,
            |job, arriving| {
                let mut layer = root.layer();
                let report = arriving.replay(&mut layer, go_on)?;
                let findings = job.findings(&report);
                if !findings.is_empty() {
                    let findings = findings.into_iter().cloned().collect();
                    return Err(Error::Layers(vec![WrongLayer { layer: job.named(), findings }]));
                }
                layer.commit().map_err(|error| Error::of_unpacking(directory, job.named(), error))
            },
        );
        let finished = done.and_then(|()| {
            go_on()?;
            let bottom = NamedLayer { number: LayerNumber::of_index(0), digest: None };
            let top = self.jobs.last().map_or(bottom, Job::named);
            root.finish().map_err(|error| Error::of_unpacking(directory, top, error))
        });
        match finished {
            Ok(report) => Ok((destination, report)),
            Err(error) => {
                destination.remove()?;
                Err(error)
            }
        }
    }
}

/// The result of unpacking, as `--json` prints it.
#[derive(Serialize)]
pub(super) struct Unpacked {
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
    layer: LayerNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_digest: Option<String>,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    xattr: Option<String>,
    reason: &'static str,
}

impl Unpacked {
    pub(super) fn new(directory: &Path, jobs: &[Job], report: &Report) -> Self {
        let skipped = &report.skipped;
        let digests = Job::digests(jobs);
        let list = skipped.list.iter().map(|skip| Skip {
            layer: LayerNumber::of_index(skip.layer),
            layer_digest: digests.find(skip.layer).map(str::to_owned),
            path: skip.path.clone(),
            xattr: skip.xattr.clone(),
            reason: skip.reason,
        });
        Self {
            path: directory.to_string_lossy().into_owned(),
            layers: jobs.len(),
            entries: report.entries,
            bytes: report.bytes,
            skipped: Skipped {
                owners: skipped.owners,
                devices: skipped.devices,
                xattrs: skipped.xattrs,
                list: list.collect(),
            },
        }
    }

    /// Prints the result as text.
    pub(super) fn tell(&self, session: &Session<'_>) {
        let layers = if self.layers == 1 { "layer" } else { "layers" };
        session.ui.note(format_args!(
            "{} {layers}, {} entries, {} are in {}",
            self.layers,
            self.entries,
            size(self.bytes),
            safe(&self.path),
        ));
        let counts = [
            ("owners not set", self.skipped.owners),
            ("devices not made", self.skipped.devices),
            ("extended attributes not set", self.skipped.xattrs),
        ];
        for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            session.ui.note(format_args!("{what}: {count}"));
        }
    }
}
