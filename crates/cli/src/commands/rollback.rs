//! `porthole rollback`

use std::{ffi::OsString, io::Write, str::FromStr, sync::Arc, time::Duration};

use clap::Args;
use porthole_core::{descriptor::Descriptor, digest::Digest, hint::Hint, reference::Reference};
use porthole_registry::client::Destination;
use porthole_store::{
    Store,
    journal::{JournalEntry, Steps, Writer},
};
use porthole_transfer::{
    Local, Source, TransferObserver,
    pull::Platforms,
    push::{self, Options},
};
use serde_json::json;

use super::history;
use crate::{error::Error, output::print_json, session::Session, ui::safe};

/// Move a name or a tag back to an earlier image
///
/// Goes back in the journal that `porthole history REF` shows: one step, N steps, or to a digest. Every image counts once, so that two
/// rollbacks of one step return to the start, as with `kubectl rollout undo`.
///
/// Without --push only the name in the store moves, and the store must still have the image: `porthole gc` keeps one step for every name
/// by default. With --push the tag in the registry moves, counted from its current digest: the manifest is uploaded unchanged and its
/// digest read back, and blobs that the registry lost come from the store. The name in the store moves too if the store has the image.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole rollback app                            the name in the store, to the previous image
  porthole rollback --push ghcr.io/me/app:prod     the tag in the registry
  porthole rollback --push ghcr.io/me/app:prod 2   by two steps
  porthole rollback app sha256:0123...             to this image")]
pub(crate) struct Arguments {
    /// Reference with a tag
    #[arg(value_name = "REF")]
    reference: OsString,
    /// Digest to go back to, or number of steps
    #[arg(value_name = "DIGEST|N", default_value = "1")]
    to: To,
    /// Move the tag in the registry
    #[arg(long)]
    push: bool,
}

/// The image to go back to.
#[derive(Clone, Debug, PartialEq)]
enum To {
    Steps(usize),
    Digest(Digest),
}

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(0) => Err("expected at least one step back".to_owned()),
            Ok(steps) => Ok(Self::Steps(steps)),
            Err(_) => text.parse().map(Self::Digest).map_err(|error| format!("expected a number or a digest: {error}")),
        }
    }
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let reference = history::movable(&arguments.reference)?;
    let store = session.store()?;
    // Blocks sweeps, so that the image stays in the store until a name points to it.
    let _adding = store.add()?;
    let mut entries = store.journal().of(&reference.to_string())?;
    let named = history::name(&store, &reference)?;
    let before = match arguments.push {
        true => history::look(&reference, session)?,
        false => named.as_ref().map(|(_, digest)| *digest),
    };
    // The digest in the registry now is newer than all entries.
    if let Some(now) = before.filter(|_| arguments.push) {
        entries.push(JournalEntry::new(history::now(), reference.to_string(), now, Writer::Watch));
    }
    let digest = choose(&arguments.to, &entries, before.as_ref(), &reference)?;
    let held = store.held(&digest)?;
    if arguments.push {
        if before != Some(digest) {
            put(&reference, &digest, held.as_ref(), &store, session)?;
        }
    } else if held.is_none() {
        return Err(not_stored(&reference, &digest));
    }
    let moves = held.filter(|_| named.is_some() || !arguments.push);
    let in_store = moves.is_some();
    if let Some(root) = moves {
        let name = named.as_ref().map_or_else(|| reference.to_string(), |(name, _)| name.clone());
        store.tag(&name, &root)?;
    } else if let Some((name, other)) = named {
        session.ui.note(format_args!("the store does not have it: its {} stays {other}", safe(&name)));
    }
    if before != Some(digest) {
        let entry = JournalEntry::new(history::now(), reference.to_string(), digest, Writer::Rollback);
        history::remember(session, &store, JournalEntry { previous: before, ..entry });
    } else {
        session.ui.note(format_args!("{reference} stands for it already"));
    }
    tell(&reference, before, digest, [in_store, arguments.push], session)
}

