//! `porthole store`

use std::io::Write;

use clap::{Args, Subcommand};
use porthole_core::failure::Failure;
use porthole_store::{Checked, Damaged};
use serde_json::{Value, json};

use crate::{
    error::{Error, Told},
    output::print_json,
    session::Session,
    ui::{safe, size},
};

/// Check the store for damaged blobs
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole store check
  porthole store check --repair && porthole pull nginx")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Check(Check),
}

/// Read every blob of the store again and compare it with its digest
///
/// The other commands verify a blob when it is added and trust it afterwards: a disk that changes bytes goes unnoticed. Exits with 7 if a
/// blob is damaged or missing, unless it was set aside.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole store check
  porthole store check --json --repair")]
struct Check {
    /// Move damaged blobs to `damaged/` in the store, so that the next pull downloads them again
    #[arg(long)]
    repair: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let Verb::Check(Check { repair }) = arguments.verb;
    let checked = session.store()?.check(repair, &mut |_| {})?;
    let mut out = session.ui.out();
    if session.ui.json {
        print_json(&mut out, &in_json(&checked))?;
    } else {
        for Damaged { digest, damage, names, .. } in &checked.damaged {
            let of = if names.is_empty() { String::new() } else { format!(" (of {})", names.join(", ")) };
            writeln!(out, "damaged  {digest}{}: {}", safe(&of), safe(&damage.to_string()))?;
        }
        for digest in &checked.missing {
            writeln!(out, "missing  {digest}")?;
        }
        writeln!(
            out,
            "read {} blobs, {}: {} damaged, {} missing",
            checked.blobs,
            size(checked.bytes),
            checked.damaged.len(),
            checked.missing.len()
        )?;
    }
    out.flush()?;
    let damaged = checked.damaged.len();
    if repair && damaged > 0 {
        session.ui.note(format_args!("set aside {damaged} damaged blobs; `porthole pull` downloads them again"));
    }
    if checked.missing.is_empty() && (repair || damaged == 0) {
        return Ok(());
    }
    let message = match (damaged, checked.missing.len()) {
        (0, _) => "blobs of the store are missing",
        _ => "blobs of the store are damaged",
    };
    Err(Told { message: message.to_owned(), failure: Failure::malformed() }.into())
}

fn in_json(checked: &Checked) -> Value {
    let damaged = checked.damaged.iter().map(|damaged| {
        let mut row = json!({
            "digest": damaged.digest.to_string(),
            "damage": damaged.damage.to_string(),
            "names": damaged.names,
        });
        if let Some(aside) = &damaged.aside {
            row["set_aside"] = aside.to_string_lossy().into();
        }
        row
    });
    json!({
        "blobs": checked.blobs,
        "bytes": checked.bytes,
        "damaged": damaged.collect::<Vec<_>>(),
        "missing": checked.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
