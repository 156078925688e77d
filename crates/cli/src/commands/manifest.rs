//! `porthole manifest`

use clap::Args;
use serde::de::IgnoredAny;

use crate::{argument::SourceArgument, error::Error, output::print_document, session::Session};

/// Print the exact bytes of the manifest or index
///
/// Prints the document that the source names. One that is malformed, or of an old kind (Docker's schema 1), is printed as well, with a
/// warning on stderr. If it is an index and `--platform` is given, prints the manifest of that platform.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole manifest nginx | sha256sum
  porthole manifest --pretty --platform linux/arm64 nginx")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Indent the JSON; the output then has another digest
    #[arg(long)]
    pretty: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let source = arguments.source.open(session)?;
    match source.named_document(session) {
        Ok(document) => print_document(session, document.raw().bytes(), arguments.pretty),
        // A document that is malformed or of an unsupported kind is still printed.
        Err(error) if error.is_of_document() && session.wanted_platform().is_none() => {
            let raw = source.raw_document()?;
            session.ui.note(&error);
            let is_json = serde_json::from_slice::<IgnoredAny>(raw.bytes()).is_ok();
            print_document(session, raw.bytes(), arguments.pretty && is_json)
        }
        Err(error) => Err(error),
    }
}
