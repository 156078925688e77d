//! The map of files.

use super::{Effect, State};
use crate::address::Tab;
use crate::protocol::{Command, MapWish};

impl State {
    /// Asks for the map that the address names, where it is shown, once every layer is read.
    pub(super) fn ask_for_map(&mut self, effects: &mut Vec<Effect>) {
        let (Some(map), Some(size), Tab::Files) = (&self.route.map, self.map_size, self.route.tab) else { return };
        if !self.settled || self.image.is_none() {
            return;
        }
        let path = map.trim_matches('/').to_owned();
        let asked = (self.look, MapWish { view: self.wanted_listing(), path, size, measure: self.route.measure });
        if self.asked_map.as_ref() != Some(&asked) {
            effects.push(Effect::Send(Command::Map { wish: asked.1.clone() }));
            self.asked_map = Some(asked);
        }
    }
}
