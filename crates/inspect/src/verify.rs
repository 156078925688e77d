//! Verifies an image: every document and every layer against its digest, and whether a runtime would unpack the layers.
//!
//! [`DocumentAudit`] collects the steps from the name to the configuration. [`VerifyStack`] takes the layers, bottom
//! first, each with all of its entries.

mod doubts;

use self::doubts::DoubtCollector;
pub use self::doubts::{Doubt, LayerDoubts};
use crate::{layer::LayerJob, resolve::ResolveStep, toc::AuditedToc};
use porthole_core::{
    deviation::Deviation,
    digest::Digest,
    failure::{Classify, Failure},
    image::Image,
    layer::{Finding, LayerNumber, LayerReport},
    limits::Limits,
    manifest::{Document, Raw},
    tar::Entry,
    tree::{self, FileTree},
};

/// Result of the verification of a document or a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyState {
    /// Digest and size are those in its descriptor, and the diff_id of a layer is that in the configuration.
    Verified,
    /// No document states its digest: the digest was computed, and what the document names is verified against it.
    Computed,
    /// A layer that is verified or computed, but that a runtime would not unpack to its end.
    Stopped,
    /// A layer that was not read to its end because of a limit.
    Limit,
    /// It contradicts the documents that name it, or its table of contents.
    Wrong,
}

impl VerifyState {
    /// Whether an image with such a document or layer is not verified.
    pub fn is_wrong(self) -> bool {
        matches!(self, Self::Wrong | Self::Limit | Self::Stopped)
    }
}

/// Role of a document in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentRole {
    /// The index that a name stands for, or one that an index lists.
    Index,
    /// An image manifest.
    Manifest,
    /// A configuration, which the manifest names.
    Config,
}

/// A document on the way from a name to an image.
#[derive(Clone, Debug)]
pub struct VerifiedDocument {
    /// Its role in the image.
    pub role: DocumentRole,
    /// Its bytes, with their digest.
    pub raw: Raw,
    /// Result of its verification.
    pub state: VerifyState,
    /// Statements of the documents that cannot be true together: an engine refuses the image.
    pub findings: Vec<Deviation>,
    /// Where the documents depart from the specification, though the image can be used.
    pub deviations: Vec<Deviation>,
}

/// Collects the documents of an image, each once.
#[derive(Debug)]
pub struct DocumentAudit {
    promised: bool,
    documents: Vec<VerifiedDocument>,
}

impl DocumentAudit {
    /// Starts without documents. `promised` = the name itself contains a digest.
    pub fn new(promised: bool) -> Self {
        Self { promised, documents: Vec::new() }
    }

    /// Adds a step of [`resolve`](crate::resolve::resolve).
    pub fn add(&mut self, step: ResolveStep) {
        let (role, raw, state) = match step {
            ResolveStep::Document(document) => {
                let role =
                    if matches!(document, Document::Index(_)) { DocumentRole::Index } else { DocumentRole::Manifest };
                let state = if self.promised { VerifyState::Verified } else { VerifyState::Computed };
                (role, document.raw().clone(), state)
            }
            ResolveStep::Manifest(document) => (DocumentRole::Manifest, document.raw().clone(), VerifyState::Verified),
            ResolveStep::Config(raw) => (DocumentRole::Config, raw, VerifyState::Verified),
            ResolveStep::Chosen(_) => return,
        };
        // A manifest that the name itself stands for comes twice: as the first document, and as the manifest.
        if self.documents.last().is_none_or(|last| last.raw.digest() != raw.digest()) {
            self.documents.push(VerifiedDocument { role, raw, state, findings: Vec::new(), deviations: Vec::new() });
        }
    }

    /// Returns the documents in order. If there is an `image`, the last one has the findings and deviations of all
    /// documents.
    pub fn finish(mut self, image: Option<&Image>) -> Vec<VerifiedDocument> {
        if let (Some(image), Some(last)) = (image, self.documents.last_mut()) {
            (last.findings, last.deviations) = image.deviations().into_iter().partition(Deviation::refutes);
            if !last.findings.is_empty() {
                last.state = VerifyState::Wrong;
            }
        }
        self.documents
    }
}

