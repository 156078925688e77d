use super::*;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::time::timeout;

/// A registry whose blob has no end; counts what it could send.
async fn endless() -> (SocketAddr, Arc<AtomicU64>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n").await.unwrap();
        let piece = vec![0; 64 << 10];
        while stream.write_all(&piece).await.is_ok() {
            count.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
    });
    (address, sent, task)
}

/// A client that takes nothing holds the registry back: what was sent fits into the buffers of the sockets.
#[tokio::test]
async fn a_slow_client_slows_the_registry() {
    let (address, sent, task) = endless().await;
    let relay = Running::start(&["--allow-private", &address.to_string()]).await;
    let mut client = TcpStream::connect(relay.address).await.unwrap();
    let request = format!("GET /v2/a/blobs/{DIGEST}?ns={address} HTTP/1.1\r\nHost: {}\r\n\r\n", relay.address);
    client.write_all(request.as_bytes()).await.unwrap();
    let mut last = u64::MAX;
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = sent.load(Ordering::Relaxed);
        if now == last && now > 0 {
            break;
        }
        last = now;
    }
    assert_eq!(sent.load(Ordering::Relaxed), last, "the registry is still sending");
    assert!(last < 64 << 20, "{last} bytes went into buffers");

    // A client that goes away takes its upstream along.
    drop(client);
    timeout(Duration::from_secs(5), task).await.expect("the transfer should end with its client").unwrap();
}

/// What a registry breaks off is broken off here, too: never a short body that looks whole.
#[tokio::test]
async fn a_broken_body_stays_broken() {
    for head in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let body = if head.starts_with('C') { "short" } else { "5\r\nshort\r\n" };
        let bytes = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{head}\r\n\r\n{body}").into_bytes();
        let upstream = Upstream::start(move |_| bytes.clone()).await;
        let relay = Running::start(&["--allow-private", &upstream.address.to_string()]).await;
        let answer = relay.get(&format!("/v2/a/blobs/{DIGEST}?ns={}", upstream.address)).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.body.ends_with(b"0\r\n\r\n"), "{answer:?}");
        match answer.header("content-length") {
            Some(length) => assert!(answer.body.len() < length.parse().unwrap()),
            None => assert_eq!(answer.header("transfer-encoding"), Some("chunked")),
        }
    }
}

#[tokio::test]
async fn a_stop_waits_for_what_is_in_flight() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (go, wait) = oneshot::channel::<()>();
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc").await.unwrap();
        let _ = wait.await;
        stream.write_all(b"def").await.unwrap();
    });
    let mut relay = Running::start(&["--allow-private", &address.to_string()]).await;
    let mut idle = TcpStream::connect(relay.address).await.unwrap();
    let mut client = TcpStream::connect(relay.address).await.unwrap();
    let request = format!("GET /v2/a/blobs/{DIGEST}?ns={address} HTTP/1.1\r\nHost: {}\r\n\r\n", relay.address);
    client.write_all(request.as_bytes()).await.unwrap();
    read_head(&mut client).await.unwrap();
    relay.stop.take().unwrap().send(Duration::ZERO).unwrap();
    // Connections without a request end at once, and no new ones are taken.
    assert_eq!(timeout(Duration::from_secs(5), idle.read(&mut [0])).await.unwrap().unwrap_or(0), 0);
    assert!(TcpStream::connect(relay.address).await.is_err());
    assert!(!relay.task.is_finished());
    go.send(()).unwrap();
    let mut body = Vec::new();
    client.read_to_end(&mut body).await.unwrap();
    assert_eq!(body, b"abcdef");
    let cut = timeout(Duration::from_secs(5), &mut relay.task).await.unwrap().unwrap();
    assert_eq!(cut, 0);
    upstream.await.unwrap();
}

#[tokio::test]
async fn what_happened_is_counted() {
    let upstream = Upstream::start(|_| reply("200 OK", &[], "0123456789")).await;
    let relay = Running::start(&["--allow-private", &upstream.address.to_string()]).await;
    let target = format!("/v2/secret-name/blobs/{DIGEST}?ns={}", upstream.address);
    relay.get(&target).await;
    relay.get(&target).await;
    let text = String::from_utf8(relay.get("/metrics").await.body).unwrap();
    assert!(
        text.contains("porthole_relay_answers_total{route=\"/v2/{name}/blobs/{digest}\",status=\"200\"} 2\n"),
        "{text}"
    );
    assert!(text.contains("porthole_relay_bytes_total 20\n"), "{text}");
    assert!(text.contains("porthole_relay_broken_total 0\n"), "{text}");
    assert!(!text.contains("secret-name"));
}

/// A connection for every second request costs more than the requests.
#[tokio::test]
async fn small_requests_use_the_connections_of_those_before() {
    const CLIENTS: usize = 48;
    const ROUNDS: usize = 8;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let opened = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&opened);
    let registry = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                while read_head(&mut stream).await.is_some() {
                    // So that all clients of a round are there at once.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
                }
            });
        }
    });
    let relay = Arc::new(Running::start(&["--allow-private", &address.to_string()]).await);
    for _ in 0..ROUNDS {
        let clients = (0..CLIENTS).map(|n| {
            let (relay, target) = (Arc::clone(&relay), format!("/v2/a/manifests/{n}?ns={address}"));
            tokio::spawn(async move { relay.get(&target).await.status })
        });
        for client in clients.collect::<Vec<_>>() {
            assert_eq!(client.await.unwrap(), 200);
        }
    }
    let opened = opened.load(Ordering::Relaxed);
    assert!(opened <= 2 * CLIENTS as u64, "{opened} connections for {} requests", ROUNDS * CLIENTS);
    registry.abort();
}
