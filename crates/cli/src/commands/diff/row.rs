//! Differences as data: a contract with scripts, which changes only by additions.

use porthole_core::{
    config::History,
    image::{
        Image,
        diff::{HistoryChange, LayerMatch, LayerPair, Layers, SettingChange, Value},
    },
    layer::LayerNumber,
    tar::Kind,
    tree::{Aspects, Difference, NodeId, Row as Listed, View},
};
use porthole_inspect::report::{ReportedMeta, ReportedPath};
use serde::{Serialize, Serializer};

use super::{packages::PackageRow, what::What};

/// One line.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Row<'r> {
    Setting(Setting),
    History(HistoryRow<'r>),
    Layers(LayersRow),
    Layer(LayerRow),
    Package(Box<PackageRow<'r>>),
    File(Box<FileRow<'r>>),
}

#[derive(Serialize)]
pub(super) struct Setting {
    pub(super) kind: &'static str,
    pub(super) change: What,
    pub(super) key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(serialize_with = "value")]
    pub(super) before: Option<Value>,
    #[serde(serialize_with = "value")]
    pub(super) after: Option<Value>,
}

#[derive(Serialize)]
pub(super) struct HistoryRow<'r> {
    kind: &'static str,
    pub(super) change: What,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<&'static str>,
    pub(super) before: Option<Step<'r>>,
    pub(super) after: Option<Step<'r>>,
}

#[derive(Serialize)]
pub(super) struct Step<'r> {
    place: usize,
    pub(super) created_by: Option<&'r str>,
    created: Option<&'r str>,
    author: Option<&'r str>,
    comment: Option<&'r str>,
    empty_layer: bool,
}

/// What all layers together come to, before each of them.
#[derive(Serialize)]
pub(super) struct LayersRow {
    kind: &'static str,
    /// How many of the lowest unpack to the same.
    pub(super) shared: u32,
    /// Bytes that only the second has.
    pub(super) download: u64,
}

#[derive(Serialize)]
pub(super) struct LayerRow {
    kind: &'static str,
    pub(super) change: What,
    pub(super) before: Option<Blob>,
    pub(super) after: Option<Blob>,
}

#[derive(Serialize)]
pub(super) struct Blob {
    pub(super) layer: LayerNumber,
    pub(super) digest: String,
    diff_id: Option<String>,
    pub(super) size: u64,
}

#[derive(Serialize)]
pub(super) struct FileRow<'r> {
    kind: &'static str,
    pub(super) change: What,
    #[serde(flatten)]
    pub(super) name: ReportedPath<'r>,
    #[serde(serialize_with = "names", skip_serializing_if = "is_empty")]
    pub(super) aspects: Aspects,
    pub(super) before: Option<SeenRow<'r>>,
    pub(super) after: Option<SeenRow<'r>>,
}

#[derive(Serialize)]
pub(super) struct SeenRow<'r> {
    #[serde(flatten)]
    meta: ReportedMeta<'r>,
    layer: LayerNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'r str>,
    #[serde(skip)]
    pub(super) row: &'r Listed,
}

/// A path in one of the trees.
pub(super) struct Seen {
    row: Listed,
    digest: Option<String>,
}

impl Seen {
    pub(super) fn of(view: &View<'_>, node: NodeId) -> Option<Self> {
        let row = view.row(node)?;
        let digest = view.digest(node).filter(|_| row.kind == Kind::File).map(|digest| digest.to_string());
        Some(Self { row, digest })
    }
}

impl<'r> Row<'r> {
    pub(super) fn setting(kind: &'static str, change: &SettingChange) -> Self {
        let SettingChange { key, name, before, after } = change.clone();
        Self::Setting(Setting { kind, change: what(before.is_some(), after.is_some()), key, name, before, after })
    }

    pub(super) fn history(change: &HistoryChange, before: &'r Image, after: &'r Image) -> Self {
        let step = |image: &'r Image, place: Option<usize>| {
            let place = place?;
            image.config.history.get(place).map(|entry| Step::of(place, entry))
        };
        Self::History(HistoryRow {
            kind: "history",
            change: what(change.before.is_some(), change.after.is_some()),
            fields: change.fields.clone(),
            before: step(before, change.before),
            after: step(after, change.after),
        })
    }

    pub(super) fn layers(layers: &Layers) -> Self {
        Self::Layers(LayersRow { kind: "layers", shared: layers.shared, download: layers.download })
    }

    pub(super) fn layer(pair: &LayerPair, before: &Image, after: &Image) -> Self {
        let blob = |image: &Image, place: Option<u32>| {
            let layer = image.layers.get(place? as usize)?;
            Some(Blob {
                layer: LayerNumber::of_index(layer.index),
                digest: layer.descriptor.digest.to_string(),
                diff_id: layer.diff_id.map(|diff_id| diff_id.to_string()),
                size: layer.descriptor.size,
            })
        };
        let change = match pair.state {
            LayerMatch::Same => What::Same,
            LayerMatch::Recompressed => What::Recompressed,
            LayerMatch::Removed => What::Removed,
            LayerMatch::Added => What::Added,
        };
        Self::Layer(LayerRow {
            kind: "layer",
            change,
            before: blob(before, pair.before),
            after: blob(after, pair.after),
        })
    }

    pub(super) fn file(found: &'r Difference, seen: &'r (Option<Seen>, Option<Seen>)) -> Self {
        let side = |seen: &'r Option<Seen>| {
            seen.as_ref().map(|Seen { row, digest }| SeenRow {
                meta: ReportedMeta::of(row),
                layer: LayerNumber::of_index(row.layer),
                digest: digest.as_deref(),
                row,
            })
        };
        Self::File(Box::new(FileRow {
            kind: "file",
            change: what(found.before.is_some(), found.after.is_some()),
            name: ReportedPath::of(&found.path),
            aspects: found.aspects,
            before: side(&seen.0),
            after: side(&seen.1),
        }))
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Setting(row) => row.kind,
            Self::History(row) => row.kind,
            Self::Layers(row) => row.kind,
            Self::Layer(row) => row.kind,
            Self::Package(row) => row.kind,
            Self::File(row) => row.kind,
        }
    }

    /// Layers that are the same stand beside those that are not, to show where.
    pub(super) fn is_difference(&self) -> bool {
        !matches!(self, Self::Layers(_) | Self::Layer(LayerRow { change: What::Same, .. }))
    }
}

impl<'r> Step<'r> {
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

fn what(before: bool, after: bool) -> What {
    match (before, after) {
        (true, true) => What::Changed,
        (true, false) => What::Removed,
        (false, _) => What::Added,
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
