//! Secrets in the configuration of an image: environment, labels, history with its build arguments, and commands.

use super::{SecretMatch, TextOrigin, scan};
use porthole_core::config::ImageConfig;

/// A secret in a configuration.
#[derive(Clone, Debug)]
pub struct ConfigSecret {
    /// Where it is.
    pub place: ConfigPlace,
    /// The secret.
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
}

/// Finds the secrets of a configuration.
pub fn of_config(config: &ImageConfig) -> Vec<ConfigSecret> {
    let mut all = Vec::new();
    let mut search = |text: &str, place: ConfigPlace| {
        let found = scan(text.as_bytes(), TextOrigin::Config);
        all.extend(found.into_iter().map(|found| ConfigSecret { place: place.clone(), found }));
    };
    for variable in &config.execution.env {
        let name = variable.split_once('=').map_or(variable.as_str(), |(name, _)| name);
        search(variable, ConfigPlace::Environment(name.to_owned()));
    }
    for (name, value) in &config.execution.labels {
        search(&format!("{name}={value}"), ConfigPlace::Label(name.clone()));
    }
    for (number, entry) in config.history.iter().enumerate() {
        for text in [&entry.created_by, &entry.comment].into_iter().flatten() {
            search(text, ConfigPlace::History(number));
        }
    }
    for argument in config.execution.entrypoint.iter().chain(&config.execution.cmd) {
        search(argument, ConfigPlace::Command);
    }
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
