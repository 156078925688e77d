//! The loop with which all verbs read layers: several at once, each on a thread of its own. Results are returned in order.

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

/// What the reader of layers returns in addition to their reports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Reports,
    Entries,
    /// Entries, and the digest of each file's content.
    Digests,
}

/// An event of a layer that is read: batches of entries in archive order, then the end.
#[derive(Clone)]
pub(crate) enum Event {
    Entries(Vec<Listed>),
    End(Known),
}

/// How a layer was read, with the result.
#[derive(Clone)]
pub(crate) enum Known {
    /// The layer was read to its end. The report may have findings. There is an index if one was wanted and could be made.
    Read(Box<LayerReport>, Option<Arc<LayerIndex>>),
    /// The layer has the same blob as a lower layer that was read. These are the results of that layer.
    Repeated(Box<LayerReport>, Option<Arc<LayerIndex>>),
    /// The layer was not read: its entries come from the index that the cache kept when the layer was verified. The offsets map
    /// each byte of the archive to an approximate position in the blob.
    Replayed(Arc<LayerIndex>, Offsets),
    /// Neither the layer nor all its entries were read: only paths were looked up in the index that the cache kept when the
    /// layer was verified.
    Searched(Arc<LayerIndex>),
    /// The layer was not read: its entries come from its table of contents, which was not compared with the archive. The number
    /// is the bytes of the blob that were read for it.
    Listed(Arc<Toc>, u64),
}

impl Known {
    /// The findings of the layer. None for an index from the cache, because the cache keeps only indexes of verified layers.
    pub(crate) fn findings(&self, job: &Job) -> Vec<Finding> {
        match self {
            Self::Read(report, _) | Self::Repeated(report, _) => report.findings.clone(),
            Self::Replayed(index, _) | Self::Searched(index) => {
                job.contradiction(index.facts().compression()).into_iter().collect()
            }
            Self::Listed(..) => Vec::new(),
        }
    }

    /// Size of the unpacked archive in bytes.
    pub(crate) fn uncompressed(&self) -> u64 {
        match self {
            Self::Read(report, _) | Self::Repeated(report, _) => report.uncompressed,
            Self::Replayed(index, _) | Self::Searched(index) => index.facts().uncompressed(),
            Self::Listed(toc, _) => toc.uncompressed().unwrap_or(0),
        }
    }

    /// Number of entries of the archive.
    pub(crate) fn entries(&self) -> u64 {
        match self {
            Self::Read(report, _) | Self::Repeated(report, _) => report.entries,
            Self::Replayed(index, _) | Self::Searched(index) => index.facts().entry_count(),
            Self::Listed(toc, _) => toc.entries(),
        }
    }

    /// Number of bytes of the blob that were read.
    pub(crate) fn read(&self) -> u64 {
        match self {
            Self::Read(report, _) => report.size,
            Self::Repeated(..) | Self::Replayed(..) | Self::Searched(_) => 0,
            Self::Listed(_, fetched) => *fetched,
        }
    }

    /// The result for a further layer with the same blob.
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

/// An entry, with the digest of its content for [`Want::Digests`].
#[derive(Clone)]
pub(crate) struct Listed {
    pub(crate) entry: Entry,
    pub(crate) digest: Option<Digest>,
}

/// An event of a layer that is [followed](Reading::follow).
#[derive(Clone)]
pub(crate) enum Followed<T> {
    /// A result that the layer's sink sent.
    Found(T),
    End(Box<LayerReport>),
}

/// The channel to which a sink sends its results.
pub(crate) struct Findings<T>(Sender<Result<Followed<T>, Error>>);

impl<T> Findings<T> {
    pub(crate) fn send(&self, found: T) {
        // This fails if an earlier layer has failed and dropped the receiver.
        let _ = self.0.send(Ok(Followed::Found(found)));
    }
}

/// Whether a layer is the first one with its blob.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Again,
}

/// Maximum number of layers that are read at once; there are no more than cores.
const AT_ONCE: usize = 4;

/// Maximum number of batches of a layer that wait in memory for the layer's turn. A waiting entry takes more memory than one
/// in a tree.
const AHEAD: usize = 128;

/// A way to read layers of a source.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    session: &'a Session<'a>,
    source: &'a Source,
    meter: &'a Meter<'a>,
    want: Want,
    indexes: Indexes,
    /// Which tables of contents to list prepared layers from. `None` = read the archives.
    by_toc: Option<TocSearch>,
    audits: Option<&'a TocAudits>,
    taken: Option<&'a Taken>,
}

/// What a thread needs to read one layer.
struct Turn<'t> {
    cancelled: &'t AtomicBool,
    /// Hashes the layer on another thread if a core is idle.
    helper: Helper,
}

