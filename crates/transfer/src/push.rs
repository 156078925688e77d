//! Pushes images to a registry, from any source.
//!
//! First the documents that the destination lacks are read, from the root down. Then each blob that it lacks is mounted
//! or uploaded, several at once. Then the documents are put, children first. The tag is put last, and its digest is
//! read back. If anything fails, nothing is named.

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
    /// Which images of an index are pushed.
    pub platforms: Platforms,
    /// Most blobs that are sent at once, at least 1.
    pub jobs: usize,
    /// Bytes of a chunk; `None` sends each blob in one request, unless the registry refuses that.
    pub chunk: Option<u64>,
    /// Whether documents that refer to the image are sent too: signatures, attestations.
    pub referrers: bool,
    /// Tags for the image beside the destination's own.
    pub tags: Vec<String>,
    /// Whether layers whose licence forbids distribution ("nondistributable") are sent too.
    pub foreign: bool,
    /// How long to wait until a manifest that the registry took can be read from it.
    pub wait: Duration,
    /// What is known of repositories in [`Destination::mount_from`]: only these blobs are mounted from them.
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
    /// Layers that were not sent, because their licence forbids distribution.
    pub foreign: Amount,
    /// Manifests and indexes that were put.
    pub documents: usize,
    /// Bytes of blobs that were sent, repeated ones included.
    pub sent: u64,
    /// Whether the name stood for something else, or for nothing, before.
    pub tagged: bool,
    /// Whether the registry returns what it took; `false` if it did not within [`Options::wait`].
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

/// Why a push failed. Nothing is named; blobs that arrived stay with the registry, and the next push finds them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The registry that is written to, or the connection to it, failed.
    #[error(transparent)]
    Registry(#[from] porthole_registry::Error),
    /// The source of the image cannot be read.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The image cannot be pushed as it is.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// The source has only a part of an index, as after a pull for one platform, and the destination lacks the rest.
    #[error("source lacks images of its index; available: {}", list(available))]
    Partial {
        /// The platforms that it has.
        available: Vec<Platform>,
    },
    /// The destination names a digest, and it is not the image's.
    #[error("destination names another digest than the image has: expected {expected}, got {got}")]
    Digest {
        /// Digest that the destination names.
        expected: Digest,
        /// Digest of the image.
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

/// Pushes an image to a registry, byte for byte as it is.
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
        // A token server may refuse the whole token because of the repositories to mount from: try without them.
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
    // A registry may say that it has a part, and then lack it: it is a cache in front of another one, or has just
    // deleted the part.
    for trust in [Trust::Blobs, Trust::Nothing] {
        if !outcome.as_ref().is_err_and(is_missing_part) {
            break;
        }
        push.trust = trust;
        outcome = push.send(push.plan(options).await?, options).await;
    }
    outcome
}

/// Whether a registry refused a document because it lacks a part that the document lists.
fn is_missing_part(error: &Error) -> bool {
    match error {
        Error::Registry(porthole_registry::Error::NotFound { what, .. }) => what.step == "upload of manifest",
        Error::Registry(porthole_registry::Error::Status { message, .. }) => {
            ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"].iter().any(|code| message.starts_with(code))
        }
        _ => false,
    }
}

/// Which parts are not sent if the registry says that it has them.
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

    /// Adds the referrers of documents that were not looked up yet. Returns whether there are new ones.
    async fn add_referrers(&self, planner: &mut Planner, asked: &mut HashSet<Digest>) -> Result<bool, Error> {
        let subjects: Vec<Digest> = planner.subjects().copied().filter(|subject| !asked.contains(subject)).collect();
        for subject in subjects {
            asked.insert(subject);
            for referrer in self.source.referrers(&subject).await? {
                // The list only claims it: the subject in the document decides.
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
        // A return drops the set, which aborts the other transfers. After a failure, they may close their upload
        // sessions first.
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
                // The registry has it, but perhaps not under every tag.
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
