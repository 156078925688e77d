//! `--debug` and `--trace`: they show HTTP exchanges, show no secrets, and leave a complete file after an interruption.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod attended;
#[allow(dead_code, reason = "other tests use the rest of it")]
mod scripted;
mod snapshot;

use porthole_testkit::{
    image::{Built, Content, Image, Layer},
    registry::{Auth, Fault, Site, bearer},
};
use scripted::{Server, ends, porthole};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

fn image() -> Built {
    Image::new().layer(Layer::new("ADD small").file("small", b"small")).build()
}

/// Checks that a trace conforms to HAR 1.2, and returns its entries.
fn entries(path: &Path) -> Vec<Value> {
    let trace: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let log = &trace["log"];
    assert_eq!((&log["version"], &log["creator"]["name"]), (&"1.2".into(), &"porthole".into()));
    assert!(log["creator"]["version"].is_string());
    let entries = log["entries"].as_array().unwrap().clone();
    for entry in &entries {
        check(entry);
    }
    entries
}

fn check(entry: &Value) {
    let (request, response, timings) = (&entry["request"], &entry["response"], &entry["timings"]);
    let started = entry["startedDateTime"].as_str().unwrap();
    assert!(started.len() == 24 && started.as_bytes()[10] == b'T' && started.ends_with('Z'), "{started}");
    for (of, names) in [
        (request, &["method", "url", "httpVersion"][..]),
        (response, &["statusText", "httpVersion", "redirectURL"][..]),
        (&response["content"], &["mimeType"][..]),
    ] {
        assert!(names.iter().all(|name| of[name].is_string()), "{entry:#}");
    }
    for (of, names) in [
        (request, &["headersSize", "bodySize"][..]),
        (response, &["status", "headersSize", "bodySize"][..]),
        (&response["content"], &["size"][..]),
    ] {
        assert!(names.iter().all(|name| of[name].is_i64() || of[name].is_u64()), "{entry:#}");
    }
    for list in
        [&request["cookies"], &request["headers"], &request["queryString"], &response["cookies"], &response["headers"]]
    {
        let pairs = list.as_array().unwrap();
        assert!(pairs.iter().all(|pair| pair["name"].is_string() && pair["value"].is_string()), "{entry:#}");
    }
    assert!(entry["cache"].is_object());
    let part = |name: &str| timings[name].as_f64().unwrap();
    assert!(["send", "wait", "receive"].iter().all(|name| part(name) >= 0.0), "{entry:#}");
    let parts = ["blocked", "dns", "connect", "send", "wait", "receive"].map(part);
    let sum: f64 = parts.into_iter().filter(|part| *part > 0.0).sum();
    assert!((sum - entry["time"].as_f64().unwrap()).abs() < 0.01, "{entry:#}");
}

fn comments(entries: &[Value]) -> String {
    entries.iter().map(|entry| format!("{} {}\n", entry["response"]["status"], entry["comment"])).collect()
}

const SECRETS: [&str; 6] = ["s3cret", "a2VlcGVyOnMzY3JldA", "canary", "Bearer ", "Basic ", "token-"];

#[test]
fn everything_is_told_but_secrets() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::new(Site::new());
    let challenge = bearer(&format!("http://{}/token?key=canary", server.authority()), "registry");
    let site = Site::new()
        .auth(Auth::Bearer { challenge, account: Some("keeper:s3cret") })
        .repository("a/b", image().into_content("1"));
    server.internet.site(server.authority(), site);
    let layer = image().layers[0].blob.digest.clone();
    let signed = format!("http://{}/v2/a/b/blobs/{layer}?X-Signature=canary", server.authority());
    server.internet.fault(&format!("/blobs/{layer}"), 1, Fault::Redirect(signed));
    server.internet.fault("/blobs/", 1, Fault::Status(503));
    server.internet.fault("/manifests/", 1, Fault::Header("set-cookie", "session=canary".into()));
    server.internet.fault("/manifests/", 2, Fault::Header("warning", "299 - \"a/b moves\\u001b to c/d\"".into()));
    // keeper:s3cret
    let auth = format!(r#"{{"auths":{{"{}":{{"auth":"a2VlcGVyOnMzY3JldA=="}}}}}}"#, server.authority());
    fs::write(home.path().join("auth.json"), auth).unwrap();
    let reference = format!("{}/a/b:1", server.authority());
    fs::write(home.path().join("trace.har"), "{}").unwrap();
    fs::set_permissions(home.path().join("trace.har"), fs::Permissions::from_mode(0o644)).unwrap();

    let command = format!("pull --jobs 1 --debug --trace trace.har --authfile auth.json {reference}");
    let output = porthole(home.path(), &command);
    ends(&output, 0, "");
    let said = String::from_utf8(output.stderr).unwrap();
    for told in [
        " #1 > GET http://",
        " #1 < 401 Unauthorized in ",
        "www-authenticate: bearer realm=\"http://",
        "/token?key=***",
        "authorized (with what the challenge asks for)",
        "#2 < 200 OK",
        " warns: a/b moves",
        " try 2 in ",
        "(try 2, after status 503)",
        "location: http://",
        "X-Signature=***",
        "(redirect 1)",
        "range: bytes=0-",
        "connection 2 to 127.0.0.1:",
    ] {
        assert!(said.contains(told), "expected `{told}`, got:\n{said}");
    }
    let trace = home.path().join("trace.har");
    let entries = entries(&trace);
    let comments = comments(&entries);
    for told in ["401 \"manifest", "200 \"token", "503 \"blob", "307 \"blob", "try 2, after status 503", "redirect 1"] {
        assert!(comments.contains(told), "expected `{told}`, got:\n{comments}");
    }
    let fetched: u64 = entries.iter().filter_map(|entry| entry["response"]["content"]["size"].as_u64()).sum();
    assert!(fetched >= image().layers[0].blob.bytes.len() as u64, "{fetched}");
    assert_eq!(fs::metadata(&trace).unwrap().permissions().mode() & 0o777, 0o600);
    let traced = fs::read_to_string(&trace).unwrap();
    for secret in SECRETS {
        assert!(!said.contains(secret), "{secret} in:\n{said}");
        assert!(!traced.contains(secret), "{secret} in:\n{traced}");
    }
}

