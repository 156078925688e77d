//! A local port whose connections are processed by a closure.

use crate::{Result, program::free_port};
use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Accepts connections until dropped.
pub(super) struct Line {
    port: u16,
    stop: Arc<AtomicBool>,
}

impl Line {
    /// Calls `take` for each connection. `take` must not block.
    pub(super) fn open(take: impl Fn(TcpStream) + Send + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port()?))?;
        let port = listener.local_addr()?.port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            for client in listener.incoming().map_while(std::io::Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                take(client);
            }
        });
        Ok(Self { port, stop })
    }

    /// Connects each connection to a local port, and runs two threads: `up` copies to the server, `down` copies back.
    pub(super) fn to(
        server: u16,
        up: impl Fn(TcpStream, TcpStream) + Clone + Send + 'static,
        down: impl Fn(TcpStream, TcpStream) + Clone + Send + 'static,
    ) -> Result<Self> {
        Self::open(move |client| {
            let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { return };
            let (Ok(to_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else { return };
            let (up, down) = (up.clone(), down.clone());
            thread::spawn(move || up(client, to_server));
            thread::spawn(move || down(server, to_client));
        })
    }

    /// Its address as written in a reference.
    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Unblocks `accept`.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
    }
}