/// Calls `read` for each layer with its sender, bottom first and several at once. Meanwhile `receive` takes what they send, on
/// this thread. `busy` is the number of threads that `receive` keeps busy. When `receive` returns, cancels the layers that are
/// being read and starts no others.
fn read_ahead<S: Send>(
    source: &Source,
    jobs: Vec<(&Job, S)>,
    busy: usize,
    read: impl Fn(&Job, S, &Turn<'_>) + Sync,
    receive: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    source.origin.announce(jobs.iter().filter_map(|(job, _)| Some(job.descriptor.as_ref()?.digest)));
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

/// How seek indexes are made and used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Indexes {
    /// No index is made.
    None,
    /// An index of each layer is made if there is a cache to keep it.
    Kept,
    /// As [`Kept`](Self::Kept), and a layer whose index the cache has is not read.
    Used,
    /// As [`Used`](Self::Used), and an index is made even without a cache.
    Given,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(session: &'a Session<'a>, source: &'a Source, meter: &'a Meter<'a>, want: Want) -> Self {
        Self { session, source, meter, want, indexes: Indexes::None, by_toc: None, audits: None, taken: None }
    }

    /// Writes an index of each layer to the cache, if there is one, but uses none from it.
    pub(crate) fn refreshing(self) -> Self {
        Self { indexes: Indexes::Kept, ..self }
    }

    /// Does not download a layer whose index is in the cache, and keeps the indexes of the others. Always reads local layers.
    pub(crate) fn remembering(self) -> Self {
        if self.source.is_remote() { Self { indexes: Indexes::Used, ..self } } else { self }
    }

    /// Returns an index of each layer. Does not read a layer whose index is in the cache.
    pub(crate) fn indexed(self) -> Self {
        Self { indexes: Indexes::Given, ..self }
    }

    /// Whether indexes are made and kept, if there is a cache for them.
    pub(crate) fn keeps_indexes(self) -> bool {
        self.indexes != Indexes::None
    }

    /// Lists each prepared layer from its table of contents and does not read its archive.
    pub(crate) fn by_toc(self, search: TocSearch) -> Self {
        Self { by_toc: Some(search), ..self }
    }

    /// Compares prepared layers with their tables of contents.
    pub(crate) fn audited(self, audits: &'a TocAudits) -> Self {
        Self { audits: Some(audits), ..self }
    }

    /// Also keeps the content of one path from each layer that is read.
    pub(crate) fn taking(self, taken: &'a Taken) -> Self {
        Self { taken: Some(taken), ..self }
    }

    /// Reads layers, bottom first and several at once. `receive` gets all events of the first layer, then all of the next. A blob
    /// that several layers have is read once.
    ///
    /// Entries of a layer wait in memory for the layer's turn, or for that of the last layer with the same blob. If too many wait,
    /// reading the layer pauses. The first error ends the reading of all layers.
    pub(crate) fn run(
        self,
        jobs: &[Job],
        mut receive: impl FnMut(&Job, Event) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let repeats = Repeats::new(jobs);
        let (firsts, receivers) = repeats.channels(|| sync_channel(AHEAD));
        let read = |job: &Job, sender: SyncSender<_>, turn: &Turn<'_>| {
            let last = self.layer(job, &sender, turn);
            // This fails if an earlier layer has failed and dropped the receiver.
            let _ = sender.send(last);
        };
        read_ahead(self.source, firsts, 0, read, || {
            repeats.in_order(self.meter, receivers, |job, event, place| match (event, place) {
                (Event::End(known), Place::Again) => receive(job, Event::End(known.again())),
                (event, _) => receive(job, event),
            })
        })
    }

    /// Reads layers, several at once, each into a sink of its own. `receive` gets the result of `finish` for each sink, bottom
    /// first.
    ///
    /// The results of a layer wait in memory for the layer's turn. The first error ends the reading of all layers.
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
            // This fails if an earlier layer has failed and dropped the receiver.
            let _ = sender.send(report.map(|report| (finish(sink), report)));
        };
        read_ahead(self.source, firsts, 0, read, || {
            repeats.in_order(self.meter, receivers, |job, (found, report), _| receive(job, found, report))
        })
    }

    /// Reads layers, several at once, each into a sink that sends results while it reads. `receive` gets all results of the first
    /// layer, then its end, then those of the next.
    ///
    /// The results of a layer wait in memory for the layer's turn. The first error ends the reading of all layers.
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
            // The sink sends its last results on drop, and the end must follow them.
            drop(sink);
            // This fails if an earlier layer has failed and dropped the receiver.
            let _ = sender.send(report.map(|report| Followed::End(Box::new(report))));
        };
        read_ahead(self.source, firsts, 0, read, || {
            repeats.in_order(self.meter, receivers, |job, sent, _| receive(job, sent))
        })
    }

    /// Reads one layer into `sink`.
    pub(crate) fn one(self, job: &Job, sink: &mut impl EntrySink) -> Result<LayerReport, Error> {
        let helper = Helper::new(&Cores::new(thread::available_parallelism().map_or(1, usize::from), 1));
        self.pump(job, &Turn { cancelled: &AtomicBool::new(false), helper }, sink)
    }

    /// Reads one layer and sends its entries. Returns the last event.
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
                // The entries up to the damaged page are correct. The layer is read below for the others.
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

    /// Returns the cached index of a layer, if indexes are used and it has the digests that are wanted.
    fn kept(self, job: &Job) -> Option<LayerIndex> {
        let used = matches!(self.indexes, Indexes::Used | Indexes::Given);
        let index = used.then(|| kept(self.session, job))??;
        (self.want != Want::Digests || index.facts().has_file_digests()).then_some(index)
    }

    /// Sends the entries of an index.
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

    /// Fetches the table of contents of a layer, if it has one of the wanted kind. Also returns the number of bytes of the blob
    /// that were read for it.
    fn toc(self, job: &Job, search: TocSearch) -> Result<Option<(Toc, u64)>, Error> {
        let toc = self.source.wait(toc::fetch(&self.source.origin, job, search));
        toc.map_err(|error| match error {
            toc::Error::Source(error) => error.into(),
            toc::Error::Toc(error) => Error::Toc { layer: job.named(), error },
        })
    }

    /// Reads a layer to its end or until it is cancelled.
    fn pump(self, job: &Job, turn: &Turn<'_>, sink: &mut impl EntrySink) -> Result<LayerReport, Error> {
        self.pump_from(&self.source.origin, job, turn, sink)
    }

    /// As [`pump`](Self::pump), but reads from `origin`.
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

    /// As [`pump`](Self::pump), and makes an index.
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

    /// Returns an observer that counts the bytes read, and breaks if the reading is cancelled.
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
