//! The one loop that reads layers: several at once, each on a thread of its own, returned in order.

mod beside;
mod index;
mod job;
mod once;
mod pipe;
mod repeats;
mod sink;
mod spool;

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

use porthole_core::{
    digest::Digest,
    layer::{Finding, LayerReport, Progress},
    seek::{IndexOptions, Offsets},
    tar::{Entry, EntrySink},
    toc::Toc,
};

use self::{
    beside::{Cores, Helper},
    index::IndexFile,
    repeats::Repeats,
    sink::Sink,
};
pub(crate) use self::{
    index::{LayerIndex, are_plain, discard, kept, note_plain},
    job::{Job, in_words, no_files},
    spool::{Spool, Taken, Which},
};
use porthole_inspect::{
    layer,
    seek::Error as IndexError,
    toc::{self, TocAudits, TocSearch},
};
use porthole_source::ImageSource;
use porthole_store::disk::block_on;

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
#[derive(Clone)]
pub(crate) enum Event {
    Entries(Vec<Listed>),
    End(Known),
}

/// What is known of a layer in the end.
#[derive(Clone)]
pub(crate) enum Known {
    /// It was read, and this is what was found, good or bad. There is an index if one was wanted and could be made.
    Read(Box<LayerReport>, Option<Arc<LayerIndex>>),
    /// It is the blob of a layer below that was read, and this was found there.
    Repeated(Box<LayerReport>, Option<Arc<LayerIndex>>),
    /// The layer was not read: its entries come from the index that was kept when it was verified. The offsets say about
    /// where in the blob each byte of the archive is.
    Replayed(Arc<LayerIndex>, Offsets),
    /// Neither the layer nor its entries were read: the index that was kept when it was verified was searched.
    Searched(Arc<LayerIndex>),
    /// The layer was not read: its entries come from its table of contents, which was not compared with the archive and
    /// takes this number of bytes of the blob.
    Listed(Arc<Toc>, u64),
}

impl Known {
    /// What was found in the layer; a kept index is one of a layer with which nothing was wrong.
    pub(crate) fn findings(&self, job: &Job) -> Vec<Finding> {
        match self {
            Self::Read(report, _) | Self::Repeated(report, _) => report.findings.clone(),
            Self::Replayed(index, _) | Self::Searched(index) => {
                job.contradiction(index.facts().compression()).into_iter().collect()
            }
            Self::Listed(..) => Vec::new(),
        }
    }

    /// Bytes of the unpacked archive.
    pub(crate) fn uncompressed(&self) -> u64 {
        match self {
            Self::Read(report, _) | Self::Repeated(report, _) => report.uncompressed,
            Self::Replayed(index, _) | Self::Searched(index) => index.facts().uncompressed(),
            Self::Listed(toc, _) => toc.uncompressed().unwrap_or(0),
        }
    }

    /// Entries of the archive.
    pub(crate) fn entries(&self) -> u64 {
        match self {
            Self::Read(report, _) | Self::Repeated(report, _) => report.entries,
            Self::Replayed(index, _) | Self::Searched(index) => index.facts().entry_count(),
            Self::Listed(toc, _) => toc.entries(),
        }
    }

    /// Bytes of the blob that were read.
    pub(crate) fn read(&self) -> u64 {
        match self {
            Self::Read(report, _) => report.size,
            Self::Repeated(..) | Self::Replayed(..) | Self::Searched(_) => 0,
            Self::Listed(_, fetched) => *fetched,
        }
    }

    /// The same of a further layer that is the same blob.
    fn again(self) -> Self {
        match self {
            Self::Read(report, index) => Self::Repeated(report, index),
            Self::Listed(toc, _) => Self::Listed(toc, 0),
            known => known,
        }
    }

    /// The index, if there is one.
    pub(crate) fn index(&self) -> Option<&Arc<LayerIndex>> {
        match self {
            Self::Read(_, index) | Self::Repeated(_, index) => index.as_ref(),
            Self::Replayed(index, _) | Self::Searched(index) => Some(index),
            Self::Listed(..) => None,
        }
    }
}

/// An entry, with the digest of its content if that was wanted.
#[derive(Clone)]
pub(crate) struct Listed {
    pub(crate) entry: Entry,
    pub(crate) digest: Option<Digest>,
}

/// What a layer that is [followed](Reading::follow) gives.
#[derive(Clone)]
pub(crate) enum Followed<T> {
    /// What its sink found.
    Found(T),
    End(Box<LayerReport>),
}

/// Where a sink sends what it finds.
pub(crate) struct Findings<T>(Sender<Result<Followed<T>, Error>>);

impl<T> Findings<T> {
    pub(crate) fn send(&self, found: T) {
        // The receiver is gone when an earlier layer has failed.
        let _ = self.0.send(Ok(Followed::Found(found)));
    }
}

/// Whether a layer is the first one that is its blob.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Again,
}

/// How many layers are read at once, if there are cores for them.
const AT_ONCE: usize = 4;

