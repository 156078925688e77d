//! What is written to registries, and what is not.

use super::*;
use porthole_core::digest::Digest;
use porthole_testkit::registry::{Auth, Fault, Internet, Site, Socket, Uploads, bearer};
use std::sync::mpsc;

/// A registry on a port of this machine.
fn registry(site: Site) -> (Internet, Socket) {
    let internet = Internet::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    internet.site(&listener.local_addr().unwrap().to_string(), site);
    let socket = Socket::serve(listener, &internet).unwrap();
    (internet, socket)
}

async fn relay_to(registry: &str, more: &[&str]) -> Running {
    Running::start(&[&["--allow-private", registry, "--allow-push"], more].concat()).await
}

impl Running {
    /// Sends a request with a body of known length.
    async fn send(&self, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Answer {
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let length = body.len();
        let (address, close) = (self.address, "Connection: close");
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {address}\r\n{close}\r\nContent-Length: {length}\r\n{lines}\r\n"
        );
        self.ask_raw(&[head.as_bytes(), body].concat()).await
    }
}

/// The body of an answer without the framing of HTTP/1.1: this registry announces no lengths.
fn content(answer: &Answer) -> Vec<u8> {
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let (mut rest, mut content) = (answer.body.as_slice(), Vec::new());
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        content.extend_from_slice(&rest[end + 2..][..length]);
        rest = &rest[end + 2 + length + 2..];
    }
    content
}

const OCTETS: &str = "Content-Type: application/octet-stream";

/// The ways of the specification to push a blob.
#[tokio::test]
async fn blobs_are_uploaded_in_every_way() {
    let (internet, socket) = registry(Site::new().uploads(Uploads { prefix: String::new(), ..Uploads::default() }));
    let ns = socket.authority();
    let relay = relay_to(ns, &[]).await;
    for road in [format!("/v2/a/b/blobs/uploads/?ns={ns}"), format!("/v2/{}/a/b/blobs/uploads/", ns.replace(':', "_"))]
    {
        // In chunks of known length, with a question in between.
        let text = format!("in pieces {road}");
        let digest = Digest::sha256(text.as_bytes());
        let begun = relay.send("POST", &road, &[], b"").await;
        assert_eq!(begun.status, 202, "{begun:?}");
        let mut place = begun.header("location").unwrap().to_owned();
        assert!(place.starts_with(road.split('?').next().unwrap()), "{place}");
        assert_eq!(place.contains("?ns="), road.contains("?ns="));
        for (at, piece) in text.as_bytes().chunks(10).enumerate() {
            let range = format!("Content-Range: {}-{}", at * 10, at * 10 + piece.len() - 1);
            let sent = relay.send("PATCH", &place, &[OCTETS, &range], piece).await;
            assert_eq!(sent.status, 202, "{sent:?}");
            assert_eq!(sent.header("range"), Some(format!("0-{}", at * 10 + piece.len() - 1).as_str()));
            sent.header("location").unwrap().clone_into(&mut place);
            assert_eq!(relay.get(&place).await.status, 204);
        }
        let mark = if place.contains('?') { '&' } else { '?' };
        let done = relay.send("PUT", &format!("{place}{mark}digest={digest}"), &[OCTETS], b"").await;
        assert_eq!(done.status, 201, "{done:?}");
        let blob = done.header("location").unwrap();
        assert_eq!(content(&relay.get(blob).await), text.as_bytes(), "{blob}");

        // Whole, without a length: as docker, containerd and skopeo send it.
        let begun = relay.send("POST", &road, &[], b"").await;
        let place = begun.header("location").unwrap();
        let chunked = format!(
            "PATCH {place} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n",
            relay.address
        );
        let sent = relay.ask_raw(chunked.as_bytes()).await;
        assert_eq!((sent.status, sent.header("range")), (202, Some("0-4")), "{sent:?}");

        // A session that is given up is gone.
        let place = sent.header("location").unwrap();
        assert_eq!(relay.send("DELETE", place, &[], b"").await.status, 204);
        let gone = relay.get(place).await;
        assert_eq!((gone.status, gone.code().as_str()), (404, "BLOB_UPLOAD_UNKNOWN"));
    }
    // A blob of another repository.
    let text = format!("in pieces /v2/a/b/blobs/uploads/?ns={ns}");
    let digest = Digest::sha256(text.as_bytes());
    let port = ns.replace(':', "_");
    for (target, blob) in [
        (format!("/v2/c/blobs/uploads/?ns={ns}&mount={digest}&from=a/b"), format!("/v2/c/blobs/{digest}?ns={ns}")),
        (format!("/v2/{port}/d/blobs/uploads/?mount={digest}&from={port}/a/b"), format!("/v2/{port}/d/blobs/{digest}")),
    ] {
        let mounted = relay.send("POST", &target, &[], b"").await;
        let location = mounted.header("location").map(|location| location.replace("%3A", ":"));
        assert_eq!((mounted.status, location.as_deref()), (201, Some(blob.as_str())), "{mounted:?}");
    }
    // One of another registry is uploaded.
    let target = format!("/v2/{port}/e/blobs/uploads/?mount={digest}&from=other.example/a/b");
    assert_eq!(relay.send("POST", &target, &[], b"").await.status, 202);
    assert!(internet.log().iter().all(|asked| !asked.url.contains("other.example")));
}

