//! `porthole completions`

use std::io::Write;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::{error::Error, session::Session};

/// Print a shell completion script
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole completions bash > ~/.local/share/bash-completion/completions/porthole
  porthole completions zsh > ~/.zfunc/_porthole
  porthole completions fish > ~/.config/fish/completions/porthole.fish")]
pub(crate) struct Arguments {
    /// Shell to complete commands in
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, mut program: Command, session: &Session<'_>) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, "porthole", &mut script);
    let mut out = session.ui.out();
    out.write_all(&script)?;
    Ok(out.flush()?)
}
