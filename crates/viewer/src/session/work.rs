//! The work of a session, piece by piece.

use super::{Front, Session, Work};
use crate::{errands::Running, pool::Pool, protocol::ProbeWish};
use porthole_registry::transport::{Environment, Transport};

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Begins a piece of work.
    pub(super) fn work(&self, work: Work) -> Running<'_> {
        match work {
            Work::LearnRelay => Box::pin(self.learn_relay()),
            Work::Look(wish) => Box::pin(self.resolve(wish)),
            Work::Read { look, path, want } => Box::pin(self.read_file(look, path, want)),
            Work::Facts(file) => Box::pin(self.tell_facts(*file)),
            Work::ReadVersion { name, want } => Box::pin(self.read_version(name, want)),
            Work::DiffVersions { before, after, anyway } => Box::pin(self.diff_versions(before, after, anyway)),
            Work::DiffFile { look, path, anyway } => Box::pin(self.diff_file(look, path, anyway)),
            Work::Compare(wish) => Box::pin(self.compare(wish)),
            Work::CompareBase { look, reference } => Box::pin(self.compare_base(look, reference)),
            Work::Evidence(run) => Box::pin(self.find_evidence(run)),
            Work::Wire { look } => Box::pin(self.tell_wire(look)),
            Work::Archive { look, format } => Box::pin(self.save_archive(look, format)),
            Work::Export { look, wish } => Box::pin(self.save_export(look, wish)),
            // The report of the probe has the reason.
            Work::CompareContents { other } => Box::pin(async move { drop(self.know_contents(other).await) }),
            Work::CompareRecorded => {
                Box::pin(async move { drop(self.know(&[ProbeWish::Packages, ProbeWish::Recorded]).await) })
            }
            Work::ComparePackages { look } => Box::pin(self.compare_packages(look)),
            Work::ListNames { look, list, reference } => Box::pin(self.list_names(look, list, *reference)),
            Work::AskAboutTag { look, tag, reference } => Box::pin(self.find_tag_facts(look, tag, *reference)),
            Work::CopyToTwins { look, layer } => Box::pin(self.copy_to_twins(look, layer)),
            Work::Turn(pause) => Box::pin(async move {
                self.registry.transport().sleep(pause).await;
                self.desk.borrow_mut().turn = None;
                self.turn();
            }),
            Work::Keep => Box::pin(self.keep()),
            Work::WaitForQuiet => Box::pin(self.wait_for_quiet()),
            Work::Rest => Box::pin(self.rest()),
            Work::TellKept => Box::pin(self.tell_kept()),
            Work::WipeKept => Box::pin(self.wipe_kept()),
            Work::ForgetKept(name) => Box::pin(self.remove_kept(name)),
            Work::Renew { worker, assignment, cause } => Box::pin(self.renew(worker, assignment, cause)),
        }
    }
}
