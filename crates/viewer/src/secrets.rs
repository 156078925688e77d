//! Secrets that a probe found, kept to be saved as the command line prints them. They are masked.

use crate::{
    probe::SecretPlace,
    protocol::{ConfigSecretFact, SecretFact, SecretKind, ShownConfidence},
};
use porthole_contents::report::SecretReport;
use porthole_core::{
    image::Image,
    tree::{ContentFates, FileTree},
};
use std::collections::BTreeMap;

/// The secrets of the layers that were read so far.
#[derive(Default)]
pub(crate) struct SecretList {
    config: Vec<(SecretPlace, SecretKind)>,
    /// What made each layer, without its secrets.
    instructions: Vec<String>,
    layers: BTreeMap<u32, Vec<SecretFact>>,
}

impl SecretList {
    /// Takes what was found in the files of a layer.
    pub(crate) fn add(&mut self, layer: u32, secrets: &[SecretFact]) {
        if !secrets.is_empty() {
            self.layers.entry(layer).or_default().extend_from_slice(secrets);
        }
    }

    /// Takes what was found in the configuration.
    pub(crate) fn set_config(&mut self, found: &[ConfigSecretFact], places: Vec<SecretPlace>, made: &[String]) {
        self.config = places.into_iter().zip(found.iter().map(|secret| secret.kind.clone())).collect();
        self.instructions = made.to_vec();
    }

    /// Discards the secrets of a layer that could not be verified.
    pub(crate) fn lose(&mut self, layer: u32) {
        self.layers.remove(&layer);
    }

    /// Those that are at least as certain: of the configuration, then of the layers, bottom first. `place` says where the tree
    /// says that a content starts.
    pub(crate) fn reports(
        &self,
        tree: &FileTree,
        image: &Image,
        least: ShownConfidence,
        place: impl Fn(&SecretFact, u32) -> u64,
    ) -> Vec<SecretReport> {
        let config = self.config.iter().filter(|(_, kind)| kind.confidence >= least);
        let mut reports: Vec<SecretReport> = config
            .map(|(at, kind)| SecretReport { name: at.name.clone(), entry: at.entry, ..report(kind, at.kind.clone()) })
            .collect();
        let files = || self.layers.iter().flat_map(|(layer, all)| all.iter().map(move |secret| (*layer, secret)));
        let digests = image.blob_digests();
        let fates = ContentFates::of(tree, files().map(|(layer, secret)| (layer, place(secret, layer))));
        for (layer, secret) in files().filter(|(_, secret)| secret.kind.confidence >= least) {
            let fate = fates.find(layer, place(secret, layer));
            let index = layer as usize;
            let made = image.layers.get(index).and_then(|layer| layer.created_by.as_ref());
            let created_by = made.and_then(|_| self.instructions.get(index).cloned());
            let line = usize::try_from(secret.line).ok();
            let report = report(&secret.kind, "file".to_owned());
            reports.push(report.in_file(layer, &digests, secret.path.clone(), line, fate, created_by));
        }
        reports
    }
}

fn report(kind: &SecretKind, place: String) -> SecretReport {
    let SecretKind { rule, about, masked, .. } = kind.clone();
    SecretReport::masked(rule, kind.confidence.name(), about, place, masked)
}
