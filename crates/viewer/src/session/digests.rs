//! Digests of the files of an image, where a comparison of contents is wanted: listing a layer computes none.

use super::{Desk, Front, Session, compare::verified_twin, probe::ProbeRun};
use crate::{
    look::{Look, LookBody},
    pool::Pool,
    protocol::{ProbeKind, ProbeWish},
};
use porthole_core::image::Layer;
use porthole_registry::transport::{Environment, Transport};

impl Desk {
    /// The image that a kind of probe is about, and the number of its look.
    pub(super) fn probed(&self, kind: ProbeKind) -> Option<(u32, &LookBody)> {
        let look = if kind.is_of_other() { &self.other } else { &self.look };
        look.as_ref().and_then(|look| Some((look.number, look.body.as_ref()?)))
    }

    /// The layer of the image of the look that unpacks to the same as a layer of the one that it is compared with.
    pub(super) fn twin_of_other(&self, layer: &Layer) -> Option<u32> {
        verified_twin(self.look.as_ref()?.body.as_ref()?, layer)
    }
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Reads the contents of every layer for their digests, unless they are known. With `other` also those of the image that it is
    /// compared with, without the layers that both have.
    ///
    /// # Errors
    /// In words: a layer could not be read, or a person stopped it.
    pub(super) async fn know_contents(&self, other: bool) -> Result<(), String> {
        let wishes = [ProbeWish::Digests, ProbeWish::OtherDigests];
        self.know(if other { &wishes } else { &wishes[..1] }).await
    }

    /// Runs each of these probes to its end, one after the other, unless that was done.
    ///
    /// # Errors
    /// In words: a layer could not be read, or a person stopped it.
    pub(super) async fn know(&self, wishes: &[ProbeWish]) -> Result<(), String> {
        for wish in wishes {
            let kind = wish.kind();
            let begun =
                self.desk.borrow().probes.get(&kind).is_some_and(|probe| !matches!(probe.outcome(), Some(Err(_))));
            if !begun {
                self.begin_probe(0, wish.clone());
            }
            self.wait_for(|desk| desk.probes.get(&kind).is_none_or(ProbeRun::is_over)).await;
            let outcome = self.desk.borrow().probes.get(&kind).and_then(ProbeRun::outcome);
            outcome.unwrap_or_else(|| Err("it was left".into()))?;
        }
        Ok(())
    }

    /// Gives the digests that are complete to the trees, once.
    pub(super) fn learn_contents(&self) {
        let again = {
            let mut desk = self.desk.borrow_mut();
            let own = desk.take_learnt(ProbeKind::Digests);
            let other = desk.take_learnt(ProbeKind::OtherDigests);
            if own {
                desk.learn_own();
            }
            if other {
                desk.learn_others();
            }
            (own || other) && desk.compared.is_some()
        };
        if again {
            self.compare_again();
        }
    }
}

impl Desk {
    /// Whether the digests of a probe are complete and were not given to a tree.
    fn take_learnt(&mut self, kind: ProbeKind) -> bool {
        let settled = self.look.as_ref().is_some_and(Look::is_settled);
        self.probes.get_mut(&kind).is_some_and(|probe| settled && probe.take_learnt())
    }

    fn learn_own(&mut self) {
        if let (Some(look), Some(probe)) = (&mut self.look, self.probes.get(&ProbeKind::Digests)) {
            look.learn_contents(|layer, content| probe.digest(layer, content));
        }
    }

    /// The digests of the other image: its own, and those of layers that both images have.
    fn learn_others(&mut self) {
        let Self { look, other, probes, .. } = self;
        let Some(other) = other else { return };
        let before = look.as_ref().and_then(|look| look.body.as_ref());
        let layers = other.body.as_ref().map(|body| body.resolved.image.layers.clone()).unwrap_or_default();
        let twins: Vec<Option<u32>> =
            layers.iter().map(|layer| before.and_then(|before| verified_twin(before, layer))).collect();
        let of = |kind, layer, content| probes.get(&kind).and_then(|probe: &ProbeRun| probe.digest(layer, content));
        other.learn_contents(|layer, content| match twins.get(layer as usize) {
            Some(Some(twin)) => of(ProbeKind::Digests, *twin, content),
            _ => of(ProbeKind::OtherDigests, layer, content),
        });
    }
}
