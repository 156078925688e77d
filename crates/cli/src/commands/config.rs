//! `porthole config`

use clap::Args;

use crate::{argument::SourceArgument, error::Error, output::print_document, session::Session};

/// Print the image configuration, byte for byte as it was served
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole config --pretty nginx
  porthole config oci:layout:latest | jq .config.Env")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Set out for reading; the bytes then have another digest
    #[arg(long)]
    pretty: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let source = arguments.source.open(session)?;
    let resolved = source.image(session, &mut |_| {})?;
    print_document(session, resolved.image.config_raw.bytes(), arguments.pretty)
}
