//! What a registry supports: probes that ask it, and what follows from each answer.
//!
//! [`examine`] sends a few requests by the client and makes a [`ProbeFinding`] of each. The modules have each probe by itself.

pub mod access;
mod examined;
mod finding;
pub mod lists;
pub mod page;
pub mod reach;
pub mod reading;
pub mod writing;

pub use self::{
    examined::{ExaminedRegistry, StoredCredentials},
    finding::{Examination, ProbeFact, ProbeFinding, ProbeName, ProbeVerdict},
};
use crate::{
    client::Asker,
    transport::{Environment, Transport},
};
use porthole_core::reference::Reference;

/// How much of an image's name was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedPart {
    /// The registry; the first repository that it lists is examined.
    Registry,
    /// A repository; its tag `latest`, or the first that it lists, is examined.
    Repository,
    /// An image, by tag or digest.
    Image,
}

/// Looks at everything, one thing after the other. Nothing is written unless `write` names a repository: there a small blob of
/// random bytes is uploaded, and deleted if the registry supports that; a blob of the image is mounted there and stays.
pub async fn examine<T: Transport + Environment>(
    mut registry: ExaminedRegistry<'_, T>,
    named: NamedPart,
    write: Option<&Reference>,
) -> Examination {
    let mut card =
        Examination { registry: registry.reference.registry().to_owned(), image: None, findings: Vec::new() };
    let front = registry.ask(http::Method::GET, "", &[], Asker::Anyone).await;
    card.findings.push(reach::connection(&registry, &front));
    let Ok(front) = front else { return card };
    card.findings.push(reach::version(&front));
    card.findings.push(reach::clock(&front, registry.client.transport().now()));
    card.findings.push(access::sign_in(&registry, &front));
    card.findings.push(access::credentials(&registry, &front).await);
    let (catalog, first) = lists::catalog(&registry).await;
    card.findings.push(catalog);
    if let Some(reference) = choose(&registry, named, first).await {
        registry.reference = reference;
        card.image = Some(registry.reference.to_string());
    }
    let mut blob = None;
    if card.image.is_some() {
        // It is free where a manifest counts as a pull.
        let head = reading::fetch_head(&registry).await;
        let (manifest, sample) = reading::manifest(&registry, &head).await;
        // The user did not choose the first image of the list.
        card.findings.push(if named == NamedPart::Registry {
            ProbeFinding { failure: None, ..manifest }
        } else {
            manifest
        });
        card.findings.push(reading::quota(&head));
        if let Some(sample) = sample {
            card.findings.push(reading::head(&head, &sample));
            card.findings.push(reading::conditional(&registry, &head, &sample).await);
            card.findings.push(lists::referrers(&registry, sample.document.raw().digest()).await);
            if let Some(sampled) = sample.blob {
                card.findings.push(reading::range(&registry, &sampled).await);
                card.findings.push(reading::blobs(&registry, &sampled).await);
                blob = Some(sampled);
            }
        }
    } else {
        let says = format!("is not known: name a repository, as in {}/REPO", card.registry);
        card.findings.push(ProbeFinding::unknown(ProbeName::Manifest, says));
    }
    card.findings.extend(page::page(&registry).await);
    if let Some(to) = write {
        let other = blob.as_ref().filter(|_| registry.reference.repository() != to.repository());
        card.findings.extend(writing::uploads(&registry, to, other.map(|blob| (&registry.reference, blob))).await);
    }
    card
}

/// The image to look at: the one that was named, else the first tag of the repository, else that of the first that is listed.
async fn choose<T: Transport + Environment>(
    registry: &ExaminedRegistry<'_, T>,
    named: NamedPart,
    first: Option<String>,
) -> Option<Reference> {
    let repository = match named {
        NamedPart::Image => return Some(registry.reference.clone()),
        NamedPart::Repository => registry.reference.clone(),
        NamedPart::Registry => format!("{}/{}", registry.reference.registry(), first?).parse().ok()?,
    };
    let tags = registry.client.fetch_tags(&repository).await.unwrap_or_default();
    // The tag that clients assume, if it exists.
    let tag = tags.iter().find(|tag| Some(tag.as_str()) == repository.tag()).or_else(|| tags.first());
    let named = tag.and_then(|tag| format!("{}/{}:{tag}", repository.registry(), repository.repository()).parse().ok());
    named.or(Some(repository))
}
