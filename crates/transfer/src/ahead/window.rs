//! The ranges that are requested before their turn, for all blobs of a source.

use porthole_core::{descriptor::Descriptor, digest::Digest};
use porthole_native::Native;
use porthole_registry::{
    Error, Registry,
    client::{BlobRange, RemoteImage},
};
use porthole_source::{BlobStream, ImageSource};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::{
    runtime::Handle,
    sync::{
        OwnedSemaphorePermit, Semaphore,
        mpsc::{Receiver, Sender, channel},
    },
    task::AbortHandle,
};

/// Bytes of a range.
pub(super) const RANGE: u64 = 4 << 20;
/// Most ranges that are requested ahead, and therefore held in memory, for all blobs of a source.
const RANGES: usize = 6;
/// Bytes of a chunk.
const CHUNK: usize = 64 << 10;
/// Most chunks that are held of a range that is requested ahead: all of it, so that its connection is free for the next range.
const CHUNKS: usize = RANGE as usize / CHUNK;
/// Most chunks that are held of a range that is read from the start.
const FEW: usize = 4;

pub(super) type Client = Arc<Registry<Native>>;
pub(super) type Chunk = Result<Vec<u8>, Error>;

/// The blobs of a source that are being read, and their ranges under way.
///
/// Ranges are requested in the order in which they will be read: those of a blob only when all of the blobs before it are
/// requested. So a reader that waits for its turn holds no memory that an earlier one needs.
pub(super) struct Window {
    /// One permit for each range that is requested ahead.
    permits: Arc<Semaphore>,
    state: Mutex<State>,
    spare: Arc<Spare>,
}

/// Chunks that were read, for reuse. Without it, each thread of the runtime would come to have memory for all of them.
#[derive(Default)]
struct Spare(Mutex<Vec<Vec<u8>>>);

#[derive(Default)]
struct State {
    /// The order in which blobs will be read, as far as it was announced.
    order: HashMap<Digest, usize>,
    /// Number of blobs that were opened.
    opened: usize,
    blobs: BTreeMap<Place, Queue>,
}

/// The place of an open blob in the order of reading: as announced, then as opened.
pub(super) type Place = (usize, usize);

/// The ranges of a blob that are requested ahead, and what is still to request.
struct Queue {
    image: RemoteImage<Client>,
    descriptor: Descriptor,
    runtime: Handle,
    /// Whether the registry is known to send ranges.
    begun: bool,
    /// Ranges under way, in order.
    coming: VecDeque<Coming>,
    /// The first byte after them.
    next: u64,
    notes: Arc<Notes>,
}

/// A range that was requested.
pub(super) struct Coming {
    pub(super) chunks: Receiver<Chunk>,
    task: AbortHandle,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the requests for one blob share.
#[derive(Default)]
pub(super) struct Notes {
    /// Bytes that were received beyond those of the ranges.
    pub(super) overhead: AtomicU64,
    /// Whether the registry stopped sending ranges.
    whole: AtomicBool,
    spare: Arc<Spare>,
}

impl Default for Window {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(RANGES)), state: Mutex::default(), spare: Arc::default() }
    }
}

impl Window {
    /// Announces the order in which blobs will be read.
    pub(super) fn announce(&self, blobs: impl IntoIterator<Item = Digest>) {
        let mut order = HashMap::new();
        for (place, blob) in blobs.into_iter().enumerate() {
            order.entry(blob).or_insert(place);
        }
        self.state().order = order;
    }

    /// Takes up a blob, whose first range the caller requests.
    pub(super) fn open(
        &self,
        image: &RemoteImage<Client>,
        descriptor: &Descriptor,
        runtime: &Handle,
    ) -> (Place, Arc<Notes>) {
        let notes = Arc::new(Notes { spare: Arc::clone(&self.spare), ..Notes::default() });
        let mut state = self.state();
        state.opened += 1;
        let place = (state.order.get(&descriptor.digest).copied().unwrap_or(usize::MAX), state.opened);
        let queue = Queue {
            image: image.clone(),
            descriptor: descriptor.clone(),
            runtime: runtime.clone(),
            begun: false,
            coming: VecDeque::new(),
            next: RANGE,
            notes: Arc::clone(&notes),
        };
        state.blobs.insert(place, queue);
        (place, notes)
    }

