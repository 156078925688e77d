//! The documents of an image, as the page shows them before any file is listed.

use crate::protocol::{DocumentText, HistoryEntry, ImageLayer, ImageSummary, InstructionLine, ProofStep};
use porthole_core::{
    config::{Execution, ImageConfig},
    image::{self, Image},
    manifest::{self, Raw},
    platform,
    reference::Reference,
};
use porthole_inspect::resolve::ResolvedImage;

/// Twin of a resolved image.
pub(crate) fn summarize(reference: &Reference, resolved: &ResolvedImage) -> ImageSummary {
    let image = &resolved.image;
    let root = resolved.index.as_ref().map_or(&image.manifest.raw, manifest::Document::raw);
    let index = resolved.index.as_ref().and_then(|document| match document {
        manifest::Document::Index(index) => Some(index),
        _ => None,
    });
    let platforms = index.map_or_else(Vec::new, |index| {
        platform::available(&index.value.manifests).iter().map(ToString::to_string).collect()
    });
    let platform = image.platform().map(|platform| platform.to_string());

    let mut documents = Vec::new();
    if let Some(document) = &resolved.index {
        documents.push(text(ProofStep::Index, document.raw(), document.media_type().as_str()));
    }
    documents.push(text(ProofStep::Manifest, &image.manifest.raw, image.manifest.media_type.as_str()));
    documents.push(text(ProofStep::Config, &image.config_raw, image.manifest.value.config.media_type.as_str()));

    ImageSummary {
        reference: reference.to_string(),
        familiar: reference.familiar(),
        registry: reference.registry().into(),
        repository: reference.repository().into(),
        tag: reference.tag().map(Into::into),
        pinned: reference.with_digest(*root.digest()).to_string(),
        platform,
        platforms,
        layers: image.layers.iter().map(layer).collect(),
        history: history(image),
        config: facts(&image.config),
        deviations: image.deviations().iter().map(ToString::to_string).collect(),
        created: image.config.created.clone(),
        documents,
        download: image.download_size(),
        bare: false,
    }
}

fn text(step: ProofStep, raw: &Raw, media_type: &str) -> DocumentText {
    DocumentText {
        step,
        digest: raw.digest().to_string(),
        media_type: media_type.into(),
        text: String::from_utf8_lossy(raw.bytes()).into_owned(),
    }
}

fn layer(layer: &image::Layer) -> ImageLayer {
    let descriptor = &layer.descriptor;
    ImageLayer {
        index: layer.index,
        digest: descriptor.digest.to_string(),
        diff_id: layer.diff_id.map(|diff_id| diff_id.to_string()),
        size: descriptor.size,
        media_type: descriptor.media_type.as_str().into(),
        archive: layer.archive,
        instruction: layer.created_by.as_deref().map(instruction),
    }
}

/// A line of a Dockerfile, cleaned.
pub(crate) fn instruction(created_by: &str) -> InstructionLine {
    let image::Instruction { keyword, arguments, .. } = image::instruction(created_by);
    InstructionLine { keyword, arguments, created_by: created_by.into() }
}

/// Entries that made no layer have none; the others count up, as far as there are layers.
fn history(image: &Image) -> Vec<HistoryEntry> {
    let mut layers = 0..image.layers.len() as u32;
    let entry = |entry: &porthole_core::config::History| HistoryEntry {
        created: entry.created.clone(),
        instruction: entry.created_by.as_deref().map(instruction),
        layer: if entry.empty_layer { None } else { layers.next() },
        comment: entry.comment.clone(),
    };
    image.config.history.iter().map(entry).collect()
}

fn facts(config: &ImageConfig) -> Vec<(String, Vec<String>)> {
    let one = |value: &str| if value.is_empty() { Vec::new() } else { vec![value.to_owned()] };
    let Execution { user, env, entrypoint, cmd, working_dir, labels, exposed_ports, volumes, stop_signal, .. } =
        &config.execution;
    let facts = [
        ("user", one(user)),
        ("entrypoint", entrypoint.clone()),
        ("cmd", cmd.clone()),
        ("working directory", one(working_dir)),
        ("environment", env.clone()),
        ("ports", exposed_ports.clone()),
        ("volumes", volumes.clone()),
        ("stop signal", one(stop_signal.as_deref().unwrap_or_default())),
        ("labels", labels.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        ("author", one(config.author.as_deref().unwrap_or_default())),
    ];
    facts.into_iter().filter(|(_, values)| !values.is_empty()).map(|(name, values)| (name.into(), values)).collect()
}
