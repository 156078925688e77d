//! The relay: the page, and the way from it to registries that do not speak to browsers.
//!
//! It is no general proxy. A request is read into a [`route::Route`] or refused; what goes to a registry is built anew
//! from that; where it goes is judged by [`policy::Policy`] by name and by `porthole-native` by address; and what comes
//! back is streamed with no more headers than [`headers`] lists. Whoever asked verifies the bytes.

mod args;
mod body;
mod cors;
mod headers;
mod host;
mod layout;
mod metrics;
mod page;
mod policy;
mod proxy;
mod refusal;
mod route;
mod server;
mod stream;
mod token;
mod upstream;

use crate::{args::Args, server::Relay};
use clap::Parser;
use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "relay: {failure}");
            ExitCode::from(2)
        }
    }
}

async fn run(args: Args) -> Result<(), String> {
    let listener =
        TcpListener::bind(args.listen).await.map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    let local = listener.local_addr().map_err(|error| error.to_string())?;
    let relay = Arc::new(Relay::new(args, local)?);
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    writeln!(io::stdout(), "listening on http://{local}").map_err(|error| error.to_string())?;
    server::run(listener, relay, stop).await;
    Ok(())
}

#[cfg(test)]
mod tests;
