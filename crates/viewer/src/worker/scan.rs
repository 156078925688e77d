//! One layer, from bytes to batches of entries and findings.

use super::beside::HashStream;
use crate::{
    layer::{BATCH_BYTES, LayerFindings, ReadJob, WorkerReport},
    overview::told,
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
use porthole_inspect::{artifact::BlobHead, layer, toc};
use std::{ops::ControlFlow, time::Duration};

/// A layer being read. Feed it with [`Scan::push`], then [`Scan::finish`] it.
pub(super) struct Scan<'t> {
    tell: &'t dyn Fn(WorkerReport),
    job: u32,
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
        let digest = job.digest.parse().map_err(words)?;
        let annotations = job.audit.clone().unwrap_or_default();
        let layer = layer::LayerJob {
            layer: 0,
            descriptor: Some(Descriptor { annotations, ..Descriptor::new(media_type, digest, job.size) }),
            diff_id: job.diff_id.as_deref().map(str::parse).transpose().map_err(words)?,
            promised: job.promised,
            file: job.file.clone().map(String::into_bytes),
        };
        let reader = layer.reader(limits);
        Ok(Self {
            tell,
            job: job.job,
            reader: match probe {
                // The session has an index already, or has no room for one.
                Some(_) => reader,
                None => {
                    let mut options = IndexOptions::default();
                    options.batches = true;
                    reader.with_index(options)
                }
            },
            gather: Gather { probe, head: layer.file.is_some().then(BlobHead::default), ..Gather::default() },
            layer,
            refused: None,
            progress: Progress::default(),
            pulse,
            first: true,
        })
    }

    /// Compares the layer with its table of contents, or reports why that is not possible.
    pub(super) fn audit(&mut self, toc: Result<Option<Toc>, toc::Error<impl std::fmt::Display>>) {
        let why = match toc {
            Ok(Some(toc)) => {
                self.gather.audit = Some(Audit::new(toc));
                return;
            }
            Ok(None) => "there is none".to_owned(),
            Err(error) => error.to_string(),
        };
        self.refused = Some(format!("its table of contents cannot be checked: {why}"));
    }

    /// Hashes the rest of the archive on another thread. `false`: there is nothing to hash there.
    pub(super) fn hash_beside(&mut self, hashes: &HashStream<'_>) -> bool {
        self.reader.hash_archive_beside(|hasher| hashes.hasher(&hasher))
    }

    /// The layer that is read, with its annotations if it is audited.
    pub(super) fn layer(&self) -> &layer::LayerJob {
        &self.layer
    }

    /// Sends a report.
    fn report(&self, report: WorkerReport) {
        (self.tell)(report);
    }

    /// Takes the next bytes of the blob. Breaks if they exceed the size that the descriptor promises: no more are wanted.
    pub(super) fn push(&mut self, chunk: &[u8], now: Duration) -> ControlFlow<()> {
        self.progress = self.reader.push(chunk, &mut self.gather);
        let is_due = self.first && self.progress.entries > 0 || self.pulse.is_due(now);
        let batch = self.reader.take_batch(if is_due { 1 } else { BATCH_BYTES });
        if is_due || batch.is_some() {
            self.first = self.first && self.progress.entries == 0;
            self.pulse.rest(now, PULSE);
            self.send(batch);
            self.report(WorkerReport::Progress {
                job: self.job,
                compressed: self.progress.compressed,
                uncompressed: self.progress.uncompressed,
                entries: self.progress.entries,
            });
        }
        if self.progress.overlong { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Ends the blob: nothing more of it is unpacked.
    pub(super) fn flush(&mut self) {
        self.reader.flush(&mut self.gather);
    }

    /// Ends the blob: sends the last batch, and returns the findings.
    pub(super) fn finish(mut self) -> LayerFindings {
        self.flush();
        let batch = self.reader.take_batch(1);
        self.send(batch);
        let (report, index) = self.reader.finish_index(&mut self.gather);
        if let Some(index) = index.filter(|index| index.verified) {
            (self.tell)(WorkerReport::Index { job: self.job, index: index.into_bytes() });
        }
        let mut findings = findings(&self.layer, &report);
        findings.facts = self.gather.head.map(|head| told(&head.facts(&report))).unwrap_or_default();
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

    /// Sends a batch, and what the probe found since the last time.
    fn send(&mut self, batch: Option<Vec<u8>>) {
        let job = self.job;
        if let Some(batch) = batch {
            self.report(WorkerReport::Entries { job, batch });
        }
        if let Some(found) = self.gather.probe.as_mut().map(|probe| probe.take()) {
            self.report(WorkerReport::Found { job, found: Box::new(found) });
        }
    }
}

/// Compares entries with a table of contents where there is one, or gives them to a probe instead. The reader of the layer writes
/// them into batches itself.
#[derive(Default)]
struct Gather {
    audit: Option<Audit<Toc>>,
    probe: Option<Box<dyn LayerProbe>>,
    /// Takes the first bytes of the blob of an artifact.
    head: Option<BlobHead>,
}

impl EntrySink for Gather {
    fn entry(&mut self, entry: Entry) -> Flow {
        if let Some(probe) = &mut self.probe {
            return if probe.begin(&entry) { Flow::WantData } else { Flow::Continue };
        }
        match (&mut self.audit, &mut self.head) {
            (Some(audit), _) => audit.compare(&entry),
            (None, Some(head)) => head.entry(entry),
            (None, None) => Flow::Continue,
        }
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        if let Some(probe) = &mut self.probe {
            probe.push(bytes);
        }
        match (&mut self.audit, &mut self.head) {
            (Some(audit), _) => audit.data(bytes),
            (None, Some(head)) => head.data(bytes),
            (None, None) => Flow::Continue,
        }
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
const PULSE: Duration = Duration::from_millis(100);

fn findings(layer: &layer::LayerJob, report: &LayerReport) -> LayerFindings {
    // A wrong compression in the media type is reported, and does not make the layer wrong.
    let reported = |finding: &&Finding| !finding.refutes() || layer.answers_for(finding);
    let no_files = report.findings.iter().any(|finding| !reported(&finding));
    let wrong = layer.findings(report);
    let mismatch = wrong.iter().find_map(|finding| match finding {
        Finding::Digest { expected, got, .. } | Finding::DiffId { expected, got } => {
            Some((expected.to_string(), got.to_string()))
        }
        Finding::Size { expected, got } => Some((format!("{expected} bytes"), format!("{got} bytes"))),
        _ => None,
    });
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
        facts: Vec::new(),
        note: no_files.then(|| match layer.media_type().unreadable() {
            Some(why) => format!("{why}: its files cannot be read"),
            None => "not an archive, so it has no files".into(),
        }),
    }
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
