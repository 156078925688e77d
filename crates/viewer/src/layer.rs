//! Messages between a session and its layer workers.
//!
//! Orders and reports are twins of the core's values, so that they may cross to another thread or process. What is large (a
//! batch of entries, an index, a blob) is bytes that no serializer sees: a front end sends them beside the rest. A worker
//! sends [`WorkerReport::Ready`] first; what is sent to it earlier is lost.

use crate::{
    probe::ProbeFound,
    protocol::{FailureCause, ProbeWish},
};
use porthole_core::failure::FailureClass;
use porthole_registry::trace::RecordedExchange;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bytes of entries after which a batch is sent at any time: about two thousand entries.
pub(crate) const BATCH_BYTES: usize = 64 << 10;

/// From the session to a layer worker, which does one job at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerOrder {
    /// Fetch, verify and scan a layer.
    Read(Box<ReadJob>),
    /// The answer to [`WorkerReport::Stuck`]: try again with this.
    Request {
        /// Number of the job.
        job: u32,
        /// The request, with fresh authorization.
        request: BlobRequest,
    },
    /// Find the secrets of a configuration, and mask those of the instructions that made the layers.
    Config {
        /// Number of the job.
        job: u32,
        /// The configuration's bytes as text.
        config: String,
        /// The instructions, bottom first.
        instructions: Vec<String>,
    },
    /// Hash the rest of the archive on another thread, if the worker has one: a core is idle.
    Beside {
        /// Number of the job.
        job: u32,
    },
    /// Drop a job. No further report of it is sent.
    Cancel {
        /// Number of the job.
        job: u32,
    },
}

/// One layer to read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadJob {
    /// Number of the job, never used twice.
    pub job: u32,
    /// The bytes of the blob, where it is part of the front end; those of `kept`, where that has no address.
    #[serde(skip)]
    pub blob: Option<Vec<u8>>,
    /// Where the blob is, where its bytes do not come with this order.
    pub request: Option<BlobRequest>,
    /// Where else the blob may be requested, in this order, if the registry does not have it: hosts of a foreign layer. They get no
    /// credentials.
    pub elsewhere: Vec<String>,
    /// The registry that it is requested from; `None` where it is on this machine.
    pub registry: Option<String>,
    /// Digest of the blob.
    pub digest: String,
    /// Bytes of the blob.
    pub size: u64,
    /// Digest of the unpacked tar, if the config names one.
    pub diff_id: Option<String>,
    /// Declared media type.
    pub media_type: String,
    /// Whether the image promises an archive. The blob of an artifact may be any file.
    pub promised: bool,
    /// The name of the blob as a file, if it belongs to an artifact and is not an archive.
    pub file: Option<String>,
    /// List the layer from its kept seek index. The blob is fetched only if the index is damaged.
    pub kept: Option<KeptIndex>,
    /// Compare the layer with its table of contents, which these annotations of its descriptor name.
    pub audit: Option<BTreeMap<String, String>>,
    /// Hash the archive on another thread from the start, if the worker has one: this layer takes longer than all others.
    pub beside: bool,
    /// Look for this in its files, and list nothing. The worker needs a [`ProbeEngine`](crate::probe::ProbeEngine).
    pub probe: Option<ProbeWish>,
}

impl ReadJob {
    /// The same layer, read to look for something in its files instead of listing them.
    pub(crate) fn looking_for(self, probe: Option<ProbeWish>) -> Self {
        Self { audit: self.audit.filter(|_| probe.is_none()), probe, ..self }
    }
}

/// A seek index that a front end kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptIndex {
    /// Where a worker's transport reads it. `None` = its bytes come with the order.
    pub url: Option<String>,
    /// Bytes of the index.
    pub size: u64,
}

/// A GET that is ready to send.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct BlobRequest {
    /// Absolute URL of the blob.
    pub url: String,
    /// Names and values; may hold a token, so it is never printed.
    pub headers: Vec<(String, String)>,
}

impl std::fmt::Debug for BlobRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("url", &self.url).finish_non_exhaustive()
    }
}

