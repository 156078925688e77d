//! A registry in memory that follows the specification where docker-registry does not: an upload that was cut off can be asked for
//! what it holds, and goes on there.

use crate::{Result, program::free_port};
use porthole_testkit::{
    executor::block_on,
    registry::{Internet, Site},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// A registry that closes each connection after one answer.
pub struct Memory {
    port: u16,
    internet: Internet,
    stop: Arc<AtomicBool>,
}

impl Memory {
    /// Starts an empty one. Clients reach it under any name.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port()?))?;
        let port = listener.local_addr()?.port();
        let (internet, stop) = (Internet::new(), Arc::new(AtomicBool::new(false)));
        internet.site(NAME, Site::new().with_referrers());
        let (reached, stopped) = (internet.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(std::io::Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let internet = reached.clone();
                // A client that went away is no concern of the registry.
                thread::spawn(move || answer(stream, &internet).ok());
            }
        });
        Ok(Self { port, internet, stop })
    }

    /// The port of this machine that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address as a reference has it.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Everything it was asked.
    pub fn internet(&self) -> &Internet {
        &self.internet
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener up.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
    }
}

const NAME: &str = "memory.example";

/// Answers one request. A body that ends early is taken as far as it came.
fn answer(stream: TcpStream, internet: &Internet) -> Result<()> {
    use porthole_registry::transport::{Body as _, Transport as _};
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, target) = words.next().zip(words.next()).ok_or("a request has a method and a target")?;
    let mut request = http::Request::builder().method(method).uri(format!("http://{NAME}{target}"));
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        length = if name.eq_ignore_ascii_case("content-length") { value.parse()? } else { length };
        request = request.header(name, value);
    }
    let mut body = Vec::new();
    // However it ends.
    let _ = reader.by_ref().take(length).read_to_end(&mut body);
    let mut stream = reader.into_inner();
    let mut response = block_on(internet.send(request.body(body.into())?))?;
    write!(stream, "HTTP/1.1 {}\r\nconnection: close\r\n", response.status())?;
    for (name, value) in response.headers() {
        write!(stream, "{name}: {}\r\n", value.to_str()?)?;
    }
    write!(stream, "\r\n")?;
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = block_on(response.body_mut().read(&mut buffer)) {
        stream.write_all(&buffer[..read])?;
    }
    Ok(())
}
