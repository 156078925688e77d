//! One layer, from bytes to batches of entries and findings.

use crate::{
    batch::BatchWriter,
    layer::{LayerFindings, ReadJob, WorkerReport},
    pace::Pace,
    probe::LayerProbe,
};
use porthole_core::{
    descriptor::Descriptor,
    failure::{Classify, Failure},
    layer::{Finding, LayerReader, LayerReport, Progress},
    limits::Limits,
    media_type::MediaType,
    seek::IndexOptions,
    tar::{Entry, EntrySink, Flow},
    toc::{Audit, Toc},
};
use porthole_inspect::layer;
use std::time::Duration;

/// A layer being read. Feed it with [`Scan::push`], then [`Scan::finish`] it.
pub(super) struct Scan<'t> {
    tell: &'t dyn Fn(WorkerReport),
    job: u32,
    size: u64,
    layer: layer::LayerJob,
    reader: LayerReader,
    gather: Gather,
    progress: Progress,
    pulse: Pace,
    first: bool,
    /// Why its table of contents cannot be compared.
    refused: Option<String>,
}

impl<'t> Scan<'t> {
    /// A reader that expects what the job says; an error is a bug on the session's side.
    pub(super) fn begin(
        job: &ReadJob,
        probe: Option<Box<dyn LayerProbe>>,
        limits: Limits,
        tell: &'t dyn Fn(WorkerReport),
        now: Duration,
    ) -> Result<Self, String> {
        let mut pulse = Pace::default();
        pulse.rest(now, PULSE);
        let media_type = MediaType::parse(&job.media_type).map_err(words)?;
        let layer = layer::LayerJob {
            layer: 0,
            descriptor: Some(Descriptor::new(media_type, job.digest.parse().map_err(words)?, job.size)),
            diff_id: job.diff_id.as_deref().map(str::parse).transpose().map_err(words)?,
            promised: job.promised,
        };
        let reader = LayerReader::new(layer.expected(), limits);
        Ok(Self {
            tell,
            job: job.job,
            size: job.size,
            reader: match probe {
                // The session has an index already, or has no room for one.
                Some(_) => reader,
                None => reader.with_index(IndexOptions::default()),
            },
            layer,
            gather: Gather { probe, ..Gather::default() },
            refused: None,
            progress: Progress::default(),
            pulse,
            first: true,
        })
    }

    /// Compares the layer with its table of contents, or reports why that is not possible.
    pub(super) fn audit(&mut self, toc: Result<Toc, String>) {
        match toc {
            Ok(toc) => self.gather.audit = Some(Audit::new(toc)),
            Err(why) => self.refused = Some(format!("its table of contents cannot be checked: {why}")),
        }
    }

    /// Number of the job.
    pub(super) fn job(&self) -> u32 {
        self.job
    }

    /// Sends a report.
    pub(super) fn report(&self, report: WorkerReport) {
        (self.tell)(report);
    }

    /// Bytes of the blob read so far: where to go on after a break.
    pub(super) fn offset(&self) -> u64 {
        self.progress.compressed
    }

    /// Whether the blob promises to be an archive.
    pub(super) fn expects_archive(&self) -> bool {
        self.layer.promised
    }

    /// Bytes of the blob that the descriptor promises.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes of the blob. `false` = they exceed the size that the descriptor promises; no more are wanted.
    pub(super) fn push(&mut self, chunk: &[u8], now: Duration) -> bool {
        self.progress = self.reader.push(chunk, &mut self.gather);
        if self.first && self.progress.entries > 0 || self.gather.full() || self.pulse.is_due(now) {
            self.first = self.first && self.progress.entries == 0;
            self.pulse.rest(now, PULSE);
            self.flush();
            self.report(WorkerReport::Progress {
                job: self.job,
                compressed: self.progress.compressed,
                uncompressed: self.progress.uncompressed,
                entries: self.progress.entries,
            });
        }
        !self.progress.overlong
    }

