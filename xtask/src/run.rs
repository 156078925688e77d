//! `cargo xtask run`: starts the relay, which serves the page.

use crate::{Result, bundle, workspace::Workspace};
use std::{os::unix::process::CommandExt as _, process::Command};

const LISTEN: &str = "127.0.0.1:8090";

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    let options = Options::parse(arguments)?;
    bundle::all(workspace)?;
    eprintln!("starting the relay: open the address it prints; Ctrl-C stops it");
    // exec: signals then reach the relay directly.
    let mut relay = Command::new(workspace.release("relay"));
    let error = relay.args(["--listen", &options.listen]).args(&options.relay).exec();
    Err(format!("cannot start the relay: {error}").into())
}

struct Options {
    listen: String,
    relay: Vec<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self { listen: LISTEN.to_owned(), relay: Vec::new() };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--listen" => {
                    options.listen = rest.next().ok_or("--listen needs an address, for example 127.0.0.1:8090")?.clone()
                }
                "--" => options.relay = rest.by_ref().cloned().collect(),
                unknown => return Err(format!("unknown option `{unknown}`; options of the relay follow `--`").into()),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn relay_options_follow_two_dashes() {
        let options = parse("--listen 127.0.0.1:0 -- --layout ./image.tar").unwrap();
        assert_eq!(
            (options.listen.as_str(), options.relay.join(" ").as_str()),
            ("127.0.0.1:0", "--layout ./image.tar")
        );
        assert_eq!(parse("").unwrap().listen, LISTEN);
    }

    #[test]
    fn other_options_are_refused() {
        assert!(parse("--layout x").is_err());
        assert!(parse("--listen").is_err());
    }
}
