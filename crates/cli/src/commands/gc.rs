//! `porthole gc`

use std::io::Write;

use clap::Args;
use serde_json::json;

use crate::{error::Error, output::print_json, session::Session, ui::size};

/// Remove blobs from the store that no name refers to
///
/// Waits for running pulls. Interrupted downloads are kept for a later pull, unless `--partials` is given. The previous image of each name
/// is kept for `porthole rollback`; the images of removed names are not.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole gc
  porthole gc --partials
  porthole gc --keep-history 0    without a way back")]
pub(crate) struct Arguments {
    /// Also remove interrupted downloads
    #[arg(long)]
    partials: bool,
    /// Keep this many previous images of each name, counted as in `porthole history`
    #[arg(long, value_name = "N", default_value_t = 1)]
    keep_history: usize,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let swept = session.store()?.sweep(arguments.partials, arguments.keep_history)?;
    if swept.kept > 0 {
        let s = if swept.kept == 1 { "" } else { "s" };
        session.ui.note(format_args!(
            "keeps {} earlier image{s} for `porthole rollback`; --keep-history 0 removes them",
            swept.kept
        ));
    }
    let mut out = session.ui.out();
    if session.ui.json {
        print_json(
            &mut out,
            &json!({ "blobs": swept.blobs, "partials": swept.partials, "bytes": swept.bytes, "kept": swept.kept }),
        )?;
    } else {
        writeln!(out, "removed {} blobs and {} partial ones, {}", swept.blobs, swept.partials, size(swept.bytes))?;
    }
    Ok(out.flush()?)
}
