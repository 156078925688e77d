//! Differences of two images, as `porthole diff --json` prints them.

use super::{ReportedMeta, ReportedPath};
use porthole_core::{
    config::History,
    image::{
        Image,
        diff::{Diff, HistoryChange, LayerMatch, LayerPair, Layers, SettingChange, Value},
    },
    layer::{BlobDigests, LayerNumber},
    tar::Kind,
    tree::{Aspects, Difference, NodeId, Row, View},
};
use serde::{Serialize, Serializer};

/// How something differs between the first and the second image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DifferenceChange {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it, and it is not the same.
    Changed,
    /// Both have the same.
    Same,
    /// A layer of other bytes that unpacks to the same.
    Recompressed,
    /// A package of a later version.
    Upgraded,
    /// A package of an earlier version.
    Downgraded,
}

/// One line of the output.
#[derive(Serialize)]
#[serde(untagged)]
pub enum DifferenceRow<'r> {
    /// A field of manifest or configuration.
    Setting(SettingRow),
    /// An entry of the history.
    History(HistoryRow<'r>),
    /// All layers together.
    Layers(LayersRow),
    /// A layer of either image or both.
    Layer(LayerRow),
    /// A path whose files differ.
    File(Box<FileDifferenceRow<'r>>),
}

/// A field of manifest or configuration that differs.
#[derive(Serialize)]
pub struct SettingRow {
    kind: &'static str,
    /// Whether it was added, removed or changed.
    pub change: DifferenceChange,
    /// The field, as the command line names it.
    pub key: String,
    /// Name of the variable, label, port, volume or annotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Value in the first image.
    #[serde(serialize_with = "value")]
    pub before: Option<Value>,
    /// Value in the second image.
    #[serde(serialize_with = "value")]
    pub after: Option<Value>,
}

/// An entry of the history that differs.
#[derive(Serialize)]
pub struct HistoryRow<'r> {
    kind: &'static str,
    /// Whether it was added, removed or changed.
    pub change: DifferenceChange,
    /// Names of the fields that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<&'static str>,
    /// The entry in the first image.
    pub before: Option<HistoryStep<'r>>,
    /// The entry in the second image.
    pub after: Option<HistoryStep<'r>>,
}

/// An entry of the history.
#[derive(Serialize)]
pub struct HistoryStep<'r> {
    place: usize,
    /// The instruction, as the configuration has it.
    pub created_by: Option<&'r str>,
    created: Option<&'r str>,
    author: Option<&'r str>,
    comment: Option<&'r str>,
    empty_layer: bool,
}

/// Sums of all layers. The row comes before those of single layers.
#[derive(Serialize)]
pub struct LayersRow {
    kind: &'static str,
    /// How many of the lowest layers unpack to the same in both images.
    pub shared: u32,
    /// Bytes of the blobs that only the second image has.
    pub download: u64,
}

/// A layer of one image or both.
#[derive(Serialize)]
pub struct LayerRow {
    kind: &'static str,
    /// How the layers of both images relate.
    pub change: DifferenceChange,
    /// The blob in the first image.
    pub before: Option<LayerRowBlob>,
    /// The blob in the second image.
    pub after: Option<LayerRowBlob>,
}

/// The blob of a layer.
#[derive(Serialize)]
pub struct LayerRowBlob {
    /// Number of the layer, from 1.
    pub layer: LayerNumber,
    /// Digest of the compressed bytes.
    pub digest: String,
    diff_id: Option<String>,
    /// Bytes of the compressed layer.
    pub size: u64,
}

/// A path that differs.
#[derive(Serialize)]
pub struct FileDifferenceRow<'r> {
    kind: &'static str,
    /// Whether it was added, removed or changed.
    pub change: DifferenceChange,
    /// The path in both images.
    #[serde(flatten)]
    pub name: ReportedPath<'r>,
    /// Aspects in which it differs.
    #[serde(serialize_with = "names", skip_serializing_if = "is_empty")]
    pub aspects: Aspects,
    /// The file in the first image.
    pub before: Option<SeenRow<'r>>,
    /// The file in the second image.
    pub after: Option<SeenRow<'r>>,
}

/// A path as one image has it.
#[derive(Serialize)]
pub struct SeenRow<'r> {
    #[serde(flatten)]
    meta: ReportedMeta<'r>,
    layer: LayerNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_digest: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'r str>,
    /// The row of the tree that the other fields were made from.
    #[serde(skip)]
    pub row: &'r Row,
}

/// A path in one of the trees.
pub struct SeenFile {
    row: Row,
    digest: Option<String>,
}

impl SeenFile {
    /// Returns the row of a node, and the digest of a file if `contents` are compared or the file is empty.
    pub fn of(view: &View<'_>, node: NodeId, contents: bool) -> Option<Self> {
        let row = view.row(node)?;
        let shown = row.kind == Kind::File && (contents || row.size == 0);
        let digest = view.digest(node).filter(|_| shown).map(|digest| digest.to_string());
        Some(Self { row, digest })
    }
}

