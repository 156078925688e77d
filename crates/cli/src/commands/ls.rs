//! `porthole ls`

mod long;
mod order;
mod raw;

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    os::unix::ffi::OsStrExt,
};

use clap::{Args, ValueEnum};
use porthole_core::{
    failure::{Classify, FailureClass},
    hint::Hint,
    path, tar,
    tree::{Mode, Row},
};

use porthole_inspect::{report::FileReport, toc::TocSearch};

use super::stack::{Stacked, choose};
use crate::{
    argument::SourceArgument,
    error::Error,
    layers::{Job, Known, no_files},
    output::print_json,
    session::Session,
    source::Source,
    ui::safe,
};

/// List the files of the tree that a runtime would unpack, with the layer of each
///
/// Each name is on one line: bytes that are not printable UTF-8 are `\xNN`, a backslash is `\\`. All layers are downloaded and
/// verified; if one fails, nothing is listed and the exit code is 7. A layer of a registry that was verified before is not downloaded
/// again: the cache has its list of files.
///
/// The blobs of an artifact are listed as files. Where an image's configuration promises layers instead, the exit code is then 9.
///
/// With --toc, only the table of contents of an eStargz or zstd:chunked layer is downloaded and checked against the manifest. It is not
/// compared with the archive that a runtime unpacks; `porthole verify` does that.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole ls nginx etc/nginx
  porthole ls --long --sort size nginx
  porthole ls --json --deleted oci:layout:latest
  porthole ls --raw --json layer:layer.tar.gz
  porthole ls --toc --json oci:layout:prepared  rows of prepared layers say \"from\":\"toc\"")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// List only this file, or this directory and everything below it
    #[arg(value_name = "PATH")]
    path: Option<OsString>,
    /// List only what one layer wrote and removed: its number (1 is the bottom), digest or diff_id
    #[arg(long, value_name = "N|DIGEST")]
    layer: Option<String>,
    /// List only files that a later layer deleted or overwrote: their bytes are still in the image
    #[arg(long, conflicts_with_all = ["layer", "raw"])]
    deleted: bool,
    /// List the entries of the archive in their order: names as stored, whiteouts included
    #[arg(long, conflicts_with = "sort")]
    raw: bool,
    /// Print mode, owner, size, time, layer and change before each name
    #[arg(long, short)]
    long: bool,
    /// Sort all rows [default: as a tree]
    #[arg(long, value_name = "BY")]
    sort: Option<Sort>,
    /// List eStargz and zstd:chunked layers by their tables of contents, unverified
    #[arg(long, conflicts_with_all = ["raw", "digest"])]
    toc: bool,
    /// Print the SHA-256 of each file's content, with --json or --long
    #[arg(long)]
    digest: bool,
}

/// Order of rows.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// Biggest first, directories by what they hold
    Size,
    /// By the last component
    Name,
    /// By the bytes of the whole path
    Path,
    /// Most recently modified first
    Time,
    /// By layer, the highest first
    Layer,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    if arguments.digest && !session.ui.json && !arguments.long {
        return Err(Error::usage("--digest needs --json or --long"));
    }
    let source = arguments.source.open(session)?;
    let jobs = source.layers(session)?;
    let layer = arguments.layer.as_deref().map(|text| choose(&jobs, text)).transpose()?;
    if arguments.raw {
        let only = match (layer, jobs.as_slice()) {
            (Some(layer), _) => &jobs[layer..=layer],
            (None, [_]) => &jobs[..],
            (None, _) => return Err(Error::usage(format!("--raw needs --layer: the image has {} layers", jobs.len()))),
        };
        return raw::list(arguments, session, &source, only);
    }
    // The changes of a layer depend only on the layers below it, so the layers above need not be read.
    let jobs = layer.map_or(&jobs[..], |layer| &jobs[..=layer]);
    let mode = match (layer, arguments.deleted) {
        (Some(layer), _) => Mode::Only(layer as u32),
        (None, true) => Mode::Deleted,
        (None, false) => Mode::Merged,
    };
    let stacked = match arguments.toc {
        true => Stacked::by_toc(session, &source, jobs, TocSearch::All)?,
        false => match (read(arguments, session, &source, jobs), jobs) {
            (Err(error), [_, .., top]) if layer.is_some() && leaves_layers(&error) => {
                let stacked = Stacked::read(session, &source, std::slice::from_ref(top), arguments.digest)?;
                session.ui.note(format_args!(
                    "{error}; layer {} is listed alone, so that its changes to the layers below it are not known",
                    top.number()
                ));
                stacked
            }
            (stacked, _) => stacked?,
        },
    };
    list(arguments, session, &stacked, jobs, mode)?;
    // If a runtime would stop at an entry, the list ends with what it wrote before.
    stacked.unpackable(jobs)?;
    // The configuration has a diff_id, so an archive is expected, but the media type is that of something else, such as a model
    // or a signature.
    let empty = jobs.iter().find(|job| job.diff_id.is_some() && job.file.is_some());
    empty.map_or(Ok(()), |job| Err(no_files(job)))
}

