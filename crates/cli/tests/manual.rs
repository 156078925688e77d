//! Completions and manual pages of the verbs.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use std::{fs, process::Command};

fn porthole(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_porthole")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The verbs that the help lists.
fn verbs() -> Vec<String> {
    let help = porthole(&["-h"]);
    let list = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let verb =
        |line: &str| line.strip_prefix("  ")?.split(' ').next().filter(|verb| !verb.is_empty()).map(str::to_owned);
    list.lines().filter_map(verb).filter(|verb| verb != "help").collect()
}

#[test]
fn every_shell_completes_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = porthole(&["completions", shell]);
        for verb in verbs() {
            assert!(script.contains(&verb), "{verb} in {shell}");
        }
    }
}

#[test]
fn every_verb_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    porthole(&["man", pages.to_str().unwrap()]);
    for verb in verbs() {
        let page = fs::read_to_string(pages.join(format!("porthole-{verb}.1"))).unwrap();
        assert!(page.contains(".SH DESCRIPTION"), "{verb}");
        assert!(page.contains("Examples:"), "an example of {verb}");
    }
    assert!(porthole(&["man"]).contains(".TH porthole 1"));
}
