//! One layer, from bytes to batches of entries and findings.

use super::{send, send_batch, send_index, sink::Gather};
use porthole_core::{
    layer::{Expected, Finding, LayerReader, LayerReport, Progress},
    limits::Limits,
    media_type::MediaType,
    seek::{Index, IndexOptions},
    toc::Toc,
};
use porthole_viewer::layer::{Findings, Job, Report};

/// A layer being read. Feed it with [`Scan::push`], then [`Scan::finish`] it.
pub(super) struct Scan {
    job: u32,
    size: u64,
    reader: LayerReader,
    gather: Gather,
    progress: Progress,
    told: f64,
    first: bool,
    /// Why its table of contents cannot be compared.
    refused: Option<String>,
}

impl Scan {
    /// A reader that expects what the job says; an error is a bug on the session's side.
    pub(super) fn begin(job: &Job) -> Result<Self, String> {
        let expected = Expected {
            digest: Some(job.digest.parse().map_err(words)?),
            size: Some(job.size),
            diff_id: job.diff_id.as_deref().map(str::parse).transpose().map_err(words)?,
            media_type: MediaType::parse(&job.media_type).ok(),
        };
        Ok(Self {
            job: job.job,
            size: job.size,
            reader: LayerReader::new(expected, Limits::of_a_tab()).indexed(IndexOptions::default()),
            gather: Gather::new(job.job),
            refused: None,
            progress: Progress::default(),
            told: js_sys::Date::now(),
            first: true,
        })
    }

    /// Compares the layer with its table of contents, or tells why that cannot be.
    pub(super) fn audit(&mut self, toc: Result<Toc, String>) {
        match toc {
            Ok(toc) => self.gather.audit(toc),
            Err(why) => self.refused = Some(format!("its table of contents cannot be checked: {why}")),
        }
    }

    /// Bytes of the blob read so far: where to go on after a break.
    pub(super) fn offset(&self) -> u64 {
        self.progress.compressed
    }

    /// Bytes of the blob that the descriptor promises.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The next bytes of the blob. `false`: more came than the descriptor promised, and no more are wanted.
    pub(super) fn push(&mut self, chunk: &[u8]) -> bool {
        self.progress = self.reader.push(chunk, &mut self.gather);
        let now = js_sys::Date::now();
        if self.first && self.progress.entries > 0 || self.gather.full() || now - self.told >= PULSE {
            self.first = self.first && self.progress.entries == 0;
            self.told = now;
            self.gather.flush(send_batch);
            send(&Report::Progress {
                job: self.job,
                compressed: self.progress.compressed,
                uncompressed: self.progress.uncompressed,
                entries: self.progress.entries,
            });
        }
        !self.progress.overlong
    }

    /// The end of the blob: the last batch goes out, then these findings.
    pub(super) fn finish(mut self) -> Findings {
        let (report, index) = self.reader.finish_with_index(&mut self.gather);
        self.gather.flush(send_batch);
        if let Some(index) = index.filter(Index::verified) {
            send_index(self.job, &index.to_bytes());
        }
        let mut findings = findings(&report);
        findings.texts.extend(self.refused);
        if let Some(audit) = self.gather.finish(&report) {
            if audit.agrees() {
                findings.note =
                    Some(format!("its table of contents agrees with the archive: {} entries", audit.entries));
            }
            let told = audit.disagreements.iter().take(TOLD);
            findings.texts.extend(told.map(|disagreement| format!("table of contents disagrees on {disagreement}")));
            let more = audit.more + audit.disagreements.len().saturating_sub(TOLD) as u64;
            if more > 0 {
                findings.texts.push(format!("table of contents disagrees on {more} more"));
            }
        }
        findings
    }
}

/// Disagreements told in words; there is a command line for the rest.
const TOLD: usize = 20;
/// Milliseconds between two reports.
const PULSE: f64 = 50.0;

fn findings(report: &LayerReport) -> Findings {
    let mismatch = report.findings.iter().find_map(|finding| match finding {
        Finding::Digest { expected, got, .. } | Finding::DiffId { expected, got } => {
            Some((expected.to_string(), got.to_string()))
        }
        Finding::Size { expected, got } => Some((format!("{expected} bytes"), format!("{got} bytes"))),
        _ => None,
    });
    Findings {
        verified: !report.findings.iter().any(breaks),
        compressed: report.size,
        uncompressed: report.uncompressed,
        entries: report.entries,
        ambiguous: report.ambiguous,
        mismatch,
        texts: report.findings.iter().map(ToString::to_string).collect(),
        note: None,
    }
}

/// A wrong name for the right bytes is worth telling; the layer is what was promised all the same.
fn breaks(finding: &Finding) -> bool {
    !matches!(finding, Finding::Compression { .. })
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
