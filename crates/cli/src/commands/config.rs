//! `porthole config`

use clap::Args;

use crate::{argument::SourceArgument, error::Error, output::print_document, session::Session};

/// Print the exact bytes of the image configuration
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole config --pretty nginx
  porthole config oci:layout:latest | jq .config.Env")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Indent the JSON; the output then has another digest
    #[arg(long)]
    pretty: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let source = arguments.source.open(session)?;
    let resolved = source.image(session, &mut |_| {})?;
    print_document(session, resolved.image.config_raw.bytes(), arguments.pretty)
}
