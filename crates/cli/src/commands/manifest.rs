//! `porthole manifest`

use clap::Args;

use crate::{argument::SourceArgument, error::Error, output::print_document, session::Session};

/// Print the exact bytes of the manifest or index
///
/// Prints the document that the source names, of an old kind too (Docker's schema 1). If that is an index and `--platform` is given, prints the manifest of that platform.
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
    let raw = match source.named_document(session) {
        Ok(document) => document.raw().clone(),
        // It is printed although nothing else can be done with it.
        Err(error) if error.is_unsupported_document() && session.wanted_platform().is_none() => {
            let raw = source.raw_document()?;
            session.ui.note(&error);
            raw
        }
        Err(error) => return Err(error),
    };
    print_document(session, raw.bytes(), arguments.pretty)
}
