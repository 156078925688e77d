//! A cache with a bucket behind its directory, and stores that misbehave.

use super::*;
use porthole_core::digest::Digest;
use std::collections::HashMap;

const CONTENT: &str = "the content of a private blob";

/// How a store behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    /// It sends other bytes.
    Lies,
    /// It sends half of what it announces.
    Breaks,
    /// It never answers.
    Hangs,
    Forbids,
    /// It takes nothing.
    Full,
}

/// An object store in memory.
struct Store {
    address: SocketAddr,
    objects: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
    credentials: tempfile::NamedTempFile,
    task: JoinHandle<()>,
}

impl Store {
    async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (objects, asked): (Arc<Mutex<HashMap<_, _>>>, Arc<Mutex<Vec<_>>>) = Default::default();
        let (all, log) = (Arc::clone(&objects), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (objects, asked) = (Arc::clone(&all), Arc::clone(&log));
                tokio::spawn(serve(stream, mood, objects, asked));
            }
        });
        let credentials = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&credentials, "[default]\naws_access_key_id=alpha\naws_secret_access_key=canary\n").unwrap();
        Self { address, objects, asked, credentials, task }
    }

    /// A relay with this bucket, a directory of its own, and the way to one registry.
    async fn relay(&self, registry: SocketAddr, folder: &tempfile::TempDir) -> Running {
        let (endpoint, registry) = (format!("http://{}", self.address), registry.to_string());
        let file = self.credentials.path().to_str().unwrap();
        let folder = folder.path().to_str().unwrap();
        let cache = ["--cache", folder, "--cache", "s3://blobs/porthole", "--cache-endpoint", &endpoint];
        Running::start(&[&cache[..], &["--cache-credentials", file, "--allow-private", &registry]].concat()).await
    }

    /// Puts the blob there as another relay would have.
    fn holds(&self, registry: SocketAddr) {
        let hex = Digest::sha256(CONTENT.as_bytes()).hex();
        let key = format!("/blobs/porthole/blobs/{}/sha256-{hex}", registry.to_string().replace(':', "%3A"));
        self.objects.lock().unwrap().insert(key, CONTENT.as_bytes().to_vec());
    }

    fn asked(&self, method: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|head| head.starts_with(method)).count()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    mood: Mood,
    objects: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let Some(head) = read_head(&mut stream).await else { return };
    let field = |name: &str| {
        head.lines().filter_map(|line| line.split_once(": ")).find(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    let value = |name: &str| field(name).map(|(_, value)| value.to_owned());
    let mut body = vec![0; value("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    asked.lock().unwrap().push(head.clone());
    assert!(value("authorization").unwrap().starts_with("AWS4-HMAC-SHA256 Credential=alpha/"), "{head}");
    assert!(!head.contains("canary") && !head.contains("Bearer"), "{head}");
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap().to_owned());
    let answer = match (method, mood) {
        (_, Mood::Hangs) => {
            let _kept = stream.read_u8().await;
            return;
        }
        (_, Mood::Forbids) => reply("403 Forbidden", &[], "<Error><Code>AccessDenied</Code></Error>"),
        ("PUT", Mood::Full) => reply("507 Insufficient Storage", &[], ""),
        ("PUT", _) => {
            assert_eq!(value("x-amz-content-sha256"), Some(Digest::sha256(&body).hex()));
            objects.lock().unwrap().insert(path, body);
            reply("200 OK", &[], "")
        }
        ("DELETE", _) => {
            objects.lock().unwrap().remove(&path);
            reply("204 No Content", &[], "")
        }
        _ => match objects.lock().unwrap().get(&path) {
            None => reply("404 Not Found", &[], "<Error><Code>NoSuchKey</Code></Error>"),
            Some(object) => {
                let text = String::from_utf8(object.clone()).unwrap();
                let text = if mood == Mood::Lies { text.replace("private", "another") } else { text };
                let mut answer = part(&text, value("range").as_deref());
                if mood == Mood::Breaks {
                    answer.truncate(answer.len() - 2);
                }
                answer
            }
        },
    };
    let _ = stream.write_all(&answer).await;
}

/// An answer with all of a text, or a range of it.
fn part(text: &str, range: Option<&str>) -> Vec<u8> {
    let Some((first, last)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
        return reply("200 OK", &[], text);
    };
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let span = format!("Content-Range: bytes {first}-{last}/{}", text.len());
    reply("206 Partial Content", &[&span], &text[first..=last])
}

/// A registry whose blob only `alice` may read.
async fn registry() -> Upstream {
    Upstream::start(|head| {
        if !head.contains("Bearer alice\r\n") {
            return reply("401 Unauthorized", &["WWW-Authenticate: Bearer realm=\"https://a.example/\""], "");
        }
        if head.starts_with("HEAD") {
            return format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", CONTENT.len())
                .into_bytes();
        }
        let range = head.lines().find_map(|line| Some(line.split_once(": ")?).filter(|(name, _)| *name == "range"));
        part(CONTENT, range.map(|(_, value)| value))
    })
    .await
}

fn target(registry: &Upstream) -> String {
    format!("/v2/a/blobs/{}?ns={}", Digest::sha256(CONTENT.as_bytes()), registry.address)
}

const ALICE: &str = "Authorization: Bearer alice";

fn gets(registry: &Upstream) -> usize {
    registry.asked().iter().filter(|head| head.starts_with("GET")).count()
}

/// Waits until the metrics have this line.
async fn counted(relay: &Running, line: &str) {
    loop {
        let text = String::from_utf8(relay.get("/metrics").await.body).unwrap();
        if text.lines().any(|l| l == format!("porthole_relay_{line}")) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_one_relay_fetched_others_find_in_the_bucket_for_those_who_may_read_it() {
    let (store, registry) = (Store::start(Mood::Well).await, registry().await);
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let first = store.relay(registry.address, &folders[0]).await;
    let target = target(&registry);
    assert_eq!(first.ask("GET", &target, &[ALICE]).await.body, CONTENT.as_bytes());
    counted(&first, "bucket_stored_total 1").await;
    assert_eq!(gets(&registry), 1);

    let second = store.relay(registry.address, &folders[1]).await;
    for other in [&["Authorization: Bearer mallory"][..], &[]] {
        assert_eq!(second.ask("GET", &target, other).await.status, 401);
    }
    let before = gets(&registry);
    let answer = second.ask("GET", &target, &[ALICE]).await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, CONTENT.as_bytes()), "{answer:?}");
    assert_eq!(answer.header("content-length"), Some(CONTENT.len().to_string().as_str()));
    // The directory has it now.
    let asked = store.asked("GET");
    assert_eq!(second.ask("GET", &target, &[ALICE]).await.body, CONTENT.as_bytes());
    assert_eq!((gets(&registry), store.asked("GET")), (before, asked));
    assert_eq!(store.asked("PUT"), 1);

    // A part of what is not on this disk comes from the bucket alone.
    let third = store.relay(registry.address, &folders[2]).await;
    let range = [ALICE, "Range: bytes=4-10"];
    let part = third.ask("GET", &target, &range).await;
    assert_eq!((part.status, part.body.as_slice()), (206, &CONTENT.as_bytes()[4..=10]), "{part:?}");
    assert_eq!(part.header("content-range"), Some(format!("bytes 4-10/{}", CONTENT.len()).as_str()));
    assert_eq!(third.ask("GET", &target, &["Authorization: Bearer mallory", range[1]]).await.status, 401);
    assert_eq!(gets(&registry), before + 1);
    // A registry that cannot be asked grants nothing.
    drop(registry);
    let elsewhere = target.replace("/v2/a/", "/v2/b/");
    let refused = third.ask("GET", &elsewhere, &[ALICE]).await;
    assert_eq!(refused.status, 502, "{refused:?}");
}

#[tokio::test]
async fn a_store_that_misbehaves_costs_no_answer() {
    for (mood, line) in [
        (Mood::Lies, "bucket_wrong_total 1"),
        (Mood::Breaks, "bucket_failed_total{access=\"read\"} 1"),
        (Mood::Hangs, "bucket_failed_total{access=\"read\"} 1"),
        (Mood::Forbids, "bucket_failed_total{access=\"read\"} 1"),
        (Mood::Full, "bucket_failed_total{access=\"write\"} 1"),
    ] {
        let (store, registry) = (Store::start(mood).await, registry().await);
        let folder = tempfile::tempdir().unwrap();
        if mood != Mood::Full {
            store.holds(registry.address);
        }
        let relay = store.relay(registry.address, &folder).await;
        for _ in 0..2 {
            let answer = relay.ask("GET", &target(&registry), &[ALICE]).await;
            assert_eq!((answer.status, answer.body.as_slice()), (200, CONTENT.as_bytes()), "{mood:?} {answer:?}");
        }
        counted(&relay, line).await;
        // The second answer came from the directory.
        assert_eq!(gets(&registry), 1, "{mood:?}");
        if mood == Mood::Lies {
            // What was wrong is replaced.
            counted(&relay, "bucket_stored_total 1").await;
        }
    }
}

/// A bucket that breaks a part off is left for the registry, in the middle of an answer.
#[tokio::test]
async fn a_part_that_a_store_breaks_off_comes_whole() {
    let (store, registry) = (Store::start(Mood::Breaks).await, registry().await);
    let folder = tempfile::tempdir().unwrap();
    store.holds(registry.address);
    let relay = store.relay(registry.address, &folder).await;
    let part = relay.ask("GET", &target(&registry), &[ALICE, "Range: bytes=4-10"]).await;
    assert_eq!((part.status, part.body.as_slice()), (206, &CONTENT.as_bytes()[4..=10]), "{part:?}");
    let asked = registry.asked();
    assert!(asked.last().unwrap().contains("range: bytes=9-10\r\n"), "{asked:?}");
}

#[tokio::test]
async fn the_endpoint_of_the_bucket_is_no_destination() {
    let (store, registry) = (Store::start(Mood::Well).await, registry().await);
    let folder = tempfile::tempdir().unwrap();
    let relay = store.relay(registry.address, &folder).await;
    let answer = relay.get(&format!("/v2/a/tags/list?ns={}", store.address)).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "DESTINATION_DENIED"), "{answer:?}");
    assert_eq!(store.asked(""), 0);
}
