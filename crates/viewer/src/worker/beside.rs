//! Hashes a layer's archive on another thread, while the layer worker inflates and scans it. Hashing takes half of the time of a
//! layer, so an image of one large layer would leave all cores but one idle.

use porthole_core::digest::{Algorithm, Digest, HashBeside, HashState, Hasher};
use serde::{Deserialize, Serialize};
use std::{
    cell::RefCell,
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

/// From a layer worker to the thread that hashes for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HashOrder {
    /// Hash a stream from this state on, and forget the one before.
    Begin {
        /// Number of the stream, never used twice.
        stream: u32,
        /// The state, as [`HashState::to_bytes`] gives it.
        state: Vec<u8>,
    },
    /// The next bytes of the stream.
    Bytes {
        /// At most [`HashThread::MESSAGE`] bytes. A front end sends them beside the rest.
        bytes: Vec<u8>,
    },
    /// The stream has ended.
    End,
}

/// From the thread that hashes, after each [`HashOrder::Bytes`] and [`HashOrder::End`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HashReport {
    /// Number of the stream.
    pub stream: u32,
    /// Bytes of the stream that are hashed.
    pub taken: u64,
    /// The state at the end of the stream.
    pub state: Option<Vec<u8>>,
}

/// The thread that hashes: it takes orders one after another.
#[derive(Default)]
pub struct HashWorker(Option<(u32, u64, Hasher)>);

impl HashWorker {
    /// Carries out an order.
    pub fn obey(&mut self, order: &HashOrder) -> Option<HashReport> {
        if let HashOrder::Begin { stream, state } = order {
            self.0 = HashState::from_bytes(state).map(|state| (*stream, 0, Hasher::resume(&state)));
            return None;
        }
        let (stream, taken, hasher) = self.0.as_mut()?;
        if let HashOrder::Bytes { bytes } = order {
            hasher.update(bytes);
            *taken += bytes.len() as u64;
        }
        let state = (*order == HashOrder::End).then(|| hasher.state().to_bytes());
        Some(HashReport { stream: *stream, taken: *taken, state })
    }
}

/// A thread that hashes, as its layer worker sees it.
pub struct HashThread {
    start: Box<dyn Fn()>,
    send: Box<dyn Fn(HashOrder)>,
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    started: bool,
    ready: bool,
    ended: bool,
    stream: u32,
    sent: u64,
    taken: u64,
    state: Option<HashState>,
    waker: Option<Waker>,
}

impl HashThread {
    /// Maximum bytes in one [`HashOrder::Bytes`].
    pub const MESSAGE: usize = 256 << 10;

    /// A thread that takes orders by `send`. `start` is called once, when the thread is wanted for the first time. It hashes nothing
    /// until it is [`ready`](Self::ready).
    pub fn new(start: impl Fn() + 'static, send: impl Fn(HashOrder) + 'static) -> Self {
        Self { start: Box::new(start), send: Box::new(send), inner: RefCell::default() }
    }

    /// It listens from now on.
    pub fn ready(&self) {
        self.inner.borrow_mut().ready = true;
    }

    /// It ended, and the layer worker hashes by itself from now on. What it was given is lost.
    pub fn bury(&self) {
        self.change(|inner| (inner.ready, inner.ended) = (false, true));
    }

    /// Whether it was started and does not listen yet.
    pub(super) fn is_starting(&self) -> bool {
        let inner = self.inner.borrow();
        inner.started && !inner.ready && !inner.ended
    }

