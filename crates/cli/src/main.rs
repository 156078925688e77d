//! `porthole`: look inside any container image, and verify every byte.

mod args;
mod argument;
mod command_line;
mod commands;
mod destination;
mod echo;
mod error;
mod evidence;
mod hosts;
mod interrupt;
mod json;
mod layers;
mod limits;
mod near;
mod output;
mod printable;
mod progress;
mod quantity;
mod reference;
mod session;
mod signatures;
mod signers;
mod source;
mod stderr;
mod toc;
mod ui;
mod wire;

use std::process::ExitCode;

use clap::CommandFactory;

use crate::{command_line::CommandLine, error::Error, session::Session, ui::Ui};

fn main() -> ExitCode {
    let cli = CommandLine::read();
    let ui = Ui::new(&cli.global);
    let done = Session::new(&cli.global, &ui).and_then(|session| {
        commands::run(&cli.command, CommandLine::command, CommandLine::with_short_help, &session)
            .map_err(|error| session.explain(error))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error @ (Error::Differ | Error::NoMatch)) => ExitCode::from(error.exit_code()),
        Err(error) => {
            ui.error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
