//! Seek indexes of layers: written while a layer is read, and kept in the cache.

use std::{fmt::Display, io};

use porthole_core::{digest::Digest, seek::IndexEnd};
use porthole_inspect::seek::SeekIndex;
use porthole_store::{
    NewIndex,
    disk::{DiskFile, block_on},
};

use super::Job;
use crate::session::Session;

/// The seek index of a layer in a local file. Its futures never wait, so they run with [`block_on`].
pub(crate) type LayerIndex = SeekIndex<DiskFile>;

/// An index that is being written. A failure to write it is only logged with `--debug`, because layers can be read without an
/// index.
pub(super) struct IndexFile {
    new: NewIndex,
    failed: Option<io::Error>,
}

impl IndexFile {
    /// Creates the file of an index in the cache. There is none without a cache, and none for the blob of an artifact, whose file
    /// name the cache does not record. Then creates a temporary file without a name if the index is `needed`.
    pub(super) fn create(session: &Session<'_>, job: &Job, needed: bool) -> Option<Self> {
        let kept = session.cache().filter(|_| job.file.is_none()).and_then(|cache| {
            let new = cache.create();
            new.inspect_err(|error| session.debug(&format!("no index is kept: {error}"))).ok()
        });
        let unkept = || {
            let file = tempfile::tempfile();
            file.inspect_err(|error| session.debug(&format!("no index is made: {error}"))).ok().map(NewIndex::unkept)
        };
        let new = kept.or_else(|| needed.then(unkept)?)?;
        Some(Self { new, failed: None })
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.new.append(bytes).err();
        }
    }

    /// Completes the index, if the reader of the layer made one. The cache keeps it if the layer is verified.
    pub(super) fn finish(self, session: &Session<'_>, job: &Job, end: Option<IndexEnd>) -> Option<LayerIndex> {
        let end = end?;
        let finished = match self.failed {
            Some(error) => Err(error.to_string()),
            None => self.new.finish(&end).map_err(|error| error.to_string()),
        };
        let index = finished.and_then(|file| block_on(SeekIndex::open(file)).map_err(|error| error.to_string()));
        index.inspect_err(|error| session.debug(&format!("index of layer {} is not kept: {error}", job.number()))).ok()
    }
}

/// Returns the index of a layer in the cache, if it can be used in place of the layer: it fits the limits and the image's
/// configuration.
pub(crate) fn kept(session: &Session<'_>, job: &Job) -> Option<LayerIndex> {
    let descriptor = job.descriptor.as_ref().filter(|_| job.is_archive() && job.file.is_none())?;
    let index = block_on(SeekIndex::open(session.cache()?.find(&descriptor.digest)?)).ok()?;
    let (facts, limits) = (index.facts(), &session.limits);
    let fits = facts.entry_count() <= limits.entries && facts.uncompressed() <= limits.unpacked_bytes;
    // Two configurations may list the same blob. Each must state the diff_id that the blob unpacks to.
    let same = facts.size() == descriptor.size && job.diff_id.is_none_or(|diff_id| diff_id == facts.diff_id());
    (fits && same).then_some(index)
}

/// Removes the index of a layer from the cache, because it cannot be read. The caller then reads the layer.
pub(crate) fn discard(session: &Session<'_>, job: &Job, error: &impl Display) {
    session.debug(&format!("index of layer {} is discarded: {error}", job.number()));
    if let (Some(cache), Some(descriptor)) = (session.cache(), &job.descriptor) {
        cache.discard(&descriptor.digest);
    }
}

/// Whether the cache notes that these layers of an image, bottom first, are plain. Their indexes can then be searched without
/// stacking the layers.
pub(crate) fn are_plain(session: &Session<'_>, jobs: &[Job]) -> bool {
    blobs(jobs).zip(session.cache()).is_some_and(|(blobs, cache)| cache.is_plain(&blobs))
}

/// Notes that verified layers of an image, bottom first, make a plain tree.
pub(crate) fn note_plain(session: &Session<'_>, jobs: &[Job]) {
    if let Some((blobs, cache)) = blobs(jobs).zip(session.cache())
        && let Err(error) = cache.note_plain(&blobs)
    {
        session.debug(&format!("it is not noted that the layers are plain: {error}"));
    }
}

fn blobs(jobs: &[Job]) -> Option<Vec<Digest>> {
    jobs.iter().map(|job| Some(job.descriptor.as_ref()?.digest)).collect()
}
