//! `porthole tag`

use clap::Args;

use super::history;
use crate::{error::Error, reference, session::Session};

/// Give an image of the store another name
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole tag nginx registry.example/nginx:stable")]
pub(crate) struct Arguments {
    /// Name or digest of an image of the store
    #[arg(value_name = "NAME")]
    name: String,
    /// Additional name, a reference
    #[arg(value_name = "NEW")]
    new: String,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let store = session.store()?;
    let image = store.local()?.find(Some(&arguments.name)).map_err(porthole_store::Error::from)?;
    let new = reference::parse(arguments.new.as_ref())?;
    let replaced = store.tag(&new.to_string(), &image)?;
    history::tagged(session, &store, &new, image.digest, replaced);
    if let Some(before) = replaced.filter(|before| *before != image.digest) {
        session.ui.note(format_args!("{new} was {before}"));
    }
    Ok(())
}
