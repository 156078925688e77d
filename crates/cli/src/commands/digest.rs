//! `porthole digest`

use std::io::Write;

use clap::Args;
use serde_json::json;

use crate::{argument::SourceArgument, error::Error, output::print_json, session::Session};

/// Print the digest of the manifest or index
///
/// Prints the digest of the document that the source names. If that is an index and `--platform` is given, prints the digest of that
/// platform's manifest. A registry is asked with HEAD if it allows that, which does not count as a pull: the digest is then the one that
/// the registry states. With `--full` it is computed from the bytes of the document.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole digest nginx
  porthole digest --full nginx
  porthole digest --platform linux/arm64 nginx")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Read the document, and compute the digest from its bytes
    #[arg(long)]
    full: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let source = arguments.source.open(session)?;
    let root = source.named_root(session, arguments.full)?;
    let digest = root.digest;
    let mut out = session.ui.out();
    if session.ui.json {
        let media_type = root.media_type.as_str();
        print_json(&mut out, &json!({ "digest": digest.to_string(), "media_type": media_type, "size": root.size }))?;
    } else {
        writeln!(out, "{digest}")?;
    }
    Ok(out.flush()?)
}
