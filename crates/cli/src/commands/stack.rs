//! All layers of an image in one tree.

use porthole_core::{
    layer::{LayerNumber, NotANumber},
    seek::Offsets,
    tree::FileTree,
};
use porthole_inspect::{
    layer::Verdict,
    stack::{LayerStack, NoFiles, unpackable},
    toc::TocSearch,
    waste::LayerBlob,
};

use crate::{
    error::{Error, WrongLayer},
    layers::{Event, Job, Known, Reading, Taken, Want, in_words, no_files, note_plain},
    progress::Meter,
    session::Session,
    source::Source,
    toc,
};

/// Returns the index in `jobs` of the layer that a number, a digest or a diff_id names.
pub(super) fn choose(jobs: &[Job], text: &str) -> Result<usize, Error> {
    let place = match text.parse::<LayerNumber>() {
        Ok(number) => Some(number.index() as usize).filter(|place| *place < jobs.len()),
        Err(error @ NotANumber::Zero) => return Err(Error::usage(error.to_string())),
        Err(NotANumber::Digits) => jobs.iter().position(|job| {
            let digest = job.descriptor.as_ref().map(|descriptor| descriptor.digest);
            [digest, job.diff_id].into_iter().flatten().any(|digest| digest.to_string() == text)
        }),
    };
    place.ok_or_else(|| Error::NotFound { what: "layer", name: text.to_owned() })
}

/// The tree of stacked layers, and how each was read.
pub(super) struct Stacked {
    pub(super) tree: FileTree,
    /// How each layer was read, with the result, bottom first.
    pub(super) layers: Vec<Known>,
}

impl Stacked {
    /// Reads and stacks layers, or takes their entries from the indexes in the cache.
    ///
    /// # Errors
    ///
    /// [`Error::Layers`] if any layer is wrong. Then there is no tree to show.
    pub(super) fn read(session: &Session<'_>, source: &Source, jobs: &[Job], digests: bool) -> Result<Self, Error> {
        let meter = Meter::new(session.ui, jobs);
        let want = if digests { Want::Digests } else { Want::Entries };
        Self::of(session, Reading::new(session, source, &meter, want).remembering(), jobs)
    }

    /// As [`read`](Self::read), but lists prepared layers from their tables of contents, and prints a note on each.
    pub(super) fn by_toc(
        session: &Session<'_>,
        source: &Source,
        jobs: &[Job],
        search: TocSearch,
    ) -> Result<Self, Error> {
        let meter = Meter::new(session.ui, jobs);
        let reading = Reading::new(session, source, &meter, Want::Entries).remembering().by_toc(search);
        let stacked = Self::of(session, reading, jobs)?;
        drop(meter);
        for (job, known) in jobs.iter().zip(&stacked.layers) {
            if let Known::Listed(toc, _) = known {
                session.ui.note(toc::caveat(job.number(), toc));
            }
        }
        Ok(stacked)
    }

    /// As [`read`](Self::read), with an index of each layer. Keeps contents from the layers that are read.
    pub(super) fn indexed(session: &Session<'_>, source: &Source, jobs: &[Job], taken: &Taken) -> Result<Self, Error> {
        let meter = Meter::new(session.ui, jobs);
        Self::of(session, Reading::new(session, source, &meter, Want::Entries).indexed().taking(taken), jobs)
    }

    fn of(session: &Session<'_>, reading: Reading<'_>, jobs: &[Job]) -> Result<Self, Error> {
        let mut tree = FileTree::new(session.limits.tree_nodes);
        let mut layers = Vec::new();
        let mut stack = LayerStack::new(&mut tree);
        reading.run(jobs, |job, event| {
            match event {
                Event::Entries(entries) => {
                    entries.iter().for_each(|listed| stack.entry(job, &listed.entry, listed.digest));
                }
                Event::End(known) => {
                    end(session, &mut stack, job, &known)?;
                    layers.push(known);
                }
            }
            Ok(())
        })?;
        stack.finish().map_err(Error::Layers)?;
        let verified = !layers.iter().any(|known| matches!(known, Known::Listed(..)));
        if verified && tree.is_plain() && reading.keeps_indexes() {
            note_plain(session, jobs);
        }
        Ok(Self { tree, layers })
    }

    /// The blobs of these layers, for computing sizes. A bare layer has no descriptor, so its digest comes from the report.
    pub(super) fn blobs(&self, jobs: &[Job]) -> Vec<LayerBlob> {
        jobs.iter().zip(&self.layers).map(|(job, known)| blob(job, known)).collect()
    }

    /// Checks that a runtime can unpack the layers. The error names the entry at which it would stop.
    pub(super) fn unpackable(&self, jobs: &[Job]) -> Result<(), Error> {
        unpackable(&self.tree, jobs).map_err(|(layer, error)| Error::Unpack { layer, error })
    }
}

/// The blob of a layer, for computing sizes.
pub(super) fn blob(job: &Job, known: &Known) -> LayerBlob {
    let (digest, offsets) = match known {
        Known::Read(report, _) | Known::Repeated(report, _) => (Some(report.digest), report.offsets.clone()),
        Known::Replayed(_, offsets) => (None, offsets.clone()),
        Known::Searched(_) | Known::Listed(..) => (None, Offsets::default()),
    };
    let descriptor = job.descriptor.as_ref();
    LayerBlob {
        digest: descriptor.map(|descriptor| descriptor.digest).or(digest),
        size: descriptor.map_or_else(|| known.read(), |descriptor| descriptor.size),
        uncompressed: known.uncompressed(),
        entries: known.entries(),
        offsets,
    }
}

/// Ends a layer of a stack. Prints a note for each finding that does not refute the layer, such as a wrong media type.
///
/// # Errors
///
/// [`Error::NoFiles`] for the blob of an artifact that is not an archive.
pub(super) fn end(session: &Session<'_>, stack: &mut LayerStack<'_>, job: &Job, known: &Known) -> Result<(), Error> {
    let notes = stack.end(job, known.findings(job)).map_err(|NoFiles| no_files(job))?;
    notes.iter().for_each(|finding| session.ui.note(in_words(job, finding)));
    Ok(())
}

/// Returns what is wrong with a layer whose files are wanted, if anything. Prints a note for each finding that does not refute the
/// layer, such as a wrong media type.
///
/// # Errors
///
/// [`Error::NoFiles`] for the blob of an artifact that is not an archive.
pub(super) fn judge(session: &Session<'_>, job: &Job, known: &Known) -> Result<Option<WrongLayer>, Error> {
    match job.judge(known.findings(job)) {
        Verdict::Good(findings) => {
            for finding in &findings {
                session.ui.note(in_words(job, finding));
            }
            Ok(None)
        }
        Verdict::Wrong(findings) => Ok(Some(WrongLayer { layer: job.named(), findings })),
        Verdict::NoFiles => Err(no_files(job)),
    }
}
