//! Blobs out of the cache, and who gets them.

use super::*;
use porthole_core::digest::Digest;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const CONTENT: &str = "the content of a private blob";

/// A registry whose blob only this bearer token may read, and how often it sent the blob.
async fn private(token: &'static str, up: Arc<AtomicBool>) -> (Upstream, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let upstream = Upstream::start(move |head| {
        if !up.load(Ordering::Relaxed) {
            return Vec::new();
        }
        if !head.contains(&format!("Bearer {token}\r\n")) {
            return reply("401 Unauthorized", &["WWW-Authenticate: Bearer realm=\"https://a.example/\""], "");
        }
        let head = head.to_ascii_lowercase();
        if head.starts_with("head") {
            return format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", CONTENT.len())
                .into_bytes();
        }
        if head.contains("range: bytes=4-6") {
            return reply(
                "206 Partial Content",
                &[&format!("Content-Range: bytes 4-6/{}", CONTENT.len())],
                &CONTENT[4..7],
            );
        }
        count.fetch_add(1, Ordering::Relaxed);
        reply("200 OK", &["ETag: \"own\""], CONTENT)
    })
    .await;
    (upstream, sent)
}

fn target(upstream: &Upstream) -> String {
    format!("/v2/a/blobs/{}?ns={}", Digest::sha256(CONTENT.as_bytes()), upstream.address)
}

async fn relay(folder: &tempfile::TempDir, flags: &[&str]) -> Running {
    let folder = folder.path().to_str().unwrap();
    Running::start(&[&["--allow-private", "127.0.0.1", "--cache", folder], flags].concat()).await
}

