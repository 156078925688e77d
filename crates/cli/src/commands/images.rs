//! `porthole images`

use std::io::Write;

use clap::Args;
use serde_json::json;

use crate::{error::Error, output::print_json, session::Session, ui::safe};

/// List the images of the store
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole images
  porthole images --json")]
pub(crate) struct Arguments {}

pub(super) fn run(_arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let mut images = session.store()?.local()?.names();
    images.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut out = session.ui.out();
    for (name, descriptor) in &images {
        let digest = descriptor.digest.to_string();
        if session.ui.json {
            let media_type = descriptor.media_type.as_str();
            print_json(&mut out, &json!({ "name": name, "digest": digest, "media_type": media_type }))?;
        } else {
            writeln!(out, "{digest}  {}", safe(name.as_deref().unwrap_or("(no name)")))?;
        }
    }
    Ok(out.flush()?)
}
