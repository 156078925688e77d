//! `porthole cat`

mod alone;
mod missing;
mod resolve;
mod spool;

use std::{ffi::OsString, io::Write, os::unix::ffi::OsStrExt};

use clap::Args;
use porthole_core::{
    hint::Hint,
    path,
    tree::{Content, Mode},
};

use self::{
    alone::Alone,
    resolve::{At, Files, Lost, resolve},
    spool::Spool,
};
use super::{SourceArgument, ls};
use crate::{
    error::{Error, WrongLayer},
    layers::{self, Job},
    progress::Meter,
    session::Session,
    source::Source,
};

/// Print the content of one file
///
/// PATH is looked up in the tree that a runtime would unpack; hard links and symbolic links are followed, inside the image.
/// Not a byte is printed before it is verified.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole cat nginx etc/nginx/nginx.conf
  porthole cat --layer 0 nginx etc/passwd
  porthole cat oci:layout:latest usr/bin/tool | sha256sum

Exit code 4: there is no such file; 2: it is a directory, a device or, with --no-follow, a symbolic link.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// The file
    #[arg(value_name = "PATH")]
    path: OsString,
    /// What one layer holds, and no other is read: its number (0 is the bottom), digest or diff_id
    #[arg(long, value_name = "N|DIGEST")]
    layer: Option<String>,
    /// Do not follow a symbolic link at the end of PATH
    #[arg(long)]
    no_follow: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let source = arguments.source.open(session)?;
    let jobs = match &source {
        Source::Layer { .. } => Job::bare(),
        _ => Job::of(&source.image(session, &mut |_| {})?.image.layers),
    };
    let wanted = arguments.path.as_bytes();
    match arguments.layer.as_deref().map(|text| ls::choose(&jobs, text)).transpose()? {
        Some(layer) => {
            let job = &jobs[layer];
            let alone = Alone::read(session, &source, job)?;
            let content = find(&alone, wanted, arguments, |lost| missing::in_layer(&alone, lost, job.layer))?;
            print(session, &source, job, content)
        }
        None => {
            let stacked = ls::stack(session, &source, &jobs, false)?;
            let view = stacked.tree.view(Mode::Merged);
            let found = find(&view, wanted, arguments, |lost| missing::in_image(&stacked.tree, lost));
            // What a runtime never gets to is not missing.
            let content = match (found, stacked.unpackable(&jobs)) {
                (Err(Error::NoFile { .. }), Err(stopped)) => return Err(stopped),
                (found, _) => found?,
            };
            let job = jobs.iter().find(|job| job.layer == content.layer);
            let job =
                job.ok_or_else(|| Error::usage("content of a layer that was not read (this is a bug in porthole)"))?;
            print(session, &source, job, content)?;
            stacked.unpackable(&jobs)
        }
    }
}

/// Where the bytes of the wanted file are; `hints` says what else could have been meant.
fn find<F: Files>(
    files: &F,
    wanted: &[u8],
    arguments: &Arguments,
    hints: impl FnOnce(&[u8]) -> Vec<Hint>,
) -> Result<Content, Error> {
    let (name, at) = match resolve(files, wanted, !arguments.no_follow) {
        Ok(found) => found,
        Err(Lost::Missing(lost)) => {
            let name = path::escape(&path::clean(wanted)).into_owned();
            let via = (lost != path::clean(wanted)).then(|| path::escape(&lost).into_owned());
            return Err(Error::NoFile { name, via, hints: hints(&lost) });
        }
        Err(Lost::TooManyLinks) => {
            let name = path::escape(&path::clean(wanted)).into_owned();
            return Err(Error::NotAFile {
                name,
                what: "a symbolic link that leads in a circle".to_owned(),
                hint: None,
            });
        }
    };
    let shown = path::escape(&name).into_owned();
    let (what, hint) = match at {
        At::File(content) => return Ok(content),
        At::Directory => ("a directory".to_owned(), Some("list it with porthole ls".to_owned())),
        At::Symlink(target) => (format!("a symbolic link to `{}`", path::escape(&target)), None),
        At::Hardlink(target) => (format!("a hard link to `{}`", path::escape(&target)), None),
        At::Other(what) => (what.to_owned(), None),
    };
    Err(Error::NotAFile { name: shown, what, hint: hint.map(Hint::Text) })
}

/// Reads the layer to its end, and prints the content once the layer is what it should be.
fn print(session: &Session<'_>, source: &Source, job: &Job, content: Content) -> Result<(), Error> {
    let mut out = session.ui.out();
    if content.size == 0 {
        return Ok(out.flush()?);
    }
    let meter = Meter::new(session.ui, std::slice::from_ref(job));
    let mut spool = Spool::new(content);
    let report = layers::read_one(source, job, &session.limits, &meter, &mut spool)?;
    drop(meter);
    let findings = job.findings(&report);
    if !findings.is_empty() {
        let findings = findings.into_iter().cloned().collect();
        return Err(Error::Layers(vec![WrongLayer { layer: job.layer, findings }]));
    }
    spool.copy_to(&mut out)?;
    Ok(session.ui.flush(&mut out)?)
}
