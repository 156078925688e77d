//! `porthole ls`

mod long;
mod order;
mod raw;
mod row;

use std::{collections::HashMap, ffi::OsString, io::Write, os::unix::ffi::OsStrExt};

use clap::{Args, ValueEnum};
use porthole_core::{
    digest::Digest,
    layer::Finding,
    path,
    tar::Kind,
    tree::{FileTree, Mode, Row},
};

use super::{SourceArgument, print_json};
use crate::{
    error::{Error, WrongLayer},
    layers::{self, Event, Job, Want},
    progress::Meter,
    session::Session,
    source::Source,
};

/// List files: the tree that a runtime would unpack, with the layer that each came from
///
/// Names are printed on one line each: bytes that are no printable UTF-8 are `\xNN`, a backslash is `\\`. All layers are
/// downloaded and verified; where one is wrong, nothing is listed and the exit code is 7.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole ls nginx etc/nginx
  porthole ls --long --sort size nginx
  porthole ls --json --deleted oci:layout:latest
  porthole ls --raw --json layer:layer.tar.gz")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Only this file, or this directory and all below it
    #[arg(value_name = "PATH")]
    path: Option<OsString>,
    /// Only what one layer wrote and removed: its number (0 is the bottom), digest or diff_id
    #[arg(long, value_name = "N|DIGEST")]
    layer: Option<String>,
    /// Only what was deleted or overwritten by a later layer, but is still in the image
    #[arg(long, conflicts_with_all = ["layer", "raw"])]
    deleted: bool,
    /// The archive's own entries in their order: names as stored, whiteouts included
    #[arg(long, conflicts_with = "sort")]
    raw: bool,
    /// Mode, owner, size, time, layer and change beside each name
    #[arg(long, short)]
    long: bool,
    /// Order of all rows [default: as a tree]
    #[arg(long, value_name = "BY")]
    sort: Option<Sort>,
    /// With --json or --long: the SHA-256 of each file's content
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
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    if arguments.digest && !session.ui.json && !arguments.long {
        return Err(Error::usage("--digest needs --json or --long"));
    }
    let source = arguments.source.open(session)?;
    let jobs = match &source {
        Source::Layer { .. } => Job::bare(),
        _ => Job::of(&source.image(session, &mut |_| {})?.image.layers),
    };
    let layer = arguments.layer.as_deref().map(|text| choose(&jobs, text)).transpose()?;
    if arguments.raw {
        let only = match (layer, jobs.as_slice()) {
            (Some(layer), _) => &jobs[layer..=layer],
            (None, [_]) => &jobs[..],
            (None, _) => return Err(Error::usage(format!("--raw needs --layer: the image has {} layers", jobs.len()))),
        };
        return raw::list(arguments, session, &source, only);
    }
    // What a layer changed shows against the layers below it, and only them.
    let jobs = layer.map_or(&jobs[..], |layer| &jobs[..=layer]);
    let mode = match (layer, arguments.deleted) {
        (Some(layer), _) => Mode::Only(layer as u32),
        (None, true) => Mode::Deleted,
        (None, false) => Mode::Merged,
    };
    let stacked = stack(session, &source, jobs, arguments.digest)?;
    list(arguments, session, &stacked, mode)?;
    // Where a runtime would stop, the list is what it would have left.
    stacked.unpackable(jobs)
}

/// The layer that a number, a digest or a diff_id names, by its place among `jobs`.
pub(super) fn choose(jobs: &[Job], text: &str) -> Result<usize, Error> {
    let place = match text.parse::<usize>() {
        Ok(number) => (number < jobs.len()).then_some(number),
        Err(_) => jobs.iter().position(|job| {
            let digest = job.descriptor.as_ref().map(|descriptor| descriptor.digest);
            [digest, job.diff_id].into_iter().flatten().any(|digest| digest.to_string() == text)
        }),
    };
    place.ok_or_else(|| Error::NotFound { what: "layer", name: text.to_owned() })
}

