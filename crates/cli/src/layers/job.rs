//! A layer to be read, in words.

use porthole_core::layer::Finding;
pub(crate) use porthole_inspect::layer::LayerJob as Job;

use crate::error::Error;

/// A finding, with the number of the layer.
pub(crate) fn in_words(job: &Job, finding: &Finding) -> String {
    finding.of_layer(job.number()).to_string()
}

/// The refusal to list what is not an archive, and need not be one.
pub(crate) fn no_files(job: &Job) -> Error {
    Error::NoFiles { layer: job.number(), media_type: job.media_type() }
}
