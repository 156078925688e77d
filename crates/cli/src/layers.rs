//! The one loop that reads layers: several at once, each on a thread of its own, given out in order.

mod job;
mod pipe;
mod spool;

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use porthole_core::{
    digest::{Algorithm, Digest, Hasher},
    layer::{Finding, LayerReport, Progress},
    seek::{Index, IndexOptions},
    tar::{Entry, EntrySink, Flow, Kind},
    toc::{Audit, Toc},
};

pub(crate) use self::{
    job::{Job, in_words, no_files},
    spool::{Spool, Taken, Which},
};
use porthole_inspect::{
    layer,
    toc::{self, TocAudits, TocSearch},
};

use crate::{error::Error, progress::Meter, session::Session, source::Source};

/// What is wanted of the layers beside their reports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Reports,
    Entries,
    /// Entries, and the digest of each file's content.
    Digests,
}

/// What a layer gives: entries in archive order, then what is known of it.
pub(crate) enum Event {
    Entries(Vec<Listed>),
    End(Known),
}

/// What is known of a layer in the end.
pub(crate) enum Known {
    /// It was read, and this is what was found, good or bad. There is an index if one was wanted and could be made.
    Read(Box<LayerReport>, Option<Arc<Index>>),
    /// It was not read: the entries were those of an index that was kept when it was verified.
    Replayed(Arc<Index>),
    /// It was not read: the entries were those of its table of contents, which is not checked against its archive, and
    /// took so many bytes of the blob.
    Listed(Box<Toc>, u64),
}

impl Known {
    /// What was found in the layer; a kept index is one of a layer with which nothing was wrong.
    pub(crate) fn findings(&self, job: &Job) -> Vec<Finding> {
        match self {
            Self::Read(report, _) => report.findings.clone(),
            Self::Replayed(index) => job.contradiction(index).into_iter().collect(),
            Self::Listed(..) => Vec::new(),
        }
    }

    /// Bytes of the unpacked archive.
    pub(crate) fn uncompressed(&self) -> u64 {
        match self {
            Self::Read(report, _) => report.uncompressed,
            Self::Replayed(index) => index.uncompressed(),
            Self::Listed(toc, _) => toc.uncompressed().unwrap_or(0),
        }
    }

    /// Entries of the archive.
    pub(crate) fn entries(&self) -> u64 {
        match self {
            Self::Read(report, _) => report.entries,
            Self::Replayed(index) => index.entry_count(),
            Self::Listed(toc, _) => toc.entries(),
        }
    }

    /// Bytes of the blob that were read.
    pub(crate) fn read(&self) -> u64 {
        match self {
            Self::Read(report, _) => report.size,
            Self::Replayed(_) => 0,
            Self::Listed(_, fetched) => *fetched,
        }
    }

    /// The index, if there is one.
    pub(crate) fn index(&self) -> Option<&Arc<Index>> {
        match self {
            Self::Read(_, index) => index.as_ref(),
            Self::Replayed(index) => Some(index),
            Self::Listed(..) => None,
        }
    }
}

/// An entry, with the digest of its content if that was wanted.
pub(crate) struct Listed {
    pub(crate) entry: Entry,
    pub(crate) digest: Option<Digest>,
}

/// How many layers are read at once, if there are cores for them.
const AT_ONCE: usize = 4;
const BATCH: usize = 1024;

/// Layers of a source, to be read.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    session: &'a Session<'a>,
    source: &'a Source,
    meter: &'a Meter<'a>,
    want: Want,
    indexes: Indexes,
    /// Prepared layers are listed from their tables of contents: from which of them.
    by_toc: Option<TocSearch>,
    audits: Option<&'a TocAudits>,
    taken: Option<&'a Taken>,
}