/// Batches of entries that wait in memory for the turn of their layer: entries take more memory there than in a tree.
const AHEAD: usize = 128;

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

/// A layer that is read.
struct Turn<'t> {
    cancelled: &'t AtomicBool,
    /// Hashes for it, where fewer layers are read than there are cores.
    helper: Helper,
}

/// Calls `read` for each layer, bottom first and several at once, with the sender that belongs to it, while `receive` takes
/// what they send, and keeps `busy` threads busy. When `receive` is done, no other layer is begun, and those that are being read are cancelled.
fn read_ahead<S: Send>(
    jobs: Vec<(&Job, S)>,
    busy: usize,
    read: impl Fn(&Job, S, &Turn<'_>) + Sync,
    receive: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let count = thread::available_parallelism().map_or(1, usize::from);
    let (threads, cores) = (count.min(AT_ONCE).min(jobs.len()), Cores::new(count, busy));
    let waiting = Mutex::new(jobs.into_iter());
    let cancelled = AtomicBool::new(false);
    let work = || {
        let _working = cores.enter();
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((job, sender)) = next else { return };
            if cancelled.load(Ordering::Relaxed) {
                return;
            }
            read(job, sender, &Turn { cancelled: &cancelled, helper: Helper::new(&cores) });
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
        let result = receive();
        cancelled.store(true, Ordering::Relaxed);
        result
    })
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

    /// Whether indexes are kept, if there is a cache for them.
    pub(crate) fn keeps_indexes(self) -> bool {
        self.indexes != Indexes::None
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

    /// Reads layers, bottom first and several at once; `receive` gets all of the first layer, then all of the next. A blob that several
    /// layers have is read once.
    ///
    /// Entries of a layer wait in memory until it is its turn, or that of the last layer with the same blob; where many wait, the layer
    /// does. The first error ends it all.
    pub(crate) fn run(
        self,
        jobs: &[Job],
        mut receive: impl FnMut(&Job, Event) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let repeats = Repeats::new(jobs);
        let (firsts, receivers) = repeats.channels(|| sync_channel(AHEAD));
        let read = |job: &Job, sender: SyncSender<_>, turn: &Turn<'_>| {
            let last = self.layer(job, &sender, turn);
            // The receiver is gone when an earlier layer has failed.
            let _ = sender.send(last);
        };
        read_ahead(firsts, 0, read, || {
            repeats.in_order(self.meter, receivers, |job, event, place| match (event, place) {
                (Event::End(known), Place::Again) => receive(job, Event::End(known.again())),
                (event, _) => receive(job, event),
            })
        })
    }

    /// Reads layers, several at once, each into a sink of its own; `receive` gets what `finish` makes of each, bottom first.
    ///
    /// What a sink collected waits in memory until it is its turn. The first error ends it all.
    pub(crate) fn collect<S: EntrySink, T: Clone + Send>(
        self,
        jobs: &[Job],
        sink: impl Fn() -> S + Sync,
        finish: impl Fn(S) -> T + Sync,
        mut receive: impl FnMut(&Job, T, LayerReport) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let repeats = Repeats::new(jobs);
        let (firsts, receivers) = repeats.channels(channel);
        let read = |job: &Job, sender: Sender<Result<_, Error>>, turn: &Turn<'_>| {
            let mut sink = sink();
            let report = self.pump(job, turn, &mut sink);
            // The receiver is gone when an earlier layer has failed.
            let _ = sender.send(report.map(|report| (finish(sink), report)));
        };
        read_ahead(firsts, 0, read, || {
            repeats.in_order(self.meter, receivers, |job, (found, report), _| receive(job, found, report))
        })
    }

    /// Reads layers, several at once, each into a sink that sends what it finds while it reads; `receive` gets all of the first layer,
    /// then its end, then all of the next.
    ///
    /// What a layer sends waits in memory until it is its turn. The first error ends it all.
    pub(crate) fn follow<T: Clone + Send, S: EntrySink>(
        self,
        jobs: &[Job],
        sink: impl Fn(Findings<T>) -> S + Sync,
        mut receive: impl FnMut(&Job, Followed<T>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let repeats = Repeats::new(jobs);
        let (firsts, receivers) = repeats.channels(channel);
        let read = |job: &Job, sender: Sender<_>, turn: &Turn<'_>| {
            let mut sink = sink(Findings(sender.clone()));
            let report = self.pump(job, turn, &mut sink);
            // What the sink still has goes before the end.
            drop(sink);
            // The receiver is gone when an earlier layer has failed.
            let _ = sender.send(report.map(|report| Followed::End(Box::new(report))));
        };
        read_ahead(firsts, 0, read, || repeats.in_order(self.meter, receivers, |job, sent, _| receive(job, sent)))
    }

    /// Reads one layer for what `sink` makes of it.
    pub(crate) fn one(self, job: &Job, sink: &mut impl EntrySink) -> Result<LayerReport, Error> {
        let helper = Helper::new(&Cores::new(thread::available_parallelism().map_or(1, usize::from), 1));
        self.pump(job, &Turn { cancelled: &AtomicBool::new(false), helper }, sink)
    }

    /// One layer, up to the last event.
    fn layer(self, job: &Job, sender: &SyncSender<Result<Event, Error>>, turn: &Turn<'_>) -> Result<Event, Error> {
        let spool = self.taken.map(Taken::spool);
        let mut sink = Sink::new(self.want, spool, sender);
        if let Some(search) = self.by_toc.filter(|_| job.is_archive())
            && let Some((toc, fetched)) = self.toc(job, search)?
        {
            toc.replay(&mut sink);
            sink.flush();
            self.meter.listed(job, &toc);
            return Ok(Event::End(Known::Listed(Arc::new(toc), fetched)));
        }
        if let Some(index) = self.kept(job) {
            match self.replay(&index, &mut sink, turn.cancelled) {
                Ok(offsets) => {
                    sink.flush();
                    self.meter.replayed(job.layer, index.facts());
                    return Ok(Event::End(Known::Replayed(Arc::new(index), offsets)));
                }
                // The entries up to the damaged page are those of the layer, and the others follow when it is read.
                Err(error) => discard(self.session, job, &error),
            }
            sink.flush();
        }
        let index = match self.indexes {
            Indexes::None => None,
            _ if !job.is_archive() => None,
            indexes => IndexFile::create(self.session, job, indexes == Indexes::Given),
        };
        if let Some(audits) = self.audits.filter(|_| job.is_archive()) {
            sink.audit = self.source.wait(audits.begin(&self.source.origin, job))?;
        }
        sink.skip = sink.given;
        let (report, index) = match index {
            Some(index) => self.pump_indexed(job, index, turn, &mut sink)?,
            None => (self.pump(job, turn, &mut sink)?, None),
        };
        sink.flush();
        if let (Some(audits), Some(audit)) = (self.audits, sink.audit) {
            audits.end(job, audit, &report);
        }
        if let (Some(taken), Some(spool)) = (self.taken, sink.spool) {
            taken.keep(job.layer, spool);
        }
        Ok(Event::End(Known::Read(Box::new(report), index.map(Arc::new))))
    }

    /// The index of a layer, if it may stand for the layer and says enough.
    fn kept(self, job: &Job) -> Option<LayerIndex> {
        let used = matches!(self.indexes, Indexes::Used | Indexes::Given);
        let index = used.then(|| kept(self.session, job))??;
        (self.want != Want::Digests || index.facts().has_file_digests()).then_some(index)
    }

    /// Gives the entries of an index.
    fn replay(self, index: &LayerIndex, sink: &mut Sink<'_>, cancelled: &AtomicBool) -> Result<Offsets, IndexError> {
        block_on(index.replay(|entry, digest| {
            sink.push(Listed { entry, digest: digest.filter(|_| self.want == Want::Digests) });
            match cancelled.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }))?;
        block_on(index.offsets())
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
    fn pump(self, job: &Job, turn: &Turn<'_>, sink: &mut impl EntrySink) -> Result<LayerReport, Error> {
        self.pump_from(&self.source.origin, job, turn, sink)
    }

    /// The same from another form of the source.
    fn pump_from<S: ImageSource>(
        self,
        origin: &S,
        job: &Job,
        turn: &Turn<'_>,
        sink: &mut impl EntrySink,
    ) -> Result<LayerReport, Error>
    where
        Error: From<S::Error>,
    {
        let reader = job.reader(*origin.limits()).hashing(|hasher| turn.helper.hash(hasher));
        let read = layer::read_by(origin, job, reader, |_| {}, sink, self.watch(job, turn.cancelled));
        let (report, _) = self.source.wait(read)?;
        self.meter.finish(job.layer, &report);
        Ok(report)
    }

    /// The same, and makes an index.
    fn pump_indexed(
        self,
        job: &Job,
        mut index: IndexFile,
        turn: &Turn<'_>,
        sink: &mut impl EntrySink,
    ) -> Result<(LayerReport, Option<LayerIndex>), Error> {
        let mut options = IndexOptions::default();
        options.file_digests = self.want == Want::Digests;
        let append = |bytes: &[u8]| index.append(bytes);
        let origin = &self.source.origin;
        let reader = job.reader(*origin.limits()).with_index(options);
        let reader = reader.hashing(|hasher| turn.helper.hash(hasher));
        let read = layer::read_by(origin, job, reader, append, sink, self.watch(job, turn.cancelled));
        let (report, end) = self.source.wait(read)?;
        self.meter.finish(job.layer, &report);
        Ok((report, index.finish(self.session, job, end)))
    }

    /// Counts what is read, and breaks if the reading is cancelled.
    fn watch(self, job: &Job, cancelled: &AtomicBool) -> impl FnMut(Progress) -> ControlFlow<()> {
        let mut seen = 0;
        move |progress| {
            self.meter.advance(job.layer, progress.compressed - seen);
            seen = progress.compressed;
            match cancelled.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }
}
