//! The whole command line: global options and a verb.

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    process,
};

use clap::{CommandFactory, Parser, builder::Styles};
use porthole_core::failure::{Failure, FailureClass};
use serde_json::{Value, json};

use crate::{args::Global, commands::Command, error::exit_code, ui::in_json};

/// Look inside any container image, and verify every byte.
///
/// SRC is a reference as Docker reads it (`nginx` is docker.io/library/nginx:latest), or one of `store:NAME`, `oci:DIR[:NAME]`,
/// `oci-archive:FILE[:NAME]`, `docker-archive:FILE[:NAME]`, `layer:FILE` (one layer, any compression),
/// `dir:DIR` (of skopeo), or a path such as ./image.tar.
#[derive(Parser)]
#[command(
    name = "porthole",
    version,
    styles = Styles::plain(),
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = MORE
)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl CommandLine {
    /// Parses the arguments of this process. Exits if they ask for help or are wrong.
    pub(crate) fn read() -> Self {
        Self::with_short_help()
            .try_get_matches()
            .and_then(|mut matches| <Self as clap::FromArgMatches>::from_arg_matches_mut(&mut matches))
            .unwrap_or_else(|error| refuse(&error, env::args_os().skip(1)))
    }

    /// Returns a command line whose help lists the names of the global options in one group, without their descriptions.
    pub(crate) fn with_short_help() -> clap::Command {
        let command = Self::command();
        let names = command.get_arguments().filter(|argument| argument.is_global_set());
        let names: Vec<_> = names.filter_map(|argument| Some(format!("--{}", argument.get_long()?))).collect();
        let group = format!("Global options (`porthole help options` describes them):\n{}", wrap(&names));
        let template = format!(
            "{{before-help}}{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{{all-args}}\n\n{group}{{after-help}}"
        );
        let command =
            command.mut_args(|argument| if argument.is_global_set() { argument.hide(true) } else { argument });
        let command = command.help_template(template.clone()).override_usage("porthole [OPTIONS] <COMMAND>");
        command.mut_subcommands(move |verb| verb.help_template(template.clone()))
    }
}

/// Prints help, the version, or an error, which is JSON if the arguments contain `--json`. Then exits.
fn refuse(error: &clap::Error, arguments: impl Iterator<Item = OsString>) -> ! {
    let json = arguments.take_while(|argument| argument != "--").any(|argument| argument == "--json");
    match usage_error(&error.render().to_string()) {
        Some(row) if json && error.use_stderr() => {
            // A closed stderr is not an error.
            let _ = writeln!(io::stderr(), "{}", json!({ "error": row }));
            process::exit(i32::from(exit_code(FailureClass::Input)))
        }
        _ => error.exit(),
    }
}

/// Converts an error message of `clap` to JSON. The message is `error: …`, then paragraphs of tips, then the usage.
fn usage_error(text: &str) -> Option<Value> {
    let text = text.strip_prefix("error: ")?;
    let message = text.split("\n\n").next()?.trim_end();
    let hints: Vec<_> = text.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).map(str::to_owned).collect();
    Some(in_json(message, &Failure::input(), &hints, exit_code(FailureClass::Input)))
}

/// Wraps words to indented lines of at most 80 columns.
fn wrap(words: &[String]) -> String {
    let mut lines = vec![String::from(" ")];
    for word in words {
        if lines.last().is_some_and(|line| line.len() + 1 + word.len() > 80) {
            lines.push(String::from(" "));
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n")
}

const MORE: &str = "\
Data goes to stdout, everything else to stderr.

More help:
  porthole help VERB         a verb: what it does, its options, examples
  porthole help options      the global options
  porthole help limits       the limits that --limit sets
  porthole help exit-codes   the exit codes
  porthole help json [VERB]  what --json prints, as JSON Schema";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        CommandLine::with_short_help().debug_assert();
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_verb_has_examples() {
        for verb in CommandLine::command().get_subcommands() {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n  porthole "), "{}", verb.get_name());
        }
    }
}
