//! `porthole watch`

mod command;
mod look;
mod memory;
mod watcher;

use std::{ffi::OsString, time::Duration};

use clap::Args;

use self::{command::Task, watcher::Watcher};
use super::history;
use crate::{error::Error, quantity::duration_within, session::Session};

/// Print a line, or run a command, when a tag moves
///
/// Polls with HEAD, which does not count as a pull, and conditionally if the registry sends an ETag; with GET only if HEAD is refused or
/// returns no digest. Honours the registry's quota and Retry-After. With --platform only that image of an index is watched, and the index
/// is fetched each time that it moves.
///
/// The journal of the store keeps the last digest, so that a move between two runs is reported at the next start. The first poll of a
/// reference that is not in the journal reports nothing; a tag that appears later has moved. Each move is a line on stdout: time,
/// reference, old and new digest.
///
/// The command gets PORTHOLE_REFERENCE, PORTHOLE_DIGEST, PORTHOLE_PREVIOUS (the digest that it last succeeded for) and with --platform
/// PORTHOLE_INDEX in its environment. Its output goes to stderr. It runs once at a time for a reference: a move in the meantime is
/// reported, and the command then runs for the newest digest. A failure is reported, and the command runs again at the next start. Two
/// watchers of one reference with different commands need two stores.
///
/// An unreachable registry is reported once, and again when it answers. A registry that refuses access ends the command after five
/// attempts, each with freshly read credentials. A signal ends it when running commands have finished; a second one ends it at once.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole watch nginx
  porthole watch --json --interval 5m alpine:3 ghcr.io/me/app:prod
  porthole watch ghcr.io/me/app:prod --exec 'kubectl set image deploy/app app=ghcr.io/me/app@$PORTHOLE_DIGEST'
  porthole watch app:1 -- ./deploy.sh --now
  porthole watch --once app:1 || ./deploy.sh          for cron

Exit codes with --once: 0 if nothing moved or the command succeeded; 1 if a tag moved; 9 if the command failed.")]
pub(crate) struct Arguments {
    /// References with tags
    #[arg(value_name = "REF", required = true)]
    references: Vec<OsString>,
    /// Time between two polls of a reference
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = |text: &str| duration_within(text, ["1s", "7d"]))]
    interval: Duration,
    /// Poll each reference once, then exit
    #[arg(long)]
    once: bool,
    /// Run this shell command when a tag has moved
    #[arg(long, value_name = "CMD", conflicts_with = "command")]
    exec: Option<OsString>,
    /// Run this program when a tag has moved
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let mut references = Vec::new();
    for text in &arguments.references {
        let reference = history::movable(text)?;
        if !references.contains(&reference) {
            references.push(reference);
        }
    }
    let task = Task::new(arguments.exec.as_ref(), &arguments.command);
    let mut watcher = Watcher::new(session, references, task, arguments.once)?;
    session.runtime().block_on(watcher.run(arguments.interval))
}
