//! Lists the referrers in a registry.

use std::sync::Arc;

use porthole_core::{digest::Digest, media_type::MediaType};
use porthole_inspect::{
    referrers::DIGEST_TAG_SUFFIXES,
    report::{ReferrerReport, Via},
};
use porthole_registry::{
    Error,
    client::{By, RemoteImage},
    endpoint::referrers::fallback_tag,
};
use porthole_source::ImageSource as _;

use crate::session::Client;

type Remote = RemoteImage<Arc<Client>>;

/// Returns the referrers of a digest: first those in the registry's list, then those of cosign's tags that contain the digest.
pub(super) async fn rows(
    remote: &Remote,
    subject: &Digest,
    wanted: Option<&MediaType>,
) -> Result<Vec<ReferrerReport>, Error> {
    let (client, reference) = (remote.client(), remote.reference());
    let [signature, attestation, bill] =
        DIGEST_TAG_SUFFIXES.map(|suffix| tagged(remote, format!("{}.{suffix}", fallback_tag(subject))));
    let (listed, signature, attestation, bill) =
        tokio::join!(client.list_referrers(reference, subject, wanted), signature, attestation, bill);
    let listed = listed?;
    let via = match listed.by {
        By::Api => Via::Api,
        By::Tag => Via::FallbackTag,
    };
    let mut rows = Vec::new();
    for entry in listed.referrers {
        // If the list has no artifact type, read it from the document.
        rows.push(if entry.artifact_type.is_some() {
            ReferrerReport::listed(entry, via.clone())
        } else {
            match client.fetch_child(reference, &entry).await {
                Ok(document) => ReferrerReport::read(&document, via.clone()),
                Err(Error::NotFound { .. }) => ReferrerReport::listed(entry, via.clone()),
                Err(error) => return Err(error),
            }
        });
    }
    for row in [signature?, attestation?, bill?].into_iter().flatten() {
        if rows.iter().all(|listed| listed.digest != row.digest) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Fetches the document of a tag, if the tag exists.
async fn tagged(remote: &Remote, tag: String) -> Result<Option<ReferrerReport>, Error> {
    let document = remote.tagged(&tag).await?;
    Ok(document.map(|document| ReferrerReport::read(&document, Via::DigestTag(tag))))
}