#[tokio::test]
async fn manifests_are_put_and_deleted() {
    let (internet, socket) = registry(Site::new().with_referrers());
    let ns = socket.authority();
    let relay = relay_to(ns, &[]).await;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = br#"{"schemaVersion":2,"layers":[]}"#;
    let digest = Digest::sha256(manifest);
    let tag = format!("/v2/a/manifests/1?ns={ns}");
    let put = relay.send("PUT", &tag, &[&format!("Content-Type: {kind}"), "Cookie: a=b"], manifest).await;
    assert_eq!((put.status, put.header("docker-content-digest")), (201, Some(digest.to_string().as_str())), "{put:?}");
    let place = put.header("location").unwrap();
    assert_eq!(place.replace("%3A", ":"), format!("/v2/a/manifests/{digest}?ns={ns}"));
    let read = relay.get(place).await;
    assert_eq!((content(&read).as_slice(), read.header("content-type")), (&manifest[..], Some(kind)));
    let sent = internet.log().into_iter().find(|asked| asked.method == "PUT").unwrap();
    assert_eq!(sent.headers.get("cookie"), None);

    assert_eq!(relay.send("DELETE", &tag, &[], b"").await.status, 202);
    assert_eq!(relay.get(&tag).await.status, 404);
    assert_eq!(relay.send("DELETE", place, &[], b"").await.status, 202);
    assert_eq!(relay.get(place).await.status, 404);
    let refused = relay.send("DELETE", place, &[], b"").await;
    assert_eq!((refused.status, refused.code().as_str()), (404, "MANIFEST_UNKNOWN"));
}

/// The relay's cache does not serve what was deleted from its registry.
#[tokio::test]
async fn what_was_deleted_does_not_come_out_of_the_cache() {
    let (_internet, socket) = registry(Site::new());
    let (ns, folder) = (socket.authority(), tempfile::tempdir().unwrap());
    let relay = relay_to(ns, &["--cache", folder.path().to_str().unwrap()]).await;
    let manifest = br#"{"schemaVersion":2,"layers":[]}"#;
    let target = format!("/v2/a/manifests/{}?ns={ns}", Digest::sha256(manifest));
    relay.send("PUT", &target, &["Content-Type: application/vnd.oci.image.manifest.v1+json"], manifest).await;
    for _ in 0..3 {
        assert_eq!(relay.get(&target).await.status, 200);
    }
    assert_eq!(relay.send("DELETE", &target, &[], b"").await.status, 202);
    assert_eq!(relay.get(&target).await.status, 404);
}

#[tokio::test]
async fn a_relay_without_the_option_writes_nothing() {
    let (internet, socket) = registry(Site::new());
    let ns = socket.authority();
    let relay = Running::start(&["--allow-private", ns]).await;
    for (method, target) in [
        ("POST", "a/blobs/uploads/"),
        ("PATCH", "a/blobs/uploads/x"),
        ("PUT", "a/blobs/uploads/x"),
        ("GET", "a/blobs/uploads/x"),
        ("PUT", "a/manifests/1"),
        ("DELETE", "a/manifests/1"),
        ("DELETE", &format!("a/blobs/{DIGEST}")),
    ] {
        let answer = relay.send(method, &format!("/v2/{target}?ns={ns}"), &[], b"").await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "UNSUPPORTED"), "{method} {target}");
        assert!(String::from_utf8_lossy(&answer.body).contains("--allow-push"), "{answer:?}");
        // An upload takes no method at all.
        let expected = if target.contains("/uploads/") { "" } else { "GET, HEAD" };
        assert_eq!(answer.header("allow"), Some(expected), "{method} {target}");
    }
    assert!(internet.log().is_empty());
}