/// Waits until the blob is in the cache.
async fn cached(relay: &Running) {
    loop {
        let text = String::from_utf8(relay.get("/metrics").await.body).unwrap();
        if text.contains(&format!("porthole_relay_cache_bytes {}\n", CONTENT.len()))
            && text.contains("relay_streams 0\n")
        {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_private_blob_is_served_to_those_whom_the_registry_lets_read_it() {
    let up = Arc::new(AtomicBool::new(true));
    let (upstream, sent) = private("alice", Arc::clone(&up)).await;
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(&folder, &[]).await;
    let target = target(&upstream);
    let alice = ["Authorization: Bearer alice"];
    let first = relay.ask("GET", &target, &alice).await;
    assert_eq!((first.status, first.body.as_slice()), (200, CONTENT.as_bytes()), "{first:?}");
    cached(&relay).await;

    let again = relay.ask("GET", &target, &alice).await;
    assert_eq!((again.status, again.body.as_slice()), (200, CONTENT.as_bytes()));
    assert_eq!(again.header("cache-control"), Some("private, max-age=31536000, immutable"));
    let part = relay.ask("GET", &target, &[alice[0], "Range: bytes=4-6"]).await;
    assert_eq!((part.status, part.body.as_slice()), (206, &CONTENT.as_bytes()[4..7]));
    assert_eq!(part.header("content-range"), Some(format!("bytes 4-6/{}", CONTENT.len()).as_str()));
    let none = relay.ask("GET", &target, &[alice[0], "Range: bytes=99-"]).await;
    assert_eq!((none.status, none.code().as_str()), (416, "RANGE_INVALID"));
    assert_eq!(sent.load(Ordering::Relaxed), 1);

    for other in [&["Authorization: Bearer mallory"][..], &[]] {
        let refused = relay.ask("GET", &target, other).await;
        assert_eq!(refused.status, 401, "{other:?}");
        assert!(refused.header("www-authenticate").unwrap().contains("/token?ns="));
    }
    // Another repository of the same registry is asked for on its own.
    let elsewhere = target.replace("/v2/a/", "/v2/b/");
    assert_eq!(relay.ask("GET", &elsewhere, &["Authorization: Bearer mallory"]).await.status, 401);

    // What cannot be authorized now is not served: the answer for another caller is not remembered for this one.
    up.store(false, Ordering::Relaxed);
    let refused = relay.ask("GET", &elsewhere, &alice).await;
    assert_eq!(refused.status, 502, "{refused:?}");
    assert!(!refused.body.ends_with(CONTENT.as_bytes()));
}

/// A registry of the attacker says of any digest that it has the blob.
#[tokio::test]
async fn another_registry_cannot_grant_a_private_blob() {
    let up = Arc::new(AtomicBool::new(true));
    let (upstream, _) = private("alice", Arc::clone(&up)).await;
    let (hostile, sent) = private("mallory", up).await;
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(&folder, &[]).await;
    relay.ask("GET", &target(&upstream), &["Authorization: Bearer alice"]).await;
    cached(&relay).await;
    relay.ask("GET", &target(&hostile), &["Authorization: Bearer mallory"]).await;
    assert_eq!(sent.load(Ordering::Relaxed), 1, "the bytes came from the registry that granted them");
}

#[tokio::test]
async fn many_requests_for_a_blob_fetch_it_once() {
    let up = Arc::new(AtomicBool::new(true));
    let (upstream, sent) = private("alice", up).await;
    let folder = tempfile::tempdir().unwrap();
    let relay = Arc::new(relay(&folder, &[]).await);
    let target = target(&upstream);
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let (relay, target) = (Arc::clone(&relay), target.clone());
            tokio::spawn(async move { relay.ask("GET", &target, &["Authorization: Bearer alice"]).await })
        })
        .collect();
    for client in clients {
        let answer = client.await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, CONTENT.as_bytes()), "{answer:?}");
    }
    assert_eq!(sent.load(Ordering::Relaxed), 1);
    drop(relay);

    // What is on disk is there for the next relay.
    let next = Running::start(&["--allow-private", "127.0.0.1", "--cache", folder.path().to_str().unwrap()]).await;
    assert_eq!(next.ask("GET", &target, &["Authorization: Bearer alice"]).await.body, CONTENT.as_bytes());
    assert_eq!(sent.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_blob_that_does_not_match_its_digest_is_broken_off_and_not_kept() {
    let upstream = Upstream::start(|head| {
        if head.starts_with("HEAD") { reply("200 OK", &[], "") } else { reply("200 OK", &[], "other content") }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(&folder, &[]).await;
    for _ in 0..2 {
        let answer = relay.get(&target(&upstream)).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.len() < "other content".len(), "{answer:?}");
    }
    let metrics = loop {
        let metrics = String::from_utf8(relay.get("/metrics").await.body).unwrap();
        // The room is given back a moment later.
        if metrics.contains("porthole_relay_cache_bytes 0\n") {
            break metrics;
        }
        tokio::task::yield_now().await;
    };
    assert!(metrics.contains("porthole_relay_cache_wrong_total 2\n"), "{metrics}");
}

#[tokio::test]
async fn a_blob_that_would_fill_the_cache_is_passed_on() {
    let up = Arc::new(AtomicBool::new(true));
    let (upstream, sent) = private("alice", up).await;
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(&folder, &["--cache-size", "40"]).await;
    for _ in 0..2 {
        let answer = relay.ask("GET", &target(&upstream), &["Authorization: Bearer alice"]).await;
        assert_eq!(answer.body, CONTENT.as_bytes());
    }
    assert_eq!(sent.load(Ordering::Relaxed), 2);
}

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}"#;

/// Manifests by digest cost no second transfer, and are private like blobs; what a tag stands for is asked for each time.
#[tokio::test]
async fn manifests_by_digest_are_kept_for_those_who_may_read_them() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let upstream = Upstream::start(move |head| {
        if !head.contains("Bearer alice\r\n") {
            return reply("401 Unauthorized", &["WWW-Authenticate: Bearer realm=\"https://a.example/\""], "");
        }
        let kind = "Content-Type: application/vnd.oci.image.manifest.v1+json";
        if head.starts_with("HEAD") {
            return reply("200 OK", &[kind], "");
        }
        count.fetch_add(1, Ordering::Relaxed);
        reply("200 OK", &[kind], MANIFEST)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(&folder, &[]).await;
    let digest = Digest::sha256(MANIFEST.as_bytes());
    let target = format!("/v2/a/manifests/{digest}?ns={}", upstream.address);
    let alice = ["Authorization: Bearer alice"];
    for _ in 0..3 {
        let answer = relay.ask("GET", &target, &alice).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, MANIFEST.as_bytes()), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/vnd.oci.image.manifest.v1+json"));
        assert_eq!(answer.header("docker-content-digest"), Some(digest.to_string().as_str()));
        assert_eq!(answer.header("cache-control"), Some("private, max-age=31536000, immutable"));
        while relay.get("/metrics").await.body.windows(16).any(|window| window == b"relay_streams 1\n") {}
    }
    assert_eq!(sent.load(Ordering::Relaxed), 1);
    let known = relay.ask("GET", &target, &[alice[0], &format!("If-None-Match: \"{digest}\"")]).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    for other in [&["Authorization: Bearer mallory"][..], &[]] {
        assert_eq!(relay.ask("GET", &target, other).await.status, 401);
    }
    // The blob of that digest is another thing, which its registry may refuse.
    let tag = format!("/v2/a/manifests/latest?ns={}", upstream.address);
    for expected in [2, 3] {
        assert_eq!(relay.ask("GET", &tag, &alice).await.status, 200);
        assert_eq!(sent.load(Ordering::Relaxed), expected);
    }
}

/// Two relays share a directory: what one fetches, readers of the other follow, each with their own rights.
#[tokio::test]
async fn replicas_fetch_a_blob_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let registry = listener.local_addr().unwrap();
    let (go, wait) = tokio::sync::watch::channel(false);
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut wait, count) = (wait.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let Some(head) = read_head(&mut stream).await else { return };
                let (challenge, length) = ("WWW-Authenticate: Bearer realm=\"https://a.example/\"", CONTENT.len());
                let answer = if !head.contains("Bearer alice\r\n") {
                    reply("401 Unauthorized", &[challenge], "")
                } else if head.starts_with("HEAD") {
                    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n").into_bytes()
                } else {
                    count.fetch_add(1, Ordering::Relaxed);
                    // Until all have asked.
                    let _ = wait.wait_for(|go| *go).await;
                    reply("200 OK", &[], CONTENT)
                };
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let replicas = [Arc::new(relay(&folder, &[]).await), Arc::new(relay(&folder, &[]).await)];
    let target = format!("/v2/a/blobs/{}?ns={registry}", Digest::sha256(CONTENT.as_bytes()));
    let ask = |n: usize, token: &'static str| {
        let (relay, target) = (Arc::clone(&replicas[n % 2]), target.clone());
        tokio::spawn(async move { relay.ask("GET", &target, &[&format!("Authorization: Bearer {token}")]).await })
    };
    let first = ask(0, "alice");
    while sent.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let others: Vec<_> = (1..20).map(|n| ask(n, "alice")).collect();
    let mallory = [ask(0, "mallory"), ask(1, "mallory")];
    for refused in mallory {
        assert_eq!(refused.await.unwrap().status, 401);
    }
    go.send(true).unwrap();
    for client in [first].into_iter().chain(others) {
        let answer = client.await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, CONTENT.as_bytes()), "{answer:?}");
    }
    assert_eq!(sent.load(Ordering::Relaxed), 1);
    // A blob that one has fetched is the other's too, for those who may read it.
    for replica in &replicas {
        assert_eq!(replica.ask("GET", &target, &["Authorization: Bearer mallory"]).await.status, 401);
        assert_eq!(replica.ask("GET", &target, &["Authorization: Bearer alice"]).await.body, CONTENT.as_bytes());
    }
    assert_eq!(sent.load(Ordering::Relaxed), 1);
}

/// A relay that died in the middle of a fetch leaves nothing that another one waits for.
#[tokio::test]
async fn a_dead_replica_is_not_waited_for() {
    let up = Arc::new(AtomicBool::new(true));
    let (upstream, sent) = private("alice", up).await;
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(&folder, &[]).await;
    let digest = Digest::sha256(CONTENT.as_bytes());
    let claim = folder.path().join("incoming").join(format!("{}~sha256-{}", upstream.address, digest.hex()));
    // As a killed process leaves them: not locked.
    std::fs::write(&claim, CONTENT.len().to_string()).unwrap();
    std::fs::write(claim.with_extension(format!("{}.data", claim.extension().unwrap().display())), "the").unwrap();
    let answer = relay.ask("GET", &target(&upstream), &["Authorization: Bearer alice"]).await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, CONTENT.as_bytes()), "{answer:?}");
    assert_eq!(sent.load(Ordering::Relaxed), 1);
}
