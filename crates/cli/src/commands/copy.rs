//! `porthole copy`

use std::{ffi::OsString, path::Path};

use clap::Args;

use super::{SourceArgument, push};
use crate::{error::Error, session::Session, source::Spec};

/// Copy an image to a registry, from another registry or from this machine
///
/// Nothing touches a disk on the way: bytes are verified as they pass. Within one registry blobs are mounted. Of an index everything is
/// copied, so that its digest stays the same, unless --platform names one image of it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole copy alpine:3.22 registry.example.com/alpine:3.22
  porthole copy --referrers ghcr.io/a/b:1 ghcr.io/me/b:1        with its signatures
  porthole copy --platform linux/arm64 alpine localhost:5000/alpine")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Reference to copy to
    #[arg(value_name = "DEST")]
    destination: OsString,
    #[command(flatten)]
    way: push::Way,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let spec = arguments.source.spec()?;
    let Spec::Registry(to) = Spec::parse(&arguments.destination, Path::exists)? else {
        return Err(Error::usage(
            "expected a reference to copy to: the ways to this machine are `porthole pull` and `porthole save`",
        ));
    };
    push::send(&spec, to, &arguments.way, session)
}
