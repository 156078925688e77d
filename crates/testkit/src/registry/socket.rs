//! Serves an in-memory registry over TCP, for tests of programs.

use super::Internet;
use crate::executor::block_on;
use porthole_registry::transport::{Body as _, Transport as _};
use std::{
    error::Error,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Serves one site until dropped. Each connection gets one response.
///
/// If a request body ends early, the registry keeps what arrived, as the distribution specification permits.
pub struct Socket {
    authority: String,
    stop: Arc<AtomicBool>,
}

impl Socket {
    /// Serves the site whose name is the listener's address.
    ///
    /// # Errors
    ///
    /// The listener has no address.
    pub fn serve(listener: TcpListener, internet: &Internet) -> std::io::Result<Self> {
        let authority = listener.local_addr()?.to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let (name, stopped, internet) = (authority.clone(), Arc::clone(&stop), internet.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(std::io::Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (internet, name) = (internet.clone(), name.clone());
                // The client may disconnect at any time.
                thread::spawn(move || answer(stream, &internet, &name).ok());
            }
        });
        Ok(Self { authority, stop })
    }

    /// The listener's address, `host:port`, as used in a reference.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Unblocks `accept`.
        TcpStream::connect(&self.authority).ok();
    }
}

fn answer(stream: TcpStream, internet: &Internet, authority: &str) -> Result<(), Box<dyn Error>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, target) = words.next().zip(words.next()).ok_or("a request has a method and a target")?;
    let mut request = http::Request::builder().method(method).uri(format!("http://{authority}{target}"));
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        chunked |= name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked");
        length = if name.eq_ignore_ascii_case("content-length") { value.parse()? } else { length };
        request = request.header(name, value);
    }
    let mut body = Vec::new();
    // If the body is cut off, the request is answered with the part that arrived.
    if chunked {
        let _ = read_chunks(&mut reader, &mut body);
    } else {
        let _ = reader.by_ref().take(length).read_to_end(&mut body);
    }
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

/// Reads a body in chunked coding (RFC 9112, section 7.1), without trailers.
fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim(), 16)?;
        reader.by_ref().take(length).read_to_end(body)?;
        reader.read_line(&mut String::new())?;
        if length == 0 {
            return Ok(());
        }
    }
}
