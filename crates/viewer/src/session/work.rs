//! The work of a session, piece by piece.

use super::{Front, Session, Work};
use crate::{pool::Pool, protocol::ProbeWish};
use porthole_registry::transport::{Environment, Transport};

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Does a piece of work.
    pub(super) async fn work(&self, work: Work) {
        match work {
            Work::LearnRelay => self.learn_relay().await,
            Work::Look(wish) => self.resolve(wish).await,
            Work::Read { look, path, want } => self.read_file(look, path, want).await,
            Work::Facts(file) => self.tell_facts(*file).await,
            Work::ReadVersion { name, want } => self.read_version(name, want).await,
            Work::DiffVersions { before, after, anyway } => self.diff_versions(before, after, anyway).await,
            Work::DiffFile { look, path, anyway } => self.diff_file(look, path, anyway).await,
            Work::Compare(wish) => self.compare(wish).await,
            Work::CompareBase { look, reference } => self.compare_base(look, reference).await,
            Work::Evidence(run) => self.find_evidence(run).await,
            Work::Wire { look } => self.tell_wire(look).await,
            Work::Archive { look, format } => self.save_archive(look, format).await,
            Work::Export { look, wish } => self.save_export(look, wish).await,
            // The report of the probe has the reason.
            Work::CompareContents { other } => drop(self.know_contents(other).await),
            Work::CompareRecorded => drop(self.know(&[ProbeWish::Packages, ProbeWish::Recorded]).await),
            Work::ComparePackages { look } => self.compare_packages(look).await,
            Work::ListNames { look, list, reference } => self.list_names(look, list, *reference).await,
            Work::AskAboutTag { look, tag, reference } => self.find_tag_facts(look, tag, *reference).await,
            Work::CopyToTwins { look, layer } => self.copy_to_twins(look, layer).await,
            Work::Turn(pause) => {
                self.registry.transport().sleep(pause).await;
                self.desk.borrow_mut().turn = None;
                self.turn();
            }
            Work::Keep => self.keep().await,
            Work::WaitForQuiet => self.wait_for_quiet().await,
            Work::Rest => self.rest().await,
            Work::TellKept => self.tell_kept().await,
            Work::WipeKept => self.wipe_kept().await,
            Work::ForgetKept(name) => self.remove_kept(name).await,
            Work::Renew { worker, assignment, cause } => self.renew(worker, assignment, cause).await,
        }
    }
}
