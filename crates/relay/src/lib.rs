//! The relay: the page, and the way from it to registries that do not speak to browsers.
//!
//! It is not a general proxy. A request is parsed to a `route::Route` or refused; what goes to a registry is built from
//! that alone; where it goes is judged by `policy::Policy` by name and by `porthole-native` by address; and the answer
//! is streamed with no more headers than `headers` lists. The client verifies the bytes.

mod args;
mod body;
mod cache;
mod clients;
mod config;
mod connections;
mod cors;
mod credit;
#[doc(hidden)]
pub mod fuzz;
mod headers;
mod host;
mod identity;
mod intake;
mod layout;
mod limits;
mod log;
mod metrics;
mod page;
mod pieces;
mod policy;
mod proxy;
mod reading;
mod refusal;
mod registries;
mod route;
mod seal;
mod server;
mod stream;
mod tally;
mod token;
mod upstream;
mod workers;

use crate::{server::Relay, workers::Workers};
use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

/// The program: reads the arguments of the process, and serves until a signal ends it.
pub fn main() -> ExitCode {
    let runtime = Builder::new_current_thread().enable_all().build();
    match runtime.map_err(|error| error.to_string()).and_then(|runtime| runtime.block_on(run())) {
        Ok(code) => code,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "relay: {failure}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<ExitCode, String> {
    let args = match config::read(env::args_os().collect(), &|name| env::var_os(name))? {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    if args.check {
        let listen = args.listen;
        let relay = Relay::new(args, listen)?;
        let warnings = relay.warnings(&listen).into_iter().map(|warning| format!("warning: {warning}\n"));
        let text =
            format!("the options are valid: would listen on {}\n{}", relay.url(listen), warnings.collect::<String>());
        io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let listener =
        TcpListener::bind(args.listen).await.map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    let local = listener.local_addr().map_err(|error| error.to_string())?;
    let relay = Arc::new(Relay::new(args, local)?);
    let workers = Workers::start(workers::count()).map_err(|error| format!("cannot start threads: {error}"))?;
    let signals = |kind| signal(kind).map_err(|error| error.to_string());
    let (mut terminate, mut interrupt) = (signals(SignalKind::terminate())?, signals(SignalKind::interrupt())?);
    let (mut again, mut interrupted_again) = (signals(SignalKind::terminate())?, signals(SignalKind::interrupt())?);
    let drain = relay.limits.drain;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => drain,
            // A person who waits for a prompt.
            _ = interrupt.recv() => Duration::ZERO,
        }
    };
    let second = async {
        for _ in 0..2 {
            tokio::select! {
                _ = again.recv() => {}
                _ = interrupted_again.recv() => {}
            }
        }
    };
    writeln!(io::stdout(), "listening on {}", relay.url(local)).map_err(|error| error.to_string())?;
    for warning in relay.warnings(&local) {
        relay.log.note(format_args!("warning: {warning}"));
    }
    let cut = tokio::select! {
        cut = connections::run(listener, Arc::clone(&relay), &workers, stop) => cut,
        () = second => relay.metrics.connections(),
    };
    if cut > 0 {
        relay.log.note(format_args!("stopped, and cut {cut} connections"));
    }
    relay.log.flush(LAST_LINES);
    Ok(if cut > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// For the last lines of the log to be written.
const LAST_LINES: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests;
