//! `cargo xtask run`: the page, served by the relay that it carries.

use crate::{Result, bundle, process::command, workspace::Workspace};
use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

const LISTEN: &str = "127.0.0.1:8090";

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    let options = Options::parse(arguments)?;
    bundle::all(workspace)?;
    // Ctrl-C reaches the whole process group: the relay stops gracefully, and this task with it.
    let mut relay = command(workspace.release("relay"), &std::env::current_dir()?)
        .args(["--listen", &options.listen])
        .args(&options.relay)
        .stdout(Stdio::piped())
        .spawn()?;
    for line in BufReader::new(relay.stdout.take().ok_or("the relay has no stdout")?).lines() {
        let line = line?;
        match line.strip_prefix("listening on ") {
            Some(url) => println!("open {url}  (Ctrl-C stops it)"),
            None => println!("{line}"),
        }
    }
    let status = relay.wait()?;
    if status.success() { Ok(()) } else { Err(format!("the relay ended: {status}").into()) }
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
