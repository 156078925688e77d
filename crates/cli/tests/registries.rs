//! The verbs over a registry: a scripted one, behind a socket of this machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Output},
    thread,
};

use porthole_registry::transport::{Body, Transport};
use porthole_testkit::{
    executor::block_on,
    image::{Built, Content, Image, Layer},
    registry::{Auth, Fault, Internet, Site, bearer},
};

/// A registry on a loopback port, which closes every connection after one answer.
struct Server {
    internet: Internet,
    authority: String,
}

impl Server {
    fn new(site: impl FnOnce(&str) -> Site) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let internet = Internet::new();
        internet.site(&authority, site(&authority));
        let server = Self { internet: internet.clone(), authority: authority.clone() };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (internet, authority) = (internet.clone(), authority.clone());
                // A client that went away is no concern of the registry.
                thread::spawn(move || answer(stream.unwrap(), &internet, &authority).ok());
            }
        });
        server
    }

    fn of(image: &Built) -> Self {
        let content = image.clone().into_content("1");
        Self::new(|_| Site::new().repository("a/b", content))
    }

    fn run(&self, arguments: &str) -> Output {
        let home = tempfile::tempdir().unwrap();
        self.run_in(home.path(), arguments)
    }

    fn run_in(&self, home: &std::path::Path, arguments: &str) -> Output {
        let arguments = arguments.replace("REGISTRY", &self.authority);
        Command::new(env!("CARGO_BIN_EXE_porthole"))
            .args(arguments.split_whitespace())
            .current_dir(home)
            .env_clear()
            .env("HOME", home)
            .output()
            .unwrap()
    }
}

fn answer(stream: TcpStream, internet: &Internet, authority: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, target) = words.next().zip(words.next()).ok_or(std::io::ErrorKind::InvalidData)?;
    let mut request = http::Request::builder().method(method).uri(format!("http://{authority}{target}"));
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        length = if name.eq_ignore_ascii_case("content-length") { value.parse().unwrap() } else { length };
        request = request.header(name, value);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut stream = reader.into_inner();
    let Ok(mut response) = block_on(internet.send(request.body(body.into()).unwrap())) else { return Ok(()) };
    write!(stream, "HTTP/1.1 {}\r\nconnection: close\r\n", response.status())?;
    for (name, value) in response.headers() {
        write!(stream, "{name}: {}\r\n", value.to_str().unwrap())?;
    }
    write!(stream, "\r\n")?;
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = block_on(response.body_mut().read(&mut buffer)) {
        stream.write_all(&buffer[..read])?;
    }
    Ok(())
}

fn image() -> Built {
    let noise: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    Image::new()
        .layer(Layer::new("ADD noise").file("noise", noise))
        .layer(Layer::new("ADD small").file("small", b"small"))
        .build()
}

#[track_caller]
fn ends(output: &Output, code: i32, stderr: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(stderr), "expected `{stderr}`, got:\n{said}");
}