impl<'r> DifferenceRow<'r> {
    /// Makes the rows about the documents of two images: manifest, configuration, history, then the layers, if those
    /// differ.
    pub fn of_documents(diff: &Diff, before: &'r Image, after: &'r Image) -> Vec<Self> {
        let mut rows: Vec<_> = diff.manifest.iter().map(|change| Self::setting("manifest", change)).collect();
        rows.extend(diff.config.iter().map(|change| Self::setting("config", change)));
        rows.extend(diff.history.iter().map(|change| Self::history(change, before, after)));
        if diff.layers.differ() {
            rows.push(Self::layers(&diff.layers));
            rows.extend(diff.layers.pairs.iter().map(|pair| Self::layer(pair, before, after)));
        }
        rows
    }

    /// A row of a field; `kind` is the document.
    fn setting(kind: &'static str, change: &SettingChange) -> Self {
        let SettingChange { key, name, before, after } = change.clone();
        Self::Setting(SettingRow { kind, change: what(before.is_some(), after.is_some()), key, name, before, after })
    }

    /// A row of the history.
    fn history(change: &HistoryChange, before: &'r Image, after: &'r Image) -> Self {
        let step = |image: &'r Image, place: Option<usize>| {
            let place = place?;
            image.config.history.get(place).map(|entry| HistoryStep::of(place, entry))
        };
        Self::History(HistoryRow {
            kind: "history",
            change: what(change.before.is_some(), change.after.is_some()),
            fields: change.fields.clone(),
            before: step(before, change.before),
            after: step(after, change.after),
        })
    }

    /// The row before those of layers.
    fn layers(layers: &Layers) -> Self {
        Self::Layers(LayersRow { kind: "layers", shared: layers.shared, download: layers.download })
    }

    /// A row of a layer.
    fn layer(pair: &LayerPair, before: &Image, after: &Image) -> Self {
        let blob = |image: &Image, place: Option<u32>| {
            let layer = image.layers.get(place? as usize)?;
            Some(LayerRowBlob {
                layer: LayerNumber::of_index(layer.index),
                digest: layer.descriptor.digest.to_string(),
                diff_id: layer.diff_id.map(|diff_id| diff_id.to_string()),
                size: layer.descriptor.size,
            })
        };
        let change = match pair.state {
            LayerMatch::Same => DifferenceChange::Same,
            LayerMatch::Recompressed => DifferenceChange::Recompressed,
            LayerMatch::Removed => DifferenceChange::Removed,
            LayerMatch::Added => DifferenceChange::Added,
        };
        Self::Layer(LayerRow {
            kind: "layer",
            change,
            before: blob(before, pair.before),
            after: blob(after, pair.after),
        })
    }

    /// A row of a path; `layers` are those of the first image and of the second.
    pub fn file(
        found: &'r Difference,
        seen: &'r (Option<SeenFile>, Option<SeenFile>),
        layers: [&'r BlobDigests; 2],
    ) -> Self {
        let side = |seen: &'r Option<SeenFile>, layers: &'r BlobDigests| {
            seen.as_ref().map(|SeenFile { row, digest }| SeenRow {
                meta: ReportedMeta::of(row),
                layer: LayerNumber::of_index(row.layer),
                layer_digest: layers.find(row.layer),
                digest: digest.as_deref(),
                row,
            })
        };
        Self::File(Box::new(FileDifferenceRow {
            kind: "file",
            change: what(found.before.is_some(), found.after.is_some()),
            name: ReportedPath::of(&found.path),
            aspects: found.aspects,
            before: side(&seen.0, layers[0]),
            after: side(&seen.1, layers[1]),
        }))
    }

    /// The field `kind`: `manifest`, `config`, `history`, `layers`, `layer` or `file`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Setting(row) => row.kind,
            Self::History(row) => row.kind,
            Self::Layers(row) => row.kind,
            Self::Layer(row) => row.kind,
            Self::File(row) => row.kind,
        }
    }

    /// Whether the row is a difference. Layers that are the same are listed to show where the others are.
    pub fn is_difference(&self) -> bool {
        !matches!(self, Self::Layers(_) | Self::Layer(LayerRow { change: DifferenceChange::Same, .. }))
    }
}

impl<'r> HistoryStep<'r> {
    fn of(place: usize, entry: &'r History) -> Self {
        Self {
            place,
            created_by: entry.created_by.as_deref(),
            created: entry.created.as_deref(),
            author: entry.author.as_deref(),
            comment: entry.comment.as_deref(),
            empty_layer: entry.empty_layer,
        }
    }
}

fn what(before: bool, after: bool) -> DifferenceChange {
    match (before, after) {
        (true, true) => DifferenceChange::Changed,
        (true, false) => DifferenceChange::Removed,
        (false, _) => DifferenceChange::Added,
    }
}

fn value<S: Serializer>(value: &Option<Value>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        None => serializer.serialize_none(),
        Some(Value::Present) => serializer.serialize_bool(true),
        Some(Value::Text(text)) => serializer.serialize_str(text),
        Some(Value::List(list)) => serializer.collect_seq(list),
    }
}

fn is_empty(aspects: &Aspects) -> bool {
    aspects.is_empty()
}

fn names<S: Serializer>(aspects: &Aspects, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(aspects.iter().map(|aspect| aspect.name()))
}
