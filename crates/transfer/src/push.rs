//! Anything to a registry: pushes and copies.
//!
//! Documents are read from the root down, as far as the destination lacks them; then every blob that it lacks is mounted or uploaded,
//! several at once; then documents, children first; the tag last, and its digest is read back. Nothing is named if anything failed.

mod likely;
mod send;

pub use self::likely::{Likely, likely};

use self::send::{Outcome, Refused, Send};
use crate::{
    BlobProgress, TransferEvent, TransferObserver,
    pull::Platforms,
    source::{self, Source, descriptor_of},
};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    failure::{Blame, Classify, Failure, FailureClass},
    hint::Hint,
    manifest::Document,
    platform::Platform,
};
use porthole_native::Native;
use porthole_registry::{
    Registry,
    client::Destination,
    plan::push::{self as plan, Planner, PushPlan},
};
use porthole_source::ImageSource;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};

/// How to push.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which images of an index.
    pub platforms: Platforms,
    /// Blobs that are sent at once; at least one is.
    pub jobs: usize,
    /// Bytes of a chunk; `None` sends each blob whole, as long as the registry takes it.
    pub chunk: Option<u64>,
    /// Send what refers to the image as well: signatures, attestations.
    pub referrers: bool,
    /// Tags for the image beside the destination's own.
    pub tags: Vec<String>,
    /// Also send layers whose licence forbids distribution ("nondistributable").
    pub foreign: bool,
    /// How long to wait until a manifest that the registry took can be read there.
    pub wait: Duration,
    /// What is known of repositories that the destination names to mount from: they are asked for these blobs alone.
    pub likely: Vec<Likely>,
}

/// What a push did.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// What the name now stands for.
    pub root: Descriptor,
    /// Blobs that were uploaded, and their bytes.
    pub uploaded: Amount,
    /// Blobs that were mounted from other repositories of the registry.
    pub mounted: Amount,
    /// Blobs that were there already. Those of images that were there as a whole are not counted.
    pub present: Amount,
    /// Layers that registries may not be asked to hold.
    pub foreign: Amount,
    /// Manifests and indexes that were put.
    pub documents: usize,
    /// Bytes of blobs that were sent, repeated ones included.
    pub sent: u64,
    /// Whether the name stood for something else, or for nothing, before.
    pub tagged: bool,
    /// Whether the registry shows what it took; `false` if it did not within [`Options::wait`].
    pub visible: bool,
}

/// A number of blobs and of their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Number of blobs.
    pub blobs: usize,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, blob: &Descriptor) {
        self.blobs += 1;
        self.bytes = self.bytes.saturating_add(blob.size);
    }
}

/// Why nothing was named. Blobs that arrived stay with the registry, and the next push finds them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The registry that is written to, or the way to it.
    #[error(transparent)]
    Registry(#[from] porthole_registry::Error),
    /// The source of the image cannot be read.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The image cannot be pushed as it is.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// An index of which the source has a part, as a pull for one platform leaves it, and the destination not the rest.
    #[error("source lacks images of its index; available: {}", list(available))]
    Partial {
        /// The platforms that it has.
        available: Vec<Platform>,
    },
    /// The destination names a digest, and it is not the image's.
    #[error("destination names another digest than the image has: expected {expected}, got {got}")]
    Digest {
        /// In the destination.
        expected: Digest,
        /// Of the image.
        got: Digest,
    },
    /// A part of this program failed.
    #[error("internal error (a bug in porthole): {0}")]
    Internal(String),
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Registry(error) => error.failure(),
            Self::Source(error) => error.failure(),
            Self::Plan(error) => error.failure(),
            Self::Partial { available } => {
                let available = available.iter().map(ToString::to_string).collect();
                Failure::new(FailureClass::Platform, Blame::Input).hint(Hint::ChoosePlatform { available })
            }
            Self::Digest { .. } => Failure::input(),
            Self::Internal(_) => Failure::bug(),
        }
    }
}

/// Brings an image to a registry, byte for byte as it is.
///
/// Must be called within a multi-threaded tokio runtime. To cancel, drop the future: nothing is named then.
///
/// # Errors
///
/// [`Error`].
pub async fn push(
    source: &Source,
    client: &Arc<Registry<Native>>,
    to: &Destination,
    options: &Options,
    observer: &TransferObserver,
) -> Result<Pushed, Error> {
    let alone = Destination::new(to.reference.clone());
    let mut push = Push { source, client, to, observer, trust: Trust::Everything };
    let plan = match push.plan(options).await {
        // A token server may refuse everything for the sake of the repositories that could be mounted from.
        Err(Error::Registry(porthole_registry::Error::Unauthorized { .. })) if !to.mount_from.is_empty() => {
            push.to = &alone;
            push.plan(options).await?
        }
        plan => plan?,
    };
    if let Some(expected) = to.reference.digest()
        && *expected != plan.root.digest
    {
        return Err(Error::Digest { expected: *expected, got: plan.root.digest });
    }
    let mut outcome = push.send(plan, options).await;
    // A registry may say that it has something, and then miss it: a cache in front of another one, or one that has just deleted it.
    for trust in [Trust::Blobs, Trust::Nothing] {
        if !outcome.as_ref().is_err_and(is_missing_part) {
            break;
        }
        push.trust = trust;
        outcome = push.send(push.plan(options).await?, options).await;
    }
    outcome
}

