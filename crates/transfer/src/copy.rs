//! Copies images of this machine into a store or a layout.

use crate::{BlobProgress, Local, TransferObserver, pull::Platforms};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    failure::{Classify, Failure},
    layout::ChoiceError,
    manifest::Document,
};
use porthole_inspect::local;
use porthole_registry::plan::push::{self as plan, Planner, PushPlan};
use porthole_store::{Addition, Ingest, Store};
use std::{
    io::{self, Read},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

const BUFFER: usize = 256 << 10;
/// How often to check whether another process has finished a blob.
const BUSY: Duration = Duration::from_millis(100);

/// What a copy did.
#[derive(Clone, Debug)]
pub struct Copied {
    /// What the name now stands for.
    pub root: Descriptor,
    /// Bytes of blobs and documents that were written.
    pub written: u64,
    /// Bytes of blobs and documents that were there already.
    pub present: u64,
    /// Documents that an index lists and the source lacks.
    pub missing: usize,
    /// What the name stood for before, if that was something else.
    pub replaced: Option<Digest>,
}

/// Why an image was not copied. Its name is not set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source, which is in files, cannot be read.
    #[error(transparent)]
    Local(#[from] local::Error),
    /// The store or layout cannot be written.
    #[error(transparent)]
    Store(#[from] porthole_store::Error),
    /// The image cannot be copied as it is.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// A file of the source cannot be read.
    #[error("source cannot be read: {0}")]
    Read(io::Error),
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Local(error) => error.failure(),
            Self::Store(error) => error.failure(),
            Self::Plan(error) => error.failure(),
            Self::Read(_) => Failure::machine(),
        }
    }
}

/// Copies an image byte for byte, without the blobs that the store has, and names it when it is complete.
///
/// If the source has only a part of an index, as after a pull for one platform, the same part is copied.
///
/// # Errors
///
/// [`Error`]. Every blob is verified on the way.
pub fn into_store(
    local: &Local,
    root: &Descriptor,
    store: &Store,
    name: &str,
    platforms: &Platforms,
    jobs: usize,
    observer: &TransferObserver,
) -> Result<Copied, Error> {
    let (plan, missing) = plan(local, root, platforms)?;
    observer.plan(plan.blobs.iter().chain(&plan.foreign));
    let adding = store.add()?;
    let mut copied = Copied { root: plan.root.clone(), written: 0, present: 0, missing, replaced: None };
    let waiting = Mutex::new(plan.blobs.iter().chain(&plan.foreign));
    let failed = AtomicBool::new(false);
    let work = || {
        let mut amount = Amount::default();
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(blob) = next.filter(|_| !failed.load(Ordering::Relaxed)) else { return Ok(amount) };
            if let Err(error) = copy_blob(local, blob, store, &adding, observer, &mut amount) {
                failed.store(true, Ordering::Relaxed);
                return Err(error);
            }
        }
    };
    let amounts: Vec<Result<Amount, Error>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.clamp(1, plan.blobs.len().max(1))).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    for amount in amounts {
        let Amount { written, present } = amount?;
        copied.written += written;
        copied.present += present;
    }
    for document in &plan.documents {
        let raw = document.raw();
        let there = store.contains(raw.digest(), raw.size());
        *(if there { &mut copied.present } else { &mut copied.written }) += raw.size();
        store.insert(&adding, raw)?;
    }
    let before = store.tag(name, &plan.root)?;
    copied.replaced = before.filter(|before| *before != plan.root.digest);
    Ok(copied)
}

/// Plans the copy of an image. Returns the plan, and how many documents of its index the source lacks.
pub(crate) fn plan(local: &Local, root: &Descriptor, platforms: &Platforms) -> Result<(PushPlan, usize), Error> {
    let platform = match platforms {
        Platforms::One(platform) => Some(platform.clone()),
        Platforms::All => None,
    };
    let mut planner = Planner::new(root.clone(), platform, *local.limits());
    let (mut missing, mut images, mut absent) = (0, 0, None);
    while let Some(next) = planner.next().cloned() {
        match local.read_document(&next) {
            Err(error) if error.is_missing_blob() && planner.may_be_present() && next.digest != root.digest => {
                missing += 1;
                absent.get_or_insert(error);
                planner.present();
            }
            document => {
                let document = document?;
                images += usize::from(matches!(document, Document::Manifest(_)));
                planner.document(document)?;
            }
        }
    }
    match (planner.finish(), absent) {
        (_, Some(error)) if images == 0 => Err(error.into()),
        (Some(plan), _) => Ok((plan, missing)),
        (None, _) => Err(local::Error::from(ChoiceError::Empty).into()),
    }
}

#[derive(Default)]
struct Amount {
    written: u64,
    present: u64,
}

fn copy_blob(
    local: &Local,
    blob: &Descriptor,
    store: &Store,
    adding: &Addition,
    observer: &TransferObserver,
    amount: &mut Amount,
) -> Result<(), Error> {
    let Descriptor { digest, size, .. } = *blob;
    let mut waiting = false;
    let mut partial = loop {
        match store.ingest(adding, &digest, size)? {
            Ingest::Present => {
                observer.blob(digest, size, BlobProgress::Present);
                amount.present += size;
                return Ok(());
            }
            Ingest::Busy => {
                if !std::mem::replace(&mut waiting, true) {
                    observer.blob(digest, size, BlobProgress::Waiting);
                }
                thread::sleep(BUSY);
            }
            Ingest::Open(partial) => break partial,
        }
    };
    let kept = partial.position();
    let (_, mut reader) = match local.open_blob(blob, kept) {
        Err(error) if error.is_missing_blob() && blob.media_type.is_nondistributable() => {
            observer.blob(digest, size, BlobProgress::Skipped);
            return Ok(());
        }
        opened => opened?,
    };
    observer.blob(digest, size, BlobProgress::Started { kept });
    amount.present += kept;
    let mut buffer = vec![0; BUFFER];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                partial.write(&buffer[..read])?;
                amount.written += read as u64;
                observer.blob(digest, size, BlobProgress::Moved { bytes: read as u64 });
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Read(error)),
        }
    }
    partial.commit()?;
    observer.blob(digest, size, BlobProgress::Done);
    Ok(())
}
