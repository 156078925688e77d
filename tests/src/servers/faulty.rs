//! A proxy in front of a registry that injects faults into responses.

use super::line::Line;
use crate::Result;
use std::{
    io::{BufRead, BufReader, Cursor, Read, Write},
    net::{Ipv4Addr, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// A fault in a response. Offsets refer to the whole blob or document, even if the response is a range.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Reset the connection before this byte.
    ResetAt(u64),
    /// Close the connection before this byte.
    EndAt(u64),
    /// Send nothing from this byte on and keep the connection open.
    StallAt(u64),
    /// Declare a length that ends at this byte, and send no more.
    CutAt(u64),
    /// Flip one bit of this byte.
    FlipAt(u64),
    /// Respond with this status and these headers, without a body.
    Status(u16, Vec<(&'static str, String)>),
    /// Respond with this status and body.
    Answer(u16, String),
    /// Replace a header.
    Header(&'static str, String),
}

/// A request and its response.
#[derive(Clone, Debug)]
pub struct Served {
    /// Method and target: `GET /v2/…`.
    pub request: String,
    /// Value of the `Authorization` header.
    pub authorization: Option<String>,
    /// Status of the response.
    pub status: u16,
    /// Bytes of the body that were sent.
    pub bytes: u64,
}

/// A proxy to a registry on a local port, with one request per connection.
pub struct Faulty {
    line: Line,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    rules: Mutex<Vec<Rule>>,
    log: Mutex<Vec<Served>>,
    ignores_ranges: AtomicBool,
}

struct Rule {
    part: String,
    left: u32,
    fault: Fault,
}

/// Number of times for a permanent fault.
pub const ALWAYS: u32 = u32::MAX;

impl Faulty {
    /// A proxy without faults.
    pub fn before(server: u16) -> Result<Self> {
        let shared = Arc::new(Shared {
            server,
            rules: Mutex::default(),
            log: Mutex::default(),
            ignores_ranges: AtomicBool::default(),
        });
        let serving = Arc::clone(&shared);
        let line = Line::open(move |client| {
            let serving = Arc::clone(&serving);
            // A client may disconnect at any time.
            thread::spawn(move || serving.pass(client).ok());
        })?;
        Ok(Self { line, shared })
    }

    /// Its address as written in a reference.
    pub fn host(&self) -> String {
        self.line.host()
    }

    /// Injects a fault into the next `times` responses to requests that contain `part` (`GET /v2/…`) and that include
    /// the fault's offset.
    pub fn fault(&self, part: &str, times: u32, fault: Fault) {
        lock(&self.shared.rules).push(Rule { part: part.to_owned(), left: times, fault });
    }

    /// Ignores ranges from now on: sends the whole content.
    pub fn ignore_ranges(&self) {
        self.shared.ignores_ranges.store(true, Ordering::Relaxed);
    }

    /// Removes all faults. Returns and clears the log.
    pub fn heal(&self) -> Vec<Served> {
        lock(&self.shared.rules).clear();
        self.shared.ignores_ranges.store(false, Ordering::Relaxed);
        std::mem::take(&mut *lock(&self.shared.log))
    }
}

impl Shared {
    fn pass(&self, mut client: TcpStream) -> Result<()> {
        let head = read_head(&mut client)?;
        let mut lines = head.lines();
        let words = lines.next().unwrap_or_default().rsplit_once(' ').unwrap_or_default();
        let request = words.0.to_owned();
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server))?;
        let mut forward = format!("{request} HTTP/1.1\r\n");
        let mut authorization = None;
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "" | "connection" => continue,
                "range" if self.ignores_ranges.load(Ordering::Relaxed) => continue,
                "authorization" => authorization = Some(value.to_owned()),
                _ => {}
            }
            forward += &format!("{line}\r\n");
        }
        server.write_all(format!("{forward}connection: close\r\n\r\n").as_bytes())?;
        let mut answer = Answer::read(server)?;
        let fault = self.fault_for(&request, &answer);
        let flipped = match fault {
            Some(Fault::Status(status, headers)) => {
                answer.status = format!("{status} as the test wants");
                answer.headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                (answer.length, answer.end) = (0, End::Well);
                None
            }
            Some(Fault::Answer(status, body)) => {
                answer.status = format!("{status} as the test wants");
                (answer.headers, answer.length, answer.end) = (Vec::new(), body.len() as u64, End::Well);
                answer.body = Box::new(Cursor::new(body));
                None
            }
            Some(Fault::Header(name, value)) => {
                answer.headers.retain(|(known, _)| known != name);
                answer.headers.push((name.to_owned(), value));
                None
            }
            Some(Fault::FlipAt(place)) => Some(place),
            Some(Fault::ResetAt(place)) => answer.stop(place, End::Reset),
            Some(Fault::EndAt(place)) => answer.stop(place, End::Early),
            Some(Fault::StallAt(place)) => answer.stop(place, End::Never),
            Some(Fault::CutAt(place)) => {
                answer.length = place - answer.offset;
                None
            }
            None => None,
        };
        let status = answer.status.get(..3).and_then(|status| status.parse().ok()).unwrap_or_default();
        // Count before sending: the reader of the log may have the response before its last byte is counted.
        let place = {
            let mut log = lock(&self.log);
            log.push(Served { request, authorization, status, bytes: 0 });
            log.len() - 1
        };
        answer.send(&client, flipped, |bytes| {
            if let Some(served) = lock(&self.log).get_mut(place) {
                served.bytes += bytes;
            }
        })?;
        match answer.end {
            // One byte of the request was left unread, so closing the socket sends a reset, which discards data in
            // flight. Wait for that data to arrive.
            End::Reset => thread::sleep(Duration::from_secs(1)),
            End::Never => {
                client.set_read_timeout(Some(Duration::from_secs(120)))?;
                client.read_exact(&mut [0])?;
                // Wait until the client disconnects.
                client.read_exact(&mut [0]).ok();
            }
            End::Well | End::Early => client.read_exact(&mut [0])?,
        }
        Ok(())
    }

    fn fault_for(&self, request: &str, answer: &Answer) -> Option<Fault> {
        let covers = |place: u64| {
            answer.status.starts_with('2') && (answer.offset..answer.offset + answer.length).contains(&place)
        };
        let mut rules = lock(&self.rules);
        let rule = rules.iter_mut().find(|rule| {
            rule.left > 0
                && request.contains(&rule.part)
                && match rule.fault {
                    Fault::ResetAt(place)
                    | Fault::EndAt(place)
                    | Fault::StallAt(place)
                    | Fault::CutAt(place)
                    | Fault::FlipAt(place) => covers(place),
                    Fault::Status(..) | Fault::Answer(..) | Fault::Header(..) => true,
                }
        })?;
        rule.left -= 1;
        Some(rule.fault.clone())
    }
}

