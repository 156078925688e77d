//! `porthole tags`

use std::{ffi::OsString, io::Write};

use clap::Args;
use serde_json::json;

use crate::{error::Error, output::print_json, reference, session::Session, ui::safe};

/// List the tags of a repository, in the registry's order
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole tags nginx
  porthole tags --json ghcr.io/a/b")]
pub(crate) struct Arguments {
    /// Repository; a tag or digest in it does not matter
    #[arg(value_name = "REPO")]
    repository: OsString,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let reference = reference::parse(&arguments.repository)?;
    let client = session.client(&reference)?;
    let tags = session.runtime().block_on(client.fetch_tags(&reference))?;
    let mut out = session.ui.out();
    for tag in &tags {
        if session.ui.json {
            print_json(&mut out, &json!({ "tag": tag }))?;
        } else {
            writeln!(out, "{}", safe(tag))?;
        }
    }
    Ok(out.flush()?)
}