    /// Ends the blob: sends the last batch, and returns the findings.
    pub(super) fn finish(mut self) -> LayerFindings {
        let (report, index) = self.reader.finish_index(&mut self.gather);
        tell_gathered(self.tell, self.job, &mut self.gather);
        if let Some(index) = index.filter(|index| index.verified) {
            (self.tell)(WorkerReport::Index { job: self.job, index: index.into_bytes() });
        }
        let mut findings = findings(&self.layer, &report);
        findings.texts.extend(self.refused);
        if let Some(audit) = self.gather.audit.map(|audit| audit.finish(&report)) {
            if audit.agrees() {
                findings.note =
                    Some(format!("its table of contents agrees with the archive: {} entries", audit.entries));
            }
            let listed = audit.disagreements.iter().take(LISTED);
            findings.texts.extend(listed.map(|disagreement| format!("table of contents disagrees on {disagreement}")));
            let more = audit.more + audit.disagreements.len().saturating_sub(LISTED) as u64;
            if more > 0 {
                findings.texts.push(format!("table of contents disagrees on {more} more"));
            }
        }
        findings
    }

    fn flush(&mut self) {
        tell_gathered(self.tell, self.job, &mut self.gather);
    }
}

/// Sends what was gathered since the last time.
fn tell_gathered(tell: &dyn Fn(WorkerReport), job: u32, gather: &mut Gather) {
    if let Some(batch) = gather.take() {
        tell(WorkerReport::Entries { job, batch });
    }
    if let Some(probe) = &mut gather.probe {
        tell(WorkerReport::Found { job, found: Box::new(probe.take()) });
    }
}

/// Gathers entries until the batch is worth sending, and compares them with a table of contents where there is one. Or gives them
/// to a probe instead.
#[derive(Default)]
struct Gather {
    writer: BatchWriter,
    audit: Option<Audit<Toc>>,
    probe: Option<Box<dyn LayerProbe>>,
}

impl Gather {
    /// Enough for a batch of its own, whatever the clock says.
    fn full(&self) -> bool {
        self.writer.is_full()
    }

    /// The batch, if there is anything in it.
    fn take(&mut self) -> Option<Vec<u8>> {
        self.writer.take()
    }
}

impl EntrySink for Gather {
    fn entry(&mut self, entry: Entry) -> Flow {
        if let Some(probe) = &mut self.probe {
            return if probe.begin(&entry) { Flow::WantData } else { Flow::Continue };
        }
        self.writer.push(&entry);
        self.audit.as_mut().map_or(Flow::Continue, |audit| audit.compare(&entry))
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        if let Some(probe) = &mut self.probe {
            probe.push(bytes);
        }
        self.audit.as_mut().map_or(Flow::Continue, |audit| audit.data(bytes))
    }

    fn end_of_data(&mut self) {
        if let Some(probe) = &mut self.probe {
            probe.end();
        }
        if let Some(audit) = &mut self.audit {
            audit.end_of_data();
        }
    }
}

/// Disagreements that are listed; `porthole verify` lists all.
const LISTED: usize = 20;
/// Time between two reports.
const PULSE: Duration = Duration::from_millis(50);

fn findings(layer: &layer::LayerJob, report: &LayerReport) -> LayerFindings {
    // A wrong compression in the media type is reported, and does not make the layer wrong.
    let reported = |finding: &&Finding| !finding.refutes() || layer.answers_for(finding);
    let no_files = report.findings.iter().any(|finding| !reported(&finding));
    let mismatch = report.findings.iter().find_map(|finding| match finding {
        Finding::Digest { expected, got, .. } | Finding::DiffId { expected, got } => {
            Some((expected.to_string(), got.to_string()))
        }
        Finding::Size { expected, got } => Some((format!("{expected} bytes"), format!("{got} bytes"))),
        _ => None,
    });
    let wrong = layer.findings(report);
    LayerFindings {
        verified: wrong.is_empty(),
        failure: Failure::worst(wrong.iter().map(Classify::failure)).map(|failure| failure.kind),
        no_files,
        compressed: report.size,
        uncompressed: report.uncompressed,
        entries: if no_files { 0 } else { report.entries },
        ambiguous: if no_files { 0 } else { report.ambiguous },
        mismatch,
        texts: report.findings.iter().filter(reported).map(ToString::to_string).collect(),
        note: no_files.then(|| "not an archive, so it has no files".into()),
    }
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
