//! Hashes a layer on a thread of its own, if fewer layers are read than there are cores.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use porthole_core::digest::{Digest, HashBeside, HashState, Hasher};

/// Bytes in one message to the thread.
const PIECE: usize = 128 << 10;
/// Maximum number of pieces that wait for the thread: 512 KiB, which stays in the CPU's cache.
const DEPTH: usize = 4;

/// The number of cores of the machine, and the number of threads that are busy.
pub(super) struct Cores {
    count: usize,
    busy: AtomicUsize,
}

impl Cores {
    /// `busy` is the number of busy threads that are not [counted](Self::enter) otherwise.
    pub(super) fn new(count: usize, busy: usize) -> Arc<Self> {
        Arc::new(Self { count, busy: AtomicUsize::new(busy) })
    }

    /// Counts a thread as busy until it drops the result.
    pub(super) fn enter(self: &Arc<Self>) -> Working {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Working(Arc::clone(self))
    }

    /// As [`enter`](Self::enter), if a core is idle.
    fn enter_idle(self: &Arc<Self>) -> Option<Working> {
        let more = |busy| (busy < self.count).then_some(busy + 1);
        let entered = self.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        entered.is_ok().then(|| Working(Arc::clone(self)))
    }
}

/// Counts a thread as busy until dropped.
pub(super) struct Working(Arc<Cores>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The thread that hashes for one layer. It starts when a core is idle.
#[derive(Clone)]
pub(super) struct Helper {
    cores: Arc<Cores>,
    thread: Arc<Mutex<Option<SyncSender<Message>>>>,
}

impl Helper {
    pub(super) fn new(cores: &Arc<Cores>) -> Self {
        Self { cores: Arc::clone(cores), thread: Arc::default() }
    }

    /// Continues a hash: on the thread of the caller until the other thread has started.
    pub(super) fn hash(&self, hasher: Hasher) -> Box<dyn HashBeside> {
        Box::new(Stream { helper: self.clone(), place: Place::Here(hasher), states: VecDeque::new() })
    }

    /// The sender to the thread. Starts the thread if a core is idle; `None` if not.
    fn sender(&self) -> Option<SyncSender<Message>> {
        let mut thread = lock(&self.thread);
        if thread.is_none() {
            let working = self.cores.enter_idle()?;
            let (sender, messages) = sync_channel(DEPTH);
            let begun = thread::Builder::new().name("hash".to_owned()).spawn(move || work(&messages, working));
            *thread = begun.is_ok().then_some(sender);
        }
        thread.clone()
    }
}

/// A step of a stream for the thread.
struct Message {
    lane: Arc<Lane>,
    step: Step,
}

enum Step {
    Bytes(Vec<u8>),
    Mark,
    End(SyncSender<()>),
}

/// The state of one stream that the thread hashes.
struct Lane {
    /// Only the thread locks it until the stream ends.
    hasher: Mutex<Hasher>,
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    states: VecDeque<HashState>,
    /// Buffers of pieces that were hashed, for reuse.
    spare: Vec<Vec<u8>>,
}

/// Body of the thread. It returns when all streams have ended.
fn work(messages: &Receiver<Message>, _working: Working) {
    for Message { lane, step } in messages {
        match step {
            Step::Bytes(mut bytes) => {
                lock(&lane.hasher).update(&bytes);
                bytes.clear();
                lock(&lane.done).spare.push(bytes);
            }
            Step::Mark => {
                let state = lock(&lane.hasher).state();
                lock(&lane.done).states.push_back(state);
            }
            // Cannot fail: the receiver waits for this message.
            Step::End(ended) => drop(ended.send(())),
        }
    }
}

/// A hash that the thread computes.
struct Stream {
    helper: Helper,
    place: Place,
    /// States that were marked before the thread took over.
    states: VecDeque<HashState>,
}

enum Place {
    Here(Hasher),
    There {
        sender: SyncSender<Message>,
        lane: Arc<Lane>,
        /// Bytes that are not sent yet.
        piece: Vec<u8>,
    },
}

impl Stream {
    /// Moves the hash to the thread if that has started.
    fn settle(&mut self) {
        if let Place::Here(hasher) = &self.place
            && let Some(sender) = self.helper.sender()
        {
            let lane = Lane { hasher: Mutex::new(hasher.clone()), done: Mutex::default() };
            self.place = Place::There { sender, lane: Arc::new(lane), piece: Vec::new() };
        }
    }
}

/// Sends the bytes in `piece`, then `step`.
fn send(sender: &SyncSender<Message>, lane: &Arc<Lane>, piece: &mut Vec<u8>, step: Option<Step>) {
    let bytes = (!piece.is_empty()).then(|| {
        let empty = lock(&lane.done).spare.pop().unwrap_or_else(|| Vec::with_capacity(PIECE));
        Step::Bytes(std::mem::replace(piece, empty))
    });
    for step in [bytes, step].into_iter().flatten() {
        sender.send(Message { lane: Arc::clone(lane), step }).expect(LIVES);
    }
}

const LIVES: &str = "the thread ends when there is no sender";

impl HashBeside for Stream {
    fn update(&mut self, mut bytes: &[u8]) {
        self.settle();
        let (sender, lane, piece) = match &mut self.place {
            Place::Here(hasher) => return hasher.update(bytes),
            Place::There { sender, lane, piece } => (sender, lane, piece),
        };
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - piece.len()));
            piece.extend_from_slice(now);
            bytes = later;
            if piece.len() == PIECE {
                send(sender, lane, piece, None);
            }
        }
    }

    fn mark(&mut self) {
        match &mut self.place {
            Place::Here(hasher) => self.states.push_back(hasher.state()),
            Place::There { sender, lane, piece } => send(sender, lane, piece, Some(Step::Mark)),
        }
    }

    fn state(&mut self) -> Option<HashState> {
        let there = |place: &Place| match place {
            Place::Here(_) => None,
            Place::There { lane, .. } => lock(&lane.done).states.pop_front(),
        };
        self.states.pop_front().or_else(|| there(&self.place))
    }

    fn finish(self: Box<Self>) -> (Vec<HashState>, Digest) {
        let mut states = self.states;
        let hasher = match self.place {
            Place::Here(hasher) => hasher,
            Place::There { sender, lane, mut piece } => {
                let (end, ended) = sync_channel(1);
                send(&sender, &lane, &mut piece, Some(Step::End(end)));
                ended.recv().expect(LIVES);
                states.append(&mut lock(&lane.done).states);
                lock(&lane.hasher).clone()
            }
        };
        (states.into(), hasher.finish())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::digest::Algorithm;

    #[test]
    fn a_stream_has_the_same_states_and_digest_wherever_it_is_hashed() {
        let data: Vec<u8> = (0..3_000_000_u32).map(|number| (number * 7 / 5) as u8).collect();
        // No idle core, an idle core, and a core that becomes idle during the hash.
        for (busy, freed) in [(1, false), (0, false), (1, true)] {
            let cores = Cores::new(1, 0);
            let mut other = (busy == 1).then(|| cores.enter());
            let helper = Helper::new(&cores);
            let (mut one, mut two) =
                (helper.hash(Hasher::new(Algorithm::Sha256)), helper.hash(Hasher::new(Algorithm::Sha512)));
            let (mut states, mut expected) = (Vec::new(), Vec::new());
            let mut hasher = Hasher::new(Algorithm::Sha256);
            for (number, part) in data.chunks(70_001).enumerate() {
                if freed && number == 9 {
                    other = None;
                }
                one.update(part);
                two.update(part);
                hasher.update(part);
                if number % 3 == 0 {
                    one.mark();
                    expected.push(hasher.state());
                    states.extend(one.state());
                }
            }
            let (rest, digest) = one.finish();
            states.extend(rest);
            assert_eq!((states == expected, digest), (true, hasher.finish()));
            assert_eq!(two.finish().1, Digest::of(Algorithm::Sha512, &data));
            drop((helper, other));
            while cores.busy.load(Ordering::Relaxed) > 0 {
                thread::yield_now();
            }
        }
    }

    #[test]
    fn a_hash_that_is_given_up_ends_its_thread() {
        let cores = Cores::new(2, 1);
        let helper = Helper::new(&cores);
        let mut hash = helper.hash(Hasher::new(Algorithm::Sha256));
        hash.update(&[0; 3 * PIECE]);
        assert_eq!(cores.busy.load(Ordering::Relaxed), 2);
        drop((hash, helper));
        while cores.busy.load(Ordering::Relaxed) > 1 {
            thread::yield_now();
        }
    }
}
