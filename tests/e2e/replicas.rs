//! Two relays behind nginx that share a cache directory or a bucket.

use porthole_tests::{
    Result,
    http::{Message, request},
    program::{free_port, wait_for},
    servers::{Nginx, Relay, Scratch, Store},
};
use std::{
    io::Write,
    net::{Ipv4Addr, TcpListener},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// A registry that sends a private blob to the token `alice` in twenty pieces, with a pause in milliseconds after each. Also returns
/// the number of responses that it started.
fn registry(content: Arc<Vec<u8>>, pause: u64) -> Result<(u16, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(std::io::Result::ok) {
            let (content, count) = (Arc::clone(&content), Arc::clone(&count));
            thread::spawn(move || -> Result<()> {
                let asked = Message::read(&stream)?;
                if asked.header("authorization") != Some("Bearer alice") {
                    let challenge = "WWW-Authenticate: Bearer realm=\"https://a.example/\"";
                    let head =
                        format!("HTTP/1.1 401 X\r\nConnection: close\r\nContent-Length: 0\r\n{challenge}\r\n\r\n");
                    return Ok(stream.write_all(head.as_bytes())?);
                }
                let length = content.len();
                let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes())?;
                if asked.first.starts_with("HEAD") {
                    return Ok(());
                }
                count.fetch_add(1, Ordering::Relaxed);
                for piece in content.chunks(content.len() / 20) {
                    stream.write_all(piece)?;
                    thread::sleep(Duration::from_millis(pause));
                }
                Ok(())
            });
        }
    });
    Ok((port, sent))
}

/// The bytes of a blob, and its digest.
fn blob(seed: u8, size: usize) -> (Vec<u8>, String) {
    let content: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap_or(0) ^ seed).collect();
    let digest = porthole_testkit::image::Blob::new("application/octet-stream", content.clone()).digest;
    (content, digest)
}

/// Two relays with these cache directories and options, and an nginx that distributes requests to them in turn.
fn replicas(host: &str, caches: [&Scratch; 2], options: &[&str]) -> Result<([Relay; 2], Nginx)> {
    let port = free_port()?;
    let public = format!("http://127.0.0.1:{port}");
    let [one, two] = caches.map(|cache| {
        let folder = cache.path().display().to_string();
        let own = ["--allow-private", host, "--cache", &folder, "--public-url", &public];
        Relay::with(own.iter().chain(options))
    });
    let relays = [one?, two?];
    let [one, two] = [relays[0].host(), relays[1].host()];
    let directives = format!(
        "upstream relays {{ server {one}; server {two}; keepalive 8; }}
         server {{ listen 127.0.0.1:{port}; location / {{
            proxy_pass http://relays; proxy_set_header Host 127.0.0.1:{port}; proxy_set_header Connection '';
         }} }}"
    );
    let nginx = Nginx::example(port, &directives)?;
    Ok((relays, nginx))
}

fn ask(port: u16, digest: &str, host: &str, token: &str) -> Result<Message> {
    let authorization = format!("Bearer {token}");
    let target = format!("/v2/private/blobs/{digest}?ns={host}");
    request(port, "GET", &target, &[("authorization", &authorization)], &[])
}

#[test]
fn many_waiters_cost_one_fetch_and_a_private_blob_stays_private() -> Result<()> {
    let (content, digest) = blob(1, 2 << 20);
    let content = Arc::new(content);
    let (registry, sent) = registry(Arc::clone(&content), 50)?;
    let (host, cache) = (format!("127.0.0.1:{registry}"), Scratch::new("cache")?);
    let (_relays, nginx) = replicas(&host, [&cache; 2], &["--cache-size", "100MB"])?;
    thread::scope(|scope| -> Result<()> {
        let clients: Vec<_> = (0..40)
            .map(|n| {
                let (digest, host, port) = (&digest, &host, nginx.port());
                let token = if n % 4 == 3 { "mallory" } else { "alice" };
                scope.spawn(move || (token, ask(port, digest, host, token).map_err(|error| error.to_string())))
            })
            .collect();
        for client in clients {
            let (token, answer) = client.join().map_err(|_| "a client panicked")?;
            let answer = answer?;
            if token == "alice" {
                assert_eq!(answer.second(), "200", "{:?}", answer.headers);
                assert!(answer.body == *content);
            } else {
                assert_eq!((answer.second(), answer.body.len() < 1000), ("401", true));
            }
        }
        Ok(())
    })?;
    assert_eq!(sent.load(Ordering::Relaxed), 1);
    // Both now serve the blob to clients that the registry authorizes.
    for _ in 0..4 {
        assert!(ask(nginx.port(), &digest, &host, "alice")?.body == *content);
        assert_eq!(ask(nginx.port(), &digest, &host, "mallory")?.second(), "401");
    }
    assert_eq!(sent.load(Ordering::Relaxed), 1);
    Ok(())
}

