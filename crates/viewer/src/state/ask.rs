//! Commands for data that the open view needs.

use super::{AskedComparison, Effect, State};
use crate::address::Tab;
use crate::protocol::{Command, LayerProgress, LayerState, RowKind, ShownContent};
use std::rc::Rc;

impl State {
    /// Asks for the content of the selected file, once its layer is settled; again only if that is wanted `anyway`.
    pub(super) fn ask_for_content(&mut self, anyway: bool, effects: &mut Vec<Effect>) {
        let Some(selection) = &self.selection else { return };
        let row = &selection.row;
        let settled = |layer: &LayerProgress| {
            layer.index == row.layer && matches!(layer.state, LayerState::Verified | LayerState::Listed)
        };
        let known = self.content.as_ref().is_some_and(|(path, _)| *path == row.path);
        let is_file = matches!(row.kind, RowKind::File | RowKind::Hardlink);
        if is_file && (anyway || !known) && self.layers.iter().any(settled) {
            let path = row.path.clone();
            self.content = Some((path.clone(), Rc::new(ShownContent::Reading)));
            effects.push(Effect::Send(Command::Read { path, from: self.route.offset, anyway }));
        }
    }

    /// Asks for the bytes of the selected file that the address names, or for its content by its type.
    pub(super) fn ask_for_bytes(&self, effects: &mut Vec<Effect>) {
        if let Some(path) = self.selected_file().map(str::to_owned) {
            effects.push(Effect::Send(Command::Read { path, from: self.route.offset, anyway: false }));
        }
    }

    /// Asks for the waste, where it is shown.
    pub(super) fn ask_for_waste(&mut self, effects: &mut Vec<Effect>) {
        if self.route.tab == Tab::Waste && self.image.is_some() && self.asked_waste != Some(self.look) {
            self.asked_waste = Some(self.look);
            effects.push(Effect::Send(Command::Waste));
        }
    }

    fn forget_other_contents(&mut self) {
        self.contents[1] = None;
        (self.other_packages, self.package_changes) = (None, None);
    }

    /// Asks for the comparison that the address names, where it is shown; ends one that it no longer names.
    pub(super) fn ask_for_comparison(&mut self, effects: &mut Vec<Effect>) {
        let Some(with) = self.route.with.clone() else {
            if self.asked_comparison.take().is_some() {
                (self.comparison, self.comparison_failure, self.file_diff) = (None, None, None);
                self.forget_other_contents();
                effects.push(Effect::Send(Command::EndCompare));
            }
            return;
        };
        if self.route.tab != Tab::Compare || self.image.is_none() {
            return;
        }
        let platform = self.route.with_platform.clone();
        let wanted = AskedComparison { look: self.look, with, platform, ignore: self.route.ignored() };
        if self.asked_comparison.as_ref() != Some(&wanted) {
            let same = |asked: &AskedComparison| (&asked.with, &asked.platform) == (&wanted.with, &wanted.platform);
            if !self.asked_comparison.as_ref().is_some_and(same) {
                (self.comparison, self.file_diff) = (None, None);
                self.forget_other_contents();
            }
            self.comparison_failure = None;
            let AskedComparison { with: reference, platform, ignore, .. } = wanted.clone();
            self.asked_comparison = Some(wanted);
            effects.push(Effect::Send(Command::Compare { reference, platform, ignore }));
        }
    }

    /// Asks for the base that the address names.
    pub(super) fn ask_for_base(&mut self, effects: &mut Vec<Effect>) {
        let Some(reference) = self.route.base.clone().filter(|_| self.image.is_some()) else { return };
        let wanted = (self.look, reference.clone());
        if self.asked_base.as_ref() != Some(&wanted) {
            self.asked_base = Some(wanted);
            self.base = None;
            effects.push(Effect::Send(Command::CompareBase { reference }));
        }
    }

    /// Asks for the versions of the selected path, once all of its layers are known.
    pub(super) fn ask_for_versions(&mut self, effects: &mut Vec<Effect>) {
        let path = self.selection.as_ref().map(|selection| selection.row.path.clone()).filter(|_| self.settled);
        let Some(path) = path else { return };
        if self.asked_versions.as_ref() != Some(&(self.look, path.clone())) {
            self.asked_versions = Some((self.look, path.clone()));
            self.version_diff = None;
            effects.push(Effect::Send(Command::Versions { path }));
        }
    }
}
