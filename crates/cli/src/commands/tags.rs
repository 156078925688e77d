//! `porthole tags`

use std::{
    ffi::OsString,
    io::{BufWriter, StdoutLock, Write},
    ops::ControlFlow,
};

use clap::Args;
use porthole_inspect::report::listed_name;

use crate::{error::Error, output::print_json, reference, session::Session, ui::safe};

/// List the tags of a repository, in the registry's order
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole tags nginx
  porthole tags --json ghcr.io/a/b")]
pub(crate) struct Arguments {
    /// Repository; a tag or digest is ignored
    #[arg(value_name = "REPO")]
    repository: OsString,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let reference = reference::parse(&arguments.repository)?;
    let client = session.client(&reference)?;
    let mut list = Pages::new(session, "tag");
    let fetched = session.runtime().block_on(client.fetch_tag_pages(&reference, |page| list.print(&page)));
    list.finish()?;
    Ok(fetched?)
}

/// Prints a list of names page by page as the pages arrive, so that `| head` ends it early.
pub(super) struct Pages {
    out: BufWriter<StdoutLock<'static>>,
    json: bool,
    /// Name of the JSON field for a name in the list.
    field: &'static str,
    failure: Option<Error>,
}

impl Pages {
    pub(super) fn new(session: &Session<'_>, field: &'static str) -> Self {
        Self { out: session.ui.out(), json: session.ui.json, field, failure: None }
    }

    /// Prints a page; breaks if stdout is closed.
    pub(super) fn print(&mut self, names: &[String]) -> ControlFlow<()> {
        match self.write(names) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                self.failure = Some(failure);
                ControlFlow::Break(())
            }
        }
    }

    /// Ends the output.
    ///
    /// # Errors
    ///
    /// The error of an earlier write, if one failed.
    pub(super) fn finish(self) -> Result<(), Error> {
        self.failure.map_or(Ok(()), Err)
    }

    fn write(&mut self, names: &[String]) -> Result<(), Error> {
        for name in names {
            if self.json {
                print_json(&mut self.out, &listed_name(self.field, name))?;
            } else {
                writeln!(self.out, "{}", safe(name))?;
            }
        }
        Ok(self.out.flush()?)
    }
}