/// What becomes of seek indexes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Indexes {
    /// None are made.
    None,
    /// Made where there is a cache to keep them in.
    Kept,
    /// The same, and where one is kept, its layer is not read.
    Used,
    /// The same, and made also where there is no cache.
    Given,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(session: &'a Session<'a>, source: &'a Source, meter: &'a Meter<'a>, want: Want) -> Self {
        Self { session, source, meter, want, indexes: Indexes::None, by_toc: None, audits: None, taken: None }
    }

    /// Keeps an index of each layer in the cache, if there is one, but takes none from it.
    pub(crate) fn refreshing(self) -> Self {
        Self { indexes: Indexes::Kept, ..self }
    }

    /// Downloads no layer whose index is kept in the cache, and keeps those of the others. What is on this machine is read.
    pub(crate) fn remembering(self) -> Self {
        if self.source.is_remote() { Self { indexes: Indexes::Used, ..self } } else { self }
    }

    /// Gives an index of each layer; reads no layer whose index is kept in the cache.
    pub(crate) fn indexed(self) -> Self {
        Self { indexes: Indexes::Given, ..self }
    }

    /// Reads no prepared layer, but lists it from its table of contents.
    pub(crate) fn by_toc(self, search: TocSearch) -> Self {
        Self { by_toc: Some(search), ..self }
    }

    /// Compares prepared layers with their tables of contents.
    pub(crate) fn audited(self, audits: &'a TocAudits) -> Self {
        Self { audits: Some(audits), ..self }
    }

    /// Takes contents out of the layers that are read anyway.
    pub(crate) fn taking(self, taken: &'a Taken) -> Self {
        Self { taken: Some(taken), ..self }
    }

    /// Reads layers, bottom first and several at once; `receive` gets all of the first layer, then all of the next.
    ///
    /// Entries of a layer wait in memory only until it is its turn. The first error ends it all.
    pub(crate) fn run(
        self,
        jobs: &[Job],
        mut receive: impl FnMut(&Job, Event) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (senders, receivers): (Vec<_>, Vec<Receiver<_>>) = jobs.iter().map(|_| channel()).unzip();
        let waiting = Mutex::new(jobs.iter().zip(senders));
        let cancelled = AtomicBool::new(false);
        let threads = thread::available_parallelism().map_or(1, usize::from).min(AT_ONCE).min(jobs.len());
        let work = || {
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((job, sender)) = next else { return };
                if cancelled.load(Ordering::Relaxed) {
                    return;
                }
                let last = self.layer(job, &sender, &cancelled);
                // Nobody listens any more when an earlier layer has failed.
                let _ = sender.send(last);
            }
        };
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
            let result = receivers
                .into_iter()
                .zip(jobs)
                .try_for_each(|(receiver, job)| receiver.iter().try_for_each(|event| receive(job, event?)));
            cancelled.store(true, Ordering::Relaxed);
            result
        })
    }

    /// Reads one layer for what `sink` makes of it.
    pub(crate) fn one(self, job: &Job, sink: &mut impl EntrySink) -> Result<LayerReport, Error> {
        Ok(self.pump(job, None, &AtomicBool::new(false), sink)?.0)
    }

    /// One layer, up to the last event.
    fn layer(self, job: &Job, sender: &Sender<Result<Event, Error>>, cancelled: &AtomicBool) -> Result<Event, Error> {
        let spool = self.taken.map(Taken::spool);
        let mut sink =
            Sink { want: self.want, batch: Vec::new(), content: None, audit: None, spool, taking: false, sender };
        if let Some(search) = self.by_toc.filter(|_| job.is_archive())
            && let Some((toc, fetched)) = self.toc(job, search)?
        {
            toc.replay(&mut sink);
            sink.flush();
            self.meter.listed(job, &toc);
            return Ok(Event::End(Known::Listed(Box::new(toc), fetched)));
        }
        if let Some(index) = self.kept(job) {
            match self.want {
                Want::Digests => index.replay_with_digests(|entry, digest| sink.push(Listed { entry, digest })),
                Want::Reports | Want::Entries => index.replay(&mut sink),
            }
            sink.flush();
            self.meter.replayed(job.layer, &index);
            return Ok(Event::End(Known::Replayed(Arc::new(index))));
        }
        let wanted = match self.indexes {
            Indexes::None => false,
            Indexes::Kept | Indexes::Used => self.session.cache().is_some(),
            Indexes::Given => true,
        };
        let mut options = IndexOptions::default();
        options.file_digests = self.want == Want::Digests;
        let options = Some(options).filter(|_| wanted && job.is_archive());
        if let Some(audits) = self.audits.filter(|_| job.is_archive()) {
            sink.audit = self.source.wait(audits.begin(&self.source.origin, job))?;
        }
        let (report, index) = self.pump(job, options, cancelled, &mut sink)?;
        sink.flush();
        if let (Some(audits), Some(audit)) = (self.audits, sink.audit) {
            audits.end(job, audit, &report);
        }
        if let (Some(taken), Some(spool)) = (self.taken, sink.spool) {
            taken.keep(job.layer, spool);
        }
        if let Some(index) = &index {
            self.keep(job, index);
        }
        Ok(Event::End(Known::Read(Box::new(report), index.map(Arc::new))))
    }

    /// Puts an index into the cache, unless one that knows more is there.
    fn keep(self, job: &Job, index: &Index) {
        let Some(cache) = self.session.cache() else { return };
        let knows_more = |kept: Index| kept.has_file_digests() && !index.has_file_digests();
        if cache.get(&index.digest()).is_some_and(knows_more) {
            return;
        }
        if let Err(error) = cache.put(index) {
            self.session.debug(&format!("index of layer {} is not kept: {error}", job.number()));
        }
    }

    /// The index of a layer, if that may stand for the layer.
    fn kept(self, job: &Job) -> Option<Index> {
        let descriptor = job.descriptor.as_ref()?;
        if !matches!(self.indexes, Indexes::Used | Indexes::Given) || !job.is_archive() {
            return None;
        }
        let index = self.session.cache()?.get(&descriptor.digest)?;
        let limits = &self.session.limits;
        let fits = index.entry_count() <= limits.entries && index.uncompressed() <= limits.unpacked_bytes;
        // One blob under two configurations: each must be right about what it unpacks to.
        let same = index.size() == descriptor.size && job.diff_id.is_none_or(|diff_id| diff_id == index.diff_id());
        let enough = self.want != Want::Digests || index.has_file_digests();
        (fits && same && enough).then_some(index)
    }

    /// The table of contents of a layer, if it has one that is wanted, and how many bytes of the blob it took.
    fn toc(self, job: &Job, search: TocSearch) -> Result<Option<(Toc, u64)>, Error> {
        let toc = self.source.wait(toc::fetch(&self.source.origin, job, search));
        toc.map_err(|error| match error {
            toc::Error::Source(error) => error.into(),
            toc::Error::Toc(error) => Error::Toc { layer: job.number(), error },
        })
    }

    /// Reads a layer to its end, or until the reading is cancelled.
    fn pump(
        self,
        job: &Job,
        index: Option<IndexOptions>,
        cancelled: &AtomicBool,
        sink: &mut impl EntrySink,
    ) -> Result<(LayerReport, Option<Index>), Error> {
        let mut seen = 0;
        let watch = |progress: Progress| {
            self.meter.advance(job.layer, progress.compressed - seen);
            seen = progress.compressed;
            match cancelled.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let read = self.source.wait(layer::read(&self.source.origin, job, index, sink, watch))?;
        self.meter.finish(job.layer, &read.0);
        Ok(read)
    }
}

