//! `porthole doctor`

mod access;
mod card;
mod lists;
mod page;
mod patient;
mod reach;
mod reading;
mod writing;

use std::ffi::OsString;

use clap::Args;
use porthole_core::{failure::Failure, reference::Reference};
use porthole_registry::transport::{Environment, Transport};

use self::{
    card::{Card, Finding},
    patient::{Credentials, Patient},
};
use super::login;
use crate::{
    error::{Error, Told},
    output::print_json,
    reference,
    session::Session,
    ui::safe,
};

/// Examine a registry: what works, what does not, and what that means
///
/// Sends a few requests and changes nothing. Without a repository, the first that the registry lists is examined. Each line has a
/// verdict (ok, no, unknown) and what follows from it. The exit code is 0 if the registry can be used, else that of the first obstacle.
///
/// With --write, a small blob of random bytes is uploaded to a repository, and deleted if the registry supports that. A blob of the image
/// is mounted there and stays.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole doctor ghcr.io
  porthole doctor registry.example.com/team/app:1.0
  porthole doctor --write team/scratch registry.example.com/team/app
  porthole doctor --json --page https://porthole.example.org quay.io/org/app")]
pub(crate) struct Arguments {
    /// Registry, or an image in it to examine
    #[arg(value_name = "REGISTRY[/REPO[:TAG]]")]
    registry: OsString,
    /// Try uploads in this repository of the registry; no other is written to
    #[arg(long, value_name = "REPO")]
    write: Option<String>,
    /// Check whether a page of this origin can read the registry
    #[arg(long, value_name = "ORIGIN", default_value = "https://porthole.example")]
    page: String,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let (reference, named) = parse(&arguments.registry)?;
    let write = arguments.write.as_deref().map(|name| repository(name, &reference)).transpose()?;
    let (client, found) = session.introduced(&reference)?;
    let credentials = match (found.failure, found.credentials) {
        (Some(failure), _) => Credentials::Failed(failure.to_string()),
        (None, Some(_)) => Credentials::From(safe(&found.place.to_string_lossy()).into_owned()),
        (None, None) => Credentials::None,
    };
    let base = client.endpoint(&reference)?;
    let trusted = session.trusted_realms();
    let insecure = session.accepts_any_certificate(&reference);
    let patient = Patient { client: &*client, reference, base, trusted, credentials, insecure, page: &arguments.page };
    let card = session.runtime().block_on(examine(patient, named, write.as_ref()));
    card.print(session.ui)?;
    let Some(failure) = card.failure() else { return Ok(()) };
    let message = format!("{} cannot be used: {}: {}", card.registry, failure.probe, failure.says);
    Err(Told { message, failure: failure.failure.clone().unwrap_or_else(Failure::bug) }.into())
}

/// How much was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Registry,
    Repository,
    Image,
}

fn parse(text: &OsString) -> Result<(Reference, Named), Error> {
    let plain = text.to_string_lossy();
    let plain = plain.strip_prefix("https://").or_else(|| plain.strip_prefix("http://")).unwrap_or(&plain);
    let plain = plain.trim_end_matches('/');
    if !plain.contains('/') {
        return Ok((login::reference(plain)?, Named::Registry));
    }
    let reference = reference::parse(plain.as_ref())?;
    let is_whole = plain.contains('@') || plain.rsplit('/').next().is_some_and(|name| name.contains(':'));
    Ok((reference, if is_whole { Named::Image } else { Named::Repository }))
}

/// A repository of the same registry, with the registry's name or without it.
fn repository(name: &str, of: &Reference) -> Result<Reference, Error> {
    let bare = name.strip_prefix(of.registry()).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name);
    let whole = format!("{}/{bare}", of.registry());
    let parsed = whole.parse::<Reference>().ok();
    parsed
        .filter(|parsed| parsed.repository().ends_with(bare) && !bare.contains([':', '@']))
        .ok_or_else(|| Error::usage(format!("expected a repository of {} to write to, got `{name}`", of.registry())))
}

/// Looks at everything, one thing after the other.
async fn examine<T: Transport + Environment>(
    mut patient: Patient<'_, T>,
    named: Named,
    write: Option<&Reference>,
) -> Card {
    let mut card = Card { registry: patient.reference.registry().to_owned(), image: None, findings: Vec::new() };
    let front = patient.ask(http::Method::GET, "", &[], porthole_registry::client::Asker::Anyone).await;
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
        card.findings.push(if named == Named::Registry { Finding { failure: None, ..manifest } } else { manifest });
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
        card.findings.push(Finding::unknown("manifest", says));
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
    named: Named,
    first: Option<String>,
) -> Option<Reference> {
    let repository = match named {
        Named::Image => return Some(patient.reference.clone()),
        Named::Repository => patient.reference.clone(),
        Named::Registry => format!("{}/{}", patient.reference.registry(), first?).parse().ok()?,
    };
    let tags = patient.client.fetch_tags(&repository).await.unwrap_or_default();
    // The tag that clients assume, if it exists.
    let tag = tags.iter().find(|tag| Some(tag.as_str()) == repository.tag()).or_else(|| tags.first());
    let named = tag.and_then(|tag| format!("{}/{}:{tag}", repository.registry(), repository.repository()).parse().ok());
    named.or(Some(repository))
}

#[cfg(test)]
mod tests;
