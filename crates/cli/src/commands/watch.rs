//! `porthole watch`

mod command;
mod interval;
mod look;
mod memory;
mod watcher;

use std::{ffi::OsString, time::Duration};

use clap::Args;

use self::{command::Task, watcher::Watcher};
use super::history;
use crate::{error::Error, session::Session};

/// Tell, or run a command, when a tag moves
///
/// Asks with HEAD, which spends no pulls where those are counted, conditionally where the registry gives an ETag; with GET only where
/// HEAD is refused or tells no digest. What a registry says of its quota and how long it wants to be left alone is heeded. With
/// --platform only that image of an index is watched, and the index is fetched once each time that it moves.
///
/// What was seen is remembered in the journal of the store: what moved while nobody watched is told at the next start. The first look
/// at a reference that the journal does not know tells nothing; a tag that appears later has moved. Each move is a line on stdout: time,
/// reference, old and new digest.
///
/// The command has PORTHOLE_REFERENCE, PORTHOLE_DIGEST and PORTHOLE_PREVIOUS (what it last ended well for) in its environment, and with
/// --platform PORTHOLE_INDEX. Its output goes to stderr. It is never run twice at once for one reference: what moves meanwhile is told, and
/// the command then run for the newest. One that fails is told, and run again at the next start. Two watchers of one reference with
/// different commands need two stores.
///
/// A registry that cannot be reached is told once, and once more when it answers again. One that refuses access ends it, after a few
/// tries with the credentials as they are then. A signal ends it when running commands have ended; a second one ends it at once.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole watch nginx
  porthole watch --json --interval 5m alpine:3 ghcr.io/me/app:prod
  porthole watch ghcr.io/me/app:prod --exec 'kubectl set image deploy/app app=ghcr.io/me/app@$PORTHOLE_DIGEST'
  porthole watch app:1 -- ./deploy.sh --now
  porthole watch --once app:1 || ./deploy.sh          for cron

Exit codes with --once: 0 nothing has moved, or the command has dealt with it; 1 something has moved; 9 the command failed.")]
pub(crate) struct Arguments {
    /// References with tags
    #[arg(value_name = "REF", required = true)]
    references: Vec<OsString>,
    /// How often to look at each of them
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = interval::parse)]
    interval: Duration,
    /// Look at each of them once, and end
    #[arg(long)]
    once: bool,
    /// Run this in a shell when one has moved
    #[arg(long, value_name = "CMD", conflicts_with = "command")]
    exec: Option<OsString>,
    /// Run this program when one has moved
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
