//! The program as somebody at a terminal runs it.

use std::process::Command;

/// It heeds signals, even where whoever runs the tests was started to ignore them.
pub(crate) fn porthole() -> Command {
    let mut command = Command::new("/usr/bin/env");
    command.args(["--default-signal=INT,TERM,HUP", env!("CARGO_BIN_EXE_porthole")]);
    command
}
