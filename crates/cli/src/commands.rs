//! The verbs, one file each.

mod analyze;
mod attestation;
mod cat;
mod catalog;
mod completions;
mod config;
mod copy;
mod delete;
mod diff;
mod digest;
mod doctor;
mod export;
mod file;
mod gather;
mod gc;
mod help;
mod history;
mod images;
mod inspect;
mod login;
mod logout;
mod ls;
mod man;
mod manifest;
mod opened;
mod packages;
mod pull;
pub(crate) mod push;
mod reference;
mod referrers;
mod report;
mod rm;
mod rollback;
mod save;
mod search;
mod secrets;
mod stack;
mod store;
mod tag;
mod tags;
mod trace;
mod unpack;
mod verify;
mod watch;

use clap::Subcommand;

use crate::{error::Error, session::Session};

/// A verb with its arguments.
#[derive(Subcommand)]
pub(crate) enum Command {
    Ref(reference::Arguments),
    Inspect(inspect::Arguments),
    Manifest(manifest::Arguments),
    Config(config::Arguments),
    Digest(digest::Arguments),
    Tags(tags::Arguments),
    Catalog(catalog::Arguments),
    Referrers(referrers::Arguments),
    Attestation(attestation::Arguments),
    Delete(delete::Arguments),
    Doctor(doctor::Arguments),
    Trace(trace::Arguments),
    Ls(Box<ls::Arguments>),
    Cat(cat::Arguments),
    File(file::Arguments),
    Diff(diff::Arguments),
    Analyze(Box<analyze::Arguments>),
    Packages(packages::Arguments),
    Secrets(secrets::Arguments),
    Report(report::Arguments),
    Search(search::Arguments),
    Verify(verify::Arguments),
    Pull(pull::Arguments),
    Push(push::Arguments),
    Copy(copy::Arguments),
    Images(images::Arguments),
    Tag(tag::Arguments),
    Rm(rm::Arguments),
    Gc(gc::Arguments),
    Store(store::Arguments),
    Watch(watch::Arguments),
    History(history::Arguments),
    Rollback(rollback::Arguments),
    Save(save::Arguments),
    Unpack(unpack::Arguments),
    Export(export::Arguments),
    Login(login::Arguments),
    Logout(logout::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
    Help(help::Arguments),
}

/// Runs a verb. `whole` and `short` return the description of the command line, with and without descriptions of the global
/// options.
pub(crate) fn run(
    command: &Command,
    whole: fn() -> clap::Command,
    short: fn() -> clap::Command,
    session: &Session<'_>,
) -> Result<(), Error> {
    match command {
        Command::Ref(arguments) => reference::run(arguments, session),
        Command::Inspect(arguments) => inspect::run(arguments, session),
        Command::Manifest(arguments) => manifest::run(arguments, session),
        Command::Config(arguments) => config::run(arguments, session),
        Command::Digest(arguments) => digest::run(arguments, session),
        Command::Tags(arguments) => tags::run(arguments, session),
        Command::Catalog(arguments) => catalog::run(arguments, session),
        Command::Referrers(arguments) => referrers::run(arguments, session),
        Command::Attestation(arguments) => attestation::run(arguments, session),
        Command::Delete(arguments) => delete::run(arguments, session),
        Command::Doctor(arguments) => doctor::run(arguments, session),
        Command::Trace(arguments) => trace::run(arguments, session),
        Command::Ls(arguments) => ls::run(arguments, session),
        Command::Cat(arguments) => cat::run(arguments, session),
        Command::File(arguments) => file::run(arguments, session),
        Command::Diff(arguments) => diff::run(arguments, session),
        Command::Analyze(arguments) => analyze::run(arguments, session),
        Command::Packages(arguments) => packages::run(arguments, session),
        Command::Secrets(arguments) => secrets::run(arguments, session),
        Command::Report(arguments) => report::run(arguments, session),
        Command::Search(arguments) => search::run(arguments, session),
        Command::Verify(arguments) => verify::run(arguments, session),
        Command::Pull(arguments) => pull::run(arguments, session),
        Command::Push(arguments) => push::run(arguments, session),
        Command::Copy(arguments) => copy::run(arguments, session),
        Command::Images(arguments) => images::run(arguments, session),
        Command::Tag(arguments) => tag::run(arguments, session),
        Command::Rm(arguments) => rm::run(arguments, session),
        Command::Gc(arguments) => gc::run(arguments, session),
        Command::Store(arguments) => store::run(arguments, session),
        Command::Watch(arguments) => watch::run(arguments, session),
        Command::History(arguments) => history::run(arguments, session),
        Command::Rollback(arguments) => rollback::run(arguments, session),
        Command::Save(arguments) => save::run(arguments, session),
        Command::Unpack(arguments) => unpack::run(arguments, session),
        Command::Login(arguments) => login::run(arguments, session),
        Command::Logout(arguments) => logout::run(arguments, session),
        Command::Completions(arguments) => completions::run(arguments, whole(), session),
        Command::Man(arguments) => man::run(arguments, whole(), session),
        Command::Help(arguments) => help::run(arguments, whole(), short(), session),
        Command::Export(arguments) => export::run(arguments, session),
    }
}
