//! Ownership of files by packages, and the comparison of the packages of two images.

use super::{Desk, Front, Session, compare::verified_twin, probe::place};
use crate::{
    pool::Pool,
    protocol::{Event, PackageChangeFact, PackageChanges, ProbeKind, ProbeState, ProbeWish},
};
use porthole_contents::changes::{PackageChange, PackageChangeKind, changes};
use porthole_registry::transport::{Environment, Transport};

impl Desk {
    /// Finds which files no package owns, and which were modified, where the packages are read.
    pub(super) fn weigh_packages(&mut self, out: &mut Vec<Event>) {
        let Some(mut packages) = self.probes.remove(&ProbeKind::Packages) else { return };
        if packages.state() == &ProbeState::Done
            && let Some(look) = &mut self.look
            && let Some(body) = &look.body
        {
            let marked = packages.weigh(self.probes.get(&ProbeKind::Recorded), body);
            look.mark(marked);
            out.push(packages.shown_packages());
        }
        self.probes.insert(ProbeKind::Packages, packages);
    }

    /// Compares the packages of the look with those of the other image. `None`: one of the looks ended.
    fn package_changes(&mut self) -> Option<PackageChanges> {
        let Self { look, other, probes, .. } = self;
        let (before, after) = (look.as_ref()?.body.as_ref()?, other.as_ref()?.body.as_ref()?);
        let mut theirs = probes.remove(&ProbeKind::OtherPackages)?;
        let ours = probes.get(&ProbeKind::Packages)?.packages();
        let list = theirs.packages_mut();
        let layers = &after.resolved.image.layers;
        for layer in layers {
            if let Some(twin) = verified_twin(before, layer) {
                ours.share(twin, list, layer.index);
            }
        }
        list.take_stock(after.stack.tree(), layers.len() as u32, |layer, content, path| {
            place(after, layer, content, path)
        });
        let found = in_short(&changes(ours.inventory(), list.inventory()));
        probes.insert(ProbeKind::OtherPackages, theirs);
        Some(found)
    }
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Compares the packages of both images, and reads them first where that was not done.
    pub(super) async fn compare_packages(&self, look: u32) {
        let known = self.know(&[ProbeWish::Packages, ProbeWish::OtherPackages]).await;
        self.wait_for(|desk| desk.look.as_ref().is_none_or(|look| look.is_settled())).await;
        // Packages of this image are put together when the look has all layers.
        self.judge_probes();
        let changes = match known {
            Ok(()) => self.desk.borrow_mut().package_changes().map(Ok),
            Err(text) => Some(Err(text)),
        };
        // One of the looks ended, so there is nothing to compare.
        let Some(changes) = changes else { return };
        self.tell(vec![Event::PackageChanges { look, changes: Box::new(changes) }]);
    }
}

fn in_short(all: &[PackageChange<'_>]) -> PackageChanges {
    let count = |kind| all.iter().filter(|change| change.kind == kind).count() as u64;
    let sums = PackageChangeKind::ALL.map(|kind| (kind.name().to_owned(), count(kind)));
    PackageChanges {
        sums: sums.into_iter().filter(|(_, count)| *count > 0).collect(),
        rows: all.iter().take(SENT).map(fact).collect(),
        total: all.len() as u64,
    }
}

fn fact(change: &PackageChange<'_>) -> PackageChangeFact {
    let package = &change.installed().package;
    PackageChangeFact {
        change: change.kind.name().to_owned(),
        kind: package.ecosystem.name().to_owned(),
        name: package.name.clone(),
        before: change.before.map(|before| before.package.version.clone()),
        after: change.after.map(|after| after.package.version.clone()),
    }
}

/// Packages that differ and are sent.
const SENT: usize = 2000;