/// A layer that was read to its end.
#[derive(Debug)]
pub struct VerifiedLayer {
    /// Its number in the image.
    pub layer: LayerNumber,
    /// The digest that the manifest promises, else the computed one.
    pub digest: Digest,
    /// The digest of the bytes that were read, if it differs from `digest`.
    pub got: Option<Digest>,
    /// Digest of the unpacked archive: as the configuration states it, else the computed one.
    pub diff_id: Option<Digest>,
    /// Bytes of the blob.
    pub size: u64,
    /// Bytes of the archive, and its entries; `None` for the blob of an artifact that is not an archive.
    pub archive: Option<ArchiveSize>,
    /// Result of its verification.
    pub state: VerifyState,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// Why a runtime would not unpack the layer to its end; `None` if it would.
    pub stopped: Option<tree::Error>,
    /// The audit of its table of contents, if it has one.
    pub toc: Option<AuditedToc>,
    /// What readers may disagree about.
    pub doubts: LayerDoubts,
}

/// How large the archive of a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveSize {
    /// Bytes of the unpacked archive.
    pub bytes: u64,
    /// Number of entries.
    pub entries: u64,
}

impl VerifiedLayer {
    /// Counts what readers may disagree about, and what was not checked.
    pub fn doubts(&self) -> u64 {
        self.doubts.count() + u64::from(self.toc.as_ref().is_some_and(AuditedToc::is_unchecked))
    }

    /// Classifies what is wrong with the layer; empty if nothing is.
    pub fn failures(&self) -> Vec<Failure> {
        let malformed = matches!(self.state, VerifyState::Wrong | VerifyState::Stopped);
        self.findings.iter().map(Classify::failure).chain(malformed.then(Failure::malformed)).collect()
    }
}

/// Stacks layers as a runtime would, and judges each when it ends.
#[derive(Debug)]
pub struct VerifyStack {
    tree: FileTree,
    /// A layer was wrong or stopped, so the tree lacks its files: layers above cannot be judged.
    broken: bool,
    /// Index and doubts of the layer that is being read.
    open: Option<(u32, DoubtCollector)>,
}

impl VerifyStack {
    /// Starts without layers.
    pub fn new(limits: &Limits) -> Self {
        Self { tree: FileTree::new(limits.tree_nodes), broken: false, open: None }
    }

    /// Adds an entry of a layer.
    pub fn entry(&mut self, job: &LayerJob, entry: &Entry) {
        if !job.is_archive() {
            return;
        }
        self.collector(job).add(entry);
        if !self.broken {
            // The tree remembers where a runtime stops, and ignores what comes after it.
            let _ = self.tree.apply(entry);
        }
    }

    /// Ends a layer that was read, with the audit of its table of contents.
    pub fn end(&mut self, job: &LayerJob, report: &LayerReport, toc: Option<AuditedToc>) -> VerifiedLayer {
        self.collector(job);
        let collector = self.open.take().map(|(_, collector)| collector).unwrap_or_default();
        let findings: Vec<_> = job.findings(report).into_iter().cloned().collect();
        let archive = job.was_archive(report);
        let has_whiteouts = collector.has_whiteouts();
        let mut doubts = if archive { collector.doubts(report) } else { LayerDoubts::default() };
        let mut stopped = None;
        if findings.is_empty() && !self.broken && archive {
            match self.tree.commit().stopped {
                Some(error) if error.is_limit() => doubts.unchecked = Some(error),
                error => stopped = error,
            }
            if has_whiteouts {
                doubts.add_tree(&self.tree, job.layer);
            }
        } else {
            self.tree.abort();
        }
        // Layers above may build on what this one lacks.
        self.broken |= !findings.is_empty() || stopped.is_some() || doubts.unchecked.is_some();
        let mut state = match (&job.descriptor, findings.is_empty()) {
            (_, false) if findings.iter().all(Finding::is_limit) => VerifyState::Limit,
            (_, false) => VerifyState::Wrong,
            _ if stopped.is_some() => VerifyState::Stopped,
            (Some(_), true) => VerifyState::Verified,
            (None, true) => VerifyState::Computed,
        };
        // Readers that trust the table of contents would see another layer.
        if toc.as_ref().is_some_and(|toc| !toc.agrees()) {
            state = VerifyState::Wrong;
        }
        let digest = job.descriptor.as_ref().map_or(report.digest, |descriptor| descriptor.digest);
        VerifiedLayer {
            layer: job.number(),
            digest,
            got: (digest != report.digest).then_some(report.digest),
            diff_id: job.diff_id.or(report.diff_id).filter(|_| archive),
            size: report.size,
            archive: archive.then_some(ArchiveSize { bytes: report.uncompressed, entries: report.entries }),
            state,
            findings,
            stopped,
            toc,
            doubts,
        }
    }

