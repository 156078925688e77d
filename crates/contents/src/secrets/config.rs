//! Secrets in the configuration of an image: environment, labels, history with its build arguments, and commands.

use super::{SecretMatch, TextOrigin, scan};
use porthole_core::{
    config::ImageConfig,
    descriptor::Descriptor,
    image::Image,
    manifest::{Document, Raw},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// A secret in a configuration.
#[derive(Clone, Debug)]
pub struct ConfigSecret {
    /// The part of the configuration that has it.
    pub place: ConfigPlace,
    /// The secret, and the rule that found it.
    pub found: SecretMatch,
}

/// A place in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigPlace {
    /// A variable of the environment, by its name.
    Environment(String),
    /// A label, by its name.
    Label(String),
    /// An entry of the history, counted from 0 at the bottom: its instruction with the values of build arguments, or its
    /// comment.
    History(usize),
    /// The entry point or the command.
    Command,
    /// The author of the image.
    Author,
    /// The command that says whether a container is healthy.
    HealthCheck,
    /// An annotation of the manifest, of a descriptor in it, or of the index, by its name.
    Annotation(String),
}

/// Finds the secrets of an image's documents: its configuration, the annotations of its manifest, and those of the index that led to it.
pub fn of_image(index: Option<&Document>, image: &Image) -> Vec<ConfigSecret> {
    let mut all = of_config(&image.config);
    for text in health_check(&image.config_raw) {
        search(&mut all, &text, &ConfigPlace::HealthCheck);
    }
    let mut annotations = |pairs: &BTreeMap<String, String>| {
        for (name, value) in pairs {
            search(&mut all, &format!("{name}={value}"), &ConfigPlace::Annotation(name.clone()));
        }
    };
    let manifest = &image.manifest.value;
    annotations(&manifest.annotations);
    let descriptors = [&manifest.config].into_iter().chain(&manifest.layers).chain(&manifest.subject);
    descriptors.for_each(|Descriptor { annotations: of, .. }| annotations(of));
    if let Some(Document::Index(index)) = index {
        annotations(&index.value.annotations);
        index.value.manifests.iter().for_each(|entry| annotations(&entry.annotations));
    }
    all
}

/// The words of `Healthcheck`, an extension of Docker.
fn health_check(config: &Raw) -> Vec<String> {
    let document: Value = serde_json::from_slice(config.bytes()).unwrap_or_default();
    let words = document.pointer("/config/Healthcheck/Test").and_then(Value::as_array);
    words.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn search(all: &mut Vec<ConfigSecret>, text: &str, place: &ConfigPlace) {
    let found = scan(text.as_bytes(), TextOrigin::Config);
    all.extend(found.into_iter().map(|found| ConfigSecret { place: place.clone(), found }));
}

/// Finds the secrets of a configuration.
pub fn of_config(config: &ImageConfig) -> Vec<ConfigSecret> {
    let mut all = Vec::new();
    let mut search = |text: &str, place: ConfigPlace| search(&mut all, text, &place);
    for variable in &config.execution.env {
        let name = variable.split_once('=').map_or(variable.as_str(), |(name, _)| name);
        search(variable, ConfigPlace::Environment(name.to_owned()));
    }
    for (name, value) in &config.execution.labels {
        search(&format!("{name}={value}"), ConfigPlace::Label(name.clone()));
    }
    for (number, entry) in config.history.iter().enumerate() {
        for text in [&entry.created_by, &entry.comment, &entry.author].into_iter().flatten() {
            search(text, ConfigPlace::History(number));
        }
    }
    for argument in config.execution.entrypoint.iter().chain(&config.execution.cmd) {
        search(argument, ConfigPlace::Command);
    }
    config.author.iter().for_each(|author| search(author, ConfigPlace::Author));
    all
}

/// A text from a configuration with its secrets masked.
pub fn redact(text: &str) -> String {
    redact_with(text, |_| "********".to_owned())
}

/// A text from a configuration with each of its secrets replaced.
pub(super) fn redact_with(text: &str, mut replacement: impl FnMut(&SecretMatch) -> String) -> String {
    let mut masked = String::new();
    let mut end = 0;
    for found in scan(text.as_bytes(), TextOrigin::Config) {
        masked.push_str(&String::from_utf8_lossy(&text.as_bytes()[end..found.range.start]));
        masked.push_str(&replacement(&found));
        end = found.range.end;
    }
    masked.push_str(&String::from_utf8_lossy(&text.as_bytes()[end..]));
    masked
}
