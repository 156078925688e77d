//! Signals that ask a program to end.

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

/// What comes of a signal.
#[derive(Clone, Default)]
pub(crate) struct Interrupt {
    /// Somebody puts things in order first, and then ends.
    claimed: Arc<AtomicBool>,
    stop: Arc<Mutex<Option<Arc<Notify>>>>,
    /// Somebody hears signals without this.
    left: Arc<AtomicBool>,
    /// The first signal that came; 0 before.
    asked: Arc<AtomicI32>,
}

/// How long the last lines may take: whoever reads them may be stuck.
const LAST_WORDS: Duration = Duration::from_millis(300);

impl Interrupt {
    /// From now on Ctrl-C leaves a tidy terminal and a whole trace behind. Signals that this program was started without stay so.
    pub(crate) fn listen(runtime: &Handle, stderr: &Arc<Stderr>, wire: &Arc<Wire>) -> Self {
        let interrupt = Self::default();
        let _inside = runtime.enter();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            if is_ignored(kind) {
                continue;
            }
            // One that cannot be listened to ends the program as ever.
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

    /// Whoever calls this promises to [`check`](Self::check) often, and to end then; `stop` is told as well. The second signal ends the
    /// program all the same.
    pub(crate) fn claim(&self, stop: Option<&Arc<Notify>>) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = stop.cloned();
        self.claimed.store(true, Ordering::Relaxed);
    }

    /// Why something that was told to stop did so.
    pub(crate) fn stopped(&self) -> Error {
        self.check().err().unwrap_or(Error::Interrupted { signal: SignalKind::interrupt().as_raw_value() })
    }

    /// Signals are the business of whoever calls this.
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
        // Nobody listens if it took too long.
        let _ = said.send(());
    });
    let _ = done.recv_timeout(LAST_WORDS);
    process::exit(128 + kind.as_raw_value());
}

/// Started with `nohup`, or in the background of a script.
fn is_ignored(kind: SignalKind) -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
