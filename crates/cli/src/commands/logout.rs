//! `porthole logout`

use clap::Args;
use porthole_core::reference::DEFAULT_REGISTRY;

use super::login;
use crate::{error::Error, session::Session, ui::safe};

/// Remove the stored credentials of a registry
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole logout ghcr.io")]
pub(crate) struct Arguments {
    /// Registry to sign out of
    #[arg(value_name = "REGISTRY", default_value = DEFAULT_REGISTRY)]
    registry: String,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let reference = login::reference(&arguments.registry)?;
    let registry = reference.registry();
    if session.places().forget(registry)? {
        session.ui.note(format_args!("signed out of {registry}"));
    } else {
        session.ui.note(format_args!("no credentials were stored for {registry}"));
    }
    // Credentials in the files of other programs, such as podman, are not removed.
    if let Ok(left) = session.places().find(&reference)
        && left.credentials.is_some()
    {
        let place = left.place.to_string_lossy();
        session.ui.note(format_args!("there are still credentials for {registry} in {}", safe(&place)));
    }
    Ok(())
}
