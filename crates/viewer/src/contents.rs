//! The engine of the workers that look into contents. Only their program refers to it.

mod packages;
mod search;

use crate::{
    probe::{LayerProbe, ProbeEngine},
    protocol::ProbeWish,
};

/// The engines of `porthole search` and `porthole packages`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContentsEngine;

impl ProbeEngine for ContentsEngine {
    fn probe(&self, wish: &ProbeWish) -> Result<Box<dyn LayerProbe>, String> {
        match wish {
            ProbeWish::Search(query) => search::probe(query),
            ProbeWish::Packages => Ok(Box::<packages::PackageProbe>::default()),
        }
    }
}