#[test]
fn what_failed_is_in_the_trace() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::new(Site::new().repository("a/b", image().into_content("1")));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cases = [(format!("{}/a/b:none", server.authority()), 4, 404), (format!("{nobody}/a/b"), 8, 0)];
    for (reference, code, status) in cases {
        ends(&porthole(home.path(), &format!("digest --trace trace.har {reference}")), code, "");
        let entries = entries(&home.path().join("trace.har"));
        // After a tag was not found, the list of tags is read for similar ones.
        let failed = entries.iter().rfind(|entry| entry["response"]["status"] != 200).unwrap();
        assert_eq!(failed["response"]["status"], status);
        assert_eq!(failed["response"]["_error"].is_string(), status == 0);
    }
    ends(&porthole(home.path(), "digest --trace none/trace.har a/b"), 9, "cannot write the trace `none/trace.har`");
    ends(&porthole(home.path(), "ls --trace /dev/full a"), 9, "cannot write the trace");
}

#[test]
fn with_progress_in_json_stderr_holds_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::new(Site::new().repository("a/b", image().into_content("1")));
    server.internet.fault("/blobs/", 1, Fault::Status(503));
    server.internet.fault("/manifests/", 1, Fault::Header("warning", "299 - \"old\"".into()));
    let rows = |arguments: &str, code: i32| -> Vec<Value> {
        let arguments = format!("{arguments} {}/a/b:1 --progress json", server.authority());
        let output = porthole(home.path(), &arguments);
        ends(&output, code, "");
        let rows: Vec<Value> =
            output.stderr.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        assert!(rows.iter().all(|row| row["event"].is_string() && row["elapsed"].is_f64()), "{rows:#?}");
        rows
    };
    let pulled = rows("pull --debug --jobs 1", 0);
    let of = |event: &str| -> Vec<&Value> { pulled.iter().filter(|row| row["event"] == event).collect() };
    assert!(!of("document").is_empty() && !of("debug").is_empty());
    let retry = of("retry")[0];
    assert_eq!(
        (&retry["step"], &retry["attempt"], &retry["reason"]),
        (&"blob".into(), &2.into(), &"status 503".into())
    );
    assert!(retry["delay"].is_f64());
    assert!(of("note")[0]["text"].as_str().unwrap().ends_with(" warns: old"));
    assert_eq!(of("blob").iter().filter(|row| row["state"] == "done" && row["bytes"] == row["total"]).count(), 2);
    let end = of("end")[0];
    assert_eq!((&end["blobs"], &end["complete"]), (&2.into(), &2.into()));
    let again = rows("pull", 0);
    assert_eq!(again.iter().filter(|row| row["state"] == "exists").count(), 2);
    server.internet.fault("/manifests/", 1, Fault::Status(403));
    let failed = rows("pull", 3);
    let error = failed.last().unwrap();
    assert_eq!((&error["event"], &error["exit_code"]), (&"error".into(), &3.into()));
    assert!(error["hints"][0].as_str().unwrap().contains("porthole login"), "{error}");
}

/// The registry accepts requests and answers none.
#[test]
fn an_interrupted_run_leaves_a_whole_trace() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let home = tempfile::tempdir().unwrap();
        let registry = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut child = attended::porthole()
            .args(["pull", "--trace", "trace.har", &format!("{}/a/b", registry.local_addr().unwrap())])
            .current_dir(home.path())
            .env_clear()
            .env("HOME", home.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The first connection probes whether this address has TLS.
        let (mut probe, _) = registry.accept().unwrap();
        probe.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        drop(probe);
        let (mut asked, _) = registry.accept().unwrap();
        asked.read_exact(&mut [0; 16]).unwrap();
        Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "porthole: interrupted; the downloaded bytes are kept, and the same command resumes\n");
        let entries = entries(&home.path().join("trace.har"));
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0]["response"]["_error"], "cut off");
    }
}

