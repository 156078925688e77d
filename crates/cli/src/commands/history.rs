//! `porthole history`

mod remember;

pub(super) use self::remember::{movable, now, pushed, remember, stored, tagged};

use std::{ffi::OsString, io::Write};

use clap::Args;
use porthole_core::{digest::Digest, reference::Reference};
use porthole_registry::client::Known;
use porthole_store::{
    Store,
    journal::{JournalEntry, Steps, Writer, canonical},
};
use serde_json::{Value, json};

use crate::{
    error::Error,
    output::print_json,
    session::Session,
    ui::{Style, safe},
};

/// Show the digests that a tag had, and when
///
/// Newest first, from the journal of the store (`journal.jsonl`), which `pull`, `watch`, `tag`, `push`, `copy` and `rollback` write. STEP is
/// the number to pass to `porthole rollback REF STEP`; 0 is the present. NOW says whether the store has the image (`stored`), whether the
/// name in the store has this digest (`named`), and with --remote whether the tag in the registry has it (`registry`).
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole history nginx
  porthole history --remote ghcr.io/me/app:prod        asks the registry as well, with one HEAD
  porthole history --json nginx | jq -r .digest")]
pub(crate) struct Arguments {
    /// Reference with a tag
    #[arg(value_name = "REF")]
    reference: OsString,
    /// Also ask the registry for the current digest of the tag
    #[arg(long)]
    remote: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let reference = movable(&arguments.reference)?;
    let store = session.store()?;
    let entries = store.journal().of(&reference.to_string())?;
    let named = name(&store, &reference)?.map(|(_, digest)| digest);
    let remote = if arguments.remote { look(&reference, session)? } else { None };
    if entries.is_empty() && remote.is_none() {
        return Err(Error::NotFound { what: "history", name: reference.to_string() });
    }
    let steps = match (named, remote, entries.last()) {
        (Some(named), ..) => Steps::new(&entries, Some(&named)),
        // The digest in the registry now is newer than all entries.
        (None, Some(remote), _) => {
            let seen = JournalEntry::new(now(), reference.to_string(), remote, Writer::Watch);
            Steps::new(&[&entries[..], &[seen]].concat(), Some(&remote))
        }
        (None, None, last) => Steps::new(&entries, last.map(|entry| &entry.digest)),
    };
    let rows = rows(&entries, remote);
    let mut out = session.ui.out();
    if !session.ui.json {
        let header = format!("{:>4}  {:<19}  {:<71}  {:<8}  NOW", "STEP", "WHEN (UTC)", "DIGEST", "BY");
        writeln!(out, "{}", session.ui.paint(Style::Faint, &header))?;
    }
    for row in rows {
        let state = State {
            step: steps.to(&row.digest),
            stored: store.held(&row.digest)?.is_some(),
            named: named == Some(row.digest),
            registry: arguments.remote.then_some(remote == Some(row.digest)),
        };
        if session.ui.json {
            print_json(&mut out, &row.json(&reference, &state))?;
        } else {
            writeln!(out, "{}", row.text(&state))?;
        }
    }
    Ok(out.flush()?)
}

/// Returns the name in the store that equals a reference in canonical form, as the store writes it, and its digest.
pub(super) fn name(store: &Store, reference: &Reference) -> Result<Option<(String, Digest)>, Error> {
    let wanted = reference.to_string();
    let names = store.local()?.names().into_iter();
    let mut named = names.filter_map(|(name, root)| Some((name?, root.digest)));
    Ok(named.find(|(name, _)| canonical(name) == wanted))
}

/// Asks the registry for the digest of a tag. `None` if the registry does not have the tag.
pub(super) fn look(reference: &Reference, session: &Session<'_>) -> Result<Option<Digest>, Error> {
    let client = session.client(reference)?;
    match session.runtime().block_on(client.look_at_tag(reference, &Known::default())) {
        Ok(seen) => Ok(Some(seen.digest)),
        Err(unseen) => match *unseen.error {
            porthole_registry::Error::NotFound { .. } => Ok(None),
            error => Err(error.into()),
        },
    }
}

/// A row of the output: a digest that the tag had.
struct Row<'e> {
    digest: Digest,
    /// `None` for a digest that only the registry reported, just now.
    entry: Option<&'e JournalEntry>,
}

/// The last columns of a row: where the digest is now.
struct State {
    step: Option<usize>,
    stored: bool,
    named: bool,
    registry: Option<bool>,
}

/// The rows of the output, newest first.
fn rows(entries: &[JournalEntry], remote: Option<Digest>) -> Vec<Row<'_>> {
    let unheard_of = remote.filter(|remote| entries.iter().all(|entry| entry.digest != *remote));
    let mut rows: Vec<_> = unheard_of.map(|digest| Row { digest, entry: None }).into_iter().collect();
    for (at, entry) in entries.iter().enumerate().rev() {
        // The next entry records the same change as done, so the pending entry is not shown.
        let done = entries.get(at + 1).is_some_and(|next| (next.digest, next.by) == (entry.digest, entry.by));
        if !(entry.pending && done) {
            rows.push(Row { digest: entry.digest, entry: Some(entry) });
        }
    }
    rows
}

impl Row<'_> {
    fn json(&self, reference: &Reference, state: &State) -> Value {
        let entry = self.entry;
        let choice = entry.and_then(|entry| entry.choice.as_ref());
        let mut row = json!({
            "step": state.step,
            "time": entry.map(|entry| &entry.time),
            "reference": reference.to_string(),
            "digest": self.digest.to_string(),
            "previous": entry.and_then(|entry| entry.previous).map(|digest| digest.to_string()),
            "by": entry.map(|entry| entry.by.name()),
            "stored": state.stored,
            "named": state.named,
        });
        if let Some(choice) = choice {
            row["platform"] = json!(choice.platform);
            row["manifest"] = json!(choice.manifest.to_string());
        }
        if entry.is_some_and(|entry| entry.pending) {
            row["pending"] = json!(true);
        }
        if let Some(registry) = state.registry {
            row["registry"] = json!(registry);
        }
        row
    }

    fn text(&self, state: &State) -> String {
        let step = state.step.map_or_else(|| "-".to_owned(), |step| step.to_string());
        let when = self.entry.map_or_else(|| "just now".to_owned(), |entry| when(&entry.time));
        let by = self.entry.map_or("-", |entry| entry.by.name());
        let words = [
            (state.stored && !state.named, "stored"),
            (state.named, "named"),
            (state.registry == Some(true), "registry"),
            (self.entry.is_some_and(|entry| entry.pending), "pending"),
        ];
        let words: Vec<_> = words.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
        let words = if words.is_empty() { "-".to_owned() } else { words.join(", ") };
        format!("{step:>4}  {:<19}  {:<71}  {by:<8}  {words}", safe(&when), self.digest.to_string())
    }
}

/// Formats a time: `2026-01-02T03:04:05Z` becomes `2026-01-02 03:04:05`. Any other text is unchanged.
pub(super) fn when(time: &str) -> String {
    match time.strip_suffix('Z').and_then(|time| time.split_once('T')) {
        Some((date, clock)) => format!("{date} {clock}"),
        None => time.to_owned(),
    }
}
