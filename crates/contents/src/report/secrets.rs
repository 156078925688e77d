//! Secrets, as `porthole secrets --json` prints them.

use crate::secrets::{ConfigPlace, ConfigSecret, FileSecret, SecretMatch, redact};
use porthole_core::{
    image::instruction,
    layer::{BlobDigests, LayerNumber},
    path,
    tree::{ContentFate, ContentFates},
};
use serde::Serialize;
use std::borrow::Cow;

/// A secret as JSON has it.
#[derive(Serialize)]
pub struct SecretReport {
    /// Name of the rule that found it.
    pub rule: Cow<'static, str>,
    /// How certain it is.
    pub confidence: &'static str,
    /// What the rule finds, in words.
    pub about: Cow<'static, str>,
    /// `file`, `environment`, `label`, `annotation`, `history`, `command`, `author` or `healthcheck`.
    pub place: Cow<'static, str>,
    /// Of the variable, label or annotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of the history, counted from 1 at the bottom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<usize>,
    /// The layer of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerNumber>,
    /// Digest of its blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_digest: Option<String>,
    /// Path of the file, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line in the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Whether a container sees the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visible: Option<bool>,
    /// The layer that deleted or replaced the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_by: Option<LayerNumber>,
    /// Digest of its blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_by_digest: Option<String>,
    /// The instruction that made the layer, with its own secrets masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// The secret, masked.
    pub masked: String,
    /// The secret itself, where that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl SecretReport {
    /// The report of a secret that a rule found in a place of this kind, masked.
    pub fn masked(
        rule: impl Into<Cow<'static, str>>,
        confidence: &'static str,
        about: impl Into<Cow<'static, str>>,
        place: impl Into<Cow<'static, str>>,
        masked: String,
    ) -> Self {
        Self {
            rule: rule.into(),
            confidence,
            about: about.into(),
            place: place.into(),
            name: None,
            entry: None,
            layer: None,
            layer_digest: None,
            path: None,
            line: None,
            visible: None,
            removed_by: None,
            removed_by_digest: None,
            created_by: None,
            masked,
            value: None,
        }
    }

    /// The same, in a file of one of these layers. `path` is escaped, `created_by` without its own secrets.
    pub fn in_file(
        self,
        layer: u32,
        layers: &BlobDigests,
        path: String,
        line: Option<usize>,
        fate: ContentFate,
        created_by: Option<String>,
    ) -> Self {
        Self {
            layer: Some(LayerNumber::of_index(layer)),
            layer_digest: layers.find(layer).map(str::to_owned),
            path: Some(path),
            line,
            visible: Some(fate == ContentFate::Visible),
            removed_by: fate.removed_by().map(LayerNumber::of_index),
            removed_by_digest: fate.removed_by().and_then(|layer| layers.find(layer)).map(str::to_owned),
            created_by,
            ..self
        }
    }

    fn new(found: &SecretMatch, place: &'static str, reveal: bool) -> Self {
        let (rule, masked) = (&found.rule, found.value.to_string());
        Self {
            value: reveal.then(|| String::from_utf8_lossy(found.value.reveal()).into_owned()),
            ..Self::masked(rule.name, found.confidence.name(), rule.about, place, masked)
        }
    }

    /// The report of a secret in the configuration. `reveal`: with the secret itself.
    pub fn of_config(ConfigSecret { place, found }: &ConfigSecret, reveal: bool) -> Self {
        match place {
            ConfigPlace::Environment(name) => {
                Self { name: Some(redact(name)), ..Self::new(found, "environment", reveal) }
            }
            ConfigPlace::Label(name) => Self { name: Some(redact(name)), ..Self::new(found, "label", reveal) },
            ConfigPlace::History(entry) => Self { entry: Some(entry + 1), ..Self::new(found, "history", reveal) },
            ConfigPlace::Command => Self::new(found, "command", reveal),
            ConfigPlace::Author => Self::new(found, "author", reveal),
            ConfigPlace::HealthCheck => Self::new(found, "healthcheck", reveal),
            ConfigPlace::Annotation(name) => {
                Self { name: Some(redact(name)), ..Self::new(found, "annotation", reveal) }
            }
        }
    }

    /// The report of a secret in a file of one of these layers, which `created_by` made.
    pub fn of_file(
        layer: u32,
        layers: &BlobDigests,
        secret: &FileSecret,
        fates: &ContentFates,
        created_by: Option<&str>,
        reveal: bool,
    ) -> Self {
        let created_by = created_by.map(|text| redact(&instruction(text).to_string()));
        let (path, fate) = (path::escape(&secret.path).into_owned(), fates.find(layer, secret.offset));
        Self::new(&secret.found, "file", reveal).in_file(layer, layers, path, Some(secret.found.line), fate, created_by)
    }

    /// Where it is, for people.
    pub fn place(&self) -> String {
        match self {
            Self { path: Some(path), line: Some(line), layer: Some(layer), .. } => {
                format!("/{path}:{line} (layer {layer})")
            }
            Self { name: Some(name), place, .. } => format!("{place} {}", path::escape(name.as_bytes())),
            Self { entry: Some(entry), .. } => format!("history, entry {entry}"),
            Self { place, .. } => place.clone().into_owned(),
        }
    }

    /// What became of the file, unless a container sees it.
    pub fn fate(&self) -> Option<String> {
        match (self.visible, self.removed_by) {
            (Some(false), Some(layer)) => {
                Some(format!("still downloadable although deleted or overwritten by layer {layer}"))
            }
            (Some(false), None) => Some("still downloadable although not in the tree".to_owned()),
            _ => None,
        }
    }
}
