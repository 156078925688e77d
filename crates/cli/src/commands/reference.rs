//! `porthole ref`

use std::{ffi::OsString, io::Write};

use clap::Args;
use serde::Serialize;

use crate::{error::Error, output::print_json, reference, session::Session};

/// Parse and normalise a reference, without a network request
///
/// Prints the canonical form, as Docker reads the reference. If there is a digest, the canonical form has no tag; `--json` prints
/// both.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole ref nginx                    docker.io/library/nginx:latest
  porthole ref --json ghcr.io/a/b:1     its parts")]
pub(crate) struct Arguments {
    /// Reference to parse
    #[arg(value_name = "REF")]
    reference: OsString,
}

#[derive(Serialize)]
struct Parts<'r> {
    registry: &'r str,
    repository: &'r str,
    tag: Option<&'r str>,
    digest: Option<String>,
    canonical: String,
    familiar: String,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let reference = reference::parse(&arguments.reference)?;
    let mut out = session.ui.out();
    if session.ui.json {
        let parts = Parts {
            registry: reference.registry(),
            repository: reference.repository(),
            tag: reference.tag(),
            digest: reference.digest().map(ToString::to_string),
            canonical: reference.to_string(),
            familiar: reference.familiar(),
        };
        print_json(&mut out, &parts)?;
    } else {
        writeln!(out, "{reference}")?;
    }
    Ok(out.flush()?)
}
