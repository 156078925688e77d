//! Hostile clients of the relay: raw bytes, names that lead to private hosts, and readers that stop.

use crate::{
    Scale,
    attempt::{Row, Verdict},
    mean::{Deed, Mean, head, image},
};
use porthole_tests::{Result, http, memory, servers::Relay};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    thread,
    time::{Duration, Instant},
};

pub(crate) fn rows(scale: Scale) -> Result<Vec<Row>> {
    Ok(vec![raw_requests()?, places_inside()?, stalled_readers(scale)?, slow_heads(scale)?])
}

fn port(relay: &Relay) -> Result<u16> {
    Ok(relay.host().rsplit_once(':').ok_or("a port")?.1.parse()?)
}

fn is_alive(port: u16) -> bool {
    http::request(port, "GET", "/healthz", &[], &[]).is_ok_and(|answer| answer.second() == "200")
}

/// Sends bytes. Reads until no byte arrives for two seconds.
fn exchange(port: u16, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    // The relay may have closed the connection before all was sent.
    let _ = stream.write_all(bytes);
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..read]);
    }
    Ok(answer)
}

/// Requests that two parsers may read differently. The registry must never see a request that is hidden in another, and a connection
/// must not get more answers than it sent requests.
fn raw_requests() -> Result<Row> {
    let mean = Mean::start(image(1000), |_, _, _| None)?;
    let relay = Relay::start(&[&mean.authority])?;
    let (port, ns) = (port(&relay)?, mean.authority.clone());
    let host = format!("Host: 127.0.0.1:{port}\r\n");
    let hidden = hidden_request(&host, &ns);
    let get = |line: &str, rest: &str| format!("GET /v2/a/b/manifests/1?ns={ns} HTTP/1.1\r\n{line}{rest}\r\n");
    let mut cases: Vec<(String, String)> = Vec::new();
    for (name, fields) in [
        ("a length for a GET", format!("Content-Length: {}\r\n", hidden.len())),
        ("two lengths", format!("Content-Length: 0\r\nContent-Length: {}\r\n", hidden.len())),
        ("a length with a sign", format!("Content-Length: +{}\r\n", hidden.len())),
        ("a length with a list", format!("Content-Length: 0, {}\r\n", hidden.len())),
        ("a length in hexadecimal", format!("Content-Length: 0x{:x}\r\n", hidden.len())),
        ("a negative length", "Content-Length: -1\r\n".to_owned()),
        ("a length beyond memory", "Content-Length: 18446744073709551616\r\n".to_owned()),
        ("chunks", "Transfer-Encoding: chunked\r\n".to_owned()),
        ("chunks and a length", format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", hidden.len())),
        ("chunks with a tab", "Transfer-Encoding:\tchunked\r\n".to_owned()),
        ("chunks with a space before the colon", "Transfer-Encoding : chunked\r\n".to_owned()),
        ("chunks twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n".to_owned()),
        ("an unknown transfer coding", "Transfer-Encoding: xchunked\r\n".to_owned()),
        ("chunks in capitals", "Transfer-Encoding: CHUNKED\r\n".to_owned()),
        ("a folded header", format!("X: a\r\n Content-Length: {}\r\n", hidden.len())),
        ("a line feed alone", format!("X: a\nContent-Length: {}\r\n", hidden.len())),
        ("a carriage return alone", format!("X: a\rContent-Length: {}\r\n", hidden.len())),
        ("a zero byte", format!("X: a\0\r\nContent-Length: {}\r\n", hidden.len())),
        ("a header without a name", ": a\r\n".to_owned()),
        ("a header without a colon", "nothing\r\n".to_owned()),
        ("another Host", "Host: evil.example\r\n".to_owned()),
        ("a name in X-Forwarded-Host", "X-Forwarded-Host: evil.example\r\n".to_owned()),
        ("an expectation", "Expect: 100-continue\r\n".to_owned()),
        ("an upgrade", "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n".to_owned()),
        ("a connection header that removes", "Connection: close, authorization\r\n".to_owned()),
        ("a header of 64 KB", format!("X: {}\r\n", "y".repeat(64 << 10))),
        ("2 000 headers", "X: y\r\n".repeat(2000)),
    ] {
        cases.push((name.to_owned(), get(&host, &fields) + &hidden));
    }
    for (name, text) in [
        ("no Host", get("", "")),
        ("an empty Host", get("Host:\r\n", "")),
        ("a Host with a user", get(&format!("Host: x@127.0.0.1:{port}\r\n"), "")),
        ("a name that resolves here", get("Host: rebind.example\r\n", "")),
        ("a whole URL", format!("GET http://{ns}/ HTTP/1.1\r\n{host}\r\n")),
        ("a tunnel", format!("CONNECT {ns} HTTP/1.1\r\n{host}\r\n")),
        ("an asterisk", format!("OPTIONS * HTTP/1.1\r\n{host}\r\n")),
        ("no path", format!("GET  HTTP/1.1\r\n{host}\r\n")),
        ("HTTP/1.0", format!("GET / HTTP/1.0\r\n{host}\r\n")),
        ("HTTP/0.9", "GET /\r\n".to_owned()),
        ("HTTP/9.9", format!("GET / HTTP/9.9\r\n{host}\r\n")),
        ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        ("a TLS handshake", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0".to_owned()),
        ("a method with a space", format!("GE T / HTTP/1.1\r\n{host}\r\n")),
        ("a target of 64 KB", format!("GET /{} HTTP/1.1\r\n{host}\r\n", "a".repeat(64 << 10))),
        ("a target with a zero byte", format!("GET /\0 HTTP/1.1\r\n{host}\r\n")),
        ("a path that climbs", format!("GET /v2/../../a/hidden/manifests/1?ns={ns} HTTP/1.1\r\n{host}\r\n")),
        (
            "a path that climbs in disguise",
            format!("GET /v2/a/%2e%2e/hidden/manifests/1?ns={ns} HTTP/1.1\r\n{host}\r\n"),
        ),
        ("two registries", format!("GET /v2/a/hidden/manifests/1?ns=a.example&ns={ns} HTTP/1.1\r\n{host}\r\n")),
        ("a write", format!("PUT /v2/a/hidden/manifests/1?ns={ns} HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n")),
        ("a deletion", format!("DELETE /v2/a/hidden/manifests/1?ns={ns} HTTP/1.1\r\n{host}\r\n")),
        ("nothing", "\r\n\r\n".to_owned()),
    ] {
        cases.push((name.to_owned(), text));
    }
    let mut row = Row::new("raw requests to the relay");
    for (name, text) in cases {
        let before = mean.heads().len();
        let answer = exchange(port, text.as_bytes())?;
        let asked: Vec<_> = mean.heads().split_off(before);
        let hidden = asked.iter().filter(|head| head.contains("/hidden/")).count();
        // Without a length, the following bytes are a further request.
        let lower = text.to_ascii_lowercase();
        let is_pipeline = text.ends_with(&hidden_request(&host, &ns))
            && !lower.contains("content-length")
            && !lower.contains("transfer-encoding");
        row.add(&Verdict {
            survived: is_alive(port),
            escaped: hidden > 0 && !is_pipeline || asked.iter().any(|head| !head.starts_with("GET ")),
            note: format!("{name}: {hidden} hidden requests, {}", String::from_utf8_lossy(&answer).escape_debug()),
            ..Verdict::default()
        });
    }
    row.peak = memory::peak(relay.process())?;
    Ok(row)
}

fn hidden_request(host: &str, ns: &str) -> String {
    format!("GET /v2/a/hidden/manifests/1?ns={ns} HTTP/1.1\r\n{host}\r\n")
}

/// Registries and redirects that lead to this machine. A server on it counts the requests.
fn places_inside() -> Result<Row> {
    let inside = Mean::start(image(1000), |_, _, _| None)?;
    let at = inside.authority.rsplit_once(':').ok_or("a port")?.1.to_owned();
    let place = inside.authority.clone();
    let outside = Mean::start(image(1000), move |_, path, _| {
        let (_, number) = path.split_once("/redirect/")?;
        let port = place.rsplit_once(':')?.1;
        let host = INSIDE.get(number.split('/').next()?.parse::<usize>().ok()?)?;
        Some(Deed::Bytes(head(307, &[("Location", &format!("http://{host}:{port}/v2/a/b/blobs/x"))], 0)))
    })?;
    let relay = Relay::start(&[&outside.authority])?;
    let port = port(&relay)?;
    let mut row = Row::new("registries and redirects that lead inside");
    let mut ask = |target: String| -> Result<()> {
        let before = inside.heads().len();
        let answer = http::request(port, "GET", &target, &[], &[])?;
        let reached = inside.heads().len() > before;
        row.add(&Verdict {
            survived: answer.second() != "200" && is_alive(port),
            escaped: reached,
            note: format!("{target}: {}", answer.first),
            ..Verdict::default()
        });
        Ok(())
    };
    for (number, host) in INSIDE.iter().enumerate() {
        let registry = host.replace('[', "%5B").replace(']', "%5D");
        ask(format!("/v2/a/b/manifests/1?ns={registry}:{at}"))?;
        ask(format!("/v2/{host}_{at}/a/b/manifests/1"))?;
        ask(format!("/token?ns={registry}:{at}&scope=repository:a/b:pull"))?;
        ask(format!("/v2/redirect/{number}/blobs/{EMPTY}?ns={}", outside.authority))?;
    }
    Ok(row)
}

/// Ways to write the address of this machine, and addresses that are not public.
const INSIDE: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",
    "0",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "a.localhost",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "127.255.255.254",
    "169.254.169.254",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "[fe80::1]",
    "[fc00::1]",
    "metadata",
    "metadata.google.internal",
    "127.0.0.1.",
    "１２７.0.0.1",
    "127。0。0。1",
];
const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Clients that do not read their responses, and one correct client at the same time.
fn stalled_readers(scale: Scale) -> Result<Row> {
    let readers = scale.of(300, 2000);
    let mean = Mean::start(image(8 << 20), |_, _, _| None)?;
    let layer = format!("/v2/a/b/blobs/{}?ns={}", image(8 << 20).layers[0].blob.digest, mean.authority);
    let relay = Relay::start(&[&mean.authority])?;
    let port = port(&relay)?;
    let request = format!("GET {layer} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    let mut held = Vec::new();
    for _ in 0..readers {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.write_all(request.as_bytes())?;
        held.push(stream);
    }
    thread::sleep(Duration::from_secs(2));
    let mut row = Row::new("readers that take nothing");
    for _ in 0..20 {
        row.add(&Verdict {
            survived: is_alive(port),
            note: "a good client got no answer".to_owned(),
            ..Verdict::default()
        });
    }
    (row.tried, row.survived) = (readers, if row.survived == 20 { readers } else { 0 });
    row.peak = memory::peak(relay.process())?;
    drop(held);
    Ok(row)
}

/// Clients that send the head of a request one byte at a time are disconnected.
fn slow_heads(scale: Scale) -> Result<Row> {
    let clients = scale.of(200, 2000);
    let relay = Relay::with(["--header-time", "2s"])?;
    let port = port(&relay)?;
    let mut held = Vec::new();
    for _ in 0..clients {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        held.push(stream);
    }
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(3) {
        for stream in &mut held {
            // This fails if the relay has closed the connection.
            let _ = stream.write_all(b"G");
        }
        thread::sleep(Duration::from_millis(200));
    }
    let alive = is_alive(port);
    let mut row = Row::new("heads a byte at a time");
    for mut stream in held {
        let mut rest = Vec::new();
        let cut =
            stream.read_to_end(&mut rest).is_ok_and(|_| true) || !rest.is_empty() || stream.write_all(b"G").is_err();
        row.add(&Verdict { survived: cut && alive, note: "a slow head was not cut".to_owned(), ..Verdict::default() });
    }
    row.peak = memory::peak(relay.process())?;
    row.notes.truncate(1);
    Ok(row)
}
