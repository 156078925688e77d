//! `porthole cat`

mod content;
mod missing;
mod search;

use std::{ffi::OsString, os::unix::ffi::OsStrExt};

use clap::Args;
use porthole_core::{
    hint::Hint,
    path,
    seek::{self, Seekable},
    tree::{Content, Mode},
};
use porthole_inspect::{
    layer::first_of_blob,
    open::{At, FileLookup, FileParts, LoneLayer, Lost, resolve_path},
    seek::Error as IndexError,
    toc::TocSearch,
};
use porthole_store::disk::block_on;

use self::search::{Found, search};
use super::stack::{Stacked, choose, judge};

use crate::{
    argument::SourceArgument,
    error::Error,
    layers::{Event, Job, Known, Reading, Spool, Taken, Want, discard},
    progress::Meter,
    session::Session,
    source::Source,
    ui::size,
};

/// Print the content of one file
///
/// PATH is looked up in the tree that a runtime would unpack; hard links and symbolic links are followed within the image. Every byte is
/// verified before it is printed.
///
/// All layers are downloaded once, and an index of each is kept in the cache. From then on a file costs one range request for its part of
/// the layer, verified against the index.
///
/// With --toc, eStargz and zstd:chunked layers are not downloaded: the table of contents, whose digest is in the manifest, gives the place
/// of the file and the digest of each chunk. It is not compared with the archive; `porthole verify` does that.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole cat nginx etc/nginx/nginx.conf
  porthole cat --layer 1 nginx etc/passwd
  porthole cat oci:layout:latest usr/bin/tool | sha256sum

Exit codes: 4 if there is no such file; 2 if it is a directory, a device or, with --no-follow, a symbolic link.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Path of the file
    #[arg(value_name = "PATH")]
    path: OsString,
    /// Read only one layer: its number (1 is the bottom), digest or diff_id
    #[arg(long, value_name = "N|DIGEST")]
    layer: Option<String>,
    /// Do not follow a symbolic link at the end of PATH
    #[arg(long)]
    no_follow: bool,
    /// Read eStargz and zstd:chunked layers by their tables of contents
    #[arg(long, conflicts_with = "layer")]
    toc: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let source = arguments.source.open(session)?;
    let jobs = source.layers(session)?;
    let wanted = arguments.path.as_bytes();
    // Most paths are what they seem, and then a layer that had to be read has given its content already.
    let taken = Taken::new(path::clean(wanted));
    if let Some(layer) = arguments.layer.as_deref().map(|text| choose(&jobs, text)).transpose()? {
        let job = &jobs[layer];
        if let Some(found) = search(session, std::slice::from_ref(job), true, wanted, !arguments.no_follow)? {
            return found.print(session, &source, std::slice::from_ref(job));
        }
        let (alone, known) = read_alone(session, &source, job, &taken)?;
        let content = find(&alone, wanted, arguments, |lost| missing::in_layer(&alone, lost, job.number()))?;
        let spool = taken.find(job.layer, content.offset);
        let cost = Cost::of([&known], std::slice::from_ref(job));
        return print(session, &source, job, &known, content, spool, cost);
    }
    if !arguments.toc
        && let Some(found) = search(session, &jobs, false, wanted, !arguments.no_follow)?
    {
        return found.print(session, &source, &jobs);
    }
    let stacked = match arguments.toc {
        true => Stacked::by_toc(session, &source, &jobs, TocSearch::Trusted)?,
        false => Stacked::indexed(session, &source, &jobs, &taken)?,
    };
    let view = stacked.tree.view(Mode::Merged);
    let found = find(&view, wanted, arguments, |lost| missing::in_image(&stacked.tree, lost));
    // What a runtime never gets to is not missing.
    let content = match (found, stacked.unpackable(&jobs)) {
        (Err(Error::NoFile { .. }), Err(stopped)) => return Err(stopped),
        (found, _) => found?,
    };
    let mut layers = jobs.iter().zip(&stacked.layers).zip(first_of_blob(&jobs));
    let ((job, known), first) = layers
        .find(|((job, _), _)| job.layer == content.layer)
        .ok_or_else(|| Error::usage("content of a layer that was not read (this is a bug in porthole)"))?;
    let spool = taken.find(jobs[first].layer, content.offset);
    print(session, &source, job, known, content, spool, Cost::of(&stacked.layers, &jobs))?;
    stacked.unpackable(&jobs)
}

