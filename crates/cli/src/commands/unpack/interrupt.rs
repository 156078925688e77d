//! Ctrl-C, where something has to be put in order first.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

use crate::{error::Error, session::Session};

/// Whether the user wants it to end.
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on the signals that ask a program to end are noted, and end nothing by themselves; `stop` is told of them.
    pub(crate) fn listen(session: &Session<'_>, stop: Option<&Arc<Notify>>) -> Self {
        let asked = Arc::new(AtomicBool::new(false));
        let _inside = session.runtime().enter();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            // One that cannot be listened to ends the program as ever.
            let Ok(mut signals) = signal(kind) else { continue };
            let (asked, stop) = (Arc::clone(&asked), stop.cloned());
            session.runtime().spawn(async move {
                signals.recv().await;
                asked.store(true, Ordering::Relaxed);
                if let Some(stop) = stop {
                    stop.notify_one();
                }
            });
        }
        Self(asked)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.0.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }
}
