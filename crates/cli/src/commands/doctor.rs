//! `porthole doctor`

mod card;

use std::ffi::OsString;

use clap::Args;
use porthole_core::reference::Reference;
use porthole_registry::doctor::{ExaminedRegistry, NamedPart, StoredCredentials, examine};

use super::login;
use crate::{
    error::{Error, Told},
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
        (Some(failure), _) => StoredCredentials::Failed(failure.to_string()),
        (None, Some(_)) => StoredCredentials::From(safe(&found.place.to_string_lossy()).into_owned()),
        (None, None) => StoredCredentials::None,
    };
    let base = client.endpoint(&reference)?;
    let trusted = session.trusted_realms();
    let insecure = session.accepts_any_certificate(&reference);
    let registry =
        ExaminedRegistry { client: &*client, reference, base, trusted, credentials, insecure, page: &arguments.page };
    let card = session.runtime().block_on(examine(registry, named, write.as_ref()));
    card::print(&card, session.ui)?;
    let Some((finding, failure)) = card.failure() else { return Ok(()) };
    let message = format!("{} cannot be used: {}: {}", card.registry, finding.probe.name(), card::says(finding));
    Err(Told { message, failure: failure.clone() }.into())
}

fn parse(text: &OsString) -> Result<(Reference, NamedPart), Error> {
    let text = text.to_string_lossy();
    let plain = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(&text);
    let plain = plain.trim_end_matches('/');
    if !plain.contains('/') {
        return Ok((login::reference(&text)?, NamedPart::Registry));
    }
    let reference = reference::parse(plain.as_ref())?;
    let is_whole = plain.contains('@') || plain.rsplit('/').next().is_some_and(|name| name.contains(':'));
    Ok((reference, if is_whole { NamedPart::Image } else { NamedPart::Repository }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let words = |text: &str| parse(&text.into()).map(|(reference, named)| (reference.to_string(), named)).ok();
        let some = |text: &str, named| Some((text.to_owned(), named));
        assert_eq!(words("ghcr.io").map(|(_, named)| named), Some(NamedPart::Registry));
        assert_eq!(words("https://localhost:5000/").map(|(_, named)| named), Some(NamedPart::Registry));
        assert_eq!(words("ghcr.io/a/b"), some("ghcr.io/a/b:latest", NamedPart::Repository));
        assert_eq!(words("localhost:5000/a"), some("localhost:5000/a:latest", NamedPart::Repository));
        assert_eq!(words("localhost:5000/a:1"), some("localhost:5000/a:1", NamedPart::Image));
        assert_eq!(words("nginx"), None);
        let of: Reference = "r.example.com/a/b:1".parse().unwrap();
        let to = |name: &str| repository(name, &of).map(|reference| reference.repository().to_owned()).ok();
        assert_eq!(to("team/scratch").as_deref(), Some("team/scratch"));
        assert_eq!(to("r.example.com/scratch").as_deref(), Some("scratch"));
        for name in ["", "../x", "a:1", "A", "a@b", "/a"] {
            assert_eq!(to(name), None, "{name}");
        }
    }
}
