//! Fetches the blobs of a pull, as the [plan](porthole_registry::plan::pull) says.
//!
//! Requests write bytes into a partial blob at their offset. For each blob, a thread hashes the bytes from the start to
//! the first gap, and makes the blob visible when it is complete.

use super::{
    Error, Options,
    request::{Outcome, Request},
    shared::Shared,
};
use crate::event::{BlobProgress, TransferObserver};
use porthole_core::{descriptor::Descriptor, digest::Mismatch, reference::Reference};
use porthole_native::Native;
use porthole_registry::{
    Registry,
    plan::pull::{End, Fetch, PullPlan, PullStep},
};
use porthole_store::{Addition, Gaps, Ingest, Store};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::{JoinError, JoinSet, block_in_place},
    time::{Instant, sleep},
};

/// How often to check whether another process has finished a blob.
const BUSY: Duration = Duration::from_millis(100);

/// How often to check on ranges that arrive slowly, once there is nothing else to request.
const TAILS: Duration = Duration::from_millis(100);

/// Bytes that were received, and bytes that the store had.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) fetched: u64,
    pub(super) saved: u64,
}

/// The blobs of one pull, and the tasks that fetch them.
pub(super) struct Work<'p> {
    store: &'p Store,
    adding: &'p Addition,
    blobs: Vec<Bringing>,
    shared: Arc<Shared>,
    tasks: JoinSet<Ended>,
    moved: Moved,
}

/// A blob, and what its requests write to.
struct Bringing {
    blob: Arc<Descriptor>,
    gaps: Option<Arc<Gaps>>,
    /// Bytes that an earlier pull had left.
    kept: u64,
    waited: bool,
    wrong: bool,
    skipped: bool,
}

/// The result of a task.
enum Ended {
    /// A request for bytes of a blob has ended.
    Request(Outcome),
    /// A blob is in the store, or cannot be stored.
    Sealed { number: usize, outcome: Result<(), porthole_store::Error> },
}

impl Bringing {
    fn new(blob: Descriptor) -> Self {
        Self { blob: Arc::new(blob), gaps: None, kept: 0, waited: false, wrong: false, skipped: false }
    }
}

impl<'p> Work<'p> {
    pub(super) fn new(
        client: &Arc<Registry<Native>>,
        store: &'p Store,
        adding: &'p Addition,
        reference: &Reference,
        options: &Options,
        observer: &TransferObserver,
        blobs: Vec<Descriptor>,
    ) -> Self {
        observer.plan(&blobs);
        let shared = Shared {
            client: Arc::clone(client),
            reference: reference.clone(),
            observer: observer.clone(),
            follow: options.follow.clone(),
            plan: Mutex::new(PullPlan::new(blobs.iter().map(|blob| blob.size), options.jobs)),
            begun: Instant::now(),
            changed: Notify::new(),
        };
        let blobs = blobs.into_iter().map(Bringing::new).collect();
        Self { store, adding, blobs, shared: Arc::new(shared), tasks: JoinSet::new(), moved: Moved::default() }
    }

    /// Fetches every blob into the store. If it fails or is dropped, its requests end.
    pub(super) async fn run(mut self) -> Result<Moved, Error> {
        let shared = Arc::clone(&self.shared);
        loop {
            loop {
                // A separate statement, so that the plan is not locked while its step is carried out.
                let step = shared.plan().step(shared.now());
                match step {
                    Some(PullStep::Open { blob }) => self.open(blob)?,
                    Some(PullStep::Fetch(fetch)) => self.fetch(fetch, false),
                    Some(PullStep::TakeOver(fetch)) => self.fetch(fetch, true),
                    None => break,
                }
            }
            let (done, waits, tails) = {
                let plan = shared.plan();
                (plan.is_done(), plan.waits(), plan.has_tails())
            };
            match self.tasks.is_empty() {
                true if done => return Ok(self.moved),
                true if !waits => {
                    return Err(Error::Internal("blobs are missing, and nothing is left to do".to_owned()));
                }
                _ => {}
            }
            tokio::select! {
                Some(ended) = self.tasks.join_next() => self.ended(ended)?,
                () = shared.changed.notified() => {}
                () = sleep(BUSY), if waits => {
                    shared.plan().look_again();
                }
                () = sleep(TAILS), if tails => {}
            }
        }
    }

