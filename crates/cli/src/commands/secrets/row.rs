//! Secrets as JSON: a contract with scripts, which changes only by additions.

use porthole_contents::secrets::{ConfigPlace, ConfigSecret, FileSecret, SecretMatch, redact};
use porthole_core::{
    image::instruction,
    layer::LayerNumber,
    path,
    tree::{ContentFate, ContentFates},
};
use serde::Serialize;

/// One secret.
#[derive(Serialize)]
pub(in crate::commands) struct Row {
    pub(in crate::commands) rule: &'static str,
    pub(in crate::commands) confidence: &'static str,
    pub(in crate::commands) about: &'static str,
    /// `file`, `environment`, `label`, `history` or `command`.
    pub(in crate::commands) place: &'static str,
    /// Of the variable or label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) name: Option<String>,
    /// Of the history, counted from 1 at the bottom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) entry: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) layer: Option<LayerNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) line: Option<usize>,
    /// Whether a container sees the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) visible: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) removed_by: Option<LayerNumber>,
    /// The instruction that made the layer, with its own secrets masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) created_by: Option<String>,
    pub(in crate::commands) masked: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) value: Option<String>,
}

impl Row {
    fn new(found: &SecretMatch, place: &'static str, reveal: bool) -> Self {
        Self {
            rule: found.rule.name,
            confidence: found.confidence.name(),
            about: found.rule.about,
            place,
            name: None,
            entry: None,
            layer: None,
            path: None,
            line: None,
            visible: None,
            removed_by: None,
            created_by: None,
            masked: found.value.to_string(),
            value: reveal.then(|| String::from_utf8_lossy(found.value.reveal()).into_owned()),
        }
    }

    pub(super) fn of_config(ConfigSecret { place, found }: &ConfigSecret, reveal: bool) -> Self {
        match place {
            ConfigPlace::Environment(name) => {
                Self { name: Some(redact(name)), ..Self::new(found, "environment", reveal) }
            }
            ConfigPlace::Label(name) => Self { name: Some(redact(name)), ..Self::new(found, "label", reveal) },
            ConfigPlace::History(entry) => Self { entry: Some(entry + 1), ..Self::new(found, "history", reveal) },
            ConfigPlace::Command => Self::new(found, "command", reveal),
        }
    }

    pub(super) fn of_file(
        layer: u32,
        secret: &FileSecret,
        fates: &ContentFates,
        created_by: Option<&str>,
        reveal: bool,
    ) -> Self {
        let fate = fates.find(layer, secret.offset);
        Self {
            layer: Some(LayerNumber::of_index(layer)),
            path: Some(path::escape(&secret.path).into_owned()),
            line: Some(secret.found.line),
            visible: Some(fate == ContentFate::Visible),
            removed_by: fate.removed_by().map(LayerNumber::of_index),
            created_by: created_by.map(|text| redact(&instruction(text).to_string())),
            ..Self::new(&secret.found, "file", reveal)
        }
    }

    /// Where it is, for people.
    pub(in crate::commands) fn place(&self) -> String {
        match self {
            Self { path: Some(path), line: Some(line), layer: Some(layer), .. } => {
                format!("/{path}:{line} (layer {layer})")
            }
            Self { name: Some(name), place, .. } => format!("{place} {}", path::escape(name.as_bytes())),
            Self { entry: Some(entry), .. } => format!("history, entry {entry}"),
            Self { place, .. } => (*place).to_owned(),
        }
    }

    /// What became of the file, unless a container sees it.
    pub(in crate::commands) fn fate(&self) -> Option<String> {
        match (self.visible, self.removed_by) {
            (Some(false), Some(layer)) => {
                Some(format!("still downloadable although deleted or overwritten by layer {layer}"))
            }
            (Some(false), None) => Some("still downloadable although not in the tree".to_owned()),
            _ => None,
        }
    }
}
