//! A proxy that cuts connections after given amounts of upload.

use super::line::Line;
use crate::Result;
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Forwards connections to a local port and counts uploaded bytes.
pub struct Scissors {
    line: Line,
    up: Arc<AtomicU64>,
}

impl Scissors {
    /// Cuts a connection each time the total upload reaches the next value of `cuts`.
    pub fn before(server: u16, cuts: Vec<u64>) -> Result<Self> {
        let up = Arc::new(AtomicU64::new(0));
        let (count, cuts) = (Arc::clone(&up), Arc::new(cuts));
        let to_server = move |client, server| pass(client, server, |bytes| is_whole(&count, &cuts, bytes));
        let line = Line::to(server, to_server, |server, client| pass(server, client, |_| true))?;
        Ok(Self { line, up })
    }

    /// Its address as written in a reference.
    pub fn host(&self) -> String {
        self.line.host()
    }

    /// Bytes uploaded, including request heads.
    pub fn up(&self) -> u64 {
        self.up.load(Ordering::Relaxed)
    }
}

/// Copies until either side closes, or `goes_on` returns false.
fn pass(mut from: TcpStream, mut to: TcpStream, mut goes_on: impl FnMut(u64) -> bool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !goes_on(read as u64) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        stream.shutdown(Shutdown::Both).ok();
    }
}

/// Counts bytes. False if a cut lies among them.
fn is_whole(count: &AtomicU64, cuts: &[u64], bytes: u64) -> bool {
    let before = count.fetch_add(bytes, Ordering::Relaxed);
    !cuts.iter().any(|cut| (before..before + bytes).contains(cut))
}
