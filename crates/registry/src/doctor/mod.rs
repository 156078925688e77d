//! What a registry supports: probes that ask it, and what follows from each answer.
//!
//! [`examine`] sends a few requests by the client and makes a [`ProbeFinding`] of each. The modules have each probe by itself.

pub mod access;
mod finding;
pub mod lists;
pub mod page;
mod patient;
pub mod reach;
pub mod reading;
pub mod writing;

pub use self::{
    finding::{Examination, ProbeFact, ProbeFinding, ProbeName, ProbeVerdict},
    patient::{Patient, StoredCredentials},
};
use crate::{
    client::Asker,
    transport::{Environment, Transport},
};
use porthole_core::reference::Reference;

/// How much of the patient's reference was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedPart {
    /// The registry; the first repository that it lists is examined.
    Registry,
    /// A repository; its tag `latest`, or the first that it lists, is examined.
    Repository,
    /// An image.
    Image,
}

/// Looks at everything, one thing after the other. Nothing is written unless `write` names a repository: there a small blob of
/// random bytes is uploaded, and deleted if the registry supports that; a blob of the image is mounted there and stays.
pub async fn examine<T: Transport + Environment>(
    mut patient: Patient<'_, T>,
    named: NamedPart,
    write: Option<&Reference>,
) -> Examination {
    let mut card = Examination { registry: patient.reference.registry().to_owned(), image: None, findings: Vec::new() };
    let front = patient.ask(http::Method::GET, "", &[], Asker::Anyone).await;
    card.findings.push(reach::connection(&patient, &front));
    let Ok(front) = front else { return card };
    card.findings.push(reach::version(&front));
    card.findings.push(reach::clock(&front, patient.client.transport().now()));
    card.findings.push(access::sign_in(&patient, &front));
    card.findings.push(access::credentials(&patient, &front).await);
    let (catalog, first) = lists::catalog(&patient).await;
    card.findings.push(catalog);
    if let Some(reference) = choose(&patient, named, first).await {
        patient.reference = reference;
        card.image = Some(patient.reference.to_string());
    }
    let mut blob = None;
    if card.image.is_some() {
        // It is free where a manifest counts as a pull.
        let head = reading::fetch_head(&patient).await;
        let (manifest, sample) = reading::manifest(&patient, &head).await;
        // The user did not choose the first image of the list.
        card.findings.push(if named == NamedPart::Registry {
            ProbeFinding { failure: None, ..manifest }
        } else {
            manifest
        });
        card.findings.push(reading::quota(&head));
        if let Some(sample) = sample {
            card.findings.push(reading::head(&head, &sample));
            card.findings.push(reading::conditional(&patient, &head, &sample).await);
            card.findings.push(lists::referrers(&patient, sample.document.raw().digest()).await);
            if let Some(sampled) = sample.blob {
                card.findings.push(reading::range(&patient, &sampled).await);
                card.findings.push(reading::blobs(&patient, &sampled).await);
                blob = Some(sampled);
            }
        }
    } else {
        let says = format!("is not known: name a repository, as in {}/REPO", card.registry);
        card.findings.push(ProbeFinding::unknown(ProbeName::Manifest, says));
    }
    card.findings.extend(page::page(&patient).await);
    if let Some(to) = write {
        let other = blob.as_ref().filter(|_| patient.reference.repository() != to.repository());
        card.findings.extend(writing::uploads(&patient, to, other.map(|blob| (&patient.reference, blob))).await);
    }
    card
}

/// The image to look at: the one that was named, else the first tag of the repository, else that of the first that is listed.
async fn choose<T: Transport + Environment>(
    patient: &Patient<'_, T>,
    named: NamedPart,
    first: Option<String>,
) -> Option<Reference> {
    let repository = match named {
        NamedPart::Image => return Some(patient.reference.clone()),
        NamedPart::Repository => patient.reference.clone(),
        NamedPart::Registry => format!("{}/{}", patient.reference.registry(), first?).parse().ok()?,
    };
    let tags = patient.client.fetch_tags(&repository).await.unwrap_or_default();
    // The tag that clients assume, if it exists.
    let tag = tags.iter().find(|tag| Some(tag.as_str()) == repository.tag()).or_else(|| tags.first());
    let named = tag.and_then(|tag| format!("{}/{}:{tag}", repository.registry(), repository.repository()).parse().ok());
    named.or(Some(repository))
}
