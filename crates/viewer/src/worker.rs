//! A layer worker: fetches a blob, verifies it and scans it where its bytes are.

mod beside;
mod fetch;
mod replay;
mod scan;
mod wire;

use crate::{
    errands::{Apart, Errands},
    pace::Pace,
    protocol::FailureCause,
};
pub use crate::{
    layer::{BlobRequest, KeptIndex, LayerFindings, ReadJob, WorkerOrder, WorkerReport},
    packages::{FoundCertificate, FoundDatabase, FoundDetails, FoundLines, FoundOwner, FoundRecord},
    probe::{FileHashes, FoundFile, FoundLine, LayerProbe, LineEncoding, ProbeEngine, ProbeFound, SecretPlace},
};
use beside::HashStream;
pub use beside::{HashOrder, HashReport, HashThread, HashWorker};
pub use fetch::RequestedBytes;
use fetch::{Link, RequestedBlob, RequestedLayer};
use porthole_core::{
    failure::{Classify, FailureClass},
    limits::Limits,
};
use porthole_inspect::{
    layer,
    toc::{self, TocSearch},
};
use porthole_registry::{
    Error,
    transport::{Environment, Transport},
};
use scan::Scan;
use std::{cell::RefCell, rc::Rc, time::Duration};
use wire::Wire;

/// Reads one layer at a time, as a session orders.
///
/// Give it [`WorkerOrder`]s with [`obey`](Self::obey) and drive it with [`run`](Self::run). It reports [`WorkerReport::Ready`] when it is
/// made; an order that is sent before is lost.
pub struct LayerWorker<T> {
    transport: T,
    limits: Limits,
    tell: Box<dyn Fn(WorkerReport)>,
    current: RefCell<Option<(u32, Link)>>,
    errands: Errands<(), (Box<ReadJob>, Link)>,
    engine: Option<Box<dyn ProbeEngine>>,
    hashes: Option<Rc<HashThread>>,
}

impl<T: Transport + Environment> LayerWorker<T> {
    /// A worker that reads layers within `limits` and reports to `tell`.
    pub fn new(transport: T, limits: Limits, tell: impl Fn(WorkerReport) + 'static) -> Self {
        tell(WorkerReport::Ready);
        let (tell, current, errands) = (Box::new(tell), RefCell::default(), Errands::default());
        Self { transport, limits, tell, current, errands, engine: None, hashes: None }
    }

    /// The same worker, which also looks into the files of layers.
    pub fn with_engine(self, engine: impl ProbeEngine + 'static) -> Self {
        Self { engine: Some(Box::new(engine)), ..self }
    }

    /// The same worker, which has the archives of some layers hashed by another thread.
    pub fn with_hashes(self, thread: Rc<HashThread>) -> Self {
        Self { hashes: Some(thread), ..self }
    }

    /// Takes an order.
    pub fn obey(&self, order: WorkerOrder) {
        match order {
            WorkerOrder::Read(job) => {
                let link = Link::default();
                if job.beside {
                    link.hash_beside();
                }
                *self.current.borrow_mut() = Some((job.job, link.clone()));
                self.errands.begin((), (job, link));
            }
            WorkerOrder::Config { job, config, instructions } => self.read_config(job, &config, &instructions),
            WorkerOrder::Request { job, request } => {
                if let Some((_, link)) = self.current.borrow().as_ref().filter(|(current, _)| *current == job) {
                    link.renew(request);
                }
            }
            WorkerOrder::Beside { job } => {
                if let Some((_, link)) = self.current.borrow().as_ref().filter(|(current, _)| *current == job) {
                    link.hash_beside();
                }
            }
            WorkerOrder::Cancel { job } => {
                if self.current.borrow_mut().take_if(|(current, _)| *current == job).is_some() {
                    self.errands.stop(());
                }
            }
        }
    }

    fn read_config(&self, job: u32, config: &str, instructions: &[String]) {
        let found = match &self.engine {
            Some(engine) => engine.config(config, instructions),
            None => Err(ONLY_LISTS.into()),
        };
        match found {
            Ok(found) => {
                (self.tell)(WorkerReport::Found { job, found: Box::new(found) });
                let findings = LayerFindings { verified: true, ..LayerFindings::default() };
                (self.tell)(WorkerReport::Done { job, findings });
            }
            Err(text) => {
                (self.tell)(WorkerReport::Failed { job, kind: FailureClass::Other, cause: None, text, host: None });
            }
        }
    }

    /// Drives the worker for as long as it is polled.
    pub async fn run(&self) {
        self.errands.run(|(job, link)| Box::pin(self.read(job, link))).await;
    }

    async fn read(&self, job: Box<ReadJob>, link: Link) {
        let number = job.job;
        let probe = match (&job.probe, &self.engine) {
            (None, _) => None,
            (Some(wish), Some(engine)) => match engine.probe(wish) {
                Ok(probe) => Some(probe),
                Err(text) => return (self.tell)(WorkerReport::Refused { job: number, text }),
            },
            (Some(_), None) => {
                return (self.tell)(WorkerReport::Refused { job: number, text: ONLY_LISTS.into() });
            }
        };
        let report = match self.read_layer(*job, probe, &link).await {
            Ok(findings) => WorkerReport::Done { job: number, findings },
            Err(Failed { kind, cause, text, host }) => WorkerReport::Failed { job: number, kind, cause, text, host },
        };
        (self.tell)(report);
    }