/// How a connection ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Well,
    Early,
    Reset,
    Never,
}

/// A response being sent.
struct Answer {
    body: Box<dyn Read>,
    status: String,
    headers: Vec<(String, String)>,
    /// Offset of its first byte in the whole content.
    offset: u64,
    length: u64,
    /// Number of bytes to send, if fewer than the body has.
    sent: Option<u64>,
    end: End,
}

impl Answer {
    fn read(server: TcpStream) -> Result<Self> {
        let mut body = BufReader::new(server);
        let mut status = String::new();
        body.read_line(&mut status)?;
        let status = status.split_once(' ').ok_or("an answer has a status")?.1.trim().to_owned();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            body.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let length = header("content-length").map_or(Ok(0), str::parse)?;
        let offset =
            header("content-range").and_then(|range| range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok());
        let offset = offset.unwrap_or_default();
        headers.retain(|(name, _)| name != "connection" && name != "content-length");
        Ok(Self { body: Box::new(body), status, headers, offset, length, sent: None, end: End::Well })
    }

    fn stop(&mut self, place: u64, end: End) -> Option<u64> {
        self.sent = Some(place - self.offset);
        self.end = end;
        None
    }

    fn send(&mut self, mut client: &TcpStream, flipped: Option<u64>, mut count: impl FnMut(u64)) -> Result<()> {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\nconnection: close\r\n\r\n", self.length);
        client.write_all(head.as_bytes())?;
        let mut left = self.sent.unwrap_or(self.length);
        let mut place = self.offset;
        let mut buffer = vec![0; 64 << 10];
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left)?);
            let read = self.body.read(&mut buffer[..most])?;
            if read == 0 {
                break;
            }
            if let Some(at) = flipped.and_then(|at| at.checked_sub(place))
                && at < read as u64
            {
                buffer[usize::try_from(at)?] ^= 1;
            }
            count(read as u64);
            client.write_all(&buffer[..read])?;
            left -= read as u64;
            place += read as u64;
        }
        Ok(())
    }
}

/// Reads the head of a request except for its last byte, which stays in the socket.
fn read_head(client: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8(head)?)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