    /// Finds out which bytes of a blob are missing, and starts to hash it.
    fn open(&mut self, number: usize) -> Result<(), Error> {
        let Some(bringing) = self.blobs.get_mut(number) else { return Ok(()) };
        let Shared { observer, follow, .. } = self.shared.as_ref();
        let Descriptor { digest, size, .. } = *bringing.blob;
        let mut partial = match block_in_place(|| self.store.ingest(self.adding, &digest, size))? {
            Ingest::Present => {
                follow.tell_verified(&digest, self.store.blob(&digest), size);
                observer.blob(digest, size, BlobProgress::Present);
                self.moved.saved += size;
                self.shared.plan().closed(number);
                return Ok(());
            }
            Ingest::Busy => {
                if !std::mem::replace(&mut bringing.waited, true) {
                    observer.blob(digest, size, BlobProgress::Waiting);
                }
                self.shared.plan().parked(number);
                return Ok(());
            }
            Ingest::Open(partial) => partial,
        };
        follow.tell_coming(&digest, partial.file(), 0);
        bringing.kept = partial.kept();
        self.moved.saved += bringing.kept;
        observer.blob(digest, size, BlobProgress::Started { kept: bringing.kept });
        if let Some(data) = bringing.blob.data.as_deref().filter(|_| partial.kept() == 0) {
            partial.write(data)?;
        }
        let (gaps, seal) = partial.split();
        self.shared.plan().opened(number, gaps.missing());
        bringing.gaps = Some(Arc::new(gaps));
        let shared = Arc::clone(&self.shared);
        self.tasks.spawn_blocking(move || {
            let outcome = seal.finish(|hashed| shared.follow.tell_bytes(&digest, hashed));
            Ended::Sealed { number, outcome }
        });
        Ok(())
    }

    fn fetch(&mut self, fetch: Fetch, takes_over: bool) {
        let Some(Bringing { blob, gaps: Some(gaps), .. }) = self.blobs.get(fetch.blob) else { return };
        let (shared, blob, gaps) = (Arc::clone(&self.shared), Arc::clone(blob), Arc::clone(gaps));
        self.tasks.spawn(async move { Ended::Request(Request { shared, blob, gaps, fetch, takes_over }.run().await) });
    }

    fn ended(&mut self, ended: Result<Ended, JoinError>) -> Result<(), Error> {
        let Outcome { fetch, rest, fetched, seconds, result } =
            match ended.map_err(|error| Error::Internal(error.to_string()))? {
                Ended::Request(outcome) => outcome,
                Ended::Sealed { number, outcome } => return self.sealed(number, outcome),
            };
        self.moved.fetched += fetched;
        let Some(bringing) = self.blobs.get_mut(fetch.blob) else { return Ok(()) };
        let Descriptor { digest, size, .. } = *bringing.blob;
        let Shared { observer, follow, .. } = self.shared.as_ref();
        let well = End::Well { seconds };
        let mut plan = self.shared.plan();
        match result {
            Ok(()) => {
                plan.ended(&fetch, rest, well);
            }
            Err(Error::Registry(
                porthole_registry::Error::NotFound { .. } | porthole_registry::Error::Foreign { .. },
            )) if bringing.blob.media_type.is_nondistributable() => {
                plan.ended(&fetch, rest, well);
                plan.closed(fetch.blob);
                bringing.gaps = None;
                if !std::mem::replace(&mut bringing.skipped, true) {
                    follow.tell_skipped(&digest);
                    observer.blob(digest, size, BlobProgress::Skipped);
                }
            }
            Err(error) => {
                if !end_of(&error).is_some_and(|end| plan.ended(&fetch, rest, end)) {
                    return Err(error);
                }
                observer.blob(digest, size, BlobProgress::Again { reason: error.to_string() });
            }
        }
        Ok(())
    }

    fn sealed(&mut self, number: usize, outcome: Result<(), porthole_store::Error>) -> Result<(), Error> {
        let Some(bringing) = self.blobs.get_mut(number) else { return Ok(()) };
        let Shared { observer, follow, .. } = self.shared.as_ref();
        let Descriptor { digest, size, .. } = *bringing.blob;
        bringing.gaps = None;
        match outcome {
            Ok(()) => {
                follow.tell_verified(&digest, self.store.blob(&digest), size);
                observer.blob(digest, size, BlobProgress::Done);
                self.shared.plan().closed(number);
                Ok(())
            }
            Err(_) if bringing.skipped => Ok(()),
            // No request was sent for a blob of 0 bytes: its descriptor is wrong.
            Err(porthole_store::Error::Mismatch(_)) if size == 0 => Err(Error::Sizeless { digest }),
            Err(porthole_store::Error::Mismatch(mismatch @ Mismatch::Digest { .. })) => {
                // The wrong bytes may be those that an earlier process left, and not the registry's.
                if bringing.kept == 0 && std::mem::replace(&mut bringing.wrong, true) {
                    return Err(Error::Wrong(mismatch));
                }
                self.moved.saved -= bringing.kept;
                follow.tell_anew(&digest);
                observer.blob(digest, size, BlobProgress::Wrong);
                self.shared.plan().anew(number);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What an error means for the plan; `None` if the pull cannot continue.
fn end_of(error: &Error) -> Option<End> {
    use porthole_registry::Error as Failure;
    match error {
        Error::Registry(Failure::RateLimited { .. } | Failure::Status { status: 503, .. }) => Some(End::TooMuch),
        Error::Registry(Failure::OutOfRange { .. } | Failure::Protocol { .. }) => Some(End::Odd),
        _ => None,
    }
}
