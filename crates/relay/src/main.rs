//! The program `relay`: see [`porthole_relay`].

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    porthole_relay::main().await
}
