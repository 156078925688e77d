//! A layer worker: fetches a blob, verifies it and scans it where its bytes are.

mod beside;
mod fetch;
mod replay;
mod scan;
mod wire;

use crate::{
    errands::{Apart, Errands},
    protocol::FailureCause,
};
pub use crate::{
    layer::{BlobRequest, KeptIndex, LayerFindings, ReadJob, WorkerOrder, WorkerReport},
    packages::{FoundCertificate, FoundDatabase, FoundDetails, FoundLines, FoundOwner, FoundRecord},
    probe::{FileHashes, FoundFile, FoundLine, LayerProbe, LineEncoding, ProbeEngine, ProbeFound, SecretPlace},
};
use beside::HashStream;
pub use beside::{HashOrder, HashReport, HashThread, HashWorker};
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
use std::{cell::RefCell, rc::Rc};
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
                *self.current.borrow_mut() = Some((job.job, link.clone()));
                self.errands.begin((), (job, link));
            }
            WorkerOrder::Config { job, config, instructions } => self.read_config(job, &config, &instructions),
            WorkerOrder::Request { job, request } => {
                if let Some((_, link)) = self.current.borrow().as_ref().filter(|(current, _)| *current == job) {
                    link.renew(request);
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
        let hashes = self.hashes.as_ref().filter(|_| job.beside && request.is_some());
        let hashes = hashes.and_then(|thread| thread.begin());
        let mut scan = Scan::begin(&job, probe, self.limits, &*self.tell, self.transport.now(), hashes.as_ref())
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
                let pumped = match &hashes {
                    None => {
                        let pumped = layer::pump(&mut stream, |chunk| scan.push(chunk, self.transport.now())).await;
                        pumped.map_err(Failed::from)
                    }
                    Some(hashes) => self.pump_beside(&mut stream, &mut scan, hashes).await,
                };
                pumped.map_err(|failed| Failed { host, ..failed })?;
            }
            (None, None) => {
                return Err(Failed::new(FailureClass::Other, "no request and no bytes (a bug in porthole)"));
            }
        }
        Ok(scan.finish())
    }

    /// Reads a blob whose archive is hashed by another thread.
    async fn pump_beside(
        &self,
        blob: &mut RequestedBlob<'_, T>,
        scan: &mut Scan<'_>,
        hashes: &HashStream<'_>,
    ) -> Result<(), Failed> {
        let lost = || Failed::new(FailureClass::Other, "the thread that hashes it ended without a report");
        let mut buffer = vec![0; layer::CHUNK];
        loop {
            let read = blob.read(&mut buffer).await?;
            let pushed = hashes.push(&buffer[..read], |piece| scan.push(piece, self.transport.now()));
            if pushed.await.ok_or_else(lost)?.is_break() || read == 0 {
                break;
            }
        }
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

const ONLY_LISTS: &str = "this worker only lists layers (a bug in porthole)";
