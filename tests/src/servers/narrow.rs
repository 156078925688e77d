//! A proxy with a limited upload rate.

use super::line::Line;
use crate::Result;
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

/// Forwards connections to a local port, 32 kB of upload at a time with a pause after each.
pub struct Narrow(Line);

impl Narrow {
    /// Limits the upload rate of each connection, in kilobytes per second.
    pub fn before(server: u16, rate: u64) -> Result<Self> {
        let rest = Duration::from_millis(32_000 / rate.max(1));
        let up = move |client, server| pass(client, server, rest);
        Ok(Self(Line::to(server, up, |server, client| pass(server, client, Duration::ZERO))?))
    }

    /// Its address as written in a reference.
    pub fn host(&self) -> String {
        self.0.host()
    }
}

/// Copies until either side closes.
fn pass(mut from: TcpStream, mut to: TcpStream, rest: Duration) {
    let mut buffer = vec![0; 32_000];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
        thread::sleep(rest);
    }
    for stream in [from, to] {
        stream.shutdown(Shutdown::Both).ok();
    }
}
