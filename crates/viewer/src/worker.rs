//! A layer worker: fetches a blob, verifies it and scans it where its bytes are.

mod fetch;
mod replay;
mod scan;
mod wire;

use crate::{
    errands::Errands,
    layer::{LayerFindings, ReadJob, WorkerOrder, WorkerReport},
    probe::{LayerProbe, ProbeEngine},
    protocol::FailureCause,
};
use fetch::Link;
use porthole_core::{
    descriptor::Descriptor,
    failure::FailureClass,
    limits::Limits,
    media_type::MediaType,
    toc::{Toc, TocReader},
};
use porthole_registry::transport::{Environment, Transport};
use scan::Scan;
use std::{cell::RefCell, collections::BTreeMap};
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
}

impl<T: Transport + Environment> LayerWorker<T> {
    /// A worker that reads layers within `limits` and reports to `tell`.
    pub fn new(transport: T, limits: Limits, tell: impl Fn(WorkerReport) + 'static) -> Self {
        tell(WorkerReport::Ready);
        let (tell, current, errands) = (Box::new(tell), RefCell::default(), Errands::default());
        Self { transport, limits, tell, current, errands, engine: None }
    }

    /// The same worker, which also looks into the files of layers.
    pub fn with_engine(self, engine: impl ProbeEngine + 'static) -> Self {
        Self { engine: Some(Box::new(engine)), ..self }
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
            Err(text) => (self.tell)(WorkerReport::Failed { job, kind: FailureClass::Other, cause: None, text }),
        }
    }

    /// Drives the worker for as long as it is polled.
    pub async fn run(&self) {
        self.errands.run(|(job, link)| self.read(job, link)).await;
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
            Err(Failed { kind, cause, text }) => WorkerReport::Failed { job: number, kind, cause, text },
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
            if let Some(findings) = replay::replay(&self.transport, kept, blob.take(), job.job, &*self.tell).await {
                return Ok(findings);
            }
            (self.tell)(WorkerReport::Again { job: job.job });
        }
        let wire = Wire::new(&job, &self.transport, &*self.tell);
        let mut scan = Scan::begin(&job, probe, self.limits, &*self.tell, self.transport.now())
            .map_err(|text| Failed::new(FailureClass::Other, text))?;
        if let (Some(annotations), Some(request)) = (&job.audit, &request) {
            scan.audit(self.fetch_toc(&job, annotations, request, &wire).await);
        }
        match (blob, request) {
            (Some(blob), _) => {
                for chunk in blob.chunks(fetch::CHUNK) {
                    scan.push(chunk, self.transport.now());
                }
            }
            (None, Some(request)) => fetch::fetch(&self.transport, &wire, request, link, &mut scan).await?,
            (None, None) => {
                return Err(Failed::new(FailureClass::Other, "no request and no bytes (a bug in porthole)"));
            }
        }
        Ok(scan.finish())
    }

    /// Fetches the table of contents of a layer that is read whole, to compare the two. An error says why it cannot be
    /// compared.
    async fn fetch_toc(
        &self,
        job: &ReadJob,
        annotations: &BTreeMap<String, String>,
        request: &crate::layer::BlobRequest,
        wire: &Wire<'_, T>,
    ) -> Result<Toc, String> {
        let digest = job.digest.parse().map_err(words)?;
        let media_type = MediaType::parse(&job.media_type).map_err(words)?;
        let layer = Descriptor { annotations: annotations.clone(), ..Descriptor::new(media_type, digest, job.size) };
        let mut reader = TocReader::new(&layer, &self.limits).map_err(words)?;
        while let Some(range) = reader.wants() {
            let mut refused = None;
            let push = |bytes: &[u8]| match reader.push(bytes) {
                Ok(()) => true,
                Err(error) => {
                    refused = Some(error);
                    false
                }
            };
            fetch::fetch_range(wire, request, range, job.size, push).await.map_err(|failed| failed.text)?;
            if let Some(error) = refused {
                return Err(words(error));
            }
        }
        reader.finish().map_err(words)?.ok_or_else(|| "there is none".into())
    }
}

/// Why a layer could not be read.
#[derive(Debug)]
struct Failed {
    kind: FailureClass,
    cause: Option<FailureCause>,
    text: String,
}

impl Failed {
    fn new(kind: FailureClass, text: impl Into<String>) -> Self {
        Self { kind, cause: None, text: text.into() }
    }
}

const ONLY_LISTS: &str = "this worker only lists layers (a bug in porthole)";

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
