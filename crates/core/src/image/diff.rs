//! Two images, document by document. What differs between their files is for [`tree::diff`](crate::tree::diff()).

mod align;
mod config;
mod layers;

use self::align::align;
use super::{Image, has_image_config};
use crate::config::History;
use std::{collections::BTreeMap, fmt};

pub use self::layers::{LayerPair, LayerState, Layers};

/// What differs between two images, as far as their documents tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diff {
    /// Media type, artifact type and annotations of the manifests, by key.
    pub manifest: Vec<Change>,
    /// Configurations, by key.
    pub config: Vec<Change>,
    /// Entries of the histories that are not the same.
    pub history: Vec<HistoryChange>,
    /// All layers of both, side by side.
    pub layers: Layers,
}

/// Compares two images.
///
/// Documents of different digests never pass as equal: where nothing else tells why they differ, a change of the key
/// `digest` says that they are written differently.
pub fn diff(before: &Image, after: &Image) -> Diff {
    let layers = Layers::new(before, after);
    let history = history(&before.config.history, &after.config.history);
    let mut config = config::changes(before, after);
    let told = !config.is_empty() || !history.is_empty() || before.config.diff_ids != after.config.diff_ids;
    if !told {
        config.extend(written_differently(before.config_raw.digest(), after.config_raw.digest()));
    }
    let mut manifest = manifest(before, after);
    let told = !manifest.is_empty()
        || before.manifest.value.config != after.manifest.value.config
        || before.manifest.value.layers != after.manifest.value.layers;
    if !told {
        manifest.extend(written_differently(before.manifest.raw.digest(), after.manifest.raw.digest()));
    }
    Diff { manifest, config, history, layers }
}

/// A value that was set, unset or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What: `env`, `user`, `label`, …
    pub key: String,
    /// Which one of those that have names: of the variables, labels, ports, volumes, annotations.
    pub name: Option<String>,
    /// What it was.
    pub before: Option<Value>,
    /// What it is.
    pub after: Option<Value>,
}

impl Change {
    /// Whether it only says when the image was made.
    pub fn is_time(&self) -> bool {
        matches!(self.name.as_deref().unwrap_or(&self.key), "created" | "org.opencontainers.image.created")
    }
}

/// What a key may be set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// It is there: a port, a volume.
    Present,
    /// Text. JSON, for keys that the specification does not name.
    Text(String),
    /// A list, such as a command.
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::List(list) => write!(f, "{list:?}"),
        }
    }
}

/// An entry of the history that only one image has, or that says something else of the same instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryChange {
    /// Its place in the first history.
    pub before: Option<usize>,
    /// Its place in the second history.
    pub after: Option<usize>,
    /// Which fields differ, if both have it: `created`, `author`, `comment`.
    pub fields: Vec<&'static str>,
}

impl HistoryChange {
    /// Whether the two differ only in when they were made.
    pub fn is_time(&self) -> bool {
        self.fields == ["created"]
    }
}

/// Entries are the same if they name the same instruction, and both or neither made a layer.
fn history(before: &[History], after: &[History]) -> Vec<HistoryChange> {
    let identity = |entry: &History| (entry.created_by.clone(), entry.empty_layer);
    let (left, right): (Vec<_>, Vec<_>) = (before.iter().map(identity).collect(), after.iter().map(identity).collect());
    let change = |(left, right): (Option<usize>, Option<usize>)| {
        let fields = match (left, right) {
            (Some(left), Some(right)) => fields(&before[left], &after[right]),
            _ => Vec::new(),
        };
        let same = left.is_some() && right.is_some() && fields.is_empty();
        (!same).then_some(HistoryChange { before: left, after: right, fields })
    };
    align(&left, &right).into_iter().filter_map(change).collect()
}

fn fields(before: &History, after: &History) -> Vec<&'static str> {
    let fields = [
        ("created", before.created != after.created),
        ("author", before.author != after.author),
        ("comment", before.comment != after.comment),
    ];
    fields.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
}

fn manifest(before: &Image, after: &Image) -> Vec<Change> {
    let annotations = |image: &Image| named(&image.manifest.value.annotations);
    let text = |text: String| Some(Value::Text(text));
    let mut changes = Vec::new();
    let media_type = |image: &Image| text(image.manifest.media_type.to_string());
    changes.extend(change("media_type", media_type(before), media_type(after)));
    let artifact_type =
        |image: &Image| image.manifest.value.artifact_type.as_ref().and_then(|kind| text(kind.to_string()));
    changes.extend(change("artifact_type", artifact_type(before), artifact_type(after)));
    let subject =
        |image: &Image| image.manifest.value.subject.as_ref().and_then(|subject| text(subject.digest.to_string()));
    changes.extend(change("subject", subject(before), subject(after)));
    changes.extend(by_name("annotation", annotations(before), annotations(after)));
    changes
}

fn written_differently<T: PartialEq + ToString>(before: &T, after: &T) -> Option<Change> {
    let text = |digest: &T| Some(Value::Text(digest.to_string()));
    change("digest", text(before), text(after))
}

fn change(key: &str, before: Option<Value>, after: Option<Value>) -> Option<Change> {
    (before != after).then(|| Change { key: key.to_owned(), name: None, before, after })
}

/// Changes of a map, by name.
fn by_name(key: &str, before: BTreeMap<String, Value>, mut after: BTreeMap<String, Value>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (name, before) in before {
        let after = after.remove(&name);
        if after.as_ref() != Some(&before) {
            changes.push(Change { key: key.to_owned(), name: Some(name), before: Some(before), after });
        }
    }
    let added = |(name, after)| Change { key: key.to_owned(), name: Some(name), before: None, after: Some(after) };
    changes.extend(after.into_iter().map(added));
    changes.sort_by(|a, b| a.name.cmp(&b.name));
    changes
}

fn named(map: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    map.iter().map(|(name, text)| (name.clone(), Value::Text(text.clone()))).collect()
}
