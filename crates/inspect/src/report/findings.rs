//! Findings, as `porthole inspect --json` and `porthole report --json` print them.

use super::ReportedPath;
use crate::findings::ImageFinding;
use porthole_core::{
    layer::{BlobDigests, LayerNumber},
    quantity::size,
    tree::{Aspects, Cause},
};
use serde::Serialize;

/// A finding, in words and figures.
#[derive(Serialize)]
pub struct FindingReport {
    /// Which kind, in one word.
    pub kind: &'static str,
    /// The finding in words.
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Bytes of the blobs that hold them, estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    download: Option<u64>,
    /// The layer that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerNumber>,
    /// Digest of its blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_digest: Option<String>,
    /// The path that it is about, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aspects: Vec<&'static str>,
    /// The instruction that made the layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
}

impl FindingReport {
    /// A finding about a file in one of these layers, or about the image.
    pub fn new(
        kind: &'static str,
        text: String,
        layer: Option<u32>,
        layers: &BlobDigests,
        path: Option<&[u8]>,
    ) -> Self {
        let (path, path_b64) = match path.map(ReportedPath::of) {
            Some(ReportedPath { path, path_b64 }) => (Some(path.into_owned()), path_b64),
            None => (None, None),
        };
        Self {
            kind,
            text,
            count: None,
            bytes: None,
            download: None,
            layer: layer.map(LayerNumber::of_index),
            layer_digest: layer.and_then(|layer| layers.find(layer)).map(str::to_owned),
            path,
            path_b64,
            cause: None,
            aspects: Vec::new(),
            instruction: None,
        }
    }

    /// A finding about an image of these layers.
    pub fn of(finding: &ImageFinding, layers: &BlobDigests) -> Self {
        let target = finding.target();
        let (cause, aspects, instruction) = match finding {
            ImageFinding::MetadataCopies { aspects, instruction, .. } => (None, *aspects, instruction.clone()),
            ImageFinding::BiggestWaste { cause, .. } => (Some(Cause::name(*cause)), Aspects::NONE, None),
            _ => (None, Aspects::NONE, None),
        };
        let (path, path_b64) = match target.path.as_deref().map(ReportedPath::of) {
            Some(ReportedPath { path, path_b64 }) => (Some(path.into_owned()), path_b64),
            None => (None, None),
        };
        Self {
            kind: finding.name(),
            text: finding.words(size),
            count: finding.count(),
            bytes: finding.bytes().map(|(bytes, _)| bytes),
            download: finding.bytes().map(|(_, download)| download),
            layer: target.layer.map(LayerNumber::of_index),
            layer_digest: target.layer.and_then(|layer| layers.find(layer)).map(str::to_owned),
            path,
            path_b64,
            cause,
            aspects: aspects.iter().map(|aspect| aspect.name()).collect(),
            instruction,
        }
    }
}