    /// Begins to request the ranges of a blob after the first one.
    pub(super) fn begin(&self, place: Place) {
        let mut state = self.state();
        if let Some(queue) = state.blobs.get_mut(&place) {
            queue.begun = true;
        }
        self.fill(&mut state);
    }

    /// Returns the next range of a blob, requested now if it was not before. `None` at the end of the blob.
    pub(super) fn next(&self, place: Place) -> Option<Coming> {
        let mut state = self.state();
        self.fill(&mut state);
        let queue = state.blobs.get_mut(&place)?;
        queue.coming.pop_front().or_else(|| queue.is_left().then(|| queue.request(None)))
    }

    /// Ends the requests for a blob.
    pub(super) fn leave(&self, place: Place) {
        let mut state = self.state();
        drop(state.blobs.remove(&place));
        if state.blobs.is_empty() {
            self.spare.lock().clear();
        }
        self.fill(&mut state);
    }

    /// Requests ranges in order, as long as there are permits.
    fn fill(&self, state: &mut State) {
        for queue in state.blobs.values_mut() {
            // Its ranges are needed before those of the blobs after it.
            if !queue.begun {
                return;
            }
            while queue.is_left() && !queue.notes.whole.load(Ordering::Relaxed) {
                let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return };
                let coming = queue.request(Some(permit));
                queue.coming.push_back(coming);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_left(&self) -> bool {
        self.next < self.descriptor.size
    }

    /// Requests the next range, or all of the rest if the registry stopped sending ranges.
    fn request(&mut self, permit: Option<OwnedSemaphorePermit>) -> Coming {
        let length = if self.notes.whole.load(Ordering::Relaxed) { u64::MAX } else { RANGE };
        let end = self.next.saturating_add(length).min(self.descriptor.size);
        let range = std::mem::replace(&mut self.next, end)..end;
        let (sender, chunks) = channel(if permit.is_some() { CHUNKS } else { FEW });
        let (image, descriptor, notes) = (self.image.clone(), self.descriptor.clone(), Arc::clone(&self.notes));
        let task = self.runtime.spawn(async move {
            match image.open_blob(&descriptor, range).await {
                Ok(blob) => {
                    notes.whole.fetch_or(blob.is_whole_blob(), Ordering::Relaxed);
                    bring(blob, &sender, &notes).await;
                }
                Err(error) => drop(sender.send(Err(error)).await),
            }
        });
        Coming { chunks, task: task.abort_handle(), _permit: permit }
    }
}

impl Coming {
    /// A range whose answer has begun.
    pub(super) fn begun(answer: BlobRange<Client, Native>, runtime: &Handle, notes: &Arc<Notes>) -> Self {
        let (sender, chunks) = channel(FEW);
        let notes = Arc::clone(notes);
        let task = runtime.spawn(async move { bring(answer, &sender, &notes).await }).abort_handle();
        Self { chunks, task, _permit: None }
    }
}

impl Notes {
    fn take_chunk(&self) -> Vec<u8> {
        let mut chunk = self.spare.lock().pop().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        chunk
    }

    /// Takes back a chunk that was read.
    pub(super) fn put_back(&self, chunk: Vec<u8>) {
        if chunk.capacity() == CHUNK {
            self.spare.lock().push(chunk);
        }
    }
}

impl Spare {
    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a range chunk by chunk, until it ends, breaks, or its receiver is dropped.
async fn bring(mut blob: BlobRange<Client, Native>, sender: &Sender<Chunk>, notes: &Notes) {
    let mut ends = false;
    while !ends {
        let (mut chunk, mut filled) = (notes.take_chunk(), 0);
        while filled < CHUNK && !ends {
            match blob.read(&mut chunk[filled..]).await {
                Ok(read) => (filled, ends) = (filled + read, read == 0),
                Err(error) => {
                    chunk.truncate(filled);
                    let _ = sender.send(Ok(chunk)).await;
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            }
        }
        chunk.truncate(filled);
        if filled > 0 && sender.send(Ok(chunk)).await.is_err() {
            return;
        }
    }
    notes.overhead.fetch_add(blob.overhead(), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

    use super::*;
    use porthole_core::media_type::MediaType;
    use porthole_registry::Options;
    use tokio::task::yield_now;

    /// A window, and a registry that does not exist. The runtime has one thread, so no request starts before a test yields.
    struct Setting {
        window: Window,
        image: RemoteImage<Client>,
    }

    impl Setting {
        fn new() -> Self {
            let client = Registry::new(Native::new(porthole_native::Options::default()).unwrap(), Options::default());
            let image = RemoteImage::new(Arc::new(client), "registry.invalid/a/b:1".parse().unwrap());
            Self { window: Window::default(), image }
        }

        fn open(&self, blob: &Descriptor) -> Place {
            self.window.open(&self.image, blob, &Handle::current()).0
        }

        /// Number of ranges that were requested ahead for each blob.
        fn ahead<const N: usize>(&self, places: [Place; N]) -> [usize; N] {
            let state = self.window.state();
            places.map(|place| state.blobs[&place].coming.len())
        }

        fn is_left(&self, place: Place) -> bool {
            self.window.state().blobs[&place].is_left()
        }
    }

    fn blob(name: &str, ranges: u64) -> Descriptor {
        Descriptor::new(MediaType::OCI_LAYER, Digest::sha256(name.as_bytes()), ranges * RANGE)
    }

    #[tokio::test]
    async fn the_lower_of_two_blobs_comes_first_whichever_is_opened_first() {
        let setting = Setting::new();
        let (lower, upper) = (blob("lower", 20), blob("upper", 20));
        setting.window.announce([lower.digest, upper.digest]);
        let above = setting.open(&upper);
        let below = setting.open(&lower);
        setting.window.begin(above);
        assert_eq!(setting.ahead([below, above]), [0, 0], "the lower one is being opened");
        setting.window.begin(below);
        assert_eq!(setting.ahead([below, above]), [RANGES, 0]);
    }

    #[tokio::test]
    async fn a_blob_that_waits_for_its_turn_keeps_no_range_from_the_one_before() {
        let setting = Setting::new();
        let (lower, upper) = (blob("lower", 20), blob("upper", 20));
        let (below, above) = (setting.open(&lower), setting.open(&upper));
        setting.window.begin(below);
        setting.window.begin(above);
        let mut read = 1;
        while let Some(_range) = setting.window.next(below) {
            read += 1;
            if setting.is_left(below) {
                assert_eq!(setting.ahead([above]), [0]);
            }
        }
        assert_eq!(read, 20);
        assert_eq!(setting.ahead([above]), [RANGES], "the next blob is requested as the first one ends");
    }

    #[tokio::test]
    async fn the_ranges_held_are_bounded_however_many_blobs_are_open() {
        let setting = Setting::new();
        let blobs = [0; 20].map(|_| setting.open(&blob("same", 5)));
        blobs.into_iter().for_each(|place| setting.window.begin(place));
        assert_eq!(setting.ahead(blobs).iter().sum::<usize>(), RANGES);
        let last = blobs[19];
        let read: Vec<_> = std::iter::from_fn(|| setting.window.next(last)).collect();
        assert_eq!(read.len(), 4, "each blob can be read to its end");
        assert_eq!(setting.ahead(blobs).iter().sum::<usize>(), RANGES);
    }

    #[tokio::test]
    async fn a_blob_that_is_given_up_leaves_its_ranges_to_the_others() {
        let setting = Setting::new();
        let (first, second) = (setting.open(&blob("first", 20)), setting.open(&blob("second", 20)));
        setting.window.begin(second);
        setting.window.begin(first);
        assert_eq!(setting.ahead([first, second]), [RANGES, 0]);
        setting.window.leave(first);
        assert_eq!(setting.ahead([second]), [RANGES]);
        setting.window.leave(second);
        yield_now().await;
        assert_eq!(setting.window.permits.available_permits(), RANGES);
    }

    #[tokio::test]
    async fn the_rest_comes_by_one_request_if_ranges_are_not_sent_any_more() {
        let setting = Setting::new();
        let place = setting.open(&blob("whole", 20));
        setting.window.begin(place);
        setting.window.state().blobs[&place].notes.whole.store(true, Ordering::Relaxed);
        for _ in 0..RANGES {
            assert!(setting.window.next(place).is_some() && setting.is_left(place));
        }
        assert!(setting.window.next(place).is_some() && !setting.is_left(place));
        assert!(setting.window.next(place).is_none());
    }
}
