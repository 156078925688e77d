//! The verbs over a scripted registry, behind a socket of this machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Output},
    sync::OnceLock,
    thread,
};

use porthole_registry::transport::{Body, Transport};
use porthole_testkit::{
    executor::block_on,
    image::{Built, Compression, Content, Image, Layer},
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
                // The client may disconnect at any time.
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
fn inspect_fetches_each_document_once_and_no_layer() {
    let image = image();
    let server = Server::of(&image);
    text(server.run("inspect --json REGISTRY/a/b:1"));
    let count = |part: &str| server.internet.count(part);
    assert_eq!((count("/manifests/"), count("/blobs/"), count(&image.config.digest)), (1, 1, 1));
    text(server.run("inspect --full REGISTRY/a/b:1"));
    assert!(image.layers.iter().all(|layer| count(&layer.blob.digest) == 1));
}

#[test]
fn a_digest_is_what_the_registry_states_or_computed_on_request() {
    let image = image();
    let server = Server::of(&image);
    let methods = |arguments: &str| {
        let since = server.internet.log().len();
        assert_eq!(text(server.run(arguments)), format!("{}\n", image.manifest.digest));
        server.internet.log()[since..].iter().map(|asked| asked.method.clone()).collect::<Vec<_>>()
    };
    assert_eq!(methods("digest REGISTRY/a/b:1"), ["HEAD"]);
    assert_eq!(methods("digest --full REGISTRY/a/b:1"), ["GET"]);
    // If HEAD is refused, or its answer has no digest, the document is read.
    for fault in
        [Fault::Status(405), Fault::Status(404), Fault::Answer { status: 200, headers: Vec::new(), body: Vec::new() }]
    {
        server.internet.fault("/manifests/1", 1, fault);
        assert_eq!(methods("digest REGISTRY/a/b:1"), ["HEAD", "GET"]);
    }
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
    let expected = format!("layer 1 does not have its size: expected {} bytes, got 1000", layer.bytes.len());
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
    ends(&listed, 7, &format!("layer 2 does not match its digest: expected {}, got", layer.digest));
    assert!(listed.stdout.is_empty());
    let verified = server.run("verify REGISTRY/a/b:1");
    ends(&verified, 7, "verification failed: 1 of 4 steps");
    assert!(String::from_utf8_lossy(&verified.stdout).contains("layer 2   WRONG"));
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
    ends(&server.run("digest REGISTRY/a/b:1"), 3, "porthole login");
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
    ends(&wrong, 3, "the credentials come from wrong.json; if the image is public, add --anonymous");
    ends(&server.run_in(home.path(), "ls --anonymous REGISTRY/a/b:1"), 3, "porthole login");
    for output in [right, wrong] {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        for secret in ["s3cret", "a2VlcGVy", "wrong\"", "Bearer ", "Basic "] {
            assert!(!said.contains(secret), "{secret} in:\n{said}");
        }
    }
}

#[test]
fn stale_credentials_on_a_public_image_are_named_and_left_out() {
    let content = image().into_content("1");
    let server = Server::new(|_| Site::new().repository("a/b", content));
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".docker")).unwrap();
    let config = home.path().join(".docker/config.json");
    let file = format!(r#"{{"auths":{{"{}":{{"auth":"a2VlcGVyOndyb25n"}}}}}}"#, server.authority);
    fs::write(&config, file).unwrap();
    // The registry serves anyone who sends no credentials.
    let refuse = Fault::Answer {
        status: 401,
        headers: vec![("www-authenticate", "Basic realm=\"x\"".into())],
        body: Vec::new(),
    };
    server.internet.fault("/manifests/", 2, refuse);
    let file = config.to_string_lossy();
    ends(&server.run_in(home.path(), "digest REGISTRY/a/b:1"), 3, &format!("the credentials come from {file}"));
    ends(&server.run_in(home.path(), "digest --anonymous REGISTRY/a/b:1"), 0, "");
}

#[test]
fn a_local_file_with_the_name_of_a_missing_image_is_mentioned() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("app.tar"), "").unwrap();
    for (name, hint) in [("app.tar", true), ("other.tar", false)] {
        let output = Command::new(env!("CARGO_BIN_EXE_porthole"))
            .args(["digest", name])
            .current_dir(home.path())
            .env_clear()
            // No request leaves this machine.
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .output()
            .unwrap();
        ends(&output, 8, "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.contains("hint: did you mean the local file ./app.tar?"), hint, "{said}");
    }
}