/// From a layer worker to the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerReport {
    /// The worker accepts orders.
    Ready,
    /// The registry wants other authorization, or does not let a page read the blob; the worker waits for
    /// [`WorkerOrder::Request`] and continues where it stopped.
    Stuck {
        /// Number of the job.
        job: u32,
        /// What keeps the page from the blob. `None` = the registry does not accept the authorization.
        cause: Option<FailureCause>,
    },
    /// Progress of the job. The entries up to here were sent before.
    Progress {
        /// Number of the job.
        job: u32,
        /// Bytes of the blob.
        compressed: u64,
        /// Bytes of the tar.
        uncompressed: u64,
        /// Number of entries so far.
        entries: u64,
    },
    /// Entries of the layer, in archive order.
    Entries {
        /// Number of the job.
        job: u32,
        /// The entries, as a [batch](porthole_core::seek::BatchReader).
        #[serde(skip)]
        batch: Vec<u8>,
    },
    /// The seek index of the layer, before [`WorkerReport::Done`].
    Index {
        /// Number of the job.
        job: u32,
        /// Bytes of the index.
        #[serde(skip)]
        index: Vec<u8>,
    },
    /// The kept index is damaged or gone: the entries so far are forgotten, and those of the blob follow.
    Again {
        /// Number of the job.
        job: u32,
    },
    /// What was found in the layer since the last such report.
    Found {
        /// Number of the job.
        job: u32,
        /// What the probe found.
        found: Box<ProbeFound>,
    },
    /// No probe could be made; nothing was read.
    Refused {
        /// Number of the job.
        job: u32,
        /// Why, for a person.
        text: String,
    },
    /// The blob was read to its end.
    Done {
        /// Number of the job.
        job: u32,
        /// What was found.
        findings: LayerFindings,
    },
    /// The blob could not be read to its end.
    Failed {
        /// Number of the job.
        job: u32,
        /// Class of the failure.
        kind: FailureClass,
        /// What keeps the page from the blob, where that is known.
        cause: Option<FailureCause>,
        /// Why, for a person.
        text: String,
        /// The host that failed, if it is one of [`ReadJob::elsewhere`].
        host: Option<String>,
    },
    /// An HTTP exchange so far: when it is sent, answered and ended.
    Wire {
        /// Number of the job.
        job: u32,
        /// Number of the exchange in the job, from 1.
        number: u64,
        /// What is known of it.
        exchange: Box<RecordedExchange>,
    },
    /// The worker hit a bug of this program and must not be used again.
    Panicked {
        /// The place in the code and the message.
        text: String,
    },
}

impl WorkerReport {
    /// The job that this is about.
    pub fn job(&self) -> Option<u32> {
        match self {
            Self::Stuck { job, .. }
            | Self::Progress { job, .. }
            | Self::Entries { job, .. }
            | Self::Index { job, .. }
            | Self::Again { job }
            | Self::Found { job, .. }
            | Self::Refused { job, .. }
            | Self::Done { job, .. }
            | Self::Failed { job, .. }
            | Self::Wire { job, .. } => Some(*job),
            Self::Ready | Self::Panicked { .. } => None,
        }
    }
}

/// What was found at the end of a layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerFindings {
    /// Digest, size and diff_id are all as promised, and nothing else is wrong.
    pub verified: bool,
    /// Class of the worst finding, if there is one.
    pub failure: Option<FailureClass>,
    /// The blob belongs to an artifact and is no archive: no file is listed from it, even if it looked like one at first.
    pub no_files: bool,
    /// Bytes of the blob.
    pub compressed: u64,
    /// Bytes of the tar.
    pub uncompressed: u64,
    /// Number of entries in the archive.
    pub entries: u64,
    /// Entries that well-known readers list differently.
    pub ambiguous: u64,
    /// The first digest or size that differs: what was expected and what came.
    pub mismatch: Option<(String, String)>,
    /// Findings in words, worst first.
    pub texts: Vec<String>,
    /// Name and value of what the blob of an artifact says of itself.
    pub facts: Vec<(String, String)>,
    /// A note that is not a finding: the table of contents agrees, or the blob is not an archive.
    pub note: Option<String>,
}