/// A user who configures a helper for a registry wants to sign in there. Without an error, a public image would hide that the
/// helper fails.
#[test]
fn a_helper_of_a_registry_that_fails_is_an_error_there() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::new(Site::new().repository("a/b", image().into_content("1")));
    let other = Server::new(Site::new().repository("a/b", image().into_content("1")));
    fs::create_dir(home.path().join(".docker")).unwrap();
    let file = format!(r#"{{"credHelpers":{{"{}":"not-installed"}}}}"#, server.authority());
    fs::write(home.path().join(".docker/config.json"), file).unwrap();
    let digest = |options: &str, server: &Server| {
        porthole(home.path(), &format!("digest {options} {}/a/b:1", server.authority()))
    };
    ends(&digest("", &server), 3, "cannot run `docker-credential-not-installed`");
    assert!(server.internet.log().is_empty(), "no request was sent without the credentials");
    ends(&digest("--anonymous", &server), 0, "");
    ends(&digest("", &other), 0, "");
}

/// A registry that requires a token and redirects to another host for blobs.
fn guarded() -> Server {
    let server = Server::new(Site::new());
    let challenge = bearer(&format!("http://{}/token?key=canary", server.authority()), "registry");
    let content = Content::of_index("1", &[image()]);
    let site = Site::new().auth(Auth::Bearer { challenge, account: None }).repository("a/b", content);
    server.internet.site(server.authority(), site);
    let layer = image().layers[0].blob.digest.clone();
    let signed = format!("http://{}/v2/a/b/blobs/{layer}?X-Signature=canary", server.authority());
    server.internet.fault(&format!("/blobs/{layer}"), 1, Fault::Redirect(signed));
    server
}

/// The output of `trace` without times, bars, ports and digests.
fn timeless(text: &str, server: &Server) -> String {
    let text = text.replace(server.authority(), "REGISTRY");
    let line = |line: &str| {
        let mut words: Vec<_> =
            line.split_whitespace().filter(|word| !word.chars().all(|c| "-=".contains(c))).collect();
        for at in 1..words.len() {
            if words[at] == "ms" && words[at - 1].starts_with(|c: char| c.is_ascii_digit()) {
                words[at - 1] = "N";
            }
        }
        let words = words.iter().map(|word| match word.split_once("sha256:") {
            Some((before, digest)) => format!("{before}sha256:…{}", digest.get(64..).unwrap_or_default()),
            None => (*word).to_owned(),
        });
        words.collect::<Vec<_>>().join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

#[test]
fn a_look_is_traced_in_words() {
    let home = tempfile::tempdir().unwrap();
    let server = guarded();
    let reference = format!("{}/a/b:1", server.authority());
    let mut told = String::new();
    for command in ["trace", "trace --full", "trace --full"] {
        let arguments = format!("{command} {reference}");
        told += &timeless(&snapshot::told(&arguments, porthole(home.path(), &arguments)), &server);
    }
    told += &timeless(&snapshot::told("trace ./image.tar", porthole(home.path(), "trace ./image.tar")), &server);
    snapshot::expect("trace", &told);
}

#[test]
fn a_trace_has_each_exchange_once_and_no_secret() {
    let home = tempfile::tempdir().unwrap();
    let server = guarded();
    let reference = format!("{}/a/b:1", server.authority());
    // A file of an earlier run that every user may read.
    fs::write(home.path().join("own.har"), "x").unwrap();
    fs::set_permissions(home.path().join("own.har"), fs::Permissions::from_mode(0o644)).unwrap();
    let command = format!("trace --full --no-cache --headers --har own.har --trace other.har {reference}");
    let output = porthole(home.path(), &command);
    ends(&output, 0, "");
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["> authorization: ***", "< www-authenticate: bearer realm=", "$ curl --header ", "X-Signature=***"] {
        assert!(text.contains(part), "expected `{part}`, got:\n{text}");
    }
    let [own, other] = ["own.har", "other.har"].map(|name| entries(&home.path().join(name)));
    let urls = |entries: &[Value]| {
        let mut urls: Vec<_> = entries.iter().map(|entry| entry["request"]["url"].to_string()).collect();
        urls.sort();
        urls
    };
    assert_eq!(urls(&own), urls(&other));
    let asked = server.internet.log().len();
    assert_eq!(own.len(), asked, "each request that the server had");
    assert!(own.iter().any(|entry| entry["comment"].as_str().unwrap().starts_with("reads layer 1 of 1")));
    let written = fs::read_to_string(home.path().join("own.har")).unwrap();
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in:\n{text}");
        assert!(!written.contains(secret), "{secret} in:\n{written}");
    }
    assert_eq!(fs::metadata(home.path().join("own.har")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_look_that_fails_is_traced_too() {
    let home = tempfile::tempdir().unwrap();
    let server = guarded();
    let output = porthole(home.path(), &format!("trace --json {}/a/b:none", server.authority()));
    ends(&output, 4, "");
    let trace: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = trace["steps"].as_array().unwrap();
    assert!(
        steps.iter().any(|step| step["status"] == 404
            && step["meaning"] == "asks what the tag none stands for again, with authorization: it is not there"),
        "{trace:#}"
    );
}