#[test]
fn the_whole_plan_is_known_from_the_start() {
    let image = image();
    let server = Server::of(&image);
    let home = tempfile::tempdir().unwrap();
    image.clone().into_content("1").write_layout(&home.path().join("layout")).unwrap();
    let bytes: usize =
        image.layers.iter().map(|layer| layer.blob.bytes.len()).sum::<usize>() + image.config.bytes.len();
    for command in [
        "pull REGISTRY/a/b:1",
        "save oci:layout -o docker.tar",
        "save oci:layout -o oci.tar --format oci-archive",
        "copy oci:layout docker-archive:copy.tar",
    ] {
        let output = server.run_in(home.path(), &format!("{command} --progress json"));
        ends(&output, 0, "");
        let said = String::from_utf8_lossy(&output.stderr);
        let rows: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let place = |event: &str| rows.iter().position(|row| row["event"] == event).unwrap();
        assert_eq!(rows[place("plan")]["bytes"], bytes, "{command}");
        assert!(place("plan") < place("blob"), "{command}");
        let end = &rows[place("end")];
        assert_eq!((&end["blobs"], &end["complete"]), (&3.into(), &3.into()), "{command}");
    }
}

#[test]
fn an_archive_goes_to_stdout() {
    let server = Server::of(&image());
    let home = tempfile::tempdir().unwrap();
    let archive = server.run_in(home.path(), "save REGISTRY/a/b:1 -o -");
    ends(&archive, 0, "");
    fs::write(home.path().join("piped.tar"), archive.stdout).unwrap();
    ends(&server.run_in(home.path(), "save REGISTRY/a/b:1 -o file.tar"), 0, "");
    let read = |name: &str| fs::read(home.path().join(name)).unwrap();
    assert!(read("piped.tar") == read("file.tar"), "it is the archive that a file would be");
    assert!(!home.path().join("-").exists());
}

#[test]
fn a_file_of_credentials_that_cannot_be_used_is_a_warning() {
    let server = Server::of(&image());
    for content in ["", "{", r#"{"auths": null}"#, "\u{feff}{}", r#"{"auths": 5}"#] {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".docker")).unwrap();
        let config = home.path().join(".docker/config.json");
        fs::write(&config, content).unwrap();
        let warning = format!("cannot use the credentials in {}: ", config.display());
        let output = server.run_in(home.path(), "ls REGISTRY/a/b:1");
        ends(&output, 0, &warning);
        assert_eq!(String::from_utf8_lossy(&output.stderr).matches(&warning).count(), 1, "it is printed once");
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

/// An image whose first layer has many spans, the registry that serves it, and a home directory for the cache.
fn large() -> (&'static Built, Server, tempfile::TempDir) {
    static IMAGE: OnceLock<Built> = OnceLock::new();
    let image = IMAGE.get_or_init(|| {
        // Incompressible, so that the blob is as large as the files.
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 32) as u32).to_le_bytes()
        };
        let base = (0..8).fold(Layer::new("ADD noise"), |layer, number| {
            layer.file(format!("noise/{number}"), (0..250_000).flat_map(|_| noise()).collect::<Vec<u8>>())
        });
        Image::new().layer(base).layer(Layer::new("ADD link").symlink("middle", "noise/5")).build()
    });
    (image, Server::of(image), tempfile::tempdir().unwrap())
}

impl Server {
    /// The `Range` of each request for a blob, from request `since` on.
    fn ranges(&self, digest: &str, since: usize) -> Vec<Option<String>> {
        let range = |asked: &porthole_testkit::registry::Asked| {
            asked.headers.get("range").map(|range| range.to_str().unwrap().to_owned())
        };
        let log = self.internet.log();
        log[since..].iter().filter(|asked| asked.url.contains(digest)).map(range).collect()
    }
}

/// The content of `noise/5`.
fn middle(image: &Built) -> Vec<u8> {
    let tar = &image.layers[0].tar;
    let at = tar.windows(8).position(|name| name == b"noise/5\0").unwrap() + 512;
    tar[at..at + 1_000_000].to_vec()
}

