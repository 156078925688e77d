//! `porthole gc`

use std::io::Write;

use clap::Args;
use serde_json::json;

use crate::{error::Error, output::print_json, session::Session, ui::size};

/// Remove from the store what no name leads to
///
/// Waits for pulls that are running. Downloads that were cut off are kept, so that they can be taken up; `--partials` removes
/// them too. The image that a name stood for before its present one is kept as well, so that `porthole rollback` has somewhere to go;
/// of names that were removed nothing is kept.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole gc
  porthole gc --partials
  porthole gc --keep-history 0    and no way back")]
pub(crate) struct Arguments {
    /// Also remove what cut-off downloads left
    #[arg(long)]
    partials: bool,
    /// Earlier images to keep of each name, as `porthole history` counts steps
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