/// Reads and stacks the layers. If a foreign layer must come from a host that the image names, asks the user first.
fn read(arguments: &Arguments, session: &Session<'_>, source: &Source, jobs: &[Job]) -> Result<Stacked, Error> {
    let stacked = Stacked::read(session, source, jobs, arguments.digest);
    let failure = stacked.as_ref().err().map(Classify::failure);
    let hosts = failure.iter().flat_map(|failure| &failure.hints).find_map(|hint| match hint {
        Hint::Foreign { hosts } => Some(hosts),
        _ => None,
    });
    match hosts {
        Some(hosts) if io::stdin().is_terminal() && io::stderr().is_terminal() => {
            let question = format!("A layer is not in the registry. Download it from {hosts}, as the image says?");
            session.ui.ask(&format!("{} [y/N] ", safe(&question)));
            let mut answer = String::new();
            io::stdin().read_line(&mut answer).map_err(Error::stdin)?;
            if !matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
                return stacked;
            }
            session.connection()?.allow_foreign();
            Stacked::read(session, source, jobs, arguments.digest)
        }
        _ => stacked,
    }
}

/// Whether an error means that a layer is not available, such as a base layer that registries need not have. The layers above it
/// may be available.
fn leaves_layers(error: &Error) -> bool {
    matches!(error, Error::Local(error) if error.is_missing_blob())
        || matches!(error.failure().kind, FailureClass::NotFound | FailureClass::Network | FailureClass::Authentication)
}

fn list(
    arguments: &Arguments,
    session: &Session<'_>,
    stacked: &Stacked,
    jobs: &[Job],
    mode: Mode,
) -> Result<(), Error> {
    let view = stacked.tree.view(mode);
    let top = match &arguments.path {
        Some(text) => {
            let node = path::meant(text.as_bytes()).iter().find_map(|path| view.find(path));
            let missing = || path::escape(&path::clean(text.as_bytes())).into_owned();
            node.ok_or_else(|| Error::NotFound { what: "path", name: missing() })?
        }
        None => stacked.tree.root(),
    };
    let digest = |row: &Row| {
        let digest = view.digest(row.node).filter(|_| arguments.digest && row.kind == tar::Kind::File)?;
        Some(digest.to_string())
    };
    let digests = Job::digests(jobs);
    let by_toc = |row: &Row| matches!(stacked.layers.get(row.layer as usize), Some(Known::Listed(..)));
    let sorted = arguments.sort.map(|by| order::sorted(&view, top, by));
    let mut widths = long::Widths::default();
    if arguments.long && !session.ui.json {
        view.walk(top).for_each(|row| widths.widen(&row));
    }
    let mut out = session.ui.out();
    let mut print = |row: &Row| -> Result<(), Error> {
        if session.ui.json {
            print_json(&mut out, &FileReport::of(row, &digests, digest(row), by_toc(row)))?;
        } else if arguments.long {
            writeln!(out, "{}", long::line(session.ui, row, &widths, digest(row)))?;
        } else {
            writeln!(out, "{}{}", path::escape(&row.path), if row.kind == tar::Kind::Directory { "/" } else { "" })?;
        }
        Ok(())
    };
    // A row takes more memory than its node in the tree, so rows are made one at a time.
    match &sorted {
        Some(rows) => rows.iter().filter_map(|row| row.row(&view)).try_for_each(|row| print(&row))?,
        None => view.walk(top).try_for_each(|row| print(&row))?,
    }
    Ok(out.flush()?)
}
