//! Finds secrets in the files of a layer and in a configuration. What leaves this module is masked.

use crate::{
    probe::{LayerProbe, ProbeFound, SecretPlace},
    protocol::{ConfigSecretFact, ProbeSums, SecretFact, SecretKind, ShownConfidence},
};
use porthole_contents::{
    limits::SCANNED_BYTES,
    secrets::{Confidence, ConfigPlace, ConfigSecret, FileSecret, SecretCollector, SecretMatch, of_config, redact},
};
use porthole_core::{config::ImageConfig, image::instruction, manifest::Raw, path, tar::Entry};

/// Searches the files of one layer.
#[derive(Default)]
pub(super) struct SecretProbe {
    collector: SecretCollector,
    sums: ProbeSums,
    /// The file in which a secret was found last.
    last: Option<u64>,
}

impl LayerProbe for SecretProbe {
    fn begin(&mut self, entry: &Entry) -> bool {
        self.collector.begin(entry)
    }

    fn push(&mut self, data: &[u8]) {
        self.collector.push(data);
    }

    fn end(&mut self) {
        self.collector.end();
    }

    fn take(&mut self) -> ProbeFound {
        let found = self.collector.take();
        self.sums.found += found.secrets.len() as u64;
        self.sums.searched += found.files;
        self.sums.bytes += found.bytes;
        for secret in &found.secrets {
            self.sums.files += u64::from(self.last.replace(secret.offset) != Some(secret.offset));
        }
        let too_large = |path: &[u8], size: u64| {
            (path::escape(path).into_owned(), format!("{size} bytes, expected at most {SCANNED_BYTES}"))
        };
        ProbeFound {
            secrets: found.secrets.iter().map(in_file).collect(),
            unread: found.unread.iter().map(|unread| too_large(&unread.path, unread.size)).collect(),
            sums: self.sums,
            ..ProbeFound::default()
        }
    }
}

/// The secrets of a configuration, and the instructions without theirs.
pub(super) fn in_config(config: &str, instructions: &[String]) -> Result<ProbeFound, String> {
    let raw = Raw::trust_on_first_use(config.as_bytes().to_vec());
    let config = ImageConfig::parse(&raw).map_err(|error| error.to_string())?;
    let found = of_config(&config);
    let places = found.iter().map(|secret| place(&secret.place)).collect();
    let config: Vec<_> = found.iter().map(in_place).collect();
    let found = config.len() as u64;
    Ok(ProbeFound {
        config,
        places,
        instructions: instructions.iter().map(|text| redact(&instruction(text).to_string())).collect(),
        sums: ProbeSums { found, ..ProbeSums::default() },
        ..ProbeFound::default()
    })
}

fn in_file(FileSecret { path, offset, found }: &FileSecret) -> SecretFact {
    SecretFact { content: *offset, path: path::escape(path).into_owned(), line: found.line as u64, kind: kind(found) }
}

fn in_place(ConfigSecret { place, found }: &ConfigSecret) -> ConfigSecretFact {
    let place = match place {
        ConfigPlace::Environment(name) => format!("environment {}", redact(name)),
        ConfigPlace::Label(name) => format!("label {}", redact(name)),
        ConfigPlace::History(entry) => format!("history, entry {}", entry + 1),
        ConfigPlace::Command => "command".into(),
        ConfigPlace::Author => "author".into(),
        ConfigPlace::HealthCheck => "healthcheck".into(),
        ConfigPlace::Annotation(name) => format!("annotation {}", redact(name)),
    };
    ConfigSecretFact { place, kind: kind(found) }
}

fn place(place: &ConfigPlace) -> SecretPlace {
    let (kind, name, entry) = match place {
        ConfigPlace::Environment(name) => ("environment", Some(redact(name)), None),
        ConfigPlace::Label(name) => ("label", Some(redact(name)), None),
        ConfigPlace::History(entry) => ("history", None, Some(entry + 1)),
        ConfigPlace::Command => ("command", None, None),
        ConfigPlace::Author => ("author", None, None),
        ConfigPlace::HealthCheck => ("healthcheck", None, None),
        ConfigPlace::Annotation(name) => ("annotation", Some(redact(name)), None),
    };
    SecretPlace { kind: kind.into(), name, entry }
}

fn kind(found: &SecretMatch) -> SecretKind {
    SecretKind {
        rule: found.rule.name.into(),
        about: found.rule.about.into(),
        confidence: match found.confidence {
            Confidence::Low => ShownConfidence::Low,
            Confidence::Medium => ShownConfidence::Medium,
            Confidence::High => ShownConfidence::High,
        },
        masked: found.value.to_string(),
    }
}
