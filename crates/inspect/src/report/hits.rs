//! Matching lines, as `porthole search --json` prints them.

use crate::search::{ContentHit, FileHits, LayerHits, TextEncoding};
use porthole_core::{
    layer::{BlobDigests, LayerNumber},
    path,
    tree::{ContentFate, ContentFates},
};
use serde::Serialize;

/// A matching line, a file with such lines, or the end.
#[derive(Default, Serialize)]
pub struct SearchRow<'r> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<LayerNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_digest: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    /// Offset of the match in the file, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    matched: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    /// Lines that match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_by: Option<LayerNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_by_digest: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    searched: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    printed: Option<u64>,
}

impl<'r> SearchRow<'r> {
    fn new(kind: &'static str) -> Self {
        Self { kind, ..Self::default() }
    }

    /// The row of a matching line in one of these layers.
    pub fn of_hit(layer: u32, layers: &'r BlobDigests, hit: &ContentHit) -> Self {
        let line = &hit.line;
        let part = |bytes: &[u8]| Some(path::escape(bytes).into_owned());
        Self {
            layer: Some(LayerNumber::of_index(layer)),
            layer_digest: layers.find(layer),
            path: Some(shown(&hit.path)),
            line: Some(line.number),
            offset: Some(line.offset),
            text: part(&line.text),
            matched: part(&line.text[line.range.clone()]),
            before: part(&line.text[..line.range.start]),
            cut: Some(line.cut.0 || line.cut.1),
            encoding: match line.encoding {
                TextEncoding::Bytes => None,
                TextEncoding::Utf16Le => Some("utf-16le"),
                TextEncoding::Utf16Be => Some("utf-16be"),
            },
            ..Self::new("match")
        }
    }

    /// The row of a file with matching lines. `fates` = what became of the contents, if all layers are known.
    pub fn of_file(layer: u32, layers: &'r BlobDigests, file: &FileHits, fates: Option<&ContentFates>) -> Self {
        let fate = fates.map(|fates| fates.find(layer, file.content));
        let removed_by = fate.and_then(ContentFate::removed_by);
        Self {
            layer: Some(LayerNumber::of_index(layer)),
            layer_digest: layers.find(layer),
            path: Some(shown(&file.path)),
            lines: Some(file.lines),
            state: fate.map(|fate| match fate {
                ContentFate::Visible => "live",
                ContentFate::Deleted(_) => "deleted",
                ContentFate::Replaced(_) => "replaced",
                ContentFate::Hidden => "hidden",
            }),
            removed_by: removed_by.map(LayerNumber::of_index),
            removed_by_digest: removed_by.and_then(|layer| layers.find(layer)),
            ..Self::new("file")
        }
    }

    /// The sums of all layers, and how many lines were printed.
    pub fn of_end<'h>(layers: impl Iterator<Item = &'h LayerHits> + Clone, printed: u64) -> Self {
        let sum = |of: fn(&LayerHits) -> u64| Some(layers.clone().map(of).sum());
        Self {
            lines: sum(|hits| hits.lines),
            files: sum(|hits| hits.files.len() as u64),
            searched: sum(|hits| hits.searched),
            bytes: sum(|hits| hits.bytes),
            printed: Some(printed),
            ..Self::new("end")
        }
    }

    /// `LAYER:PATH`, as `grep` names a file.
    pub fn place(&self) -> String {
        match (self.layer, &self.path) {
            (Some(layer), Some(path)) => format!("{layer}:{path}"),
            _ => String::new(),
        }
    }

    /// What became of the file, in words; `None` if a container sees it.
    pub fn fate(&self) -> Option<String> {
        match (self.state?, self.removed_by) {
            ("live", _) => None,
            (state, Some(layer)) => Some(format!("{state} by layer {layer}, still downloadable")),
            _ => Some("not in the tree, still downloadable".to_owned()),
        }
    }
}

/// A path as it is printed.
fn shown(path: &[u8]) -> String {
    path::escape(path).into_owned()
}