    fn collector(&mut self, job: &LayerJob) -> &mut DoubtCollector {
        if self.open.as_ref().is_none_or(|(layer, _)| *layer != job.layer) {
            self.tree.begin(job.layer);
            self.open = None;
        }
        &mut self.open.get_or_insert_with(|| (job.layer, DoubtCollector::default())).1
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

    use super::*;
    use crate::resolve::{PlatformChoice, resolve};
    use porthole_core::{
        layer::{Expected, LayerReader},
        platform::Platform,
        tar::Kind,
    };
    use porthole_testkit::{
        executor::block_on,
        image::{Image, Layer},
        sink::Ignore,
        source::MemoryImage,
    };

    fn job(layer: u32) -> LayerJob {
        LayerJob { layer, ..LayerJob::bare().remove(0) }
    }

    /// The report of a layer of which nothing is promised, or another digest.
    fn report(expected: Expected) -> LayerReport {
        let mut reader = LayerReader::new(expected, Limits::default());
        reader.push(&[0; 1024], &mut Ignore);
        reader.finish(&mut Ignore)
    }

    #[test]
    fn documents_are_listed_once_each() {
        let image = Image::new().layer(Layer::new("COPY a /").file("a", "1"));
        let source = MemoryImage::new(image.build().into_content("1"), "1");
        let choice = PlatformChoice::fallback(Platform::new("linux", "amd64", None));
        for (promised, first) in [(true, VerifyState::Verified), (false, VerifyState::Computed)] {
            let mut audit = DocumentAudit::new(promised);
            let resolved = block_on(resolve(&source, &choice, &mut |step| audit.add(step))).unwrap();
            let documents = audit.finish(Some(&resolved.image));
            let told: Vec<_> = documents.iter().map(|document| (document.role, document.state)).collect();
            assert_eq!(told, [(DocumentRole::Manifest, first), (DocumentRole::Config, VerifyState::Verified)]);
        }
    }

    #[test]
    fn layers_above_a_wrong_one_are_not_blamed_for_it() {
        let mut stack = VerifyStack::new(&Limits::default());
        let digest = Digest::sha256(b"another");
        let wrong = Expected { digest: Some(digest), ..Expected::default() };
        stack.entry(&job(0), &Entry::new("a", Kind::Directory));
        let below = stack.end(&job(0), &report(wrong), None);
        assert_eq!((below.state, below.failures().len()), (VerifyState::Wrong, 2));
        // Without the layer below, the target of this link is missing.
        let link = Entry { link: b"a/missing".to_vec(), ..Entry::new("b", Kind::Hardlink) };
        stack.entry(&job(1), &link);
        let above = stack.end(&job(1), &report(Expected::default()), None);
        assert_eq!((above.state, above.layer.get()), (VerifyState::Computed, 2));
        assert!(above.stopped.is_none() && above.failures().is_empty());
    }

    #[test]
    fn a_limit_of_ours_is_a_doubt_and_no_fault() {
        let mut limits = Limits::default();
        limits.tree_nodes = 2;
        let mut stack = VerifyStack::new(&limits);
        stack.entry(&job(0), &Entry::new("a/b/c/d", Kind::File));
        let layer = stack.end(&job(0), &report(Expected::default()), None);
        assert!(layer.doubts.unchecked.is_some() && layer.stopped.is_none());
        assert_eq!((layer.state, layer.doubts()), (VerifyState::Computed, 1));
    }

    #[test]
    fn markers_beside_what_they_hide_are_doubts() {
        let mut stack = VerifyStack::new(&Limits::default());
        for path in ["a", ".wh.a"] {
            stack.entry(&job(0), &Entry::new(path, Kind::File));
        }
        let layer = stack.end(&job(0), &report(Expected::default()), None);
        assert_eq!((layer.state, layer.doubts()), (VerifyState::Computed, 1));
        assert_eq!(layer.doubts.named[0].path, b"a");
    }
}
