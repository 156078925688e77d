//! Events while images are transferred.

use porthole_core::{descriptor::Descriptor, digest::Digest};
use std::{fmt, sync::Arc};

/// A step of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferEvent {
    /// The blobs of the transfer are known. If there are several such events, the blobs add up.
    Plan {
        /// Digest and size of each blob, those included that turn out to be present.
        blobs: Vec<(Digest, u64)>,
    },
    /// A document was verified and stored.
    Document {
        /// Digest of the document.
        digest: Digest,
        /// Bytes of the document.
        size: u64,
        /// Whether it was new; `false` if the store had it already.
        fetched: bool,
    },
    /// The registry took a document.
    Put {
        /// Digest of the document.
        digest: Digest,
        /// The tag that it got; `None` if it was put by its digest.
        tag: Option<String>,
    },
    /// Progress of a blob.
    Blob {
        /// Digest of the blob.
        digest: Digest,
        /// Size of the whole blob in bytes.
        size: u64,
        /// How far it is.
        state: BlobProgress,
    },
}

/// How far a blob is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlobProgress {
    /// The destination had it already.
    Present,
    /// Another process transfers it, and this one waits.
    Waiting,
    /// Its transfer begins, after the bytes that an earlier transfer left.
    Started {
        /// Bytes of the blob so far.
        kept: u64,
    },
    /// More bytes were transferred.
    Moved {
        /// How many since the last event.
        bytes: u64,
    },
    /// All of it is sent; the registry has not confirmed it yet.
    Committing,
    /// The registry took it over from another of its repositories.
    Mounted {
        /// Repository that it was mounted from.
        from: String,
    },
    /// A request failed, and is tried again.
    Again {
        /// The failure in words, without secrets.
        reason: String,
    },
    /// The bytes do not match its digest; its transfer starts again.
    Wrong,
    /// It is complete and verified.
    Done,
    /// It is not transferred: it is a foreign layer, which its own URLs have and registries need not have.
    Skipped,
}

impl BlobProgress {
    /// Whether this is the last event of the blob.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Present | Self::Mounted { .. } | Self::Done | Self::Skipped)
    }
}

/// Receives events, from any thread.
#[derive(Clone)]
pub struct TransferObserver(Arc<dyn Fn(TransferEvent) + Send + Sync>);

impl TransferObserver {
    /// Calls a function with each event.
    pub fn new(hear: impl Fn(TransferEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(crate) fn tell(&self, event: TransferEvent) {
        (self.0)(event);
    }

    pub(crate) fn plan<'b>(&self, blobs: impl IntoIterator<Item = &'b Descriptor>) {
        self.tell(TransferEvent::Plan { blobs: blobs.into_iter().map(|blob| (blob.digest, blob.size)).collect() });
    }

    pub(crate) fn blob(&self, digest: Digest, size: u64, state: BlobProgress) {
        self.tell(TransferEvent::Blob { digest, size, state });
    }
}

impl fmt::Debug for TransferObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
