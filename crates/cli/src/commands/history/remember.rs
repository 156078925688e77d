//! The entries that the verbs write to the journal.

use std::{
    ffi::OsString,
    time::{SystemTime, UNIX_EPOCH},
};

use porthole_core::{calendar, digest::Digest, reference::Reference};
use porthole_store::{
    Store,
    journal::{JournalEntry, Writer, canonical},
};

use crate::{destination::Written, error::Error, reference, session::Session, ui::safe};

/// Parses a reference that may point to another image later: one with a tag and without a digest.
pub(crate) fn movable(text: &OsString) -> Result<Reference, Error> {
    let reference = reference::parse(text)?;
    if is_movable(&reference) {
        Ok(reference)
    } else {
        Err(Error::usage(format!("expected a reference with a tag, got a digest, which never moves: `{reference}`")))
    }
}

fn is_movable(reference: &Reference) -> bool {
    reference.digest().is_none()
}

/// The current time in UTC (RFC 3339).
pub(crate) fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    calendar::iso(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// Writes an entry. A failure is only a note, because the change that the entry records is done.
pub(crate) fn remember(session: &Session<'_>, store: &Store, entry: JournalEntry) {
    if let Err(error) = store.journal().record(entry) {
        session.ui.note(format_args!("not recorded in the journal: {}", safe(&error.to_string())));
    }
}

/// Records that an image was stored under a name. `pulled` is the reference by which a registry returned this image.
pub(crate) fn stored(session: &Session<'_>, pulled: Option<&Reference>, written: &Written) -> Result<(), Error> {
    let (store, by) = (session.store()?, if pulled.is_some() { Writer::Pull } else { Writer::Tag });
    let mut names: Vec<_> = pulled.iter().map(|reference| (reference.to_string(), None)).collect();
    if let Some(name) = written.name.as_deref().map(canonical) {
        names.retain(|(other, _)| *other != name);
        names.push((name, written.replaced));
    }
    for (name, previous) in names {
        if name.parse().is_ok_and(|name| is_movable(&name)) {
            let entry = JournalEntry { previous, ..JournalEntry::new(now(), name, written.root.digest, by) };
            remember(session, &store, entry);
        }
    }
    Ok(())
}

/// Records that a name in the store was moved to an image.
pub(crate) fn tagged(session: &Session<'_>, store: &Store, name: &Reference, digest: Digest, replaced: Option<Digest>) {
    if is_movable(name) && replaced != Some(digest) {
        let entry =
            JournalEntry { previous: replaced, ..JournalEntry::new(now(), name.to_string(), digest, Writer::Tag) };
        remember(session, store, entry);
    }
}

/// Records that a tag in a registry, and the tags `also` of the same repository, were moved to an image. Does nothing if there is
/// no store.
pub(crate) fn pushed(session: &Session<'_>, to: &Reference, also: &[String], digest: Digest) {
    let Some(store) = session.existing_store() else { return };
    let others = also.iter().filter_map(|tag| format!("{}/{}:{tag}", to.registry(), to.repository()).parse().ok());
    for name in [to.clone()].into_iter().chain(others).filter(is_movable) {
        remember(session, &store, JournalEntry::new(now(), name.to_string(), digest, Writer::Push));
    }
}
