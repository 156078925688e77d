//! `porthole export`

mod spool;

use std::{
    env,
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use porthole_core::tree::FileTree;
use porthole_store::Unfinished;
use porthole_unpack::flatten;

use self::spool::Spool;
use crate::{
    argument::SourceArgument,
    error::{Error, WrongLayer},
    layers::{Job, Reading, Want, no_files},
    progress::Meter,
    session::Session,
    source::Source,
    ui::{safe, size},
};

/// Write the files of an image into one tar archive
///
/// The archive has the files that a container sees, with owners, devices and extended attributes. Every layer is verified before the first
/// byte is written; until then the contents are in an unnamed temporary file in $TMPDIR or beside FILE. The same image always gives the
/// same archive.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole export alpine -o alpine.tar
  porthole export oci:layout:latest | tar tv
  porthole export alpine | docker import - mine:latest")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Write to this file, or to stdout with `-` [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let file = arguments.output.as_deref().filter(|path| *path != Path::new("-"));
    if file.is_none() && io::stdout().is_terminal() {
        return Err(Error::usage("expected a file or a pipe for the archive, got a terminal: add -o FILE"));
    }
    let source = arguments.source.open(session)?;
    let jobs = source.unpackable_layers(session)?;
    match file {
        None => {
            let place = env::temp_dir();
            let spool = Spool::new_in(&place).map_err(Error::cannot_write(&place))?;
            let (tree, spool) = read(session, &source, &jobs, spool, &place)?;
            let mut out = session.ui.out();
            flatten::write(&tree, &mut out, |content| spool.open(content))?;
            Ok(session.ui.flush(&mut out)?)
        }
        Some(path) => {
            let fail = Error::cannot_write(path);
            let output = Unfinished::create(path).map_err(&fail)?;
            let place = output.folder().map_or_else(env::temp_dir, Path::to_owned);
            let spool = Spool::new_in(&place).map_err(Error::cannot_write(&place))?;
            let (tree, spool) = read(session, &source, &jobs, spool, &place)?;
            let mut out = BufWriter::with_capacity(1 << 20, output.file());
            flatten::write(&tree, &mut out, |content| spool.open(content)).map_err(|error| match error {
                flatten::Error::Write(source) => fail(source),
                error => error.into(),
            })?;
            out.flush().map_err(&fail)?;
            drop(out);
            let bytes = output.file().metadata().map_err(&fail)?.len();
            output.keep().map_err(&fail)?;
            session.ui.note(format_args!("{}: {}", safe(&path.to_string_lossy()), size(bytes)));
            Ok(())
        }
    }
}

/// Reads and verifies all layers. Returns the merged tree and the contents of its files, which are kept in a temporary file in
/// `place`.
fn read(
    session: &Session<'_>,
    source: &Source,
    jobs: &[Job],
    mut spool: Spool,
    place: &Path,
) -> Result<(FileTree, Spool), Error> {
    let mut tree = FileTree::new(session.limits.tree_nodes);
    let meter = Meter::new(session.ui, jobs);
    let reading = Reading::new(session, source, &meter, Want::Entries);
    reading.stream(
        jobs,
        |_, entry| entry.size > 0,
        |job, arriving| {
            if !job.is_archive() {
                return Err(no_files(job));
            }
            tree.begin(job.layer);
            let mut layer = spool.layer(&mut tree, job.layer);
            let report = arriving.replay(&mut layer, || Ok(()))?;
            layer.finish().map_err(Error::cannot_write(place))?;
            let findings = job.findings(&report);
            if !findings.is_empty() {
                let findings = findings.into_iter().cloned().collect();
                return Err(Error::Layers(vec![WrongLayer { layer: job.named(), findings }]));
            }
            // If a runtime stops at an entry, the tree is incomplete.
            tree.commit().stopped.map_or(Ok(()), |error| Err(Error::Unpack { layer: job.named(), error }))
        },
    )?;
    spool.finish().map_err(Error::cannot_write(place))?;
    Ok((tree, spool))
}
