//! `porthole watch`, with scripted registries.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod scripted;

use porthole_testkit::{
    image::{Blob, Built, Content, Family, Image, Layer, index_of},
    registry::{Fault, Site},
};
use scripted::{Server, done, ends, porthole};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

fn image(architecture: &str, content: &str) -> Built {
    Image::new().platform("linux", architecture, None).layer(Layer::new("COPY a /").file("a", content)).build()
}

fn of(content: &str) -> Content {
    image("amd64", content).into_content("1")
}

fn digest(content: &str) -> String {
    image("amd64", content).manifest.digest
}

/// A registry whose tag 1 points to an image with this content. Also returns the reference of the tag.
fn serving(content: &str) -> (Server, String) {
    let server = Server::new(Site::new().repository("a/b", of(content)));
    let name = format!("{}/a/b:1", server.authority());
    (server, name)
}

/// Moves the tag 1.
fn serve(server: &Server, content: Content) {
    server.internet.change(server.authority(), |site| *site.content_mut("a/b") = content);
}

/// The requests so far, such as `HEAD 1`: the method and the last part of the URL.
fn asked(server: &Server) -> Vec<String> {
    let last = |url: &str| url.rsplit('/').next().unwrap().to_owned();
    server.internet.log().iter().map(|asked| format!("{} {}", asked.method, last(&asked.url))).collect()
}

/// The digests in the journal, each with whether it was handled.
fn journal(home: &Path) -> Vec<(String, bool)> {
    let text = fs::read_to_string(home.join(".local/share/porthole/store/journal.jsonl")).unwrap();
    let entries = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    entries.map(|entry| (entry["digest"].as_str().unwrap().to_owned(), entry["pending"] != true)).collect()
}

/// Repeats a question until the answer is yes.
#[track_caller]
fn wait_until(what: &str, mut question: impl FnMut() -> bool) {
    let started = Instant::now();
    while !question() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A watch that runs until a signal.
struct Watch {
    child: Child,
    events: Receiver<String>,
    notes: Receiver<String>,
}

impl Watch {
    fn start(home: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_porthole"));
        command.args(["watch", "--interval", "1s"]).args(arguments).current_dir(home);
        command.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let events = lines(child.stdout.take().unwrap());
        let notes = lines(child.stderr.take().unwrap());
        Self { child, events, notes }
    }

    #[track_caller]
    fn event(&self) -> String {
        self.events.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    /// The next line on stderr.
    #[track_caller]
    fn note(&self) -> String {
        self.notes.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    #[track_caller]
    fn notes(&self, expected: &[&str]) {
        for expected in expected {
            let note = self.note();
            assert!(note.contains(expected), "expected `{expected}`, got `{note}`");
        }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < Duration::from_secs(60));
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // This fails if the test has ended and dropped the receiver.
            sender.send(line).ok();
        }
    });
    receiver
}

