//! Prepared layers: listed from their tables of contents, without reading them.

use super::{Front, Session};
use crate::{pool::Pool, prepared::TocListing};
use porthole_core::reference::Reference;
use porthole_inspect::{
    layer::LayerJob,
    toc::{self, TocSearch},
};
use porthole_registry::{
    client::RemoteImage,
    transport::{Environment, Transport},
};

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Fetches the table of contents of a layer, by ranges; an error says why it is not used.
    pub(super) async fn list(&self, reference: &Reference, job: &LayerJob) -> Result<TocListing, String> {
        let source = RemoteImage::new(&self.registry, reference.clone());
        let why = match toc::fetch(&source, job, TocSearch::Announced).await {
            Ok(Some((toc, fetched))) => return Ok(TocListing::of(toc, fetched)),
            Ok(None) => "there is none".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(format!("its table of contents is not used: {why}"))
    }
}
