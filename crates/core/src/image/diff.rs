//! Compares two images document by document. [`tree::diff`](crate::tree::diff()) compares their files.

mod align;
mod config;
mod layers;

use self::align::align;
use super::{Image, has_image_config};
use crate::config::History;
use std::{collections::BTreeMap, fmt};

pub use self::layers::{LayerMatch, LayerPair, Layers};

/// Differences between the manifests and configurations of two images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diff {
    /// Changes to media type, artifact type and annotations of the manifest, by key.
    pub manifest: Vec<SettingChange>,
    /// Changes to the configuration, by key.
    pub config: Vec<SettingChange>,
    /// History entries that differ.
    pub history: Vec<HistoryChange>,
    /// The layers of both images, aligned.
    pub layers: Layers,
}

/// Compares two images.
///
/// Documents with different digests are never reported as equal: if every known key is the same, the result has one
/// change with key `digest` (the documents are serialised differently).
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
pub struct SettingChange {
    /// Property that changed: `env`, `user`, `label`, …
    pub key: String,
    /// Name within the property, for variables, labels, ports, volumes and annotations.
    pub name: Option<String>,
    /// Value in the first image; `None` if unset.
    pub before: Option<Value>,
    /// Value in the second image; `None` if unset.
    pub after: Option<Value>,
}

impl SettingChange {
    /// Whether only a creation time changed.
    pub fn is_time(&self) -> bool {
        matches!(self.name.as_deref().unwrap_or(&self.key), "created" | "org.opencontainers.image.created")
    }
}

/// Value of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The name exists and has no value: a port, a volume.
    Present,
    /// Text; JSON for keys that the specification does not name.
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

/// A history entry that exists in one image only, or has the same instruction but different fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryChange {
    /// Index in the first history.
    pub before: Option<usize>,
    /// Index in the second history.
    pub after: Option<usize>,
    /// Fields that differ if both histories have the entry: `created`, `author`, `comment`.
    pub fields: Vec<&'static str>,
}

impl HistoryChange {
    /// Whether the entries differ only in their creation time.
    pub fn is_time(&self) -> bool {
        self.fields == ["created"]
    }
}

/// Aligns two histories. Entries match if they have the same instruction and agree on `empty_layer`.
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

fn manifest(before: &Image, after: &Image) -> Vec<SettingChange> {
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

fn written_differently<T: PartialEq + ToString>(before: &T, after: &T) -> Option<SettingChange> {
    let text = |digest: &T| Some(Value::Text(digest.to_string()));
    change("digest", text(before), text(after))
}

fn change(key: &str, before: Option<Value>, after: Option<Value>) -> Option<SettingChange> {
    (before != after).then(|| SettingChange { key: key.to_owned(), name: None, before, after })
}

/// Changes of a map, by name.
fn by_name(key: &str, before: BTreeMap<String, Value>, mut after: BTreeMap<String, Value>) -> Vec<SettingChange> {
    let mut changes = Vec::new();
    for (name, before) in before {
        let after = after.remove(&name);
        if after.as_ref() != Some(&before) {
            changes.push(SettingChange { key: key.to_owned(), name: Some(name), before: Some(before), after });
        }
    }
    let added =
        |(name, after)| SettingChange { key: key.to_owned(), name: Some(name), before: None, after: Some(after) };
    changes.extend(after.into_iter().map(added));
    changes.sort_by(|a, b| a.name.cmp(&b.name));
    changes
}

fn named(map: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    map.iter().map(|(name, text)| (name.clone(), Value::Text(text.clone()))).collect()
}