#[test]
fn once_says_whether_something_has_moved() {
    let home = tempfile::tempdir().unwrap();
    let (server, name) = serving("one");
    let once = || porthole(home.path(), &format!("watch --once {name} {name}"));
    let first = once();
    ends(&first, 0, &format!("watching {name}: {}", digest("one")));
    assert_eq!(first.stdout, b"");
    ends(&once(), 0, "watching");
    assert_eq!(asked(&server), ["HEAD 1", "HEAD 1"], "and nothing else");
    serve(&server, of("two"));
    let moved = once();
    ends(&moved, 1, "");
    let line = String::from_utf8(moved.stdout).unwrap();
    let (time, rest) = line.split_at(21);
    assert!(time.starts_with("20") && time.ends_with("  "), "{line}");
    assert_eq!(rest, format!("{name}  {} -> {}\n", digest("one"), digest("two")));
    ends(&once(), 0, "");
    assert_eq!(journal(home.path()), [(digest("one"), true), (digest("two"), true)]);

    serve(&server, of("three"));
    let event = porthole(home.path(), &format!("watch --once --json --quiet {name}"));
    ends(&event, 1, "");
    let event: Value = serde_json::from_slice(&event.stdout).unwrap();
    assert_eq!((&event["event"], &event["reference"]), (&"moved".into(), &name.as_str().into()));
    assert_eq!((&event["previous"], &event["digest"]), (&digest("two").into(), &digest("three").into()));
    assert!(event["time"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn once_ends_with_what_went_wrong() {
    let home = tempfile::tempdir().unwrap();
    let (server, name) = serving("one");
    let other = name.replace(":1", ":2");
    let once = |arguments: &str| porthole(home.path(), &format!("watch --once {arguments}"));
    ends(&once(&format!("{other} {name}")), 4, "manifest not found");
    assert_eq!(journal(home.path()), [(digest("one"), true)], "the others are looked at nevertheless");
    server.internet.fault("HEAD ", 2, Fault::Status(503));
    ends(&once(&name), 0, "");
    server.internet.fault("HEAD ", 9, Fault::Status(503));
    let before = server.internet.log().len();
    ends(&once(&name), 9, "answered 503");
    assert_eq!(server.internet.log().len(), before + 3);
    for (arguments, code, words) in [
        (format!("a@{}", digest("one")), 2, "which never moves"),
        (String::new(), 2, "required arguments"),
        (format!("--interval 1ms {name}"), 2, "between 1s and 7d"),
        (format!("--exec a {name} -- b"), 2, "cannot be used with"),
        ("256.1.1.1:1/a".to_owned(), 2, "invalid registry"),
    ] {
        ends(&once(&arguments), code, words);
    }
}

#[test]
fn a_command_deals_with_what_moved() {
    let home = tempfile::tempdir().unwrap();
    let (server, name) = serving("one");
    let once = |exec: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_porthole"));
        command.args(["watch", "--once", &name]).args(exec).current_dir(home.path()).env_clear();
        command.env("HOME", home.path()).env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap()
    };
    let note = ["--exec", "echo $PORTHOLE_REFERENCE $PORTHOLE_PREVIOUS $PORTHOLE_DIGEST $PORTHOLE_INDEX | tee -a log"];
    let log = || fs::read_to_string(home.path().join("log")).unwrap_or_default();
    ends(&once(&note), 0, "");
    assert_eq!(log(), "", "the first look reports nothing");
    serve(&server, of("two"));
    let line = format!("{name} {} {}", digest("one"), digest("two"));
    let output = once(&note);
    ends(&output, 0, &line);
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1, "its output is no event");
    assert_eq!(log(), line + "\n");

    serve(&server, of("three"));
    ends(&once(&["--exec", "exit 3"]), 9, "the command for");
    assert_eq!(journal(home.path()).last(), Some(&(digest("three"), false)));
    serve(&server, of("four"));
    ends(&once(&["--", "/no/such/program"]), 9, "cannot be started");
    ends(&once(&["--", "sh", "-c", "printenv PORTHOLE_PREVIOUS"]), 0, &digest("two"));
    ends(&once(&["--", "sh", "-c", "exit 1"]), 0, "watching");
    let history = porthole(home.path(), &format!("history {name}"));
    assert_eq!(String::from_utf8(history.stdout).unwrap().lines().count(), 5, "four images under a header");
}

#[test]
fn a_command_that_failed_for_a_new_tag_is_run_again() {
    let home = tempfile::tempdir().unwrap();
    let (server, name) = serving("one");
    serve(&server, Content { roots: Vec::new(), ..of("one") });
    let mut watch = Watch::start(home.path(), &[&name, "--exec", "exit 1"]);
    watch.notes(&["manifest not found"]);
    serve(&server, of("one"));
    watch.notes(&["works again", "ended with exit status: 1"]);
    watch.signal("TERM");
    assert_eq!(watch.ended().code(), Some(0));
    let again = porthole(home.path(), &format!("watch --once {name} -- /usr/bin/printenv PORTHOLE_DIGEST"));
    ends(&again, 0, &digest("one"));
    ends(&porthole(home.path(), &format!("watch --once {name} -- /usr/bin/false")), 0, "watching");
}

#[test]
fn what_moves_is_told_while_it_is_watched_and_what_moved_before_at_the_start() {
    let home = tempfile::tempdir().unwrap();
    let (server, name) = serving("one");
    let etag = |value: &str| Fault::Header("etag", value.to_owned());
    server.internet.fault("HEAD ", 1, etag(r#""one""#));
    server.internet.fault("HEAD ", 2, Fault::Answer { status: 304, headers: Vec::new(), body: Vec::new() });
    let mut watch = Watch::start(home.path(), &[&name]);
    watch.notes(&["watching"]);
    wait_until("it asks again", || asked(&server).len() >= 3);
    serve(&server, of("two"));
    assert!(watch.event().ends_with(&format!("{name}  {} -> {}", digest("one"), digest("two"))));
    let conditions: Vec<_> =
        server.internet.log().iter().map(|asked| asked.headers.get("if-none-match").cloned()).collect();
    assert_eq!((conditions[0].as_ref(), conditions[1].as_ref().unwrap()), (None, &r#""one""#.parse().unwrap()));
    assert!(asked(&server).iter().all(|asked| asked == "HEAD 1"));
    watch.signal("TERM");
    assert_eq!(watch.ended().code(), Some(0));

    serve(&server, of("three"));
    let mut watch = Watch::start(home.path(), &["--json", &name]);
    let event: Value = serde_json::from_str(&watch.event()).unwrap();
    assert_eq!((&event["previous"], &event["digest"]), (&digest("two").into(), &digest("three").into()));
    watch.signal("INT");
    assert_eq!(watch.ended().code(), Some(0));
    assert_eq!(journal(home.path()).len(), 3);
}

#[test]
fn troubles_are_told_once_when_they_begin_and_once_when_they_end() {
    let home = tempfile::tempdir().unwrap();
    let (server, name) = serving("one");
    let others = [name.clone() + "0", name.replace(":1", ":2")];
    serve(&server, Content { roots: Vec::new(), ..of("one") });
    server.internet.fault("HEAD ", 4, Fault::Status(502));
    let watch = Watch::start(home.path(), &[&name, &others[0]]);
    watch.notes(&[
        "answered 502 to the request for manifest",
        "answers again",
        "manifest not found",
        "manifest not found",
    ]);
    serve(&server, of("one"));
    watch.notes(&["works again"]);
    assert!(watch.event().ends_with(&format!("{name}  nothing -> {}", digest("one"))), "a tag that appears has moved");
    let headers = vec![("retry-after", "3000".to_owned())];
    server.internet.fault("HEAD ", 1, Fault::Answer { status: 429, headers, body: Vec::new() });
    let note = watch.note();
    let seconds = note.rsplit_once("trying again in ").unwrap().1.trim_end_matches(" s").parse::<u64>().unwrap();
    assert!(note.contains("limits the rate of requests") && (2_990..=3_300).contains(&seconds), "{note}");
}

#[test]
fn a_registry_that_lets_nobody_in_ends_it_after_a_while() {
    let home = tempfile::tempdir().unwrap();
    let (server, name) = serving("one");
    server.internet.fault("/manifests/", 100, Fault::Status(403));
    let mut watch = Watch::start(home.path(), &[&name]);
    watch.notes(&["refused access", "refused access"]);
    assert_eq!(watch.ended().code(), Some(3));
    assert_eq!(asked(&server).len(), 10, "five times HEAD, and GET for the reason");
}

#[test]
fn a_command_never_runs_twice_at_once_for_one_tag() {
    let home = tempfile::tempdir().unwrap();
    let (server, name) = serving("one");
    let (log, go) = (home.path().join("log"), home.path().join("go"));
    let said = || fs::read_to_string(&log).unwrap_or_default();
    let task =
        "echo begin $PORTHOLE_PREVIOUS $PORTHOLE_DIGEST >> log; until test -e go; do sleep 0.02; done; echo end >> log";
    let mut watch = Watch::start(home.path(), &[&name, "--exec", task]);
    watch.notes(&["watching"]);
    for content in ["two", "three", "four"] {
        serve(&server, of(content));
        assert!(watch.event().ends_with(&digest(content)));
    }
    wait_until("it runs", || !said().is_empty());
    assert_eq!(said().lines().count(), 1, "{}", said());
    let newest = (digest("four"), false);
    wait_until("the journal has the newest", || journal(home.path()).last() == Some(&newest));
    fs::write(&go, "").unwrap();
    wait_until("it has run for the newest", || said().lines().count() == 4);
    let [one, two, four] = ["one", "two", "four"].map(digest);
    assert_eq!(said(), format!("begin {one} {two}\nend\nbegin {two} {four}\nend\n"));
    wait_until("it is done with", || journal(home.path()).last() == Some(&(four.clone(), true)));

    // After a signal, the watch waits until the running command has ended.
    fs::remove_file(&go).unwrap();
    serve(&server, of("five"));
    wait_until("it runs again", || said().lines().count() == 5);
    watch.signal("TERM");
    watch.notes(&["waiting for the command"]);
    fs::write(&go, "").unwrap();
    assert_eq!(watch.ended().code(), Some(0));
    assert_eq!(said().lines().count(), 6);
    assert_eq!(journal(home.path()).last(), Some(&(digest("five"), true)));
}

#[test]
fn of_an_index_one_platform_can_be_watched() {
    let home = tempfile::tempdir().unwrap();
    let index = |amd: &str, arm: &str| Content::of_index("1", &[image("amd64", amd), image("arm64", arm)]);
    let server = Server::new(Site::new().repository("a/b", index("one", "one")));
    let name = format!("{}/a/b:1", server.authority());
    let once = || porthole(home.path(), &format!("watch --once --json --platform linux/arm64 {name}"));
    ends(&once(), 0, "watching");
    ends(&once(), 0, "watching");
    serve(&server, index("two", "one"));
    ends(&once(), 0, "");
    let methods = |server: &Server| {
        server.internet.log().iter().map(|asked| asked.method.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(methods(&server), "HEAD GET HEAD HEAD GET", "the index is read when it has moved");
    serve(&server, index("two", "two"));
    let output = once();
    ends(&output, 1, "");
    let event: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [before, after] = ["one", "two"].map(|content| image("arm64", content).manifest.digest);
    assert_eq!((&event["previous"], &event["digest"]), (&before.into(), &after.into()));
    assert_eq!(
        (&event["platform"], &event["index"]),
        (&"linux/arm64".into(), &index("two", "two").roots[0].blob.digest.clone().into())
    );
    serve(&server, of("amd64 alone"));
    ends(&porthole(home.path(), &format!("watch --once --platform linux/s390x {name}")), 0, "watching");
    serve(&server, index("three", "three"));
    ends(&porthole(home.path(), &format!("watch --once --platform linux/s390x {name}")), 5, "linux/amd64");
}

#[test]
fn a_platform_is_watched_as_every_verb_resolves_it() {
    let nested = |content: &str| {
        let image = image("arm64", content);
        let inner = index_of(Family::Oci, vec![image.descriptor()]);
        let mut entry = inner.descriptor();
        entry["platform"] = image.descriptor()["platform"].clone();
        (vec![entry], vec![image], Some(inner))
    };
    let undeclared = |content: &str| {
        let images = vec![image("amd64", "base"), image("arm64", content)];
        let mut entries: Vec<Value> = images.iter().map(Built::descriptor).collect();
        entries.iter_mut().for_each(|entry| drop(entry.as_object_mut().unwrap().remove("platform")));
        (entries, images, None)
    };
    type Kind<'k> = &'k dyn Fn(&str) -> (Vec<Value>, Vec<Built>, Option<Blob>);
    let kinds: [Kind<'_>; 2] = [&nested, &undeclared];
    for kind in kinds {
        let index = |name: &str| {
            let (entries, images, inner) = kind(name);
            let mut content = Content::default();
            for image in &images {
                content.add_image(image);
            }
            if let Some(inner) = inner {
                content.add_blob(inner);
            }
            content.add_root("1", index_of(Family::Oci, entries));
            content
        };
        let home = tempfile::tempdir().unwrap();
        let server = Server::new(Site::new().repository("a/b", index("one")));
        let once = || {
            porthole(home.path(), &format!("watch --once --json --platform linux/arm64 {}/a/b:1", server.authority()))
        };
        ends(&once(), 0, "watching");
        serve(&server, index("two"));
        let output = once();
        ends(&output, 1, "");
        let event: Value = serde_json::from_slice(&output.stdout).unwrap();
        let [before, after] = ["one", "two"].map(|content| image("arm64", content).manifest.digest);
        assert_eq!((&event["previous"], &event["digest"]), (&before.into(), &after.into()));
    }
}

#[test]
fn a_pull_is_where_a_first_watch_begins() {
    let home = tempfile::tempdir().unwrap();
    let (server, name) = serving("one");
    done(home.path(), &format!("pull {name}"));
    serve(&server, of("two"));
    ends(&porthole(home.path(), &format!("watch --once {name}")), 1, "");
    // A rollback in the registry is a move of the tag, too.
    serve(&server, Content { blobs: of("one").blobs.into_iter().chain(of("two").blobs).collect(), ..of("two") });
    done(home.path(), &format!("rollback --push {name}"));
    assert_eq!(server.look(|site| site.content("a/b").unwrap().roots[0].blob.digest.clone()), digest("one"));
    let back = porthole(home.path(), &format!("watch --once {name}"));
    ends(&back, 1, "");
    assert!(String::from_utf8(back.stdout).unwrap().ends_with(&format!("{}\n", digest("one"))));
}