    /// Takes a report of the thread.
    pub fn hear(&self, report: HashReport) {
        self.change(|inner| {
            // A report of a stream that was dropped may still come.
            if report.stream == inner.stream {
                inner.taken = report.taken;
                inner.state = report.state.and_then(|state| HashState::from_bytes(&state));
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let waker = {
            let mut inner = self.inner.borrow_mut();
            change(&mut inner);
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Begins a stream, unless the thread is not ready.
    pub(super) fn begin(&self) -> Option<HashStream<'_>> {
        if !std::mem::replace(&mut self.inner.borrow_mut().started, true) {
            (self.start)();
        }
        let mut inner = self.inner.borrow_mut();
        if !inner.ready {
            return None;
        }
        (inner.stream, inner.sent, inner.taken, inner.state) = (inner.stream + 1, 0, 0, None);
        Some(HashStream { thread: self, queue: Arc::default() })
    }

    /// Waits until the thread reports what is wanted. `None` = it ended.
    async fn until<W>(&self, wanted: impl Fn(&Inner) -> Option<W>) -> Option<W> {
        std::future::poll_fn(|context| {
            let mut inner = self.inner.borrow_mut();
            match wanted(&inner) {
                Some(wanted) if inner.ready => Poll::Ready(Some(wanted)),
                None if inner.ready => {
                    inner.waker = Some(context.waker().clone());
                    Poll::Pending
                }
                _ => Poll::Ready(None),
            }
        })
        .await
    }
}

/// The archive of one layer, hashed by a thread.
pub(super) struct HashStream<'t> {
    thread: &'t HashThread,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    /// The state to begin with, until it is sent.
    start: Option<HashState>,
    bytes: Vec<u8>,
    digest: Option<Digest>,
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HashStream<'_> {
    /// What the layer's reader gets in place of a hasher.
    pub(super) fn hasher(&self, hasher: &Hasher) -> Box<dyn HashBeside> {
        lock(&self.queue).start = Some(hasher.state());
        Box::new(Queued(Arc::clone(&self.queue)))
    }

    /// Gives bytes of the blob to the reader, and what they unpack to to the thread. `None` = the thread ended.
    pub(super) async fn push(
        &self,
        chunk: &[u8],
        mut push: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Option<ControlFlow<()>> {
        // Small pieces, because what they unpack to waits in memory.
        for piece in chunk.chunks(PIECE) {
            if push(piece).is_break() {
                return Some(ControlFlow::Break(()));
            }
            self.send(HashThread::MESSAGE);
            self.thread.until(|inner| (inner.sent.saturating_sub(inner.taken) <= WAITING).then_some(())).await?;
        }
        Some(ControlFlow::Continue(()))
    }

    /// Waits for the digest of all bytes, which the reader finds when it is finished. `None` = the thread ended.
    pub(super) async fn finish(&self) -> Option<()> {
        self.send(0);
        (self.thread.send)(HashOrder::End);
        let state = self.thread.until(|inner| inner.state.clone()).await?;
        lock(&self.queue).digest = Some(Hasher::resume(&state).finish());
        Some(())
    }

    /// Sends what waits, if it is at least this many bytes.
    fn send(&self, least: usize) {
        let (start, bytes) = {
            let mut queue = lock(&self.queue);
            if queue.bytes.len() < least {
                return;
            }
            (queue.start.take(), std::mem::take(&mut queue.bytes))
        };
        // All messages but a few have the same length, so that a front end can use their buffers again.
        let messages = bytes.chunks(HashThread::MESSAGE).map(|bytes| HashOrder::Bytes { bytes: bytes.to_vec() });
        let stream = {
            let mut inner = self.thread.inner.borrow_mut();
            inner.sent += bytes.len() as u64;
            inner.stream
        };
        if let Some(state) = start {
            (self.thread.send)(HashOrder::Begin { stream, state: state.to_bytes() });
        }
        messages.for_each(&self.thread.send);
    }
}

/// A stream that is sent to the thread after each push: the reader calls this, and must not wait.
struct Queued(Arc<Mutex<Queue>>);

impl HashBeside for Queued {
    fn update(&mut self, bytes: &[u8]) {
        lock(&self.0).bytes.extend_from_slice(bytes);
    }

    /// An archive has no marks: the spans are those of the blob.
    fn mark(&mut self) {}

    fn state(&mut self) -> Option<HashState> {
        None
    }

    fn finish(self: Box<Self>) -> (Vec<HashState>, Digest) {
        // Without the thread's answer, which is awaited before, this is a digest that no archive has.
        let digest = lock(&self.0).digest.take();
        (Vec::new(), digest.unwrap_or_else(|| Hasher::new(Algorithm::Sha256).finish()))
    }
}

/// Bytes of a blob that are given to the reader at once.
const PIECE: usize = 16 << 10;
/// Bytes that may wait to be hashed.
const WAITING: u64 = 2 << 20;