/// A replica is killed while it fetches a blob. The other one fetches the blob again; no wrong byte is served, and no partial file
/// remains.
#[test]
fn a_replica_that_is_killed_costs_its_own_clients_alone() -> Result<()> {
    let (content, digest) = blob(2, 2 << 20);
    let content = Arc::new(content);
    let (registry, sent) = registry(Arc::clone(&content), 250)?;
    let (host, cache) = (format!("127.0.0.1:{registry}"), Scratch::new("cache")?);
    let ([one, two], _nginx) = replicas(&host, [&cache; 2], &["--cache-size", "100MB"])?;
    let port = |relay: &Relay| -> Result<u16> { Ok(relay.host().rsplit(':').next().ok_or("a port")?.parse()?) };
    let (first, second) = (port(&one)?, port(&two)?);
    thread::scope(|scope| -> Result<()> {
        let (digest, host) = (&digest, &host);
        let cut = scope.spawn(move || ask(first, digest, host, "alice").map_err(|error| error.to_string()));
        wait_for("the registry sends the blob", || Ok((sent.load(Ordering::Relaxed) > 0).then_some(())))?;
        Command::new("kill").args(["-KILL", &one.process().to_string()]).status()?;
        let answer = cut.join().map_err(|_| "a client panicked")?;
        assert!(!answer.is_ok_and(|answer| answer.body == *content), "the transfer was broken off");
        Ok(())
    })?;
    assert!(ask(second, &digest, &host, "alice")?.body == *content);
    assert_eq!(sent.load(Ordering::Relaxed), 2);
    // A fetched blob is moved into the cache after its last byte is sent.
    wait_for("nothing is left of the one that was killed", || {
        Ok((std::fs::read_dir(cache.path().join("incoming"))?.count() == 0).then_some(()))
    })
}

/// Replicas without a common directory share a bucket. A blob that one has fetched is available to the others, also to those started
/// later. If the object store fails, the relays ask the registry.
#[test]
fn replicas_with_a_bucket_fetch_a_blob_once() -> Result<()> {
    let (content, digest) = blob(3, 2 << 20);
    let (registry, sent) = registry(Arc::new(content.clone()), 1)?;
    let (host, store) = (format!("127.0.0.1:{registry}"), Store::with_bucket("blobs")?);
    // The relays outlive the store.
    let secrets = Scratch::new("credentials")?;
    let credentials = secrets.path().join("credentials");
    std::fs::copy(store.credentials(), &credentials)?;
    let (endpoint, credentials) = (store.url(), credentials.display().to_string());
    let cache = ["--cache", "s3://blobs/relay", "--cache-endpoint", &endpoint, "--cache-credentials", &credentials];
    let start = |folders: &[Scratch; 2]| replicas(&host, folders.each_ref(), &cache);
    let new_folders = || -> Result<_> { Ok([Scratch::new("cache")?, Scratch::new("cache")?]) };

    let folders = new_folders()?;
    let (relays, nginx) = start(&folders)?;
    let first = relays[0].host().rsplit(':').next().ok_or("a port")?.parse()?;
    assert!(ask(first, &digest, &host, "alice")?.body == content);
    let objects = store.bucket("blobs").join("relay/blobs").join(&host);
    let hex = digest.trim_start_matches("sha256:");
    wait_for("the blob in the bucket", || {
        let mut names = std::fs::read_dir(&objects).into_iter().flatten().flatten().map(|entry| entry.file_name());
        // The store writes the checksum of an object when the object is complete.
        let whole = |name: &str| name.starts_with(&format!("sha256-{hex}")) && name.ends_with(".md5");
        Ok(names.any(|name| whole(&name.to_string_lossy())).then_some(()))
    })?;
    for _ in 0..4 {
        assert!(ask(nginx.port(), &digest, &host, "alice")?.body == content);
        assert_eq!(ask(nginx.port(), &digest, &host, "mallory")?.second(), "401");
    }
    assert_eq!(sent.load(Ordering::Relaxed), 1);
    drop((relays, nginx));

    let folders = new_folders()?;
    let (_relays, nginx) = start(&folders)?;
    for _ in 0..4 {
        assert_eq!(ask(nginx.port(), &digest, &host, "mallory")?.second(), "401");
        assert!(ask(nginx.port(), &digest, &host, "alice")?.body == content);
    }
    assert_eq!(sent.load(Ordering::Relaxed), 1);

    drop(store);
    let folders = new_folders()?;
    let (_relays, nginx) = start(&folders)?;
    assert!(ask(nginx.port(), &digest, &host, "alice")?.body == content);
    assert_eq!(sent.load(Ordering::Relaxed), 2);
    Ok(())
}

/// The directory stays within its size limit, even if both relays write to it.
#[test]
fn the_size_of_a_shared_cache_is_the_limit_of_both() -> Result<()> {
    let cache = Scratch::new("cache")?;
    let mut ports = Vec::new();
    let blobs: Vec<_> = (0..6).map(|seed| blob(seed, 200_000)).collect();
    for (content, _) in &blobs {
        ports.push(registry(Arc::new(content.clone()), 1)?.0);
    }
    let folder = cache.path().display().to_string();
    let options = ["--allow-private", "127.0.0.1", "--cache", &folder, "--cache-size", "800000"];
    let relays = [Relay::with(options)?, Relay::with(options)?];
    for (n, (content, digest)) in blobs.iter().enumerate() {
        let port = relays[n % 2].host().rsplit(':').next().ok_or("a port")?.parse()?;
        assert!(ask(port, digest, &format!("127.0.0.1:{}", ports[n]), "alice")?.body == *content);
        // A blob is moved into the cache after its last byte is sent. Then older blobs are evicted.
        wait_for("the blobs that are kept", || {
            let mut held = 0;
            for registry in std::fs::read_dir(cache.path().join("blobs"))? {
                let blobs = std::fs::read_dir(registry?.path())?;
                held += blobs.filter_map(|blob| Some(blob.ok()?.metadata().ok()?.len())).sum::<u64>();
            }
            assert!(held <= 800_000, "{held} after {n}");
            Ok((n < 3 || held >= 400_000).then_some(()))
        })?;
    }
    Ok(())
}
