//! Tags of the repository, and repositories of the registry.

use super::{Effect, NameAction, State};
use crate::address::{Address, Tab};
use crate::protocol::Command;
use crate::router::{GIVEN, SAMPLE};

/// Names that are shown at first, and more at each request.
const MORE: u32 = 200;

impl State {
    /// Whether the image is in a registry, which has lists.
    pub fn has_registry(&self) -> bool {
        self.image.as_ref().is_some_and(|image| ![GIVEN, SAMPLE].contains(&image.registry.as_str()))
    }

    pub(super) fn act_on_names(&mut self, action: NameAction, effects: &mut Vec<Effect>) {
        match action {
            NameAction::Show(names) if names.list == self.route.names.list => {
                self.route.names = names;
                effects.push(Effect::Replace(self.route.clone()));
            }
            NameAction::Show(names) => self.push(Address { names, ..self.route.clone() }, effects),
            NameAction::More => {
                let shown = self.asked_names.as_ref().map_or(0, |(.., most)| *most);
                self.send_names(shown + MORE, false, effects);
            }
            NameAction::Again => self.send_names(MORE, true, effects),
            NameAction::Ask(tag) => effects.push(Effect::Send(Command::AskAboutTag { tag })),
        }
    }

    /// Asks for the names that the address wants, where they are shown.
    pub(super) fn ask_for_names(&mut self, effects: &mut Vec<Effect>) {
        let asked = Some((self.look, &self.route.names));
        let known = self.asked_names.as_ref().map(|(look, query, _)| (*look, query)) == asked;
        if self.route.tab == Tab::Tags && self.has_registry() && !known {
            self.send_names(MORE, false, effects);
        }
    }

    fn send_names(&mut self, most: u32, again: bool, effects: &mut Vec<Effect>) {
        let query = self.route.names.clone();
        if self.names.as_ref().is_some_and(|names| names.list != query.list) {
            self.names = None;
        }
        self.asked_names = Some((self.look, query.clone(), most));
        effects.push(Effect::Send(Command::ShowNames { query, most, again }));
    }
}
