//! `porthole ref`

use std::{ffi::OsString, io::Write};

use clap::Args;
use serde::Serialize;

use crate::{error::Error, output::print_json, reference, session::Session};

/// Parse and normalise a reference; nothing is asked of any registry
///
/// Prints the canonical form, as Docker understands the reference. Where there is a digest, the tag is dropped from it;
/// `--json` keeps both.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole ref nginx                    docker.io/library/nginx:latest
  porthole ref --json ghcr.io/a/b:1     its parts")]
pub(crate) struct Arguments {
    /// Reference
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
