//! The overview of an image as a front end shows it.

use crate::{
    pretty::visible,
    protocol::{
        ArtifactBlob, ArtifactSummary, BaseFact, DocumentFact, FindingFact, FindingLink, ImageSummary, OtherEntry,
        OtherRole, OverviewFacts, ProofStep, Sizes, ViewMode,
    },
    size::size,
};
use porthole_core::{
    config::ImageConfig,
    image::{Image, Layer},
    path,
};
use porthole_inspect::{
    artifact::ArtifactFact,
    findings::{FindingView, ImageFinding},
    overview::{ArtifactOverview, BaseImage, DocumentName, EntryRole, IndexEntry, Overview},
    resolve::ResolvedImage,
};
use std::collections::BTreeMap;

/// Twin of an overview. `given` is the reference as typed.
pub(crate) fn facts(
    given: &str,
    summary: &ImageSummary,
    resolved: &ResolvedImage,
    overview: &Overview,
) -> OverviewFacts {
    let image = &resolved.image;
    let ImageConfig { execution, created, author, .. } = &image.config;
    let document = |step, name: &DocumentName| DocumentFact {
        step,
        digest: name.digest.to_string(),
        media_type: name.media_type.to_string(),
        size: name.size,
    };
    let mut documents: Vec<_> = overview.index.iter().map(|name| document(ProofStep::Index, name)).collect();
    documents.push(document(ProofStep::Manifest, &overview.manifest));
    documents.push(document(ProofStep::Config, &overview.config));
    OverviewFacts {
        given: given.into(),
        reference: summary.reference.clone(),
        resolved: summary.pinned.clone(),
        documents,
        created: created.clone(),
        author: author.clone(),
        artifact_type: overview.artifact_type.as_ref().map(ToString::to_string),
        artifact: overview.artifact.as_ref().map(|artifact| self::artifact(image, artifact)),
        platform: summary.platform.clone(),
        platforms: summary.platforms.clone(),
        others: overview.entries.iter().filter_map(other).collect(),
        user: execution.user.clone(),
        entrypoint: execution.entrypoint.clone(),
        cmd: execution.cmd.clone(),
        working_dir: execution.working_dir.clone(),
        env: execution.env.clone(),
        ports: execution.exposed_ports.clone(),
        volumes: execution.volumes.clone(),
        stop_signal: execution.stop_signal.clone(),
        labels: pairs(&execution.labels),
        annotations: pairs(&image.manifest.value.annotations),
        index_annotations: pairs(&overview.index_annotations),
        base: overview.base.clone().map(|BaseImage { name, digest }| BaseFact { name, digest }),
        sizes: Sizes { download: overview.sizes.download, ..Sizes::default() },
        findings: overview.findings.iter().map(finding).collect(),
        settled: false,
        missing: Vec::new(),
    }
}

fn artifact(image: &Image, artifact: &ArtifactOverview) -> ArtifactSummary {
    let blob = |layer: &Layer| ArtifactBlob {
        name: layer.file.as_deref().map(|name| path::escape(name.as_bytes()).into_owned()).unwrap_or_default(),
        media_type: layer.descriptor.media_type.to_string(),
        size: layer.descriptor.size,
        facts: Vec::new(),
    };
    ArtifactSummary {
        kind: artifact.kind.name().into(),
        words: artifact.kind.words().into(),
        facts: told(&artifact.facts),
        blobs: image.layers.iter().map(blob).collect(),
    }
}

/// Twins of the facts of an artifact.
pub(crate) fn told(facts: &[ArtifactFact]) -> Vec<(String, String)> {
    facts.iter().map(|fact| (fact.name.clone(), fact.value.clone())).collect()
}

/// A finding in words.
pub(crate) fn finding(finding: &ImageFinding) -> FindingFact {
    let target = finding.target();
    let path = target.path.map(|path| path::escape(&path).into_owned());
    let files = |mode, layer| FindingLink::Files { mode, layer, path: path.clone() };
    FindingFact {
        kind: finding.name().into(),
        text: visible(&finding.words(size)),
        count: finding.count(),
        bytes: finding.bytes().map(|(bytes, _)| bytes),
        download: finding.bytes().map(|(_, download)| download),
        target: match target.view {
            FindingView::Documents => FindingLink::Documents,
            FindingView::Files => files(ViewMode::Merged, None),
            FindingView::Layer => files(ViewMode::Only, target.layer),
            FindingView::Deleted => files(ViewMode::Deleted, None),
            FindingView::Waste => FindingLink::Waste { path },
        },
    }
}

fn other(entry: &IndexEntry) -> Option<OtherEntry> {
    let descriptor = &entry.descriptor;
    let role = match entry.role {
        EntryRole::Image => return None,
        EntryRole::Attestation => OtherRole::Attestation,
        EntryRole::Index => OtherRole::Index,
        EntryRole::Artifact => OtherRole::Artifact,
    };
    let media_type = descriptor.artifact_type.as_ref().unwrap_or(&descriptor.media_type);
    Some(OtherEntry {
        role,
        digest: descriptor.digest.to_string(),
        media_type: media_type.to_string(),
        about: descriptor.annotations.get(ATTESTED).cloned(),
    })
}

fn pairs(map: &BTreeMap<String, String>) -> Vec<(String, String)> {
    map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Set by BuildKit on attestations: the digest of the manifest that they are about.
const ATTESTED: &str = "vnd.docker.reference.digest";
