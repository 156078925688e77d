//! Texts about a layer.

use porthole_core::layer::Finding;
pub(crate) use porthole_inspect::layer::LayerJob as Job;

use crate::error::Error;

/// The text of a finding, with the number of the layer.
pub(crate) fn in_words(job: &Job, finding: &Finding) -> String {
    finding.of_layer(job.number()).to_string()
}

/// The error for listing the layer of an artifact that is not an archive.
pub(crate) fn no_files(job: &Job) -> Error {
    Error::NoFiles { layer: job.named(), media_type: job.media_type() }
}