/// Collects entries and sends them in batches.
struct Sink<'s> {
    want: Want,
    batch: Vec<Listed>,
    /// The hash of the last entry's content, as far as it is there.
    content: Option<Hasher>,
    audit: Option<Audit<Toc>>,
    spool: Option<Spool>,
    /// The spool wants the last entry's content.
    taking: bool,
    sender: &'s Sender<Result<Event, Error>>,
}

impl Sink<'_> {
    fn push(&mut self, listed: Listed) {
        if self.batch.len() >= BATCH {
            self.flush();
        }
        self.batch.push(listed);
    }

    fn flush(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            let _ = self.sender.send(Ok(Event::Entries(batch)));
        }
    }
}

impl EntrySink for Sink<'_> {
    fn entry(&mut self, entry: Entry) -> Flow {
        let audited = self.audit.as_mut().map_or(Flow::Continue, |audit| audit.compare(&entry));
        if self.want == Want::Reports {
            return audited;
        }
        let hashed = self.want == Want::Digests && entry.kind == Kind::File;
        self.taking = self.spool.as_mut().is_some_and(|spool| spool.begin(&entry));
        self.push(Listed { entry, digest: None });
        if hashed {
            self.content = Some(Hasher::new(Algorithm::Sha256));
        }
        if hashed || self.taking { Flow::WantData } else { audited }
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        if let Some(content) = &mut self.content {
            content.update(bytes);
        }
        if let Some(audit) = &mut self.audit {
            audit.data(bytes);
        }
        if let Some(spool) = self.spool.as_mut().filter(|_| self.taking) {
            spool.write(bytes);
        }
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        if let Some(audit) = &mut self.audit {
            audit.end_of_data();
        }
        let digest = self.content.take().map(Hasher::finish);
        if let Some(spool) = self.spool.as_mut().filter(|_| self.taking) {
            spool.end();
        }
        if let Some(last) = self.batch.last_mut() {
            last.digest = digest;
        }
    }
}
