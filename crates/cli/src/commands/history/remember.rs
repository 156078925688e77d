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

/// A reference that can stand for something else tomorrow.
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

/// The time as RFC 3339 has it.
pub(crate) fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    calendar::iso(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// Writes an entry. A failure is a note only, because the change that it records is done.
pub(crate) fn remember(session: &Session<'_>, store: &Store, entry: JournalEntry) {
    if let Err(error) = store.journal().record(entry) {
        session.ui.note(format_args!("not recorded in the journal: {}", safe(&error.to_string())));
    }
}

/// An image came into the store, and has a name there now. `pulled`: the reference that stands for it in a registry, as was seen.
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

/// A name of the store was given to an image.
pub(crate) fn tagged(session: &Session<'_>, store: &Store, name: &Reference, digest: Digest, replaced: Option<Digest>) {
    if is_movable(name) && replaced != Some(digest) {
        let entry =
            JournalEntry { previous: replaced, ..JournalEntry::new(now(), name.to_string(), digest, Writer::Tag) };
        remember(session, store, entry);
    }
}

/// A tag of a registry was given to an image, and other tags of its repository too. No store is created only for that.
pub(crate) fn pushed(session: &Session<'_>, to: &Reference, also: &[String], digest: Digest) {
    let Some(store) = session.existing_store() else { return };
    let others = also.iter().filter_map(|tag| format!("{}/{}:{tag}", to.registry(), to.repository()).parse().ok());
    for name in [to.clone()].into_iter().chain(others).filter(is_movable) {
        remember(session, &store, JournalEntry::new(now(), name.to_string(), digest, Writer::Push));
    }
}
