//! A line that takes its time with what goes up.

use super::line::Line;
use crate::Result;
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

/// Passes connections on to a port of this machine, upwards by 32 kB at a time with a rest behind each.
pub struct Narrow(Line);

impl Narrow {
    /// Each connection carries so many kilobytes a second up, at most.
    pub fn before(server: u16, rate: u64) -> Result<Self> {
        let rest = Duration::from_millis(32_000 / rate.max(1));
        let up = move |client, server| pass(client, server, rest);
        Ok(Self(Line::to(server, up, |server, client| pass(server, client, Duration::ZERO))?))
    }

    /// Its address as a reference has it.
    pub fn host(&self) -> String {
        self.0.host()
    }
}

/// Copies until either side ends.
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
