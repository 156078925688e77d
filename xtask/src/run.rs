//! `cargo xtask run`: starts the relay, which serves the page.

use crate::{
    Result,
    bundle::{self, Build},
    workspace::Workspace,
};
use std::{os::unix::process::CommandExt as _, process::Command};

const LISTEN: &str = "127.0.0.1:8090";

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    let options = Options::parse(arguments)?;
    bundle::relay(workspace, options.build)?;
    eprintln!("starting the relay: open the address it prints; Ctrl-C stops it");
    // exec: signals then reach the relay directly.
    let mut relay = Command::new(options.build.program(workspace, "relay"));
    let error = relay.args(["--listen", &options.listen]).args(&options.relay).exec();
    Err(format!("cannot start the relay: {error}").into())
}

struct Options {
    build: Build,
    listen: String,
    relay: Vec<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self { build: Build::Quick, listen: LISTEN.to_owned(), relay: Vec::new() };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--listen" => {
                    options.listen = rest.next().ok_or("--listen needs an address, for example 127.0.0.1:8090")?.clone()
                }
                "--release" => options.build = Build::Release,
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
        let plain = parse("").unwrap();
        assert_eq!((plain.listen.as_str(), plain.build), (LISTEN, Build::Quick));
        assert_eq!(parse("--release").unwrap().build, Build::Release);
    }

    #[test]
    fn other_options_are_refused() {
        assert!(parse("--layout x").is_err());
        assert!(parse("--listen").is_err());
    }
}
