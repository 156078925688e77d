//! Connections that requests drive themselves.

use super::{get, listen, quick, read_all, read_head, serve_all};
use crate::*;
use porthole_registry::transport::Connection;
use std::sync::atomic::Ordering;
use tokio::{
    io::AsyncWriteExt,
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

fn native() -> Native {
    Native::new(Options { connects_at_once: true, ..quick() }).unwrap()
}

/// Sends a request and reads its answer. Returns whether an idle connection was used.
async fn ask(native: &Native, url: &str) -> bool {
    let mut response = native.send(get(url)).await.unwrap();
    assert_eq!(read_all(response.body_mut(), 64).await.unwrap(), b"x");
    response.extensions().get::<Connection>().unwrap().reused
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let (listener, url) = listen().await;
    let accepted = serve_all(listener);
    let native = native();
    let reused = [ask(&native, &url).await, ask(&native, &url).await, ask(&native, &url).await];
    assert_eq!(reused, [false, true, true]);
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn requests_at_once_have_connections_of_their_own() {
    let (listener, url) = listen().await;
    let accepted = serve_all(listener);
    let native = native();
    tokio::join!(ask(&native, &url), ask(&native, &url), ask(&native, &url));
    assert_eq!(accepted.load(Ordering::SeqCst), 3);
    assert!(ask(&native, &url).await);
}

/// Answers one request of each connection, then closes it. Sends a message after each.
fn serve_one_each(listener: TcpListener) -> UnboundedReceiver<()> {
    let (closed, ends) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx").await.unwrap();
            drop(stream);
            closed.send(()).unwrap();
        }
    });
    ends
}

#[tokio::test]
async fn a_connection_that_ended_while_it_was_idle_is_not_used() {
    let (listener, url) = listen().await;
    let mut ends = serve_one_each(listener);
    let native = native();
    for _ in 0..3 {
        assert!(!ask(&native, &url).await);
        ends.recv().await.unwrap();
        // The end arrives at this socket.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_answer_that_is_dropped_early_ends_its_connection() {
    let (listener, url) = listen().await;
    let (ended, mut ends) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let ended = ended.clone();
            tokio::spawn(async move {
                read_head(&mut stream).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nx").await.unwrap();
                while stream.write_all(&[0; 64 << 10]).await.is_ok() {}
                ended.send(()).unwrap();
            });
        }
    });
    let native = native();
    for _ in 0..2 {
        let mut response = native.send(get(&url)).await.unwrap();
        assert!(response.body_mut().chunk().await.unwrap().is_some());
        assert!(!response.extensions().get::<Connection>().unwrap().reused);
        drop(response);
        ends.recv().await.unwrap();
    }
}

#[tokio::test]
async fn the_host_of_a_request_has_no_default_port() {
    for (url, host) in [
        ("http://a.example/v2/", "a.example"),
        ("http://a.example:80/v2/", "a.example"),
        ("http://a.example:443/v2/", "a.example:443"),
        ("https://a.example:443/v2/", "a.example"),
        ("https://[::1]:5000/v2/", "[::1]:5000"),
    ] {
        let uri: Uri = url.parse().unwrap();
        assert_eq!(driven::host(&uri, uri.authority().unwrap()).unwrap(), host, "{url}");
    }
}