/// All layers, stacked.
pub(super) struct Stacked {
    pub(super) tree: FileTree,
    pub(super) reports: Vec<porthole_core::layer::LayerReport>,
    /// Contents by layer and place in it.
    digests: HashMap<(u32, u64), Digest>,
}

impl Stacked {
    /// Where a runtime would stop.
    pub(super) fn unpackable(&self, jobs: &[Job]) -> Result<(), Error> {
        for job in jobs {
            if let Some(error) = self.tree.summary(job.layer).stopped {
                return Err(Error::Unpack { layer: job.layer, error });
            }
        }
        Ok(())
    }
}

/// Reads and stacks layers.
///
/// # Errors
///
/// [`Error::Layers`] if any layer is not what it should be: then there is no tree to show.
pub(super) fn stack(session: &Session<'_>, source: &Source, jobs: &[Job], digests: bool) -> Result<Stacked, Error> {
    let mut tree = FileTree::new(session.limits.tree_nodes);
    let mut reports = Vec::new();
    let mut contents = HashMap::new();
    let mut wrong = Vec::new();
    let mut open = None;
    let meter = Meter::new(session.ui, jobs);
    let want = if digests { Want::Digests } else { Want::Entries };
    layers::read(source, jobs, want, &session.limits, &meter, |job, event| {
        if open != Some(job.layer) {
            tree.begin(job.layer);
            open = Some(job.layer);
        }
        match event {
            Event::Entries(entries) => {
                for listed in entries {
                    contents.extend(listed.digest.map(|digest| ((job.layer, listed.entry.offset), digest)));
                    // The tree keeps in mind where a runtime stops, and takes nothing after it.
                    let _ = tree.apply(&listed.entry);
                }
            }
            Event::Report(report) if !report.findings.iter().any(Finding::refutes) => {
                for finding in &report.findings {
                    session.ui.note(job.in_words(finding));
                }
                tree.commit();
                reports.push(*report);
            }
            Event::Report(report) if job.findings(&report).is_empty() => return Err(job.no_files()),
            Event::Report(report) => {
                tree.abort();
                wrong.push(WrongLayer { layer: job.layer, findings: report.findings });
            }
        }
        Ok(())
    })?;
    if wrong.is_empty() { Ok(Stacked { tree, reports, digests: contents }) } else { Err(Error::Layers(wrong)) }
}

fn list(arguments: &Arguments, session: &Session<'_>, stacked: &Stacked, mode: Mode) -> Result<(), Error> {
    let view = stacked.tree.view(mode);
    let mut rows = view.rows();
    if let Some(text) = &arguments.path {
        let wanted = path::clean(text.as_bytes());
        rows.retain(|row| is_at_or_below(row, &wanted));
        if rows.is_empty() && !wanted.is_empty() {
            return Err(Error::NotFound { what: "path", name: path::escape(&wanted).into_owned() });
        }
    }
    if let Some(sort) = arguments.sort {
        order::sort(&mut rows, sort);
    }
    let digest = |row: &Row| {
        let content = view.content(row.node).filter(|_| arguments.digest && row.kind == Kind::File)?;
        stacked.digests.get(&(content.layer, content.offset)).map(ToString::to_string)
    };
    let widths = long::Widths::of(&rows);
    let mut out = session.ui.out();
    for row in &rows {
        if session.ui.json {
            print_json(&mut out, &row::Json::of(row, digest(row)))?;
        } else if arguments.long {
            writeln!(out, "{}", long::line(session.ui, row, &widths, digest(row)))?;
        } else {
            writeln!(out, "{}{}", path::escape(&row.path), if row.kind == Kind::Directory { "/" } else { "" })?;
        }
    }
    Ok(out.flush()?)
}

fn is_at_or_below(row: &Row, wanted: &[u8]) -> bool {
    match row.path.strip_prefix(wanted) {
        Some([] | [b'/', ..]) => true,
        Some(_) => wanted.is_empty(),
        None => false,
    }
}
