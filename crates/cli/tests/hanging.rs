//! Registries whose answers do not end. Each command ends nevertheless, with an error that says why.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[allow(dead_code, reason = "other tests use the rest of it")]
mod scripted;

use porthole_testkit::image::{Built, Image, Layer};
use scripted::{ends, porthole};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// How the registry handles a request.
enum Deed {
    /// Answers with this status and body.
    Answer(u16, Vec<u8>),
    /// Sends the first half and then stops.
    Half(Vec<u8>),
    /// Sends one byte at a time and never ends.
    Drip(Vec<u8>),
    /// Never answers.
    Silence,
}

struct Mean {
    authority: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Mean {
    fn start(deed: impl Fn(&str, &str) -> Deed + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (deed, log, base) = (Arc::new(deed), Arc::clone(&asked), authority.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (deed, log, base) = (Arc::clone(&deed), Arc::clone(&log), base.clone());
                thread::spawn(move || answer(stream, &*deed, &log, &base));
            }
        });
        Self { authority, asked }
    }

    fn count(&self, start: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.starts_with(start)).count()
    }
}

fn answer(stream: TcpStream, deed: &dyn Fn(&str, &str) -> Deed, log: &Mutex<Vec<String>>, base: &str) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut range) = (0, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "range" => range = value.strip_prefix("bytes=")?.split_once('-')?.0.parse().ok()?,
            _ => {}
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).ok()?;
    log.lock().unwrap().push(format!("{method} {path}"));
    let mut stream = stream;
    let head = |status: u16, length: usize| {
        let location =
            if status == 202 { format!("Location: http://{base}/v2/a/b/blobs/uploads/1\r\n") } else { String::new() };
        let kind = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
        let kind = if path.contains("/manifests/") { kind } else { "" };
        let span = format!("Content-Range: bytes {range}-{}/{}\r\n", range + length.max(1) - 1, range + length);
        let (status, span) = if status == 200 && range > 0 { (206, span) } else { (status, String::new()) };
        format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{location}{kind}{span}Content-Length: {length}\r\n\r\n")
    };
    match deed(&method, &path) {
        Deed::Answer(status, body) => {
            let body = body.get(range..).unwrap_or_default();
            stream.write_all(head(status, body.len()).as_bytes()).ok()?;
            if method != "HEAD" {
                stream.write_all(body).ok()?;
            }
        }
        Deed::Half(body) => {
            let body = body.get(range..)?;
            stream.write_all(head(200, body.len()).as_bytes()).ok()?;
            stream.write_all(&body[..body.len() / 2]).ok()?;
            hold(&stream);
        }
        Deed::Drip(body) => {
            let body = body.get(range..)?;
            stream.write_all(head(200, body.len()).as_bytes()).ok()?;
            for byte in body {
                stream.write_all(&[*byte]).ok()?;
                thread::sleep(Duration::from_millis(20));
            }
        }
        Deed::Silence => hold(&stream),
    }
    Some(())
}

/// Waits until the client closes the connection.
fn hold(mut stream: &TcpStream) {
    let _ = stream.read(&mut [0]);
}

fn image() -> Built {
    let noise: Vec<u8> = (0..50_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    Image::new().layer(Layer::new("ADD noise").file("noise", noise)).build()
}

fn blob(image: &Built, path: &str) -> Option<Vec<u8>> {
    let layers = image.layers.iter().map(|layer| &layer.blob);
    let mut blobs = [&image.manifest, &image.config].into_iter().chain(layers);
    blobs.find(|blob| path.ends_with(&blob.digest)).map(|blob| blob.bytes.clone())
}

/// Serves the image, but applies `deed` to requests whose path contains `part`.
fn serving(part: &'static str, deed: fn(Vec<u8>) -> Deed) -> Mean {
    let image = image();
    let layer = image.layers[0].blob.digest.clone();
    Mean::start(move |_, path| {
        let body = match path.ends_with("/manifests/1") {
            true => Some(image.manifest.bytes.clone()),
            false => blob(&image, path),
        };
        let Some(body) = body else { return Deed::Answer(404, Vec::new()) };
        let is_meant = if part == "layer" { path.ends_with(&layer) } else { path.contains(part) };
        if is_meant { deed(body) } else { Deed::Answer(200, body) }
    })
}

const SHORT: &str = "--stall 2s --min-rate 1kB/1s --commit-wait 1s";

#[test]
fn a_blob_that_stalls_after_each_half_ends_the_pull() {
    let home = tempfile::tempdir().unwrap();
    let server = serving("layer", Deed::Half);
    let output = porthole(home.path(), &format!("pull {SHORT} {}/a/b:1", server.authority));
    ends(&output, 8, "timed out");
}

#[test]
fn a_blob_that_comes_a_byte_at_a_time_ends_the_pull() {
    let home = tempfile::tempdir().unwrap();
    let server = serving("layer", Deed::Drip);
    let output = porthole(home.path(), &format!("pull {SHORT} {}/a/b:1", server.authority));
    ends(&output, 8, "too slow: got fewer than 1000 bytes a second in 1 s");
}

#[test]
fn documents_that_come_a_byte_at_a_time_end_the_command() {
    let home = tempfile::tempdir().unwrap();
    let server = serving("/manifests/", Deed::Drip);
    let output = porthole(home.path(), &format!("manifest {SHORT} {}/a/b:1", server.authority));
    ends(&output, 8, "too slow");
    // The body of an error response is not awaited.
    let server = Mean::start(|_, _| Deed::Drip(vec![b' '; 60_000]));
    let output = porthole(home.path(), &format!("tags {SHORT} {}/a/b", server.authority));
    ends(&output, 8, "too slow");
}

/// A push to an empty registry.
fn push(
    deed: impl Fn(&str, &str) -> Option<Deed> + Send + Sync + 'static,
    layers: usize,
) -> (Mean, std::process::Output) {
    let home = tempfile::tempdir().unwrap();
    let mut image = Image::new();
    for number in 0..layers {
        image = image.layer(Layer::new("ADD").file("file", number.to_string()));
    }
    image.build().into_content("1").write_layout(&home.path().join("layout")).unwrap();
    let server = Mean::start(move |method, path| {
        deed(method, path).unwrap_or_else(|| match method {
            "POST" => Deed::Answer(202, Vec::new()),
            "GET" if path.contains("/uploads/") => Deed::Answer(404, Vec::new()),
            "HEAD" | "GET" => Deed::Answer(404, Vec::new()),
            "DELETE" => Deed::Answer(204, Vec::new()),
            _ => Deed::Answer(201, Vec::new()),
        })
    });
    let output = porthole(home.path(), &format!("push {SHORT} --progress json oci:layout {}/a/b:1", server.authority));
    (server, output)
}

#[test]
fn an_upload_that_is_never_committed_ends_the_push_once() {
    let (server, output) = push(|method, _| (method == "PUT").then_some(Deed::Silence), 1);
    ends(&output, 8, "timed out: waited 1 s for an answer");
    ends(&output, 8, "\"state\":\"committing\"");
    // One `PUT` for each of the two blobs: the client does not ask to commit the same bytes again.
    assert!(server.count("PUT ") <= 2, "{:?}", server.asked);
}

#[test]
fn a_registry_that_opens_no_upload_is_asked_a_few_times() {
    let (server, output) = push(|method, _| (method == "POST").then(|| Deed::Answer(503, Vec::new())), 3);
    ends(&output, 9, "503");
    assert!((4..=20).contains(&server.count("POST ")), "{:?}", server.asked);
}
