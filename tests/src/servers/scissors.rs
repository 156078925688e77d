//! A line to a server that breaks when so many bytes have gone up.

use crate::Result;
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

/// Passes connections on to a port of this machine, and counts what goes there.
pub struct Scissors {
    port: u16,
    up: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Scissors {
    /// Whenever as many bytes as the next of `cuts` says have gone up in all, the connection that carried the last of them is cut.
    pub fn before(server: u16, cuts: Vec<u64>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, crate::program::free_port()?))?;
        let port = listener.local_addr()?.port();
        let (up, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let cuts = Arc::new(cuts);
        let (count, stopped) = (Arc::clone(&up), Arc::clone(&stop));
        thread::spawn(move || {
            for client in listener.incoming().map_while(std::io::Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { continue };
                let (Ok(to_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else { continue };
                let (count, cuts) = (Arc::clone(&count), Arc::clone(&cuts));
                thread::spawn(move || pass(client, to_server, |bytes| is_whole(&count, &cuts, bytes)));
                thread::spawn(move || pass(server, to_client, |_| true));
            }
        });
        Ok(Self { port, up, stop })
    }

    /// Its address as a reference has it.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Bytes that have gone up, heads of requests included.
    pub fn up(&self) -> u64 {
        self.up.load(Ordering::Relaxed)
    }
}

impl Drop for Scissors {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener up.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
    }
}

/// Copies until either side ends, or `goes_on` says no.
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

/// Counts bytes; false if a cut lies among them.
fn is_whole(count: &AtomicU64, cuts: &[u64], bytes: u64) -> bool {
    let before = count.fetch_add(bytes, Ordering::Relaxed);
    !cuts.iter().any(|cut| (before..before + bytes).contains(cut))
}
