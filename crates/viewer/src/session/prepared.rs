//! Prepared layers: listed from their tables of contents, without reading them.

use super::{Front, Session};
use crate::{pool::Pool, prepared::TocListing};
use porthole_core::{descriptor::Descriptor, reference::Reference, toc::TocReader};
use porthole_registry::transport::{Environment, Transport};

const BUFFER: usize = 64 << 10;

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Fetches the table of contents of a layer, by ranges; an error says why it is not used.
    pub(super) async fn list(&self, reference: &Reference, layer: &Descriptor) -> Result<TocListing, String> {
        let refused = |error: &dyn std::fmt::Display| format!("its table of contents is not used: {error}");
        let mut reader = TocReader::new(layer, &self.options.limits).map_err(|error| refused(&error))?;
        let mut buffer = vec![0; BUFFER];
        let mut fetched = 0;
        while let Some(range) = reader.wants() {
            let body = self.registry.fetch_blob_range(reference, layer, range).await;
            let mut body = body.map_err(|error| refused(&error))?;
            loop {
                match body.read(&mut buffer).await.map_err(|error| refused(&error))? {
                    0 => break,
                    read => reader.push(&buffer[..read]).map_err(|error| refused(&error))?,
                }
            }
            fetched += body.received();
        }
        let toc = reader.finish().map_err(|error| refused(&error))?;
        let toc = toc.ok_or_else(|| refused(&"there is none"))?;
        Ok(TocListing::of(toc, fetched))
    }
}
