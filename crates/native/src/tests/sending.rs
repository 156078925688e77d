//! Bodies that are read while they are sent.

use super::{listen, quick, read_head};
use crate::*;
use bytes::Bytes;
use porthole_registry::transport::{Chunks, Payload, PayloadSource};
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// `length` bytes in pieces of 64 KiB, with an error after `good` of them.
struct Pattern {
    length: u64,
    good: u64,
}

impl PayloadSource for Pattern {
    fn length(&self) -> Option<u64> {
        Some(self.length)
    }

    fn open(&self) -> Box<dyn Chunks> {
        Box::new(Opened { left: self.length, bad_from: self.length - self.good })
    }
}

struct Opened {
    left: u64,
    bad_from: u64,
}

impl Chunks for Opened {
    fn poll_chunk(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        if self.left == 0 {
            return Poll::Ready(Ok(None));
        }
        if self.left <= self.bad_from {
            return Poll::Ready(Err(error(ErrorKind::Source, "the file has changed")));
        }
        let length = self.left.min(64 << 10);
        self.left -= length;
        Poll::Ready(Ok(Some(vec![b'x'; length as usize].into())))
    }
}

fn put(url: &str, length: u64, good: u64) -> Request {
    let payload = Payload::Stream(Arc::new(Pattern { length, good }));
    http::Request::put(url).body(payload).unwrap()
}

const ANSWER: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn a_stream_is_sent_with_its_length() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let mut body = vec![0; 1_000_000];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(ANSWER).await.unwrap();
        (head, body)
    });
    let native = Native::new(quick()).unwrap();
    let response = native.send(put(&url, 1_000_000, 1_000_000)).await.unwrap();
    assert_eq!(response.status(), 201);
    let (head, body) = server.await.unwrap();
    assert!(head.contains("content-length: 1000000\r\n"), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert!(body.iter().all(|byte| *byte == b'x'));
}

/// A body of unknown length, such as one that a proxy forwards.
struct Open(u64);

impl PayloadSource for Open {
    fn length(&self) -> Option<u64> {
        None
    }

    fn open(&self) -> Box<dyn Chunks> {
        Box::new(Opened { left: self.0, bad_from: 0 })
    }
}

#[tokio::test]
async fn a_stream_of_unknown_length_is_sent_in_chunks() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let mut body = Vec::new();
        while !body.ends_with(b"\r\n0\r\n\r\n") {
            body.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(ANSWER).await.unwrap();
        (head, body)
    });
    let native = Native::new(quick()).unwrap();
    let request = http::Request::put(&url).body(Payload::Stream(Arc::new(Open(100_000)))).unwrap();
    assert_eq!(native.send(request).await.unwrap().status(), 201);
    let (head, body) = server.await.unwrap();
    assert!(head.contains("transfer-encoding: chunked\r\n") && !head.contains("content-length"), "{head}");
    assert_eq!(body.iter().filter(|byte| **byte == b'x').count(), 100_000);
}

#[tokio::test]
async fn an_empty_post_says_that_it_is_empty() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(super::serve_once(listener, ANSWER.to_vec(), Duration::ZERO));
    let native = Native::new(quick()).unwrap();
    native.send(http::Request::post(&url).body(Payload::default()).unwrap()).await.unwrap();
    let head = server.await.unwrap();
    assert!(head.contains("content-length: 0\r\n"), "{head}");
}

#[tokio::test]
async fn a_broken_source_is_told_as_such() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        // However the connection ends.
        let _ = stream.read_to_end(&mut all).await;
        all.len()
    });
    let native = Native::new(quick()).unwrap();
    let failure = native.send(put(&url, 10_000_000, 200_000)).await.err().unwrap();
    assert_eq!(failure, error(ErrorKind::Source, "the file has changed"));
    drop(native);
    assert!(server.await.unwrap() < 1_000_000);
}

#[tokio::test]
async fn a_receiver_that_stops_reading_is_a_stall() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let timeouts =
        Timeouts { connect: Duration::from_secs(5), stall: Duration::from_millis(300), ..Timeouts::default() };
    let native = Native::new(Options { timeouts, ..Options::default() }).unwrap();
    let failure = native.send(put(&url, 1 << 30, 1 << 30)).await.err().unwrap();
    assert_eq!(failure.kind, ErrorKind::Timeout, "{failure}");
    assert!(failure.message.contains("take more of the body"), "{failure}");
    server.abort();
}

/// Gives half of its bytes at once, and the other half late.
struct Late(u64);

impl PayloadSource for Late {
    fn length(&self) -> Option<u64> {
        Some(2 * self.0)
    }

    fn open(&self) -> Box<dyn Chunks> {
        let length = usize::try_from(self.0).unwrap();
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            let _ = sender.send(vec![b'x'; length].into()).await;
            tokio::time::sleep(Duration::from_millis(900)).await;
            let _ = sender.send(vec![b'x'; length].into()).await;
        });
        Box::new(Halves(receiver))
    }
}

struct Halves(tokio::sync::mpsc::Receiver<Bytes>);

impl Chunks for Halves {
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        self.0.poll_recv(context).map(Ok)
    }
}

#[tokio::test]
async fn a_slow_source_is_no_stall_of_the_receiver() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        let mut body = vec![0; 100_000];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(ANSWER).await.unwrap();
    });
    let timeouts =
        Timeouts { connect: Duration::from_secs(5), stall: Duration::from_millis(300), ..Timeouts::default() };
    let native = Native::new(Options { timeouts, ..Options::default() }).unwrap();
    let request = http::Request::put(&url).body(Payload::Stream(Arc::new(Late(50_000)))).unwrap();
    assert_eq!(native.send(request).await.unwrap().status(), 201);
    server.await.unwrap();
}

#[tokio::test]
async fn an_answer_may_take_longer_than_a_stall_where_patience_says_so() {
    for (patience, answered) in [(None, false), (Some(Patience(Duration::from_secs(20))), true)] {
        let (listener, url) = listen().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            let mut body = vec![0; 100_000];
            stream.read_exact(&mut body).await.unwrap();
            tokio::time::sleep(Duration::from_millis(900)).await;
            let _ = stream.write_all(ANSWER).await;
        });
        let timeouts =
            Timeouts { connect: Duration::from_secs(5), stall: Duration::from_millis(300), ..Timeouts::default() };
        let native = Native::new(Options { timeouts, ..Options::default() }).unwrap();
        let mut request = put(&url, 100_000, 100_000);
        if let Some(patience) = patience {
            request.extensions_mut().insert(patience);
        }
        assert_eq!(native.send(request).await.is_ok(), answered);
        server.await.unwrap();
    }
}
