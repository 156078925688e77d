//! What a session holds, counted.

use super::{Front, Session};
use crate::pool::Pool;
use porthole_registry::transport::{Environment, Transport};

/// How much a session holds. Nothing of it may grow with the number of looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionHoldings {
    /// Looks: the current one, and the one that it is compared with.
    pub looks: usize,
    /// Layers that wait for a worker.
    pub waiting: usize,
    /// Layers that workers read.
    pub reading: usize,
    /// Pieces of work that have not ended.
    pub errands: usize,
    /// Nodes of the trees.
    pub nodes: usize,
    /// Bytes of the seek indexes of layers.
    pub index_bytes: u64,
    /// Tokens, valid or not.
    pub tokens: usize,
    /// Blobs whose place behind a redirect is remembered.
    pub places: usize,
    /// Registries with credentials or with a route of their own.
    pub registries: usize,
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Counts what the session holds.
    pub fn holdings(&self) -> SessionHoldings {
        let desk = self.desk.borrow();
        let looks = || [&desk.look, &desk.other].into_iter().flatten();
        let bodies = || looks().filter_map(|look| look.body.as_ref());
        let (waiting, reading) = desk.roster.jobs();
        let held = self.registry.holdings();
        SessionHoldings {
            looks: looks().count(),
            waiting,
            reading,
            errands: self.errands.count(),
            nodes: bodies().map(|body| body.stack.tree().len()).sum(),
            index_bytes: bodies().map(|body| body.access_bytes()).sum(),
            tokens: held.tokens,
            places: held.places,
            registries: held.registries,
        }
    }
}
