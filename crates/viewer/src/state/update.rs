//! Applies actions to the state.

use super::{Action, Dialog, Effect, OpenedFile, State};
use crate::address::{Address, Tab};
use crate::given;
use crate::protocol::{Command, Event, FailureNotice, FindingLink, RowChange, RowKind, VersionDiff, ViewMode};
use porthole_core::{failure::FailureClass, reference::Reference};
use std::rc::Rc;

impl State {
    /// Applies an action and returns its effects.
    pub fn update(&mut self, action: Action) -> Vec<Effect> {
        let mut effects = Vec::new();
        match action {
            Action::Address(route) => self.go(*route, &mut effects),
            Action::Look(text) => {
                let text = text.trim();
                // A file is shown by its path, which is no reference.
                if self.path_of_file().as_deref() == Some(text) {
                    self.again(&mut effects);
                } else if !text.is_empty() {
                    self.push(Address::of(understood(text)), &mut effects);
                    self.begin(&mut effects);
                }
            }
            Action::File(name) => {
                let reference = given::given_reference(&name);
                self.file = Some(OpenedFile { name, reference: reference.clone() });
                self.push(Address::of(reference), &mut effects);
                self.begin(&mut effects);
            }
            Action::DropFailed(text) if self.inspects() => self.notice = Some(text),
            Action::DropFailed(text) => {
                self.failure = Some(Rc::new(FailureNotice::plain(FailureClass::Input, text)));
            }
            Action::Platform(platform) => {
                self.push(Address { platform: Some(platform), ..self.route.clone() }, &mut effects);
                self.begin(&mut effects);
            }
            Action::Tab(tab) => self.push(Address { tab, ..self.route.clone() }, &mut effects),
            Action::First(tab) => {
                self.route.tab = tab;
                effects.push(Effect::Replace(self.route.clone()));
            }
            Action::Follow(link) => self.follow(link, None, &mut effects),
            Action::Open(link, line) => self.follow(link, line, &mut effects),
            Action::Search(query) => self.search(query, &mut effects),
            Action::Secrets => self.find_secrets(&mut effects),
            Action::Confidence(confidence) => {
                self.push(Address { confidence, ..self.route.clone() }, &mut effects);
            }
            Action::Packages => self.read_packages(&mut effects),
            Action::ShowPackages(query) => {
                self.route.packages = query;
                effects.push(Effect::Replace(self.route.clone()));
            }
            Action::SortPackages(sort) => self.change_packages(|packages| packages.view.sort = sort),
            Action::GiveBill(name, text) => self.give_bill(name, text, &mut effects),
            Action::MorePackages => self.show_more_packages(),
            Action::StopEvidence => self.stop_evidence(&mut effects),
            Action::Policy(action) => self.act_on_policy(action, &mut effects),
            Action::Evidence(wish) => self.look_for_evidence(wish, &mut effects),
            Action::StopProbe(kind) => effects.push(Effect::Send(Command::StopProbe { kind })),
            Action::View(view) => {
                let layer = if view.wants_layer() {
                    self.focused_layer().and_then(|layer| self.layer_name(layer))
                } else {
                    None
                };
                let layer = layer.or_else(|| self.route.layer.clone());
                self.list(Address { view, layer, tab: Tab::Files, ..self.route.clone() }, &mut effects);
            }
            Action::Layer(index) => self.choose_layer(index, true, &mut effects),
            Action::StepLayer(step) => {
                let from = self.chosen_layer().or_else(|| self.focused_layer().map(|top| top + u32::from(step < 0)));
                if let Some(index) = from.and_then(|from| from.checked_add_signed(step)) {
                    self.choose_layer(index, false, &mut effects);
                }
            }
            Action::Sort(sort) => {
                self.listing.sort = sort;
                effects.push(self.set_view());
            }
            Action::Filter(filter) => {
                self.listing.filter = filter;
                // A list of a million rows takes a while: only the latest filter is worth it.
                self.filter_due = std::mem::replace(&mut self.filtering, true);
                if !self.filter_due {
                    effects.push(self.set_view());
                }
            }
            Action::Toggle(change) => {
                let changes = &mut self.listing.changes;
                match change {
                    RowChange::Added => changes.added ^= true,
                    RowChange::Modified => changes.modified ^= true,
                    RowChange::Removed => changes.removed ^= true,
                    RowChange::Unchanged => {}
                }
                effects.push(self.set_view());
            }
            Action::Window(from, to) => effects.push(Effect::Send(Command::Rows { from, to })),
            Action::Expand(path, true) => effects.push(Effect::Send(Command::Expand { path })),
            Action::Expand(path, false) => effects.push(Effect::Send(Command::Collapse { path })),
            Action::ExpandAll(true) => effects.push(Effect::Send(Command::ExpandAll)),
            Action::ExpandAll(false) => effects.push(Effect::Send(Command::CollapseAll)),
            Action::Select(path) => {
                if path.is_none() {
                    self.selection = None;
                }
                let route = self.route.at(path.clone());
                self.push(route, &mut effects);
                effects.push(Effect::Send(Command::Select { path }));
            }
            Action::Pass(path) => self.pass(path, &mut effects),
            Action::NameRow(text, from) => effects.push(Effect::Send(Command::NameRow { text, from })),
            Action::Line(line) => {
                self.route.line = line;
                effects.push(Effect::Replace(self.route.clone()));
            }
            Action::FollowLink => {
                let link = self.selection.as_ref().filter(|selection| selection.row.kind == RowKind::Symlink);
                if let Some(path) = link.map(|selection| selection.row.path.clone()) {
                    self.notice = None;
                    effects.push(Effect::Send(Command::FollowLink { path }));
                }
            }
            Action::Diff { before, after, anyway } => {
                if let Some(path) = self.route.path.clone() {
                    self.version_diff = Some((path.clone(), before, after, Rc::new(VersionDiff::Reading)));
                    effects.push(Effect::Send(Command::DiffVersions { path, before, after, anyway }));
                }
            }
            Action::Compare { with, platform } => {
                let with = understood(with.trim());
                if !with.is_empty() {
                    let route =
                        Address { with: Some(with), with_platform: platform, tab: Tab::Compare, ..self.route.clone() };
                    self.asked_comparison = None;
                    self.push(route, &mut effects);
                }
            }
            Action::Ignore(name) => {
                let mut names = self.route.ignored();
                match names.iter().position(|known| *known == name) {
                    Some(place) => drop(names.remove(place)),
                    None => names.push(name),
                }
                let ignore = (!names.is_empty()).then(|| names.join(","));
                self.push(Address { ignore, ..self.route.clone() }, &mut effects);
            }
            Action::DiffFile { path, anyway } => {
                self.file_diff = path.clone().map(|path| (path, Rc::new(VersionDiff::Reading)));
                effects.extend(path.map(|path| Effect::Send(Command::DiffFile { path, anyway })));
            }
            Action::Base(reference) => {
                let base = understood(reference.trim());
                if !base.is_empty() {
                    // A second request reads it again.
                    self.asked_base = None;
                    self.push(Address { base: Some(base), ..self.route.clone() }, &mut effects);
                }
            }
            Action::EndCompare => {
                self.push(Address { with: None, with_platform: None, ..self.route.clone() }, &mut effects);
            }
            Action::Reading(reading) => self.push(Address { reading, ..self.route.clone() }, &mut effects),
            Action::Stop => {
                effects.push(Effect::Send(Command::Stop));
                self.stopped = true;
            }
            Action::SessionDied => {
                let again = self.revived == Some(self.look);
                if again || !self.inspects() {
                    self.failure = Some(Rc::new(FailureNotice::plain(FailureClass::Other, BROKEN)));
                    effects.push(Effect::Restart);
                } else {
                    self.revive(&mut effects);
                }
            }
            Action::Read => self.ask_for_content(true, &mut effects),
            Action::Offset(offset) => {
                self.route.offset = offset;
                effects.push(Effect::Replace(self.route.clone()));
                self.ask_for_bytes(&mut effects);
            }
            Action::Save => {
                if let Some(path) = self.route.path.clone() {
                    effects.push(Effect::Send(Command::Save { path }));
                }
            }
            Action::SaveArchive(format) => {
                effects.push(Effect::SaveArchive { name: self.archive_name(), format });
            }
            Action::StopArchive => {
                self.archive = None;
                effects.push(Effect::Send(Command::StopArchive));
            }
            Action::SaveWire => effects.push(Effect::Send(Command::SaveWire)),
            Action::Dialog(dialog) => {
                effects.extend((dialog == Some(Dialog::Settings)).then_some(Effect::Send(Command::Kept)));
                self.dialog = dialog;
            }
            Action::WipeKept => effects.push(Effect::Send(Command::WipeKept)),
            Action::Map(map) => self.push(Address { map, ..self.route.clone() }, &mut effects),
            Action::MapMeasure(measure) => self.push(Address { measure, ..self.route.clone() }, &mut effects),
            Action::MapSize(width, height) => self.map_size = Some((width, height)),
            Action::Recent(action) => self.act_on_recent(action, &mut effects),
            Action::Names(action) => self.act_on_names(action, &mut effects),
            Action::CompareContents => {
                let other = self.route.tab == Tab::Compare;
                effects.push(Effect::Send(Command::CompareContents { other }));
            }
            Action::ListFiles(filter) => {
                let route = Address { view: ViewMode::Merged, tab: Tab::Files, map: None, ..self.route.clone() };
                self.push(route, &mut effects);
                self.listing.filter = filter;
                effects.push(self.set_view());
            }
            Action::CompareRecorded => effects.push(Effect::Send(Command::CompareRecorded)),
            Action::ComparePackages => self.compare_packages(&mut effects),
            Action::Export(wish) => {
                self.notice = None;
                effects.push(Effect::Send(Command::Export { wish }));
            }
            Action::SignIn { registry, username, password } => {
                self.dialog = None;
                effects.push(Effect::Send(Command::SignIn { registry, username, password }));
                self.again(&mut effects);
            }
            Action::AllowRelayPassword(allow) => {
                if let Some(Dialog::RelayPassword { registry, .. }) = self.dialog.take() {
                    effects.push(Effect::Send(Command::AllowRelayPassword { registry, allow }));
                    self.again(&mut effects);
                }
            }
            Action::Relay(relay) => {
                if relay != self.relay_settings {
                    self.relay_settings = relay.clone();
                    effects.push(Effect::Keep(relay.clone()));
                    effects.push(Effect::Send(Command::SetRelay { relay }));
                    self.again(&mut effects);
                }
            }
            Action::UseRelay(registry) => {
                effects.push(Effect::Send(Command::UseRelay { registry }));
                self.again(&mut effects);
            }
            Action::Retry => self.again(&mut effects),
            Action::AllowForeign(hosts) => {
                self.once_more(|look| Command::AllowForeign { look, hosts }, &mut effects);
            }
            Action::Audit => self.once_more(|look| Command::Audit { look }, &mut effects),
            Action::Events(events) => {
                for event in events {
                    let names_layers = matches!(event, Event::Image { look, .. } if look == self.look);
                    match event {
                        Event::Policy { policy } => self.take_policy(policy, &mut effects),
                        event => self.apply(event),
                    }
                    if names_layers {
                        self.remember(&mut effects);
                        self.obey_policy(&mut effects);
                    }
                    if names_layers && self.route.view.wants_layer() {
                        // The session knew the layer by digest at most; now its number is known.
                        effects.push(self.set_view());
                    }
                }
                if !self.filtering && std::mem::take(&mut self.filter_due) {
                    self.filtering = true;
                    effects.push(self.set_view());
                }
                if let Some(target) = self.link_target.take() {
                    self.follow(target, None, &mut effects);
                }
                if let Some(path) = self.named_row.take() {
                    self.pass(path, &mut effects);
                }
                if let Some((url, name)) = self.saved.take() {
                    effects.push(Effect::Save { url, name });
                }
                self.ask_for_content(false, &mut effects);
            }
        }
        self.ask_for_waste(&mut effects);
        self.ask_for_wire(&mut effects);
        self.ask_for_base(&mut effects);
        self.ask_for_comparison(&mut effects);
        self.ask_for_versions(&mut effects);
        self.ask_for_packages(&mut effects);
        self.ask_for_names(&mut effects);
        self.ask_for_map(&mut effects);
        effects
    }

