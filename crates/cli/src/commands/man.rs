//! `porthole man`

use std::{fs, io::Write, path::PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use crate::{error::Error, session::Session};

/// Print the manual page, or write the pages of all verbs to a directory
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole man | man -l -
  porthole man ~/.local/share/man/man1")]
pub(crate) struct Arguments {
    /// Write the pages of all verbs to this directory
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, program: Command, session: &Session<'_>) -> Result<(), Error> {
    let command = program.disable_help_subcommand(true);
    if let Some(directory) = &arguments.directory {
        let written = fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory));
        return written
            .map_err(|source| Error::Store(porthole_store::Error::Write { path: directory.clone(), source }));
    }
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    let mut out = session.ui.out();
    out.write_all(&page)?;
    Ok(out.flush()?)
}
