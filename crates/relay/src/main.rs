//! The program `relay`: see [`porthole_relay`].

use std::process::ExitCode;

fn main() -> ExitCode {
    porthole_relay::main()
}