    /// Follows an address that the browser shows already.
    fn go(&mut self, route: Address, effects: &mut Vec<Effect>) {
        let before = std::mem::replace(&mut self.route, route);
        if !self.inspects() {
            if before.reference.is_some() {
                self.forget();
                self.look += 1;
                effects.push(Effect::Send(Command::Cancel));
            }
        } else if self.look == 0 || self.failure.is_some() || !self.route.same_image(&before) {
            self.begin(effects);
        } else {
            if (self.route.view, &self.route.layer) != (before.view, &before.layer) {
                effects.push(self.set_view());
            }
            if self.route.path != before.path {
                self.selection = None;
                effects.push(Effect::Send(Command::Select { path: self.route.path.clone() }));
            } else if self.route.offset != before.offset {
                self.ask_for_bytes(effects);
            }
        }
    }

    pub(super) fn push(&mut self, route: Address, effects: &mut Vec<Effect>) {
        self.passing = false;
        if route != self.route {
            self.route = route;
            effects.push(Effect::Push(self.route.clone()));
        }
    }

    /// Selects a path on the way to another one: "back" leads to where the way began.
    fn pass(&mut self, path: String, effects: &mut Vec<Effect>) {
        let route = self.route.at(Some(path.clone()));
        if std::mem::replace(&mut self.passing, true) {
            self.route = route;
            effects.push(Effect::Replace(self.route.clone()));
        } else {
            self.push(route, effects);
            self.passing = true;
        }
        effects.push(Effect::Send(Command::Select { path: Some(path) }));
    }