/// Returns the digest to go back to.
fn choose(to: &To, entries: &[JournalEntry], now: Option<&Digest>, reference: &Reference) -> Result<Digest, Error> {
    let steps = match to {
        To::Digest(digest) => return Ok(*digest),
        To::Steps(steps) => *steps,
    };
    let history = Steps::new(entries, now);
    history.back(steps).copied().ok_or_else(|| match history.available() {
        0 => Error::Gone { text: format!("the journal knows of nothing before: `{reference}`"), hints: Vec::new() },
        available => {
            let s = if available == 1 { "" } else { "s" };
            Error::Gone {
                text: format!("the journal goes {available} step{s} back, not {steps}: `{reference}`"),
                hints: vec![Hint::Text(format!("see them with `porthole history {reference}`"))],
            }
        }
    })
}

fn not_stored(reference: &Reference, digest: &Digest) -> Error {
    let pinned = reference.with_digest(*digest);
    Error::Gone {
        text: format!("the store does not have the image any more: `{digest}`"),
        hints: vec![
            Hint::Text(format!("if the registry has it, `porthole pull {pinned}` brings it back")),
            Hint::Text("to move the tag in the registry, add --push".to_owned()),
        ],
    }
}

/// Moves the tag in the registry.
fn put(
    reference: &Reference,
    digest: &Digest,
    held: Option<&Descriptor>,
    store: &Store,
    session: &Session<'_>,
) -> Result<(), Error> {
    let client = session.client(reference)?;
    let to = Destination::new(reference.clone());
    let tag = reference.target();
    let document = match session.runtime().block_on(client.fetch_document(&reference.with_digest(*digest))) {
        Ok(document) => document,
        Err(porthole_registry::Error::NotFound { .. }) => {
            let Some(root) = held else {
                let registry = reference.registry();
                let text = format!("neither the store nor {registry} has the image any more: `{digest}`");
                return Err(Error::Gone { text, hints: Vec::new() });
            };
            session.ui.note(format_args!("{} no longer has it: it is uploaded again", reference.registry()));
            let source = Source::Local { local: Arc::new(Local::of_store(store)?), root: root.clone() };
            let options = Options {
                platforms: Platforms::All,
                jobs: JOBS,
                chunk: None,
                referrers: false,
                tags: Vec::new(),
                foreign: false,
                wait: WAIT,
                likely: Vec::new(),
            };
            session.runtime().block_on(push::push(&source, &client, &to, &options, &TransferObserver::new(drop)))?;
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    session.runtime().block_on(async {
        client.put_manifest(&to, document.raw(), document.media_type(), Some(&tag)).await?;
        client.wait_for_tag(&to, document.raw(), &tag, WAIT).await.map(|_| ())
    })?;
    Ok(())
}

/// Maximum time to wait until the registry returns the new digest of the tag.
const WAIT: Duration = Duration::from_secs(10);
/// Number of concurrent uploads of blobs.
const JOBS: usize = 4;

fn tell(
    reference: &Reference,
    before: Option<Digest>,
    digest: Digest,
    [store, registry]: [bool; 2],
    session: &Session<'_>,
) -> Result<(), Error> {
    let mut out = session.ui.out();
    if session.ui.json {
        let row = json!({
            "reference": reference.to_string(),
            "previous": before.map(|digest| digest.to_string()),
            "digest": digest.to_string(),
            "store": store,
            "registry": registry,
        });
        print_json(&mut out, &row)?;
    } else {
        writeln!(out, "{}", safe(&reference.to_string()))?;
        if let Some(before) = before.filter(|before| *before != digest) {
            writeln!(out, "was  {before}")?;
        }
        let place = match (store, registry) {
            (true, true) => "in the store and in the registry",
            (false, true) => "in the registry",
            _ => "in the store",
        };
        writeln!(out, "is   {digest}, {place}")?;
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_or_digests() {
        let digest = Digest::sha256(b"a");
        assert_eq!("3".parse(), Ok(To::Steps(3)));
        assert_eq!(digest.to_string().parse(), Ok(To::Digest(digest)));
        for text in ["0", "-1", "", "sha256:abc", "latest", "99999999999999999999999"] {
            assert!(text.parse::<To>().is_err(), "{text}");
        }
    }
}
