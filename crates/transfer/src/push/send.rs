//! Sends one blob.

use super::Error;
use crate::{
    BlobProgress, TransferObserver,
    content::{Sending, content},
    source::Source,
};
use porthole_core::descriptor::Descriptor;
use porthole_native::Native;
use porthole_registry::{
    Registry,
    client::{Destination, Mount, Note, Opened},
    endpoint::mount,
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

/// A blob, and where it goes.
pub(super) struct Send {
    pub(super) source: Source,
    pub(super) client: Arc<Registry<Native>>,
    pub(super) to: Destination,
    pub(super) observer: TransferObserver,
    pub(super) refused: Arc<Refused>,
    /// Repositories that are known to lack it.
    pub(super) unlikely: Vec<String>,
    pub(super) chunk: Option<u64>,
    /// Whether it is sent even if the registry says that it has it.
    pub(super) again: bool,
    pub(super) blob: Descriptor,
}

/// How the sending of a blob ended.
pub(super) enum Outcome {
    Present,
    Mounted,
    Uploaded {
        sent: u64,
    },
    /// Another blob failed.
    Stopped,
}

/// Repositories that the registry does not mount from: it refused one blob, and is not asked for further ones.
#[derive(Default)]
pub(super) struct Refused(Mutex<HashSet<String>>);

impl Refused {
    fn add(&self, repository: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(repository.to_owned());
    }

    fn contains(&self, repository: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(repository)
    }
}

impl Send {
    /// Sends the blob, unless `stopped` becomes true before. In that case an open upload session is closed.
    pub(super) async fn run(&self, stopped: &mut watch::Receiver<bool>) -> Result<Outcome, Error> {
        let session = Mutex::new(None);
        let outcome = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => None,
            outcome = self.bring(&session) => Some(outcome),
        };
        if let Some(outcome) = outcome {
            return outcome;
        }
        let session = session.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = session {
            self.client.abandon_upload(&self.to, &session).await;
        }
        Ok(Outcome::Stopped)
    }

    async fn bring(&self, session: &Mutex<Option<Opened>>) -> Result<Outcome, Error> {
        if !self.again && self.client.has_blob(&self.to, &self.blob).await? {
            self.tell(BlobProgress::Present);
            return Ok(Outcome::Present);
        }
        let keep = |opened: &Opened| *session.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened.clone());
        let mut opened: Option<Opened> = None;
        let from =
            self.to.mount_from.iter().filter(|from| !self.refused.contains(from) && !self.unlikely.contains(from));
        let from = from.map(String::as_str);
        for from in mount::order(self.to.reference.repository(), from).into_iter().take(MOUNTS) {
            match self.client.mount_blob(&self.to, &self.blob.digest, from).await? {
                Mount::Mounted => {
                    if let Some(useless) = opened {
                        self.client.abandon_upload(&self.to, &useless).await;
                    }
                    self.tell(BlobProgress::Mounted { from: from.to_owned() });
                    return Ok(Outcome::Mounted);
                }
                // This repository lacks the blob; another one may have it. One upload session is enough.
                Mount::Opened(another) => match &opened {
                    Some(_) => self.client.abandon_upload(&self.to, &another).await,
                    None => {
                        keep(&another);
                        opened = Some(another);
                    }
                },
                Mount::No => self.refused.add(from),
            }
        }
        self.upload(opened, keep).await
    }

    async fn upload(&self, opened: Option<Opened>, keep: impl Fn(&Opened)) -> Result<Outcome, Error> {
        let content = content(&self.source, &self.blob, &self.observer);
        // A chunk that follows the one before is not a new start.
        let mut news = true;
        let mut observe = |note| match note {
            Note::Session(at) => keep(&at),
            Note::From(kept) if std::mem::take(&mut news) => self.tell(BlobProgress::Started { kept }),
            Note::Retry { reason } => {
                news = true;
                self.tell(BlobProgress::Again { reason });
            }
            _ => {}
        };
        let sending = Sending(Arc::clone(&content));
        let done = self.client.upload_blob(&self.to, &self.blob, &sending, self.chunk, opened, &mut observe).await;
        if let Err(error) = done {
            // If the source failed, that is the cause of the registry's error.
            return Err(content.error().map_or(Error::Registry(error), Error::Source));
        }
        self.tell(BlobProgress::Done);
        Ok(Outcome::Uploaded { sent: content.sent() })
    }

    fn tell(&self, state: BlobProgress) {
        self.observer.blob(self.blob.digest, self.blob.size, state);
    }
}

/// Most repositories from which a mount is tried, for each blob.
const MOUNTS: usize = 3;