    /// Goes to another view of the same image.
    fn list(&mut self, route: Address, effects: &mut Vec<Effect>) {
        let before = self.wanted_listing();
        self.push(route, effects);
        if self.wanted_listing() != before {
            effects.push(self.set_view());
        }
    }

    fn follow(&mut self, link: FindingLink, line: Option<u32>, effects: &mut Vec<Effect>) {
        let (view, layer, path) = match link {
            FindingLink::Documents => {
                return self.push(Address { tab: Tab::Config, ..self.route.clone() }, effects);
            }
            FindingLink::Files { mode, layer, path } => (mode, layer, path),
            FindingLink::Waste { .. } => {
                return self.push(Address { tab: Tab::Waste, ..self.route.clone() }, effects);
            }
        };
        let layer = layer.and_then(|index| self.layer_name(index)).filter(|_| view.wants_layer());
        self.listing.filter.clear();
        self.list(Address { view, layer, line, tab: Tab::Files, ..self.route.at(path.clone()) }, effects);
        if path.is_none() {
            self.selection = None;
        }
        effects.push(Effect::Send(Command::Select { path }));
    }

    fn choose_layer(&mut self, index: u32, toggles: bool, effects: &mut Vec<Effect>) {
        let Some(name) = self.layer_name(index) else { return };
        let again = toggles && self.chosen_layer() == Some(index) && self.route.view.wants_layer();
        let route = if again {
            Address { view: ViewMode::Merged, layer: None, ..self.route.clone() }
        } else {
            let view = if self.route.view.wants_layer() { self.route.view } else { ViewMode::Only };
            Address { view, layer: Some(name), tab: Tab::Files, ..self.route.clone() }
        };
        self.list(route, effects);
    }