    async fn read_layer(
        &self,
        mut job: ReadJob,
        probe: Option<Box<dyn LayerProbe>>,
        link: &Link,
    ) -> Result<LayerFindings, Failed> {
        let (mut blob, request) = (job.blob.take(), job.request.take());
        if let Some(kept) = job.kept.take().filter(|_| probe.is_none()) {
            let replayed: Apart<'_, _> =
                Box::pin(replay::replay(&self.transport, kept, blob.take(), job.job, &*self.tell));
            if let Some(findings) = replayed.await {
                return Ok(findings);
            }
            (self.tell)(WorkerReport::Again { job: job.job });
        }
        let wire = Wire::new(&job, &self.transport, &*self.tell);
        let mut scan = Scan::begin(&job, probe, self.limits, &*self.tell, self.transport.now())
            .map_err(|text| Failed::new(FailureClass::Other, text))?;
        match (blob, request) {
            (Some(blob), _) => {
                for chunk in blob.chunks(layer::CHUNK) {
                    if scan.push(chunk, self.transport.now()).is_break() {
                        break;
                    }
                }
            }
            (None, Some(request)) => {
                let layer = RequestedLayer::new(&wire, request, job.size).resumed(self.limits, job.promised, link);
                if job.audit.is_some() {
                    let toc: Apart<'_, _> = Box::pin(toc::fetch(&layer, scan.layer(), TocSearch::All));
                    let toc = toc.await;
                    scan.audit(toc.map(|toc| toc.map(|(toc, _)| toc)));
                }
                let (mut stream, host) = layer.open(&job.elsewhere).await?;
                let pumped = self.pump(&mut stream, &mut scan, job.size, link).await;
                pumped.map_err(|failed| Failed { host, ..failed })?;
            }
            (None, None) => {
                return Err(Failed::new(FailureClass::Other, "no request and no bytes (a bug in porthole)"));
            }
        }
        Ok(scan.finish())
    }

    /// Begins a stream of the thread that hashes. If that has to start, it gets a moment, at most `patience` polls.
    async fn begin_beside(&self, patience: &mut u32) -> Option<HashStream<'_>> {
        let thread = self.hashes.as_ref()?;
        let begun = thread.begin();
        while *patience > 0 && thread.is_starting() {
            *patience -= 1;
            self.transport.sleep(START_POLL).await;
        }
        begun.or_else(|| thread.begin())
    }

    /// Reads a blob of `left` bytes to its end. Its archive is hashed on another thread from the moment the session orders it.
    async fn pump(
        &self,
        blob: &mut RequestedBlob<'_, T>,
        scan: &mut Scan<'_>,
        mut left: u64,
        link: &Link,
    ) -> Result<(), Failed> {
        let lost = || Failed::new(FailureClass::Other, "the thread that hashes it ended without a report");
        let (mut hashes, mut turn, mut patience) = (None, Pace::default(), START_POLLS);
        turn.rest(self.transport.now(), TURN);
        let mut buffer = vec![0; layer::CHUNK];
        loop {
            if turn.is_due(self.transport.now()) {
                // A body that comes faster than it is read never makes this wait, and a browser's worker would hear no order.
                self.transport.sleep(Duration::ZERO).await;
                turn.rest(self.transport.now(), TURN);
            }
            let read = blob.read(&mut buffer).await?;
            if read == 0 {
                break;
            }
            if hashes.is_none() && left >= LEAST_BESIDE && link.is_beside() {
                hashes = self.begin_beside(&mut patience).await.filter(|hashes| scan.hash_beside(hashes));
            }
            left = left.saturating_sub(read as u64);
            let chunk = &buffer[..read];
            let pushed = match &hashes {
                None => scan.push(chunk, self.transport.now()),
                Some(hashes) => {
                    let pushed = hashes.push(chunk, |piece| scan.push(piece, self.transport.now()));
                    pushed.await.ok_or_else(lost)?
                }
            };
            if pushed.is_break() {
                break;
            }
        }
        let Some(hashes) = hashes else { return Ok(()) };
        scan.flush();
        hashes.finish().await.ok_or_else(lost)
    }
}

/// Why a layer could not be read.
#[derive(Debug)]
struct Failed {
    kind: FailureClass,
    cause: Option<FailureCause>,
    text: String,
    /// The host that failed, if it is neither the registry nor one that it led to.
    host: Option<String>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let cause = match &error {
            Error::Transport { error, .. } => FailureCause::of(error.kind),
            _ => None,
        };
        Self { cause, ..Self::new(error.kind(), error.to_string()) }
    }
}

impl Failed {
    fn new(kind: FailureClass, text: impl Into<String>) -> Self {
        Self { kind, cause: None, text: text.into(), host: None }
    }
}

/// Time after which the platform gets a turn, to deliver orders. In each, Chromium copies what it has of the body to a new buffer: with a
/// turn every 100 ms the renderer grew by 55 MB.
const TURN: Duration = Duration::from_millis(400);
/// How often, and how many times, a thread that starts is looked after before the layer is read on without it.
const START_POLL: Duration = Duration::from_millis(10);
const START_POLLS: u32 = 20;
/// Bytes of a blob for which another thread is not worth its messages.
const LEAST_BESIDE: u64 = 1 << 20;
const ONLY_LISTS: &str = "this worker only lists layers (a bug in porthole)";
