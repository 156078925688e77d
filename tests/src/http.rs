//! A minimal HTTP/1.1 for local servers: one request per connection, whole bodies.

use crate::{Result, program::PATIENCE};
use std::{
    io::{BufRead, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
};

/// A request or a response.
#[derive(Debug)]
pub struct Message {
    /// The first line: `GET / HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub first: String,
    /// Headers with lower-case names, values as sent.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Message {
    /// Reads one message. Without `Content-Length`, the body is in chunks or ends with the connection.
    pub fn read(stream: &TcpStream) -> Result<Self> {
        Self::read_answer(stream, "")
    }

    /// Reads the response to a request with this method.
    fn read_answer(stream: &TcpStream, method: &str) -> Result<Self> {
        let mut reader = BufReader::new(stream);
        let first = line(&mut reader)?;
        let mut headers = Vec::new();
        loop {
            let line = line(&mut reader)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut message = Self { first, headers, body: Vec::new() };
        if method == "HEAD" {
            return Ok(message);
        }
        if message.header("transfer-encoding") == Some("chunked") {
            message.body = chunks(&mut reader)?;
            return Ok(message);
        }
        match message.header("content-length") {
            Some(length) => {
                message.body = vec![0; length.parse()?];
                reader.read_exact(&mut message.body)?;
            }
            None if message.first.starts_with("HTTP/") => {
                reader.read_to_end(&mut message.body)?;
            }
            None => {}
        }
        Ok(message)
    }

    /// The first value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The second word of the first line: the status of a response, the target of a request.
    pub fn second(&self) -> &str {
        self.first.split(' ').nth(1).unwrap_or_default()
    }
}

/// Sends a request to a local port and reads the response.
pub fn request(port: u16, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Message> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE * 3))?;
    let mut head = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head += &format!("host: 127.0.0.1:{port}\r\n");
    }
    head += &format!("content-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(body)?;
    Message::read_answer(&stream, method)
}

fn chunks(reader: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = u64::from_str_radix(&line(reader)?, 16)?;
        let before = body.len() as u64;
        reader.by_ref().take(length).read_to_end(&mut body)?;
        line(reader)?;
        if length == 0 {
            return Ok(body);
        }
        if body.len() as u64 - before != length {
            return Err("a chunk is cut off".into());
        }
    }
}

fn line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}
