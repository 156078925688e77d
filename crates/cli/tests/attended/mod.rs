//! The program as a user at a terminal runs it.

use std::process::Command;

/// Signals have their default action, even if the test runner ignores them.
pub(crate) fn porthole() -> Command {
    let mut command = Command::new("/usr/bin/env");
    command.args(["--default-signal=INT,TERM,HUP", env!("CARGO_BIN_EXE_porthole")]);
    command
}