#[test]
fn what_was_verified_once_is_not_downloaded_again() {
    let (image, server, home) = large();
    let layer = &image.layers[0].blob;
    let first = text(server.run_in(home.path(), "ls --json REGISTRY/a/b:1"));
    let asked = server.internet.log().len();
    let again = server.run_in(home.path(), "ls --json --progress plain REGISTRY/a/b:1");
    ends(&again, 0, "8 entries, known");
    assert_eq!(text(again), first);
    assert_eq!(server.ranges("/blobs/", asked).len(), 1, "the config");

    // One request for the part of the layer with the file.
    let asked = server.internet.log().len();
    let output = server.run_in(home.path(), "cat REGISTRY/a/b:1 middle");
    ends(&output, 0, "verified");
    assert!(output.stdout == middle(image));
    let ranges = server.ranges(&layer.digest, asked);
    let [Some(range)] = &ranges[..] else { panic!("{ranges:?}") };
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let bytes = last.parse::<u64>().unwrap() - first.parse::<u64>().unwrap() + 1;
    assert!((1_000_000..5_500_000).contains(&bytes), "{range} of {}", layer.bytes.len());

    // `verify` always downloads, and so does `ls` if the cache does not have the index.
    for arguments in ["verify REGISTRY/a/b:1", "ls --no-cache REGISTRY/a/b:1", "ls --cache other REGISTRY/a/b:1"] {
        let asked = server.internet.log().len();
        ends(&server.run_in(home.path(), arguments), 0, "");
        assert_eq!(server.ranges(&layer.digest, asked), [None], "{arguments}");
    }
    assert!(home.path().join("other/indexes").is_dir());

    // Digests of contents are computed on first use and then kept for every later reading of the layer.
    let asked = server.internet.log().len();
    let digests = text(server.run_in(home.path(), "ls --json --digest REGISTRY/a/b:1"));
    assert_eq!(server.ranges(&layer.digest, asked), [None]);
    text(server.run_in(home.path(), "verify REGISTRY/a/b:1"));
    let asked = server.internet.log().len();
    assert_eq!(text(server.run_in(home.path(), "ls --json --digest REGISTRY/a/b:1")), digests);
    assert!(digests.contains(&porthole_core::digest::Digest::sha256(&self::middle(image)).to_string()), "{digests}");
    assert_eq!(server.ranges(&layer.digest, asked), []);

    // `ls` uses the indexes that `verify` wrote.
    let asked = server.internet.log().len();
    text(server.run_in(home.path(), "verify --cache third REGISTRY/a/b:1"));
    text(server.run_in(home.path(), "ls --cache third REGISTRY/a/b:1"));
    assert_eq!(server.ranges(&layer.digest, asked), [None]);
}

#[test]
fn a_layer_without_places_to_start_from_says_so() {
    let (gzip, _, home) = large();
    let content = middle(gzip);
    let rest = &gzip.layers[0].tar[..6_000_000];
    let layer = Layer::new("ADD").compression(Compression::Zstd).file("a", &content).file("rest", rest);
    let image = Image::new().layer(layer).build();
    let server = Server::of(&image);
    text(server.run_in(home.path(), "ls REGISTRY/a/b:1"));
    let asked = server.internet.log().len();
    let output = server.run_in(home.path(), "cat REGISTRY/a/b:1 a");
    ends(&output, 0, "this layer can only be read from its start");
    assert!(output.stdout == content);
    let ranges = server.ranges(&image.layers[0].blob.digest, asked);
    assert!(matches!(&ranges[..], [Some(range)] if range.starts_with("bytes=0-")), "{ranges:?}");
}

#[test]
fn a_layer_that_must_be_read_is_read_once() {
    let (image, server, home) = large();
    let layer = &image.layers[0].blob.digest;
    for arguments in ["cat --no-cache REGISTRY/a/b:1 noise/5", "cat --no-cache --layer 1 REGISTRY/a/b:1 /noise//5"] {
        let asked = server.internet.log().len();
        let output = server.run_in(home.path(), arguments);
        ends(&output, 0, "");
        assert!(output.stdout == middle(image));
        assert_eq!(server.ranges(layer, asked), [None], "{arguments}");
    }
    // The target of a link is known only after all layers were read, so its content was not kept.
    let asked = server.internet.log().len();
    assert!(server.run_in(home.path(), "cat REGISTRY/a/b:1 middle").stdout == middle(image));
    assert!(matches!(&server.ranges(layer, asked)[..], [None, Some(_)]));
}

#[test]
fn a_wrong_byte_in_a_part_is_refused() {
    let (image, server, home) = large();
    let layer = &image.layers[0].blob;
    text(server.run_in(home.path(), "ls REGISTRY/a/b:1"));
    // A byte in the sixth of eight files of equal size.
    let middle = layer.bytes.len() * 11 / 16;
    server.internet.change(&server.authority, |site| {
        site.content_mut("a/b").blobs.get_mut(&layer.digest).unwrap().bytes[middle] ^= 1;
    });
    let output = server.run_in(home.path(), "cat REGISTRY/a/b:1 noise/5");
    ends(&output, 7, "do not match its digest");
    let whole = self::middle(image);
    assert!(output.stdout.len() < whole.len() && whole.starts_with(&output.stdout), "{}", output.stdout.len());
    // Other files of the layer can be read.
    assert!(server.run_in(home.path(), "cat REGISTRY/a/b:1 noise/0").status.success());
    ends(&server.run_in(home.path(), "verify REGISTRY/a/b:1"), 7, "verification failed");
}