    fn set_view(&self) -> Effect {
        Effect::Send(Command::SetView { view: self.wanted_listing() })
    }

    /// Begins a look at what the address names.
    fn begin(&mut self, effects: &mut Vec<Effect>) {
        let Some(reference) = self.route.reference.clone() else { return };
        self.forget();
        self.listing.filter.clear();
        self.look += 1;
        let (platform, path) = (self.route.platform.clone(), self.route.path.clone());
        self.platform.clone_from(&platform);
        let view = self.wanted_listing();
        effects.push(Effect::Entered);
        effects.push(Effect::Send(Command::Look { look: self.look, reference, platform, view, path }));
    }

    /// Begins the same look with what was learned since.
    fn again(&mut self, effects: &mut Vec<Effect>) {
        self.once_more(|look| Command::Retry { look }, effects);
    }

    fn once_more(&mut self, command: impl FnOnce(u32) -> Command, effects: &mut Vec<Effect>) {
        if self.inspects() {
            self.forget();
            self.look += 1;
            effects.push(Effect::Entered);
            effects.push(Effect::Send(command(self.look)));
        }
    }

    /// Looks again with another session, which knows nothing of the one before.
    fn revive(&mut self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Restart);
        let filter = std::mem::take(&mut self.listing.filter);
        self.begin(effects);
        self.listing.filter = filter;
        self.revived = Some(self.look);
        self.notice = Some(REVIVED.to_owned());
    }

    /// Forgets what belongs to a look, and keeps what belongs to the person.
    fn forget(&mut self) {
        *self = Self {
            ready: self.ready,
            look: self.look,
            route: std::mem::take(&mut self.route),
            platform: self.platform.take(),
            relay: self.relay.take(),
            relay_serves_page: self.relay_serves_page,
            relay_settings: std::mem::take(&mut self.relay_settings),
            listing: std::mem::take(&mut self.listing),
            file: self.file.take(),
            recent: Rc::clone(&self.recent),
            policy: Rc::clone(&self.policy),
            keeps_recent: self.keeps_recent,
            trust_root: Rc::clone(&self.trust_root),
            revived: self.revived,
            ..Self::default()
        };
    }
}

/// The reference in what was typed, where that is more than a reference; else the text itself.
fn understood(text: &str) -> String {
    let plain = Reference::parse_bytes(text.as_bytes());
    match Reference::parse_typed(text.as_bytes()) {
        Ok(typed) if plain.as_ref() != Ok(&typed) => typed.familiar(),
        _ => text.to_owned(),
    }
}

const REVIVED: &str = "The session worker of this page broke, which is a bug in Porthole. It was started again.";
const BROKEN: &str =
    "The session worker of this page broke again, which is a bug in Porthole. Try again, or reload the page.";

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
