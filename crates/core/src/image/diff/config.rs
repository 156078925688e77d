//! Compares configurations key by key.

use super::{Image, SettingChange, Value, by_name, change, has_image_config, named};
use crate::{config::ImageConfig, json};
use std::collections::BTreeMap;

pub(super) fn changes(before: &Image, after: &Image) -> Vec<SettingChange> {
    let (left, right) = (&before.config, &after.config);
    let mut changes: Vec<SettingChange> = [
        change("platform", platform(left), platform(right)),
        change("created", text(left.created.as_deref()), text(right.created.as_deref())),
        change("author", text(left.author.as_deref()), text(right.author.as_deref())),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (left, right) = (&left.execution, &right.execution);
    changes.extend(change("user", text(Some(&left.user)), text(Some(&right.user))));
    let variables = by_name("env", variables(&left.env), variables(&right.env));
    if variables.is_empty() {
        // Names and values are equal: only the order differs, or a variable is repeated.
        changes.extend(change("env", list(&left.env), list(&right.env)));
    }
    changes.extend(variables);
    changes.extend(change("entrypoint", list(&left.entrypoint), list(&right.entrypoint)));
    changes.extend(change("cmd", list(&left.cmd), list(&right.cmd)));
    changes.extend(change("working_dir", text(Some(&left.working_dir)), text(Some(&right.working_dir))));
    changes.extend(by_name("label", named(&left.labels), named(&right.labels)));
    changes.extend(by_name("port", set(&left.exposed_ports), set(&right.exposed_ports)));
    changes.extend(by_name("volume", set(&left.volumes), set(&right.volumes)));
    changes.extend(change("stop_signal", text(left.stop_signal.as_deref()), text(right.stop_signal.as_deref())));
    changes.extend(others(before, after));
    changes
}

fn platform(config: &ImageConfig) -> Option<Value> {
    config.platform.as_ref().map(|platform| Value::Text(platform.to_string()))
}

/// Empty text counts as none.
fn text(text: Option<&str>) -> Option<Value> {
    text.filter(|text| !text.is_empty()).map(|text| Value::Text(text.to_owned()))
}

fn list(list: &[String]) -> Option<Value> {
    (!list.is_empty()).then(|| Value::List(list.to_vec()))
}

fn set(keys: &[String]) -> BTreeMap<String, Value> {
    keys.iter().map(|key| (key.clone(), Value::Present)).collect()
}

/// Variables by name. If a variable is set twice, the last value counts.
fn variables(env: &[String]) -> BTreeMap<String, Value> {
    let split = |variable: &String| match variable.split_once('=') {
        Some((name, value)) => (name.to_owned(), Value::Text(value.to_owned())),
        None => (variable.clone(), Value::Present),
    };
    env.iter().map(split).collect()
}

/// Top-level keys that `changes` compares, or that are compared as history or layers.
const KNOWN: [&str; 9] =
    ["architecture", "os", "os.version", "variant", "created", "author", "config", "rootfs", "history"];
const KNOWN_OF_EXECUTION: [&str; 9] =
    ["User", "Env", "Entrypoint", "Cmd", "WorkingDir", "Labels", "ExposedPorts", "Volumes", "StopSignal"];

/// Changes to all other keys, such as `config.Healthcheck`, with their values as JSON.
fn others(before: &Image, after: &Image) -> Vec<SettingChange> {
    let (before, mut after) = (rest(before), rest(after));
    let mut changes = Vec::new();
    for (key, value) in before {
        changes.extend(change(&key, Some(value), after.remove(&key)));
    }
    changes.extend(after.into_iter().filter_map(|(key, value)| change(&key, None, Some(value))));
    changes
}

fn rest(image: &Image) -> BTreeMap<String, Value> {
    let mut rest = BTreeMap::new();
    // The configuration of an artifact may have any format.
    let Some(Ok(json)) = has_image_config(&image.manifest).then(|| json::parse_strict(image.config_raw.bytes())) else {
        return rest;
    };
    let objects =
        [("", json.as_object(), &KNOWN[..]), ("config.", json["config"].as_object(), &KNOWN_OF_EXECUTION[..])];
    for (prefix, object, known) in objects {
        for (key, value) in object.into_iter().flatten() {
            if !known.contains(&key.as_str()) && !value.is_null() {
                rest.insert(format!("{prefix}{key}"), Value::Text(value.to_string()));
            }
        }
    }
    rest
}