#[test]
fn a_registry_without_ranges_gives_the_same_file() {
    let (image, server, home) = large();
    let layer = &image.layers[0].blob.digest;
    text(server.run_in(home.path(), "ls REGISTRY/a/b:1"));
    server.internet.fault(layer, 1, Fault::IgnoreRange);
    let output = server.run_in(home.path(), "cat REGISTRY/a/b:1 noise/5");
    ends(&output, 0, "verified");
    assert!(output.stdout == middle(image));

    server.internet.fault(layer, 1, Fault::ResetAfter(300_000));
    let output = server.run_in(home.path(), "cat REGISTRY/a/b:1 noise/5");
    assert!(output.stdout == middle(image));

    server.internet.fault(layer, 1, Fault::Header("content-range", "bytes 0-9/10".to_owned()));
    let output = server.run_in(home.path(), "cat REGISTRY/a/b:1 noise/5");
    ends(&output, 0, "verified");
    assert!(output.stdout == middle(image));
}

#[test]
fn a_cache_that_cannot_be_read_is_as_good_as_none() {
    let (image, server, home) = large();
    let layer = &image.layers[0].blob.digest;
    let listed = text(server.run_in(home.path(), "ls REGISTRY/a/b:1"));
    let file = |digest: &str| {
        let name = format!("{}.{}", digest.replace(':', "-"), env!("CARGO_PKG_VERSION"));
        home.path().join(".cache/porthole/indexes").join(name)
    };
    let index = file(layer);
    let good = fs::read(&index).unwrap();
    let changed = |at: usize, byte: u8| [&good[..at], &[byte], &good[at + 1..]].concat();
    let first_format = changed(7, 1);
    for bytes in [&b""[..], b"nonsense", &good[..good.len() - 1], &changed(100, b'x'), &first_format] {
        fs::write(&index, bytes).unwrap();
        let asked = server.internet.log().len();
        assert_eq!(text(server.run_in(home.path(), "ls REGISTRY/a/b:1")), listed);
        assert_eq!(text(server.run_in(home.path(), "ls REGISTRY/a/b:1")), listed);
        assert_eq!(server.ranges(layer, asked), [None], "read once, and replaced");
    }
    // The index of another blob under this name.
    fs::copy(file(&image.layers[1].blob.digest), &index).unwrap();
    assert_eq!(text(server.run_in(home.path(), "ls REGISTRY/a/b:1")), listed);

    // A cache that cannot be created is not an error.
    fs::write(home.path().join("file"), b"").unwrap();
    let output = server.run_in(home.path(), "ls --cache file REGISTRY/a/b:1");
    ends(&output, 0, "continues without a cache");
}

#[test]
fn a_comparison_downloads_each_layer_once_and_none_that_is_here() {
    let layer = |name: &str| Layer::new(name).file(name, name);
    let before = Image::new().layer(layer("base")).layer(layer("old")).build();
    let after = Image::new().layer(layer("base")).layer(layer("new")).build();
    let mut content = before.clone().into_content("1");
    content.add_image(&after).add_root("2", after.manifest.clone());
    let server = Server::new(|_| Site::new().repository("a/b", content));
    let home = tempfile::tempdir().unwrap();
    before.clone().into_content("1").write_layout(&home.path().join("here")).unwrap();
    let asked = |built: &Built, place: usize| server.internet.count(&built.layers[place].blob.digest);
    for (sources, counts) in [
        ("REGISTRY/a/b:1 REGISTRY/a/b:2", [1, 1, 1]),
        ("oci:here REGISTRY/a/b:2", [0, 0, 1]),
        ("REGISTRY/a/b:2 oci:here", [0, 0, 1]),
    ] {
        let before_now = [asked(&before, 0), asked(&before, 1), asked(&after, 1)];
        let output = server.run_in(home.path(), &format!("diff --no-cache --only files {sources}"));
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let now = [asked(&before, 0), asked(&before, 1), asked(&after, 1)];
        assert_eq!([0, 1, 2].map(|place| now[place] - before_now[place]), counts, "{sources}");
    }
}