#[tokio::test]
async fn pages_of_strangers_push_nothing() {
    let (internet, socket) = registry(Site::new());
    let ns = socket.authority();
    let relay = relay_to(ns, &[]).await;
    let target = format!("/v2/a/blobs/uploads/?ns={ns}");
    for header in ["Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"] {
        let answer = relay.send("POST", &target, &[header], b"").await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "ORIGIN_DENIED"), "{header}");
    }
    assert!(internet.log().is_empty());
    let own = format!("Origin: http://{}", relay.address);
    let asks = ["Access-Control-Request-Method: PATCH", "Access-Control-Request-Headers: content-range"];
    let place = relay.send("POST", &target, &[&own], b"").await.header("location").unwrap().to_owned();
    let preflight = relay.ask("OPTIONS", &place, &[&own, asks[0], asks[1]]).await;
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET, PATCH, PUT, DELETE"));
    let answer = relay.send("PUT", &format!("/v2/a/tags/list?ns={ns}"), &[], b"").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
}

/// An upload continues where the registry said, in the repository that it said it for, and nowhere else.
#[tokio::test]
async fn a_place_of_an_upload_comes_from_its_registry() {
    let (internet, socket) = registry(Site::new());
    let ns = socket.authority();
    let (relay, other) = (relay_to(ns, &[]).await, relay_to(ns, &[]).await);
    let target = format!("/v2/a/blobs/uploads/?ns={ns}");
    let begun = relay.send("POST", &target, &[], b"").await;
    let place = begun.header("location").unwrap().to_owned();
    let asked = internet.log().len();
    let sealed = place.rsplit('/').next().unwrap().split('?').next().unwrap();
    let elsewhere = place.replace("/v2/a/", "/v2/b/");
    let host = place.replace("127.0.0.1", "localhost");
    let flipped = place.replace(sealed, &sealed.chars().rev().collect::<String>());
    let plain = place.replace(sealed, "aHR0cDovLzEyNy4wLjAuMS8");
    for forged in [&elsewhere, &flipped, &plain] {
        let answer = relay.send("PATCH", forged, &[OCTETS], b"x").await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "BLOB_UPLOAD_UNKNOWN"), "{forged}");
    }
    assert_eq!(relay.send("PATCH", &host, &[OCTETS], b"x").await.status, 403);
    // Another process has another key.
    assert_eq!(other.send("PATCH", &place, &[OCTETS], b"x").await.status, 404);
    assert_eq!(internet.log().len(), asked);

    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, [7; 32]).unwrap();
    let shared = ["--upload-key", key.to_str().unwrap()];
    let (one, two) = (relay_to(ns, &shared).await, relay_to(ns, &shared).await);
    let begun = one.send("POST", &target, &[], b"").await;
    let sent = two.send("PATCH", begun.header("location").unwrap(), &[OCTETS], b"x").await;
    assert_eq!(sent.status, 202, "{sent:?}");
}

#[tokio::test]
async fn a_registry_leads_no_upload_inside() {
    for location in ["http://10.0.0.1/u", "http://169.254.169.254/", "https://localhost/u", "http://127.0.0.1:1/u"] {
        let (internet, socket) = registry(Site::new());
        let ns = socket.authority();
        let relay = relay_to(ns, &[]).await;
        internet.fault("POST", 1, Fault::Header("location", location.to_owned()));
        let answer = relay.send("POST", &format!("/v2/a/blobs/uploads/?ns={ns}"), &[], b"").await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "UPSTREAM_REFUSED"), "{location}");
    }
    let (internet, socket) = registry(Site::new());
    let ns = socket.authority();
    let relay = relay_to(ns, &[]).await;
    internet.fault("PUT", 1, Fault::Answer { status: 307, headers: vec![("location", "/x".into())], body: Vec::new() });
    let answer = relay.send("PUT", &format!("/v2/a/manifests/1?ns={ns}"), &[], b"{}").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UPSTREAM_INVALID"));
}

/// Each client is its registry's own business: challenges lead here, and tokens go there.
#[tokio::test]
async fn credentials_go_with_a_push() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ns = listener.local_addr().unwrap().to_string();
    let internet = Internet::new();
    let challenge = bearer(&format!("http://{ns}/token"), "svc");
    internet.site(&ns, Site::new().auth(Auth::Bearer { challenge, account: Some("alice:secret") }));
    let _socket = Socket::serve(listener, &internet).unwrap();
    let relay = relay_to(&ns, &[]).await;
    let target = format!("/v2/a/blobs/uploads/?ns={ns}");
    let refused = relay.send("POST", &target, &[], b"").await;
    let realm = format!("Bearer realm=\"http://{}/token?ns={ns}\"", relay.address);
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(refused.status == 401 && challenge.starts_with(&realm), "{refused:?}");
    assert!(challenge.ends_with("scope=\"repository:a:pull,push\""), "{challenge}");
    let token = format!("/token?ns={ns}&scope=repository:a:pull,push");
    let token = relay.ask("GET", &token, &["Authorization: Basic YWxpY2U6c2VjcmV0"]).await;
    let token: serde_json::Value = serde_json::from_slice(&token.body).unwrap();
    let bearer = format!("Authorization: Bearer {}", token["token"].as_str().unwrap());
    let begun = relay.send("POST", &target, &[&bearer], b"").await;
    assert_eq!(begun.status, 202, "{begun:?}");
    let place = begun.header("location").unwrap();
    assert_eq!(relay.send("PATCH", place, &[], b"x").await.status, 401);
    assert_eq!(relay.send("PATCH", place, &[&bearer], b"x").await.status, 202);
}