/// Reads and verifies one layer, or takes what is known of it from the cache.
fn read_alone(session: &Session<'_>, source: &Source, job: &Job, taken: &Taken) -> Result<(LoneLayer, Known), Error> {
    let mut lone = LoneLayer::default();
    let mut end = None;
    let jobs = std::slice::from_ref(job);
    let meter = Meter::new(session.ui, jobs);
    let reading = Reading::new(session, source, &meter, Want::Entries).indexed().taking(taken);
    reading.run(jobs, |job, event| {
        match event {
            Event::Entries(entries) => {
                for listed in entries {
                    let added = lone.add(job.layer, listed.entry, &session.limits);
                    added.map_err(|error| Error::Unpack { layer: job.number(), error })?;
                }
            }
            Event::End(known) => match judge(session, job, &known)? {
                None => end = Some(known),
                Some(wrong) => return Err(Error::Layers(vec![wrong])),
            },
        }
        Ok(())
    })?;
    let end = end.ok_or_else(|| Error::usage("a layer has no end (this is a bug in porthole)"))?;
    Ok((lone, end))
}

/// What looking at a file costs, in bytes of blobs.
struct Cost {
    read: u64,
    total: u64,
}

impl Cost {
    fn of<'k>(layers: impl IntoIterator<Item = &'k Known>, jobs: &[Job]) -> Self {
        let size = |job: &Job| job.descriptor.as_ref().map_or(0, |descriptor| descriptor.size);
        Self {
            read: layers.into_iter().map(Known::read).fold(0, u64::saturating_add),
            total: jobs.iter().map(size).fold(0, u64::saturating_add),
        }
    }
}

impl Found {
    fn print(self, session: &Session<'_>, source: &Source, jobs: &[Job]) -> Result<(), Error> {
        let mut layers = jobs.iter().zip(&self.layers);
        let (job, known) = layers
            .find(|(job, _)| job.layer == self.content.layer)
            .ok_or_else(|| Error::usage("content of a layer that was not searched (this is a bug in porthole)"))?;
        print(session, source, job, known, self.content, None, Cost::of(&self.layers, jobs))
    }
}

/// Where the bytes of the wanted file are; `hints` says what else could have been meant.
fn find<F: FileLookup>(
    files: &F,
    wanted: &[u8],
    arguments: &Arguments,
    hints: impl FnOnce(&[u8]) -> Vec<Hint>,
) -> Result<Content, Error> {
    let meant = path::meant(wanted);
    let exists = |path: &&Vec<u8>| resolve_path(files, path, !arguments.no_follow).is_ok();
    let wanted = meant.iter().skip(1).find(exists).filter(|_| !exists(&&meant[0])).map_or(wanted, Vec::as_slice);
    let (name, at) = match resolve_path(files, wanted, !arguments.no_follow) {
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

/// Prints the content: what was taken while the layer was read and verified, else by a part of the blob. Notes what was
/// spared.
fn print(
    session: &Session<'_>,
    source: &Source,
    job: &Job,
    known: &Known,
    content: Content,
    spool: Option<Spool>,
    cost: Cost,
) -> Result<(), Error> {
    let mut out = session.ui.out();
    let read = match (known, spool) {
        _ if content.size == 0 => 0,
        (Known::Listed(toc, _), _) => {
            let parts = FileParts::by_toc(toc, content).map_err(|error| Error::Chunk { layer: job.number(), error })?;
            content::print_parts(source, job, parts, &mut out)?
        }
        (_, Some(spool)) => {
            spool.copy_to(&mut out)?;
            0
        }
        (known, None) => match known.index() {
            Some(index) => match block_on(FileParts::by_index(index, content, &session.limits)) {
                Ok(parts) => content::print_parts(source, job, parts, &mut out)?,
                Err(IndexError::Seek(error)) if !matches!(error, seek::Error::Index(_)) => {
                    return Err(Error::Part { layer: job.number(), error });
                }
                // A page of it cannot be read.
                Err(error) => {
                    discard(session, job, &error);
                    content::print_whole(session, source, job, content, &mut out)?
                }
            },
            None => content::print_whole(session, source, job, content, &mut out)?,
        },
    };
    session.ui.flush(&mut out)?;
    let read = cost.read.saturating_add(read);
    if read < cost.total {
        let from_start = known.index().is_some_and(|index| index.facts().seekable() == Seekable::FromStart);
        let why = if from_start { "; this layer can only be read from its start" } else { "" };
        session.ui.note(format_args!("read {} of {}, verified{why}", size(read), size(cost.total)));
    }
    Ok(())
}
