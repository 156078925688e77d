//! Waste: bytes of an image that a container does not see.

use super::InstructionLine;
use serde::{Deserialize, Serialize};

/// The waste of an image, as `porthole analyze` reports it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WasteFacts {
    /// Bytes of the blobs of all layers.
    pub download: u64,
    /// Bytes of all archives.
    pub unpacked: u64,
    /// Bytes of the regular files in all archives.
    pub files: u64,
    /// Bytes of the regular files that a container sees.
    pub visible: u64,
    /// `files` without `visible`.
    pub wasted: u64,
    /// About how many bytes of the blobs hold them.
    pub wasted_download: u64,
    /// `visible` divided by `files`: 1.0 without waste.
    pub efficiency: f64,
    /// How efficiency is defined, in words.
    pub definition: String,
    /// Contents were compared by their digests. Otherwise a file that was written again with the same size counts as
    /// overwritten, and `copies` is empty.
    pub compared: bool,
    /// Layers, bottom first.
    pub layers: Vec<LayerWasteFacts>,
    /// Wasted paths, most bytes first: at most 1000.
    pub paths: Vec<WastedPath>,
    /// How many wasted paths there are.
    pub paths_total: u64,
    /// Same content at several paths, largest saving first: at most 1000.
    pub copies: Vec<CopiedContent>,
    /// How many such contents there are.
    pub copies_total: u64,
    /// What other ways to build the image would save, most first. They are alternatives.
    pub what_if: Vec<WhatIfFact>,
    /// Layers that could not be read or are wrong: they are not counted. 0 = bottom.
    pub missing: Vec<u32>,
}

/// A way to build the image, and what it saves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatIfFact {
    /// `squash`, `squash-all`, `set-at-once` or `zstd`.
    pub change: String,
    /// The change in words.
    pub text: String,
    /// The layer that is to blame, 0 = bottom.
    pub layer: Option<u32>,
    /// Bytes of files that it saves.
    pub unpacked: u64,
    /// Bytes of the download that it saves, estimated.
    pub download: u64,
    /// The least that it can be.
    pub least: u64,
    /// The most that it can be.
    pub most: u64,
}

/// Bytes of a layer, and the parts of it that are wasted or that it wastes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerWasteFacts {
    /// Index of the layer, counted from 0 at the bottom.
    pub layer: u32,
    /// Digest of its blob.
    pub digest: Option<String>,
    /// What made it.
    pub instruction: Option<InstructionLine>,
    /// Bytes of its blob.
    pub download: u64,
    /// Bytes of its archive.
    pub unpacked: u64,
    /// Bytes of its regular files.
    pub files: u64,
    /// Those that a container does not see.
    pub wasted: u64,
    /// About how many bytes of its blob hold them.
    pub wasted_download: u64,
    /// Bytes, of lower layers or its own, that are not visible because of it.
    pub wastes: u64,
    /// The part of `wastes` that it deleted.
    pub deleted: u64,
    /// The part that it overwrote.
    pub overwritten: u64,
    /// The part that it wrote again.
    pub duplicated: u64,
    /// The part that it copied to change mode, owner or attributes.
    pub metadata: u64,
}

/// Contents that were lost together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WastedPath {
    /// Path, escaped as `porthole ls --json` prints it.
    pub path: String,
    /// It stands for the files below it.
    pub directory: bool,
    /// `deleted`, `overwritten`, `duplicated` or `metadata`.
    pub cause: String,
    /// How the files differ that took their place.
    pub aspects: Vec<String>,
    /// Layers that brought the bytes, bottom first. 0 = bottom.
    pub brought_by: Vec<u32>,
    /// Layer that hid them.
    pub wasted_by: u32,
    /// How many files.
    pub files: u64,
    /// Unpacked bytes of these files.
    pub bytes: u64,
    /// About how many bytes of the blobs hold them.
    pub download: u64,
    /// Escaped path where the same bytes are visible.
    pub elsewhere: Option<String>,
}

/// Visible files of the same content that are no hard links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedContent {
    /// Bytes of one.
    pub bytes: u64,
    /// Bytes that hard links would save.
    pub spare: u64,
    /// Escaped paths, at most 100.
    pub paths: Vec<String>,
    /// How many paths there are.
    pub count: u64,
}