#[tokio::test]
async fn bodies_have_limits() {
    let (internet, socket) = registry(Site::new());
    let ns = socket.authority();
    let relay = relay_to(ns, &["--upload-size", "10", "--document-size", "20", "--client-idle", "1s"]).await;
    let begun = relay.send("POST", &format!("/v2/a/blobs/uploads/?ns={ns}"), &[], b"").await;
    let place = begun.header("location").unwrap();
    for (target, most, option) in
        [(place.to_owned(), 10, "--upload-size"), (format!("/v2/a/manifests/1?ns={ns}"), 20, "--document-size")]
    {
        let long = vec![b'x'; most + 1];
        let announced = relay.send("PUT", &target, &[], &long).await;
        assert_eq!((announced.status, announced.code().as_str()), (413, "SIZE_INVALID"), "{announced:?}");
        assert!(String::from_utf8_lossy(&announced.body).contains(option), "{announced:?}");
        let chunked = format!(
            "PUT {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            relay.address,
            long.len(),
            String::from_utf8_lossy(&long)
        );
        let counted = relay.ask_raw(chunked.as_bytes()).await;
        assert_eq!((counted.status, counted.code().as_str()), (413, "SIZE_INVALID"), "{counted:?}");
    }
    // A client that stops.
    let stalled = format!(
        "PATCH {place} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: 9\r\n\r\nabc",
        relay.address
    );
    let answer = relay.ask_raw(stalled.as_bytes()).await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "REQUEST_INVALID"), "{answer:?}");
    assert!(internet.look(ns, |site| site.content("a").is_none_or(|content| content.blobs.is_empty())).unwrap());
    let metrics = String::from_utf8(relay.get("/metrics").await.body).unwrap();
    for limit in ["upload-size", "document-size"] {
        assert!(metrics.contains(&format!("limited_total{{limit=\"{limit}\"}} 2\n")), "{metrics}");
    }
}

/// Of two lengths for one body, the chunks count (RFC 9112 §6.3), and what follows them is not a request.
#[tokio::test]
async fn two_lengths_of_one_body_smuggle_no_request() {
    let (internet, socket) = registry(Site::new());
    let ns = socket.authority();
    let relay = relay_to(ns, &[]).await;
    let host = relay.address;
    for lengths in
        ["Content-Length: 9\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 9"]
    {
        let begun = relay.send("POST", &format!("/v2/a/blobs/uploads/?ns={ns}"), &[], b"").await;
        let place = begun.header("location").unwrap();
        let hidden = format!("DELETE /v2/a/manifests/1?ns={ns} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let sent =
            format!("PATCH {place} HTTP/1.1\r\nHost: {host}\r\n{lengths}\r\n\r\n5\r\nwhole\r\n0\r\n\r\n{hidden}");
        let answer = relay.ask_raw(sent.as_bytes()).await;
        assert_eq!((answer.status, answer.header("range")), (202, Some("0-4")), "{lengths}: {answer:?}");
        assert_eq!((answer.header("connection"), answer.body.as_slice()), (Some("close"), &b""[..]), "{lengths}");
    }
    assert!(internet.log().iter().all(|asked| asked.method != "DELETE"));
}

/// A registry that takes nothing holds the client back: what is on its way fits into the buffers of the sockets.
#[tokio::test]
async fn a_slow_registry_slows_the_client() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (go, wait) = mpsc::channel::<()>();
    let task = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let _ = wait.recv();
        drop(stream);
    });
    let relay = relay_to(&address.to_string(), &["--document-size", "1GB"]).await;
    let mut client = TcpStream::connect(relay.address).await.unwrap();
    let head = format!(
        "PUT /v2/a/manifests/1?ns={address} HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000000000\r\n\r\n",
        relay.address
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b' '; 64 << 10];
    let mut sent = 0;
    while let Ok(Ok(count)) = tokio::time::timeout(Duration::from_secs(1), client.write(&piece)).await {
        sent += count;
        assert!(sent < 64 << 20, "the relay takes what its registry does not");
    }
    assert!(sent > 0);
    go.send(()).unwrap();
    task.join().unwrap();
}
