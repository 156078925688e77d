//! Finds a file by the indexes in the cache, without reading all entries of the layers.

use std::sync::Arc;

use porthole_core::tree::Content;
use porthole_inspect::open::{At, LayerSearch, SearchError};
use porthole_store::disk::block_on;

use crate::{
    commands::stack::judge,
    error::Error,
    layers::{Job, Known, are_plain, discard, kept},
    progress::Meter,
    session::Session,
};

/// A file that was found.
pub(super) struct Found {
    pub(super) content: Content,
    /// How each of the searched layers was read.
    pub(super) layers: Vec<Known>,
}

/// Finds the file that a path leads to in one layer (`alone`) or in all layers of an image. `None` if the cache lacks an index, or
/// if there is no file. The caller then reads the entries of the layers, which give a better error.
pub(super) fn search(
    session: &Session<'_>,
    jobs: &[Job],
    alone: bool,
    path: &[u8],
    follow: bool,
) -> Result<Option<Found>, Error> {
    if !alone && !are_plain(session, jobs) {
        return Ok(None);
    }
    let Some(indexes) = jobs.iter().map(|job| kept(session, job)).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let mut search = match (&indexes[..], jobs) {
        ([index], [job]) if alone => LayerSearch::alone(job.layer, index),
        (indexes, _) => LayerSearch::stacked(indexes),
    };
    let content = match block_on(search.resolve_path(path, follow)) {
        Ok((_, At::File(content))) => content,
        Err(SearchError::Index { layer, error }) => {
            jobs.iter().filter(|job| job.layer == layer).for_each(|job| discard(session, job, &error));
            return Ok(None);
        }
        _ => return Ok(None),
    };
    let meter = Meter::new(session.ui, jobs);
    let mut layers = Vec::new();
    for (job, index) in jobs.iter().zip(indexes) {
        meter.replayed(job.layer, index.facts());
        layers.push(Known::Searched(Arc::new(index)));
    }
    drop(meter);
    for (job, known) in jobs.iter().zip(&layers) {
        if let Some(wrong) = judge(session, job, known)? {
            return Err(Error::Layers(vec![wrong]));
        }
    }
    Ok(Some(Found { content, layers }))
}