fn text(output: Output) -> String {
    ends(&output, 0, "");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_verb_reads_a_registry() {
    let image = image();
    let server = Server::of(&image);
    assert_eq!(text(server.run("digest REGISTRY/a/b:1")), format!("{}\n", image.manifest.digest));
    assert_eq!(server.run("manifest REGISTRY/a/b:1").stdout, image.manifest.bytes);
    assert_eq!(server.run("config REGISTRY/a/b:1").stdout, image.config.bytes);
    assert_eq!(text(server.run("tags REGISTRY/a/b")), "1\n");
    assert_eq!(text(server.run("ls REGISTRY/a/b:1")), "noise\nsmall\n");
    assert!(text(server.run("inspect REGISTRY/a/b:1")).contains(&image.layers[1].blob.digest));
    assert!(text(server.run("verify REGISTRY/a/b:1")).starts_with("manifest  computed"));
    let pinned = format!("verify REGISTRY/a/b@{}", image.manifest.digest);
    assert!(text(server.run(&pinned)).starts_with("manifest  verified"));
}

#[test]
fn a_transfer_that_breaks_goes_on_where_it_broke() {
    let image = image();
    let server = Server::of(&image);
    let layer = &image.layers[0].blob.digest;
    server.internet.fault(layer, 1, Fault::ResetAfter(1000)).fault(layer, 1, Fault::ResetAfter(100_000));
    assert_eq!(text(server.run("ls REGISTRY/a/b:1")), "noise\nsmall\n");
    let ranges: Vec<_> = server
        .internet
        .log()
        .iter()
        .filter(|asked| asked.url.contains(layer.as_str()))
        .map(|asked| asked.headers.get("range").map(|range| range.to_str().unwrap().to_owned()))
        .collect();
    assert_eq!(ranges, [None, Some("bytes=1000-".to_owned()), Some("bytes=101000-".to_owned())]);
}

#[test]
fn a_blob_that_is_too_short_is_wrong_and_not_waited_for() {
    let image = image();
    let server = Server::of(&image);
    let layer = &image.layers[0].blob;
    server.internet.change(&server.authority, |site| {
        site.content_mut("a/b").blobs.get_mut(&layer.digest).unwrap().bytes.truncate(1000);
    });
    let expected = format!("layer 0 does not have its size: expected {} bytes, got 1000", layer.bytes.len());
    ends(&server.run("ls REGISTRY/a/b:1"), 7, &expected);
}

#[test]
fn bytes_that_are_not_what_was_asked_for_are_not_shown() {
    let image = image();
    let server = Server::of(&image);
    let layer = &image.layers[1].blob;
    let mut other = layer.bytes.clone();
    other[20] ^= 1;
    server.internet.fault(&layer.digest, 9, Fault::Body(other));
    let listed = server.run("ls REGISTRY/a/b:1");
    ends(&listed, 7, &format!("layer 1 does not match its digest: expected {}, got", layer.digest));
    assert!(listed.stdout.is_empty());
    let verified = server.run("verify REGISTRY/a/b:1");
    ends(&verified, 7, "verification failed: 1 of 4 steps");
    assert!(String::from_utf8_lossy(&verified.stdout).contains("layer 1   WRONG"));
}

#[test]
fn exit_codes_tell_what_went_wrong() {
    let server = Server::of(&image());
    ends(&server.run("digest REGISTRY/a/b:2"), 4, "manifest not found");
    ends(&server.run("digest REGISTRY/none"), 4, "manifest not found");
    ends(&server.run("inspect --platform linux/s390x REGISTRY/a/b:1"), 5, "available: linux/amd64");
    server.internet.fault(
        "/manifests/",
        9,
        Fault::Answer { status: 429, headers: vec![("retry-after", "3600".to_owned())], body: Vec::new() },
    );
    ends(&server.run("digest REGISTRY/a/b:1"), 6, "try again in 3600 seconds");
}

#[test]
fn credentials_come_from_files_and_are_never_shown() {
    let content = image().into_content("1");
    let basic = Server::new(|_| Site::new().repository("a/b", content.clone()).auth(Auth::Basic("keeper:s3cret")));
    check_credentials(&basic);
    let token = Server::new(|authority| {
        let challenge = bearer(&format!("http://{authority}/token"), "registry");
        Site::new().repository("a/b", content).auth(Auth::Bearer { challenge, account: Some("keeper:s3cret") })
    });
    check_credentials(&token);
}

fn check_credentials(server: &Server) {
    ends(&server.run("digest REGISTRY/a/b:1"), 3, "--authfile");
    let home = tempfile::tempdir().unwrap();
    let file = |auth: &str| format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, server.authority);
    // keeper:s3cret and keeper:wrong
    fs::create_dir(home.path().join(".docker")).unwrap();
    fs::write(home.path().join(".docker/config.json"), file("a2VlcGVyOnMzY3JldA==")).unwrap();
    fs::write(home.path().join("wrong.json"), file("a2VlcGVyOndyb25n")).unwrap();
    let right = server.run_in(home.path(), "ls --debug REGISTRY/a/b:1");
    ends(&right, 0, ", authorized");
    let wrong = server.run_in(home.path(), "ls --debug --authfile wrong.json REGISTRY/a/b:1");
    ends(&wrong, 3, "check the user name and password");
    for output in [right, wrong] {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        for secret in ["s3cret", "a2VlcGVy", "wrong\"", "Bearer ", "Basic "] {
            assert!(!said.contains(secret), "{secret} in:\n{said}");
        }
    }
}

#[test]
fn the_platform_of_an_index_is_chosen() {
    let other = Image::new().platform("linux", "arm64", None).layer(Layer::new("ADD arm").file("arm", b"arm")).build();
    let both = Content::of_index("1", &[image(), other.clone()]);
    let server = Server::new(|_| Site::new().repository("a/b", both));
    assert_eq!(text(server.run("ls --platform linux/arm64/v8 REGISTRY/a/b:1")), "arm\n");
    let digest = text(server.run("digest --platform linux/arm64 REGISTRY/a/b:1"));
    assert_eq!(digest, format!("{}\n", other.manifest.digest));
    assert!(text(server.run("verify --platform linux/amd64 REGISTRY/a/b:1")).starts_with("index     computed"));
}
