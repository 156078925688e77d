//! A relay and a registry in one process, spoken to over real sockets.

#[cfg(feature = "s3")]
mod buckets;
mod cache;
mod caching;
mod layouts;
mod operating;
mod proxying;
mod pushing;
mod refusing;
mod streaming;

use crate::{
    args::Args,
    connections,
    log::{Format, Log},
    server::Relay,
    workers::Workers,
};
use clap::Parser;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

/// A relay on a free port; it stops when it is dropped.
struct Running {
    address: SocketAddr,
    task: JoinHandle<usize>,
    /// Takes for how long new connections are still taken.
    stop: Option<oneshot::Sender<Duration>>,
}

impl Running {
    async fn start(flags: &[&str]) -> Self {
        let args = Args::parse_from(["relay"].iter().chain(flags));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let relay =
            Arc::new(Relay { log: Log::new(Format::None, false, io::sink()), ..Relay::new(args, address).unwrap() });
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let workers = Workers::default();
            connections::run(listener, relay, &workers, async { stopped.await.unwrap_or_default() }).await
        });
        Self { address, task, stop: Some(stop) }
    }

    /// Sends a request with these header lines, and reads the answer to the end of the connection.
    async fn ask(&self, method: &str, target: &str, headers: &[&str]) -> Answer {
        let host = if headers.iter().any(|line| line.to_ascii_lowercase().starts_with("host:")) {
            String::new()
        } else {
            format!("Host: {}\r\n", self.address)
        };
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let request = format!("{method} {target} HTTP/1.1\r\n{host}Connection: close\r\n{lines}\r\n");
        self.ask_raw(request.as_bytes()).await
    }

    async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[]).await
    }

    async fn ask_raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut bytes = Vec::new();
        // A relay that breaks off resets the connection; what came before counts.
        let _ = stream.read_to_end(&mut bytes).await;
        Answer::parse(&bytes)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        Self { status, head, body: bytes[end..].to_vec() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        values.next()
    }

    /// The names of all headers, sorted.
    fn headers(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.head.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
        names.sort_unstable();
        names
    }

    /// The code of the first error.
    fn code(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        json["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A registry that answers as a test says, and remembers what it was asked.
struct Upstream {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// `answer` makes the whole answer from the head of a request.
    async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                tokio::spawn(async move {
                    let Some(head) = read_head(&mut stream).await else { return };
                    log.lock().unwrap().push(head.clone());
                    let _ = stream.write_all(&answer(&head)).await;
                });
            }
        });
        Self { address, asked, task }
    }

    /// The heads of all requests so far.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// An answer with these header lines and this body.
fn reply(status: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{lines}\r\n{body}", body.len())
        .into_bytes()
}

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
