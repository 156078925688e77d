//! Handles the signals that ask the program to end: SIGINT, SIGTERM and SIGHUP.

use std::{
    process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI32, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

use crate::{error::Error, stderr::Stderr, wire::Wire};

/// The effect of a signal. Clones share the state.
#[derive(Clone, Default)]
pub(crate) struct Interrupt {
    /// The verb ends itself after the first signal, once it has cleaned up.
    claimed: Arc<AtomicBool>,
    stop: Arc<Mutex<Option<Arc<Notify>>>>,
    /// The verb handles all signals itself.
    left: Arc<AtomicBool>,
    /// Number of the last signal received; 0 before the first.
    asked: Arc<AtomicI32>,
}

/// Maximum time for writing the last lines: the reader of stderr may be stuck.
const LAST_WORDS: Duration = Duration::from_millis(300);

impl Interrupt {
    /// Makes a signal restore the terminal, complete the trace and end the program. Signals that were ignored at the start stay
    /// ignored.
    pub(crate) fn listen(runtime: &Handle, stderr: &Arc<Stderr>, wire: &Arc<Wire>) -> Self {
        let interrupt = Self::default();
        let _inside = runtime.enter();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            if is_ignored(kind) {
                continue;
            }
            // If no listener can be installed, the signal keeps its default action.
            let Ok(mut signals) = signal(kind) else { continue };
            let (interrupt, stderr, wire) = (interrupt.clone(), Arc::clone(stderr), Arc::clone(wire));
            runtime.spawn(async move {
                while signals.recv().await.is_some() {
                    let before = interrupt.asked.swap(kind.as_raw_value(), Ordering::Relaxed);
                    if interrupt.left.load(Ordering::Relaxed) {
                        continue;
                    }
                    if before != 0 || !interrupt.claimed.load(Ordering::Relaxed) {
                        end(kind, &stderr, &wire);
                    }
                    if let Some(stop) = &*interrupt.stop.lock().unwrap_or_else(PoisonError::into_inner) {
                        stop.notify_one();
                    }
                }
            });
        }
        interrupt
    }

    /// Leaves it to the caller to end after the first signal. The caller must [`check`](Self::check) often; the signal also
    /// notifies `stop`. A second signal ends the program at once.
    pub(crate) fn claim(&self, stop: Option<&Arc<Notify>>) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = stop.cloned();
        self.claimed.store(true, Ordering::Relaxed);
    }

    /// The error of an operation that a signal stopped.
    pub(crate) fn stopped(&self) -> Error {
        self.check().err().unwrap_or(Error::Interrupted { signal: SignalKind::interrupt().as_raw_value() })
    }

    /// Leaves all further signals to the caller.
    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.asked.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(Error::Interrupted { signal }),
        }
    }
}

fn end(kind: SignalKind, stderr: &Arc<Stderr>, wire: &Arc<Wire>) {
    let (said, done) = channel();
    let (stderr, wire) = (Arc::clone(stderr), Arc::clone(wire));
    thread::spawn(move || {
        wire.close();
        stderr.close();
        // This fails if the receiver stopped waiting after `LAST_WORDS`.
        let _ = said.send(());
    });
    let _ = done.recv_timeout(LAST_WORDS);
    process::exit(128 + kind.as_raw_value());
}

/// Whether the program was started with the signal ignored: with `nohup`, or in the background of a script.
fn is_ignored(kind: SignalKind) -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
