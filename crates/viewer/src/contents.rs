//! The engine of contents workers. Only their program refers to it, so that other programs do not link it.

mod digests;
mod packages;
mod recorded;
mod search;
mod secrets;

use crate::{
    probe::{LayerProbe, ProbeEngine, ProbeFound},
    protocol::ProbeWish,
};

/// The engines of `porthole search`, `porthole packages` and `porthole secrets`, and the one that compares contents.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContentsEngine;

impl ProbeEngine for ContentsEngine {
    fn probe(&self, wish: &ProbeWish) -> Result<Box<dyn LayerProbe>, String> {
        match wish {
            ProbeWish::Search(query) => search::probe(query),
            ProbeWish::Digests | ProbeWish::OtherDigests => Ok(Box::<digests::DigestProbe>::default()),
            ProbeWish::Recorded => Ok(Box::<recorded::RecordedProbe>::default()),
            ProbeWish::Secrets => Ok(Box::<secrets::SecretProbe>::default()),
            ProbeWish::Packages | ProbeWish::OtherPackages => Ok(Box::<packages::PackageProbe>::default()),
        }
    }

    fn config(&self, config: &str, instructions: &[String]) -> Result<ProbeFound, String> {
        secrets::in_config(config, instructions)
    }
}
