//! The table of contents of a layer that is about to be read whole, to be compared with it.

use super::fetch;
use porthole_core::{
    descriptor::Descriptor,
    limits::Limits,
    media_type::MediaType,
    toc::{Reader, Toc},
};
use porthole_viewer::layer::{Job, Request};
use std::collections::BTreeMap;

/// Fetches it, by ranges; an error says why it cannot be compared.
pub(super) async fn fetch(job: &Job, annotations: &BTreeMap<String, String>, request: &Request) -> Result<Toc, String> {
    let digest = job.digest.parse().map_err(words)?;
    let media_type = MediaType::parse(&job.media_type).map_err(words)?;
    let layer = Descriptor { annotations: annotations.clone(), ..Descriptor::new(media_type, digest, job.size) };
    let mut reader = Reader::new(&layer, &Limits::of_a_tab()).map_err(words)?;
    while let Some(range) = reader.wants() {
        let mut refused = None;
        let push = |bytes: &[u8]| match reader.push(bytes) {
            Ok(()) => true,
            Err(error) => {
                refused = Some(error);
                false
            }
        };
        fetch::fetch_range(request, range, push).await.map_err(|(_, text)| text)?;
        if let Some(error) = refused {
            return Err(words(error));
        }
    }
    reader.finish().map_err(words)?.ok_or_else(|| "there is none".into())
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
