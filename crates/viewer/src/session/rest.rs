//! Workers that look into contents end when there has been nothing for them to do for a while: each holds the memory that its
//! largest layer took.

use super::{Errand, Front, Session, Work};
use crate::pool::{CrewKind, Pool};
use porthole_registry::transport::{Environment, Transport};
use std::time::Duration;

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Starts workers that look into contents, if none is left.
    pub(super) fn wake_contents(&self) {
        self.errands.stop(Errand::Rest);
        let (missing, retired) = {
            let mut desk = self.desk.borrow_mut();
            desk.resting = false;
            (!desk.roster.has(CrewKind::Contents), desk.roster.retired())
        };
        if !missing {
            return;
        }
        if retired.is_empty() {
            let count = self.pool.start_contents();
            return self.desk.borrow_mut().roster.add(CrewKind::Contents, count);
        }
        for worker in retired {
            if self.pool.restart(worker) {
                self.desk.borrow_mut().roster.revive(worker);
            }
        }
    }

    /// Lets workers that look into contents end after a while, if they have nothing to do now.
    pub(super) fn rest_soon(&self) {
        let idle = {
            let mut desk = self.desk.borrow_mut();
            let idle = desk.roster.is_idle(CrewKind::Contents);
            idle && !std::mem::replace(&mut desk.resting, true)
        };
        if idle {
            self.errands.begin(Errand::Rest, Work::Rest);
        }
    }

    pub(super) async fn rest(&self) {
        self.registry.transport().sleep(IDLE).await;
        let workers = {
            let mut desk = self.desk.borrow_mut();
            desk.resting = false;
            if desk.roster.is_idle(CrewKind::Contents) { desk.roster.retire(CrewKind::Contents) } else { Vec::new() }
        };
        workers.into_iter().for_each(|worker| self.pool.end(worker));
    }
}

/// Time without work after which they end. Another probe soon after the last one finds them listening.
const IDLE: Duration = Duration::from_secs(20);
