//! A file of an image, found and ready to be read.

mod content;
mod missing;
mod search;

use std::{ffi::OsString, io::Write, ops::Range, os::unix::ffi::OsStrExt};

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

use self::search::search;
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

/// The arguments that name a file.
#[derive(Args)]
pub(super) struct FileArguments {
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

impl FileArguments {
    /// The path as typed.
    pub(super) fn path(&self) -> &OsString {
        &self.path
    }
}

/// A file of an image.
pub(super) struct OpenedFile {
    source: Source,
    job: Job,
    known: Known,
    content: Content,
    /// The content, if it was kept while the layer was read.
    spool: Option<Spool>,
    cost: Cost,
    /// Whether a runtime would unpack the image.
    unpackable: Result<(), Error>,
}

impl OpenedFile {
    /// Finds the file, and reads the layers that this requires.
    pub(super) fn open(arguments: &FileArguments, session: &Session<'_>) -> Result<Self, Error> {
        let source = arguments.source.open(session)?;
        let jobs = source.layers(session)?;
        let wanted = arguments.path.as_bytes();
        // Most paths have no links. Then the content can be kept while the layer is read, so that it is not read again.
        let taken = Taken::new(path::clean(wanted));
        if let Some(layer) = arguments.layer.as_deref().map(|text| choose(&jobs, text)).transpose()? {
            let jobs = &jobs[layer..=layer];
            let job = jobs[0].clone();
            if let Some(found) = search(session, jobs, true, wanted, !arguments.no_follow)? {
                return Self::found(source, jobs, found.layers, found.content, None, Ok(()));
            }
            let (alone, known) = read_alone(session, &source, &job, &taken)?;
            let content = find(&alone, wanted, arguments, |lost| missing::in_layer(&alone, lost, job.number()))?;
            let spool = taken.find(job.layer, content.offset);
            return Self::found(source, jobs, vec![known], content, spool, Ok(()));
        }
        if !arguments.toc
            && let Some(found) = search(session, &jobs, false, wanted, !arguments.no_follow)?
        {
            return Self::found(source, &jobs, found.layers, found.content, None, Ok(()));
        }
        let stacked = match arguments.toc {
            true => Stacked::by_toc(session, &source, &jobs, TocSearch::Trusted)?,
            false => Stacked::indexed(session, &source, &jobs, &taken)?,
        };
        let view = stacked.tree.view(Mode::Merged);
        let found = find(&view, wanted, arguments, |lost| missing::in_image(&stacked.tree, lost));
        let unpackable = stacked.unpackable(&jobs);
        // If a runtime stops before it reaches the path, report that, and not that the path is missing.
        let (content, unpackable) = match (found, unpackable) {
            (Err(Error::NoFile { .. }), Err(stopped)) => return Err(stopped),
            (found, unpackable) => (found?, unpackable),
        };
        let first = jobs.iter().position(|job| job.layer == content.layer).map(|place| first_of_blob(&jobs)[place]);
        let spool = first.and_then(|first| taken.find(jobs[first].layer, content.offset));
        Self::found(source, &jobs, stacked.layers, content, spool, unpackable)
    }

    fn found(
        source: Source,
        jobs: &[Job],
        layers: Vec<Known>,
        content: Content,
        spool: Option<Spool>,
        unpackable: Result<(), Error>,
    ) -> Result<Self, Error> {
        let cost = Cost::of(&layers, jobs);
        let (job, known) = jobs
            .iter()
            .zip(layers)
            .find(|(job, _)| job.layer == content.layer)
            .ok_or_else(|| Error::usage("content of a layer that was not read (this is a bug in porthole)"))?;
        Ok(Self { source, job: job.clone(), known, content, spool, cost, unpackable })
    }

    /// Reads the bytes of a range.
    pub(super) fn read(&mut self, session: &Session<'_>, part: Range<u64>) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.copy(session, part, &mut bytes)?;
        Ok(bytes)
    }

    /// Size of the file in bytes.
    pub(super) fn size(&self) -> u64 {
        self.content.size
    }

    /// Writes the bytes of a range, as far as the file reaches. Each byte is verified before it is written. The bytes come from the
    /// content that was kept while the layer was read, or from the part of the blob that has them.
    pub(super) fn copy(&mut self, session: &Session<'_>, part: Range<u64>, out: &mut impl Write) -> Result<(), Error> {
        let (job, content) = (&self.job, self.content);
        if part.start >= part.end.min(content.size) {
            return Ok(());
        }
        if self.spool.is_none() {
            let parts = match &self.known {
                Known::Listed(toc, _) => {
                    let parts = FileParts::by_toc(toc, content, part.clone());
                    Some(parts.map_err(|error| Error::Chunk { layer: job.named(), error })?)
                }
                known => match known.index() {
                    Some(index) => match block_on(FileParts::by_index(index, content, part.clone(), &session.limits)) {
                        Ok(parts) => Some(parts),
                        Err(IndexError::Seek(error)) if !matches!(error, seek::Error::Index(_)) => {
                            return Err(Error::Part { layer: job.named(), error });
                        }
                        // A page of the index is damaged.
                        Err(error) => {
                            discard(session, job, &error);
                            None
                        }
                    },
                    None => None,
                },
            };
            if let Some(parts) = parts {
                self.cost.add(content::print_parts(&self.source, job, parts, out)?);
                return Ok(());
            }
            let (spool, read) = content::take_whole(session, &self.source, job, content)?;
            self.cost.add(read);
            self.spool = Some(spool);
        }
        self.spool.as_mut().map_or(Ok(()), |spool| spool.copy_to(part, out))
    }

    /// Prints a note on how much of the layers was read. Returns an error if a runtime could not unpack the image.
    pub(super) fn close(self, session: &Session<'_>) -> Result<(), Error> {
        let Cost { read, total } = self.cost;
        if read < total {
            let from_start = self.known.index().is_some_and(|index| index.facts().seekable() == Seekable::FromStart);
            let why = if from_start { "; this layer can only be read from its start" } else { "" };
            session.ui.note(format_args!("read {} of {}, verified{why}", size(read), size(total)));
        }
        self.unpackable
    }
}

/// Reads and verifies one layer, or takes its entries from the index in the cache.
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
                    added.map_err(|error| Error::Unpack { layer: job.named(), error })?;
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

/// Bytes of blobs that were read for a file, and bytes of all blobs.
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

    fn add(&mut self, read: u64) {
        self.read = self.read.saturating_add(read);
    }
}

/// Finds the content of the wanted file. If the path does not exist, `hints` suggests other paths.
fn find<F: FileLookup>(
    files: &F,
    wanted: &[u8],
    arguments: &FileArguments,
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