/// Whether a registry refused a document because the registry lacks something that it lists.
fn is_missing_part(error: &Error) -> bool {
    match error {
        Error::Registry(porthole_registry::Error::NotFound { what, .. }) => what.step == "upload of manifest",
        Error::Registry(porthole_registry::Error::Status { message, .. }) => {
            ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"].iter().any(|code| message.starts_with(code))
        }
        _ => false,
    }
}

/// What a registry is believed to have because it says so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Everything,
    /// Documents are put again.
    Blobs,
    /// Blobs are sent again as well.
    Nothing,
}

struct Push<'p> {
    source: &'p Source,
    client: &'p Arc<Registry<Native>>,
    to: &'p Destination,
    observer: &'p TransferObserver,
    trust: Trust,
}

impl Push<'_> {
    async fn send(&self, plan: PushPlan, options: &Options) -> Result<Pushed, Error> {
        let mut pushed = self.send_blobs(&plan, options).await?;
        self.put_documents(plan, options, &mut pushed).await?;
        Ok(pushed)
    }

    async fn plan(&self, options: &Options) -> Result<PushPlan, Error> {
        let document = self.source.root().await?;
        let root = descriptor_of(&document);
        let platform = match &options.platforms {
            Platforms::One(platform) => Some(platform.clone()),
            Platforms::All => None,
        };
        let root_digest = root.digest;
        let limits = *self.source.limits();
        let index = match &document {
            Document::Index(index) => index.value.manifests.clone(),
            Document::Manifest(_) => Vec::new(),
        };
        let mut at_hand = Some(document);
        let mut planner = Planner::new(root, platform, limits);

        let mut asked = HashSet::new();
        for _ in 0..=limits.index_depth {
            while let Some(next) = planner.next().cloned() {
                if self.trust == Trust::Everything && planner.may_be_present() && self.has_document(&next).await? {
                    planner.present();
                    continue;
                }
                let document = match at_hand.take() {
                    Some(root) if next.digest == root_digest => root,
                    _ => match self.source.document(&next).await {
                        Err(error) if next.digest != root_digest && error.is_absence() => {
                            return Err(self.partial(index, error).await);
                        }
                        document => document?,
                    },
                };
                let (digest, size) = (next.digest, next.size);
                self.observer.tell(TransferEvent::Document { digest, size, fetched: true });
                planner.document(document)?;
            }
            if !options.referrers || !self.add_referrers(&mut planner, &mut asked).await? {
                break;
            }
        }
        planner.finish().ok_or_else(|| Error::Internal("a plan without an end".into()))
    }

    /// The error for an index of which the source has only a part.
    async fn partial(&self, index: Vec<Descriptor>, error: source::Error) -> Error {
        let mut available = Vec::new();
        for entry in index {
            if let Some(platform) = &entry.platform
                && self.source.document(&entry).await.is_ok()
            {
                available.push(platform.clone());
            }
        }
        if available.is_empty() { error.into() } else { Error::Partial { available } }
    }

    async fn has_document(&self, document: &Descriptor) -> Result<bool, Error> {
        let there = self.client.head_manifest(self.to, &document.digest.to_string()).await?;
        Ok(there == Some(document.digest))
    }

    /// Asks who refers to the documents that were not asked about yet. Returns whether anyone new does.
    async fn add_referrers(&self, planner: &mut Planner, asked: &mut HashSet<Digest>) -> Result<bool, Error> {
        let subjects: Vec<Digest> = planner.subjects().copied().filter(|subject| !asked.contains(subject)).collect();
        for subject in subjects {
            asked.insert(subject);
            for referrer in self.source.referrers(&subject).await? {
                // What a list says is a claim; the document decides.
                let document = self.source.document(&referrer).await?;
                if subject_of(&document) == Some(subject) {
                    planner.beside(&referrer)?;
                }
            }
        }
        Ok(planner.next().is_some())
    }

    async fn send_blobs(&self, plan: &PushPlan, options: &Options) -> Result<Pushed, Error> {
        let mut pushed = Pushed {
            root: plan.root.clone(),
            uploaded: Amount::default(),
            mounted: Amount::default(),
            present: Amount::default(),
            foreign: Amount::default(),
            documents: 0,
            sent: 0,
            tagged: false,
            visible: true,
        };
        let foreign = if options.foreign { &plan.foreign[..] } else { &[] };
        for blob in plan.foreign.iter().filter(|_| !options.foreign) {
            pushed.foreign.add(blob);
            self.observer.blob(blob.digest, blob.size, BlobProgress::Skipped);
        }
        self.observer.plan(plan.blobs.iter().chain(foreign));
        let turns = Arc::new(Semaphore::new(options.jobs.max(1)));
        let (stop, stopped) = watch::channel(false);
        let refused = Arc::new(Refused::default());
        let mut blobs = JoinSet::new();
        for blob in plan.blobs.iter().chain(foreign) {
            let send = Send {
                source: self.source.clone(),
                client: Arc::clone(self.client),
                to: self.to.clone(),
                observer: self.observer.clone(),
                refused: Arc::clone(&refused),
                unlikely: unlikely(&options.likely, &blob.digest),
                chunk: options.chunk,
                again: self.trust == Trust::Nothing,
                blob: blob.clone(),
            };
            let (turns, mut stopped) = (Arc::clone(&turns), stopped.clone());
            blobs.spawn(async move {
                let _turn = turns.acquire().await.map_err(|error| Error::Internal(error.to_string()))?;
                let outcome = send.run(&mut stopped).await?;
                Ok::<_, Error>((send.blob, outcome))
            });
        }
        let mut failure = None;
        // Leaving early drops the set, which ends the other transfers; when one has failed, they may take leave of the registry first.
        while let Some(done) = blobs.join_next().await {
            match done.map_err(|error| Error::Internal(error.to_string())).flatten() {
                Ok((blob, Outcome::Present)) => pushed.present.add(&blob),
                Ok((blob, Outcome::Mounted)) => pushed.mounted.add(&blob),
                Ok((blob, Outcome::Uploaded { sent })) => {
                    pushed.uploaded.add(&blob);
                    pushed.sent += sent;
                }
                Ok((_, Outcome::Stopped)) => {}
                // The registry does not answer, so no session can be closed.
                Err(error @ Error::Registry(porthole_registry::Error::Transport { .. })) => {
                    return Err(failure.unwrap_or(error));
                }
                Err(error) => {
                    failure.get_or_insert(error);
                    let _ = stop.send(true);
                }
            }
        }
        failure.map_or(Ok(pushed), Err)
    }

    async fn put_documents(&self, plan: PushPlan, options: &Options, pushed: &mut Pushed) -> Result<(), Error> {
        let root = plan.root.digest;
        let mut tags: Vec<String> = self.to.reference.tag().map(str::to_owned).into_iter().collect();
        tags.extend(options.tags.iter().cloned());
        let mut root_document = None;
        for document in plan.documents {
            if *document.raw().digest() == root {
                root_document = Some(document);
            } else {
                self.put(&document, &[], pushed).await?;
            }
        }
        let root_document = match root_document {
            Some(document) => document,
            None => {
                // The registry has it, but perhaps not by every name.
                let mut named = Vec::new();
                for tag in std::mem::take(&mut tags) {
                    if self.client.head_manifest(self.to, &tag).await? != Some(root) {
                        named.push(tag);
                    }
                }
                tags = named;
                if tags.is_empty() {
                    return Ok(());
                }
                self.source.document(&plan.root).await?
            }
        };
        self.put(&root_document, &tags, pushed).await?;
        pushed.tagged = true;
        if tags.is_empty() {
            tags.push(root.to_string());
        }
        for target in &tags {
            pushed.visible &= self.client.wait_for_tag(self.to, root_document.raw(), target, options.wait).await?;
        }
        Ok(())
    }

    async fn put(&self, document: &Document, tags: &[String], pushed: &mut Pushed) -> Result<(), Error> {
        let raw = document.raw();
        let knows_subjects = self.client.put_tagged(self.to, raw, document.media_type(), tags).await?;
        if let (Some(subject), false) = (subject_of(document), knows_subjects) {
            self.client.add_fallback(self.to, &subject, document).await?;
        }
        pushed.documents += 1;
        for tag in tags.iter().map(Some).chain(tags.is_empty().then_some(None)) {
            self.observer.tell(TransferEvent::Put { digest: *raw.digest(), tag: tag.cloned() });
        }
        Ok(())
    }
}

/// Repositories that are known not to have a blob.
fn unlikely(likely: &[Likely], blob: &Digest) -> Vec<String> {
    likely.iter().filter(|likely| !likely.blobs.contains(blob)).map(|likely| likely.repository.clone()).collect()
}

fn list(platforms: &[Platform]) -> String {
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn subject_of(document: &Document) -> Option<Digest> {
    let subject = match document {
        Document::Manifest(manifest) => &manifest.value.subject,
        Document::Index(index) => &index.value.subject,
    };
    subject.as_ref().map(|subject| subject.digest)
}
