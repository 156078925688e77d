//! The one loop that reads layers: several at once, each on a thread of its own, given out in order.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use porthole_core::{
    descriptor::Descriptor,
    digest::{Algorithm, Digest, Hasher},
    image::Layer,
    layer::{Expected, Finding, LayerReader, LayerReport},
    limits::Limits,
    media_type::{MediaType, Role},
    tar::{Entry, EntrySink, Flow, Kind},
};

use crate::{
    error::{Error, of_layer},
    progress::Meter,
    source::Source,
};

/// A layer to be read.
pub(crate) struct Job {
    pub(crate) layer: u32,
    pub(crate) descriptor: Option<Descriptor>,
    pub(crate) diff_id: Option<Digest>,
}

impl Job {
    /// Layers of an image.
    pub(crate) fn of(layers: &[Layer]) -> Vec<Self> {
        let job = |layer: &Layer| Self {
            layer: layer.index,
            descriptor: Some(layer.descriptor.clone()),
            diff_id: layer.diff_id,
        };
        layers.iter().map(job).collect()
    }

    /// A layer in a file of its own, of which nothing is known.
    pub(crate) fn bare() -> Vec<Self> {
        vec![Self { layer: 0, descriptor: None, diff_id: None }]
    }

    /// Whether it is said to be a layer of a file system. A layer of an artifact may be anything.
    pub(crate) fn is_archive(&self) -> bool {
        let role = self.descriptor.as_ref().map(|descriptor| descriptor.media_type.role());
        matches!(role, None | Some(Role::Layer(_)))
    }

    /// What is wrong with the layer: of an artifact's only that it is not the bytes that were promised. The right bytes
    /// under a wrong name are what a runtime would unpack.
    pub(crate) fn findings<'r>(&self, report: &'r LayerReport) -> Vec<&'r Finding> {
        let counts = |finding: &&Finding| {
            finding.refutes()
                && (self.is_archive()
                    || matches!(finding, Finding::Digest { .. } | Finding::Size { .. } | Finding::DiffId { .. }))
        };
        report.findings.iter().filter(counts).collect()
    }

    /// A finding, with the number of the layer.
    pub(crate) fn in_words(&self, finding: &Finding) -> String {
        of_layer(self.layer, finding)
    }

    /// The refusal to list what is no archive, and need not be one.
    pub(crate) fn no_files(&self) -> Error {
        let media_type = self.descriptor.as_ref().map(|descriptor| descriptor.media_type.clone());
        Error::NoFiles { layer: self.layer, media_type: media_type.unwrap_or(MediaType::OCI_EMPTY) }
    }

    fn expected(&self) -> Expected {
        Expected {
            digest: self.descriptor.as_ref().map(|descriptor| descriptor.digest),
            size: self.descriptor.as_ref().map(|descriptor| descriptor.size),
            diff_id: self.diff_id,
            media_type: self.descriptor.as_ref().map(|descriptor| descriptor.media_type.clone()),
        }
    }
}

/// What is wanted of the layers beside their reports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Reports,
    Entries,
    /// Entries, and the digest of each file's content.
    Digests,
}

/// What a layer gives: entries in archive order, then the report.
pub(crate) enum Event {
    Entries(Vec<Listed>),
    Report(Box<LayerReport>),
}

/// An entry, with the digest of its content if that was wanted.
pub(crate) struct Listed {
    pub(crate) entry: Entry,
    pub(crate) digest: Option<Digest>,
}

/// How many layers are read at once, if there are cores for them.
const AT_ONCE: usize = 4;
const BUFFER: usize = 256 << 10;
const BATCH: usize = 1024;

/// Reads layers, bottom first and several at once; `receive` gets all of the first layer, then all of the next.
///
/// Entries of a layer wait in memory only until it is its turn. The first error ends it all.
pub(crate) fn read(
    source: &Source,
    jobs: &[Job],
    want: Want,
    limits: &Limits,
    meter: &Meter<'_>,
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
            let result = drive(source, job, want, limits, meter, &sender, &cancelled);
            // Nobody listens any more when an earlier layer has failed.
            let _ = sender.send(result.map(|report| Event::Report(Box::new(report))));
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

/// Pushes one layer through its reader.
fn drive(
    source: &Source,
    job: &Job,
    want: Want,
    limits: &Limits,
    meter: &Meter<'_>,
    sender: &Sender<Result<Event, Error>>,
    cancelled: &AtomicBool,
) -> Result<LayerReport, Error> {
    let mut sink = Sink { want, batch: Vec::new(), content: None, sender };
    let report = pump(source, job, limits, meter, cancelled, &mut sink)?;
    sink.flush();
    Ok(report)
}

/// The loop itself: blob to reader, until the blob is over, is more than was promised, or nobody wants it any more.
fn pump(
    source: &Source,
    job: &Job,
    limits: &Limits,
    meter: &Meter<'_>,
    cancelled: &AtomicBool,
    sink: &mut impl EntrySink,
) -> Result<LayerReport, Error> {
    let mut blob = source.open_layer(job.descriptor.as_ref())?;
    let mut reader = LayerReader::new(job.expected(), *limits);
    let mut buffer = vec![0; BUFFER];
    let mut seen = 0;
    loop {
        let read = blob.read(&mut buffer)?;
        if read == 0 || cancelled.load(Ordering::Relaxed) {
            break;
        }
        let progress = reader.push(&buffer[..read], sink);
        meter.advance(job.layer, progress.compressed - seen);
        seen = progress.compressed;
        if progress.overlong {
            break;
        }
    }
    let report = reader.finish(sink);
    meter.finish(job.layer, &report);
    Ok(report)
}

/// Reads one layer for what `sink` makes of it.
pub(crate) fn read_one(
    source: &Source,
    job: &Job,
    limits: &Limits,
    meter: &Meter<'_>,
    sink: &mut impl EntrySink,
) -> Result<LayerReport, Error> {
    pump(source, job, limits, meter, &AtomicBool::new(false), sink)
}

/// Collects entries and sends them in batches.
struct Sink<'s> {
    want: Want,
    batch: Vec<Listed>,
    /// The hash of the last entry's content, as far as it is there.
    content: Option<Hasher>,
    sender: &'s Sender<Result<Event, Error>>,
}

impl Sink<'_> {
    fn flush(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            let _ = self.sender.send(Ok(Event::Entries(batch)));
        }
    }
}

impl EntrySink for Sink<'_> {
    fn entry(&mut self, entry: Entry) -> Flow {
        if self.want == Want::Reports {
            return Flow::Continue;
        }
        if self.batch.len() >= BATCH {
            self.flush();
        }
        let hashed = self.want == Want::Digests && entry.kind == Kind::File;
        self.batch.push(Listed { entry, digest: None });
        if hashed {
            self.content = Some(Hasher::new(Algorithm::Sha256));
            return Flow::WantData;
        }
        Flow::Continue
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        if let Some(content) = &mut self.content {
            content.update(bytes);
        }
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        let digest = self.content.take().map(Hasher::finish);
        if let Some(last) = self.batch.last_mut() {
            last.digest = digest;
        }
    }
}
