//! What the requests of a pull share.

use super::Follow;
use crate::event::TransferObserver;
use porthole_core::reference::Reference;
use porthole_native::Native;
use porthole_registry::{
    Registry,
    plan::pull::{Fetch, PullPlan},
};
use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::Notify, time::Instant};

/// What every request needs.
pub(super) struct Shared {
    pub(super) client: Arc<Registry<Native>>,
    pub(super) reference: Reference,
    pub(super) observer: TransferObserver,
    pub(super) follow: Follow,
    pub(super) plan: Mutex<PullPlan>,
    pub(super) begun: Instant,
    /// The plan was changed by a request that is not finished.
    pub(super) changed: Notify,
}

impl Shared {
    pub(super) fn plan(&self) -> MutexGuard<'_, PullPlan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since the pull began.
    pub(super) fn now(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Updates the plan with the head of an answer; returns the bytes to take of it, if they are others.
    pub(super) fn answered(&self, fetch: &Fetch, heeds: Option<bool>) -> Option<Range<u64>> {
        let other = self.plan().answered(fetch, heeds);
        self.changed.notify_one();
        other
    }
}
