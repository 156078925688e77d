//! Commands of a front end, and what they begin.

use super::{Errand, Front, Session, Want, Wish, Work, versions};
use crate::{
    pool::Pool,
    protocol::{Command, Secret},
};
use porthole_registry::{
    auth::Credentials,
    transport::{Environment, Transport},
};

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Takes a command.
    pub fn obey(&self, command: Command) {
        match command {
            Command::Start { base, relay } => {
                let mut desk = self.desk.borrow_mut();
                desk.base = base;
                desk.router.set(relay);
                self.errands.begin(Errand::Relay, Work::LearnRelay);
            }
            Command::Look { look, reference, platform, view, path } => {
                self.look(Wish { look, reference, platform, view, path, ..Wish::default() });
            }
            Command::Retry { look } => self.look_again(|wish| Wish { look, ..wish }),
            Command::Audit { look } => self.look_again(|wish| Wish { look, audit: true, ..wish }),
            Command::AllowForeign { look, hosts } => self.allow_foreign(look, &hosts),
            Command::Cancel => self.cancel(),
            Command::Stop => self.stop(),
            Command::Rows { from, to } => {
                self.desk.borrow_mut().window = Some(from..to);
                self.with_look(|look, out| look.set_window(from..to, out));
            }
            Command::SetView { view } => {
                if let Some(wish) = &mut self.desk.borrow_mut().wish {
                    wish.view = view.clone();
                }
                self.with_look(|look, _| look.set_view(view));
            }
            Command::Expand { path } => self.with_look(|look, _| look.open(&path, true)),
            Command::Collapse { path } => self.with_look(|look, _| look.open(&path, false)),
            Command::ExpandAll => self.with_look(|look, _| look.open_all(true)),
            Command::CollapseAll => self.with_look(|look, _| look.open_all(false)),
            Command::Select { path } => {
                if let Some(wish) = &mut self.desk.borrow_mut().wish {
                    wish.path.clone_from(&path);
                }
                self.with_look(|look, _| look.select(path.as_deref()));
            }
            Command::Read { path, from, anyway } => self.read(path, Want::part(from, anyway)),
            Command::Save { path } => self.read(path, Want::All),
            Command::Wire => self.begin_wire(),
            Command::SaveArchive { format } => self.begin_archive(format),
            Command::StopArchive => self.errands.stop(Errand::Archive),
            Command::SaveWire => self.save_wire(),
            Command::Waste => self.with_look(|look, _| look.want_waste()),
            Command::Versions { path } => self.with_look(|look, out| versions::tell_versions(look, &path, out)),
            Command::ReadVersion { path, layer, anyway } => {
                let want = Want::part(None, anyway);
                self.begin_version(path, layer, |name| Work::ReadVersion { name, want });
            }
            Command::DiffVersions { path, before, after, anyway } => {
                self.begin_version(path, before, |before| Work::DiffVersions { before, after, anyway });
            }
            Command::Compare { reference, platform, ignore } => self.begin_comparison(reference, platform, &ignore),
            Command::DiffFile { path, anyway } => {
                let look = self.desk.borrow().look.as_ref().map(|look| look.number);
                if let Some(look) = look {
                    self.errands.begin(Errand::Version, Work::DiffFile { look, path, anyway });
                }
            }
            Command::CompareBase { reference } => {
                let look = self.desk.borrow().look.as_ref().map(|look| look.number);
                if let Some(look) = look {
                    self.errands.begin(Errand::Base, Work::CompareBase { look, reference });
                }
            }
            Command::EndCompare => self.end_comparison(),
            Command::Probe { run, wish } => self.begin_probe(run, wish),
            Command::ShowPackages { view } => self.show_packages(view),
            Command::GiveBill { name, text } => self.take_bill(name, &text),
            Command::Evidence { run, wish, signatures_only } => self.begin_evidence(run, wish, signatures_only),
            Command::StopEvidence => self.stop_evidence(),
            Command::SetPolicy { text } => self.set_policy(&text),
            Command::Demand { rule } => self.demand(rule),
            Command::Waive { images } => self.change_policy(|rules| rules.retain(|rule| rule.images != images)),
            Command::ShowNames { query, most, again } => self.show_names(query, most, again),
            Command::AskAboutTag { tag } => self.ask_about_tag(tag),
            Command::FollowLink { path } => self.with_look(|look, out| look.follow_link(&path, out)),
            Command::NameRow { text, from } => self.with_look(|look, out| look.name_row(&text, from, out)),
            Command::Map { wish } => self.with_look(|look, out| look.map(&wish, out)),
            Command::CompareContents { other } => {
                self.errands.begin(Errand::Contents, Work::CompareContents { other });
            }
            Command::CompareRecorded => self.errands.begin(Errand::Contents, Work::CompareRecorded),
            Command::ComparePackages => {
                let look = self.desk.borrow().look.as_ref().map(|look| look.number);
                if let Some(look) = look {
                    self.errands.begin(Errand::Contents, Work::ComparePackages { look });
                }
            }
            Command::Export { wish } => self.export(wish),
            Command::StopProbe { kind } => self.stop_probe(kind),
            Command::Kept => self.errands.begin(Errand::Kept, Work::TellKept),
            Command::WipeKept => self.errands.begin(Errand::Kept, Work::WipeKept),
            Command::SignIn { registry, username, password: Secret(password) } => {
                let credentials = Credentials::basic(username, password);
                self.desk.borrow_mut().credentials.insert(registry, credentials);
            }
            Command::AllowRelayPassword { registry, allow } => {
                let mut desk = self.desk.borrow_mut();
                if allow {
                    desk.allowed.insert(registry);
                } else {
                    desk.credentials.remove(&registry);
                }
            }
            Command::SetRelay { relay } => {
                self.desk.borrow_mut().router.set(relay);
                self.tell_relay();
            }
            Command::UseRelay { registry } => {
                self.desk.borrow_mut().router.use_relay(&registry);
                self.tell_relay();
            }
        }
    }
}
