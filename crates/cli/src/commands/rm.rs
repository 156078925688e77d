//! `porthole rm`

use clap::Args;

use crate::{error::Error, session::Session};

/// Remove names from the store; `gc` then frees what is unreachable
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole rm nginx
  porthole rm nginx alpine:3.20 && porthole gc")]
pub(crate) struct Arguments {
    /// Names or digests of images in the store
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let store = session.store()?;
    for name in &arguments.names {
        let canonical = name.parse::<porthole_core::reference::Reference>().map(|reference| reference.to_string());
        let removed = store.untag(name)? || matches!(canonical, Ok(canonical) if store.untag(&canonical)?);
        if !removed {
            return Err(Error::NotFound { what: "image", name: name.clone() });
        }
    }
    Ok(())
}
