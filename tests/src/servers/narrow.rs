//! A line that takes its time with what goes up.

use crate::{Result, program::free_port};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Passes connections on to a port of this machine, upwards by 32 kB at a time with a rest behind each.
pub struct Narrow {
    port: u16,
    stop: Arc<AtomicBool>,
}

impl Narrow {
    /// Each connection carries so many kilobytes a second up, at most.
    pub fn before(server: u16, rate: u64) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port()?))?;
        let port = listener.local_addr()?.port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let rest = Duration::from_millis(32_000 / rate.max(1));
        thread::spawn(move || {
            for client in listener.incoming().map_while(std::io::Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { continue };
                let (Ok(to_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else { continue };
                thread::spawn(move || pass(client, to_server, rest));
                thread::spawn(move || pass(server, to_client, Duration::ZERO));
            }
        });
        Ok(Self { port, stop })
    }

    /// Its address as a reference has it.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Narrow {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener up.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
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
