//! Pushes through the relay, by common tools and by the requests of the distribution specification.

use crate::interop::{Buildah, Door, Doors, porthole, raw, signed, skopeo};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_testkit::{
    image::{Content, Image, Layer},
    registry::{Internet, Site, Socket},
};
use porthole_tests::{
    Result,
    http::{Message, request},
    images::pseudo_random,
    servers::{Access, Password, Registry, Relay, Scratch, Storage},
};
use serde_json::{Value, json};
use std::{fs, net::TcpListener, path::Path};

/// The endpoint of a registry behind a relay that may push to it: its name as clients write it, and a file with the credentials.
fn behind(relay: &Relay, door: &Door, scratch: &Path) -> Result<Door> {
    let host = format!("{}/{}", relay.host(), door.host.replace(':', "_"));
    let auth = STANDARD.encode(format!("{}:{}", Password::USER, Password::PASSWORD));
    let auths = if door.name == "open" { json!({}) } else { json!({ relay.host(): { "auth": auth } }) };
    let path = scratch.join(format!("{}-through.json", door.name));
    fs::write(&path, json!({ "auths": auths }).to_string())?;
    Ok(Door { name: door.name, host, authfile: path.display().to_string() })
}

fn written(scratch: &Path, name: &str, content: &Content) -> Result<String> {
    let folder = scratch.join(name);
    content.write_layout(&folder)?;
    Ok(format!("oci:{}:latest", folder.display()))
}

/// An image with a layer that does not fit into the buffers of sockets, and more layers than are sent at once.
fn large() -> Content {
    let steps = (0..20).map(|n| Layer::new("COPY step /").file(format!("steps/{n}"), format!("step {n}")));
    let image = Image::new().layer(Layer::new("ADD large /").file("large", pseudo_random(12_000_000)));
    steps.fold(image, Image::layer).build().into_content("latest")
}

fn relay_to(host: &str) -> Result<Relay> {
    Relay::with(["--allow-private", host, "--allow-push"])
}

#[test]
fn every_tool_pushes_and_pulls_with_equal_digests() -> Result<()> {
    let scratch = Scratch::new("through")?;
    let (doors, buildah) = (Doors::open(scratch.path())?, Buildah::new()?);
    let small = written(scratch.path(), "signed", &signed()?.0)?;
    let large = written(scratch.path(), "large", &large())?;
    for direct in &doors.doors {
        let relay = relay_to(&direct.host)?;
        let door = behind(&relay, direct, scratch.path())?;
        for (image, source) in [("large", large.clone()), ("signed", small.clone())] {
            let what = format!("{image} through the relay to {}", door.name);
            let theirs = raw(&door, &source)?;
            // Pushed through the relay, and read from the registry itself.
            let name = format!("by/porthole/{image}:1");
            let pushed = porthole(&["push", "--authfile", &door.authfile, &source, &format!("{}/{name}", door.host)])?;
            assert_eq!(raw(direct, &format!("docker://{}/{name}", direct.host))?, theirs, "{what}");
            let name = format!("by/skopeo/{image}:1");
            skopeo(&door, &["--preserve-digests", &source, &format!("docker://{}/{name}", door.host)])?;
            let digest = porthole(&["digest", "--authfile", &direct.authfile, &format!("{}/{name}", direct.host)])?;
            assert_eq!(digest["digest"], pushed["digest"], "{what}");
            // Pulled through the relay.
            let back = scratch.path().join(format!("{}-{image}", door.name)).display().to_string();
            let name = format!("{}/by/skopeo/{image}:1", door.host);
            porthole(&["pull", "--all-platforms", "--authfile", &door.authfile, &name, &format!("oci:{back}:1")])?;
            assert_eq!(raw(&door, &format!("oci:{back}:1"))?, theirs, "{what}");
            let back = format!("{back}-skopeo");
            skopeo(&door, &[&format!("docker://{name}"), &format!("oci:{back}:1")])?;
            assert_eq!(raw(&door, &format!("oci:{back}:1"))?, theirs, "{what}");
        }
        let name = "by/porthole/signed:1";
        let pulled = buildah.pull(&door, &format!("docker://{}/{name}", door.host))?;
        let digest = buildah.push(
            &door,
            &[],
            &format!("{}/{name}", door.host),
            &format!("docker://{}/by/buildah/x:1", door.host),
        )?;
        let found = porthole(&["digest", "--authfile", &direct.authfile, &format!("{}/by/buildah/x:1", direct.host)])?;
        assert_eq!(found["digest"], digest, "buildah to {}", door.name);
        assert_eq!(
            porthole(&["digest", "--authfile", &door.authfile, &format!("{}/{name}", door.host)])?["digest"],
            pulled
        );
        // A blob that another repository has is mounted, not sent.
        let again = format!("{}/elsewhere/signed:1", door.host);
        let copied = porthole(&["copy", "--authfile", &door.authfile, &format!("{}/{name}", door.host), &again])?;
        assert_eq!(copied["sent"], 0, "{copied}");
    }
    Ok(())
}

/// The registry refuses wrong credentials, and the relay forwards its message.
#[test]
fn a_push_without_rights_is_refused_by_its_registry() -> Result<()> {
    let (scratch, password, storage) = (Scratch::new("through")?, Password::new()?, Storage::new()?);
    let registry = Registry::start(&storage, &Access::Basic(&password))?;
    let relay = relay_to(&registry.host())?;
    let wrong = STANDARD.encode("keeper:wrong");
    let authfile = scratch.path().join("auth.json");
    fs::write(&authfile, json!({ "auths": { relay.host(): { "auth": wrong } } }).to_string())?;
    let door = Door {
        name: "htpasswd",
        host: format!("{}/{}", relay.host(), registry.host().replace(':', "_")),
        authfile: authfile.display().to_string(),
    };
    let source = written(scratch.path(), "signed", &signed()?.0)?;
    let refused = skopeo(&door, &[&source, &format!("docker://{}/a:1", door.host)]).expect_err("a wrong password");
    assert!(refused.to_string().to_lowercase().contains("unauthorized"), "{refused}");
    Ok(())
}

/// The way in which a client reaches a registry: directly or through the relay.
struct Road {
    port: u16,
    /// Prefix of each repository name.
    prefix: String,
    /// Query parameter after each path.
    namespace: String,
}

impl Road {
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Message> {
        request(self.port, method, path, headers, body)
    }

    /// A path below `/v2/` with a query, for this way.
    fn path(&self, rest: &str, query: &str) -> String {
        let parameters: Vec<_> = [self.namespace.as_str(), query].into_iter().filter(|part| !part.is_empty()).collect();
        let mark = if parameters.is_empty() { "" } else { "?" };
        format!("/v2/{}{rest}{mark}{}", self.prefix, parameters.join("&"))
    }
}

/// The path and query of a `Location`, with the parameter `more` appended.
fn place(answer: &Message, more: &str) -> Result<String> {
    let location = answer.header("location").ok_or_else(|| format!("expected a Location, got {answer:?}"))?;
    let path = match location.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/').ok_or("a URL has a path")?..],
        None => location,
    };
    Ok(match (more, path.contains('?')) {
        ("", _) => path.to_owned(),
        (_, true) => format!("{path}&{more}"),
        (_, false) => format!("{path}?{more}"),
    })
}

fn sha256(bytes: &[u8]) -> String {
    porthole_testkit::image::Blob::new("application/octet-stream", bytes.to_vec()).digest
}

/// Runs the pushes and deletions of the distribution specification's own tests (opencontainers/distribution-spec, `conformance`) in
/// order. Returns the registry's answer to each, which depends on the requests before.
fn verdicts(road: &Road, name: &str) -> Result<Vec<(&'static str, String)>> {
    let mut verdicts = Vec::new();
    let octets = ("content-type", "application/octet-stream");
    let uploads = format!("{name}/blobs/uploads/");
    let begin = || road.ask("POST", &road.path(&uploads, ""), &[], b"");
    let mut note = |what, answer: &Message, more: &[&str]| {
        let headers = more.iter().map(|header| format!(" {header}={}", answer.header(header).unwrap_or("none")));
        verdicts.push((what, format!("{}{}", answer.second(), headers.collect::<String>())));
    };
    let read = |digest: &str| road.ask("GET", &road.path(&format!("{name}/blobs/{digest}"), ""), &[], b"");

    // A blob in one piece: POST, then PUT.
    let (config, layer) = (b"{}".to_vec(), b"the bytes of a layer".to_vec());
    for (what, blob) in [("POST PUT", &config), ("POST PUT of a layer", &layer)] {
        let begun = begin()?;
        let digest = sha256(blob);
        let put = road.ask("PUT", &place(&begun, &format!("digest={digest}"))?, &[octets], blob)?;
        note(what, &put, &[]);
        let blob_there = road.ask("GET", &place(&put, "")?, &[], b"")?;
        assert_eq!(&blob_there.body, blob, "the Location of a blob leads to it: {put:?}");
        note(
            "HEAD of a blob",
            &road.ask("HEAD", &road.path(&format!("{name}/blobs/{digest}"), ""), &[], b"")?,
            &["content-length"],
        );
    }
    // In one request, which a registry may refuse.
    let whole = b"in one request".to_vec();
    let target = road.path(&uploads, &format!("digest={}", sha256(&whole)));
    note("POST of a whole blob", &road.ask("POST", &target, &[octets], &whole)?, &[]);
    // With a wrong digest.
    let wrong = road.ask("PUT", &place(&begin()?, &format!("digest={}", sha256(b"other")))?, &[octets], &layer)?;
    note("PUT with a wrong digest", &wrong, &[]);
    // In chunks: out of order first.
    let begun = begin()?;
    let early = [octets, ("content-range", "10-19")];
    note("PATCH out of order", &road.ask("PATCH", &place(&begun, "")?, &early, b"later part")?, &[]);
    let begun = begin()?;
    let first = road.ask("PATCH", &place(&begun, "")?, &[octets, ("content-range", "0-9")], b"first part")?;
    note("PATCH", &first, &["range"]);
    note("GET of a session", &road.ask("GET", &place(&first, "")?, &[], b"")?, &["range"]);
    let second = road.ask("PATCH", &place(&first, "")?, &[octets, ("content-range", "10-19")], b"other part")?;
    note("PATCH again", &second, &["range"]);
    let digest = sha256(b"first partother partthe end");
    let last = [octets, ("content-range", "20-26")];
    let put = road.ask("PUT", &place(&second, &format!("digest={digest}"))?, &last, b"the end")?;
    note("PUT of the last chunk", &put, &[]);
    assert_eq!(read(&digest)?.body, b"first partother partthe end");
    // A cancelled upload.
    let begun = begin()?;
    note("DELETE of a session", &road.ask("DELETE", &place(&begun, "")?, &[], b"")?, &[]);
    note("GET of a session that is gone", &road.ask("GET", &place(&begun, "")?, &[], b"")?, &[]);
    // A blob mounted from another repository.
    let from = format!("{}{name}", road.prefix);
    let target = road.path(&format!("{name}-other/blobs/uploads/"), &format!("mount={digest}&from={from}"));
    note("mount", &road.ask("POST", &target, &[], b"")?, &[]);
    let target = road.path(&format!("{name}-other/blobs/uploads/"), &format!("mount={}&from={from}", sha256(b"none")));
    note("mount of a blob that is not there", &road.ask("POST", &target, &[], b"")?, &[]);

    // Manifests.
    let kind = ("content-type", "application/vnd.oci.image.manifest.v1+json");
    let manifest = |note: &str, subject: Option<&str>, layer: &[u8]| {
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": kind.1, "annotations": { "note": note },
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha256(&config), "size": config.len() },
            "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": sha256(layer), "size": layer.len() }],
        });
        if let Some(subject) = subject {
            manifest["subject"] = json!({ "mediaType": kind.1, "digest": subject, "size": 1 });
        }
        manifest.to_string().into_bytes()
    };
    let document = manifest("one", None, &layer);
    let digest = sha256(&document);
    let at = |target: &str| road.path(&format!("{name}/manifests/{target}"), "");
    for target in ["one", "two", digest.as_str()] {
        let put = road.ask("PUT", &at(target), &[kind], &document)?;
        note("PUT of a manifest", &put, &["docker-content-digest"]);
        let there = road.ask("GET", &place(&put, "")?, &[("accept", kind.1)], b"")?;
        assert_eq!(there.body, document, "the Location of a manifest leads to it: {put:?}");
    }
    note("HEAD of a manifest", &road.ask("HEAD", &at("one"), &[("accept", kind.1)], b"")?, &["content-type"]);
    note("PUT of no manifest", &road.ask("PUT", &at("none"), &[kind], b"blablabla")?, &[]);
    let missing = manifest("missing", None, b"a layer that is not there");
    note("PUT of a manifest without its layer", &road.ask("PUT", &at("none"), &[kind], &missing)?, &[]);
    let referrer = manifest("referrer", Some(&digest), &layer);
    note("PUT of a referrer", &road.ask("PUT", &at(&sha256(&referrer)), &[kind], &referrer)?, &["oci-subject"]);
    let tags = road.ask("GET", &road.path(&format!("{name}/tags/list"), ""), &[], b"")?;
    verdicts.push(("tags", serde_json::from_slice::<Value>(&tags.body)?["tags"].to_string()));

    // Deletions.
    let mut note = |what, answer: &Message| verdicts.push((what, answer.second().to_owned()));
    note("DELETE of a tag", &road.ask("DELETE", &at("two"), &[], b"")?);
    note("DELETE of a manifest", &road.ask("DELETE", &at(&digest), &[], b"")?);
    note("DELETE of a manifest that is gone", &road.ask("DELETE", &at(&digest), &[], b"")?);
    note("GET of a manifest that is gone", &road.ask("GET", &at(&digest), &[("accept", kind.1)], b"")?);
    let blob = road.path(&format!("{name}/blobs/{}", sha256(&layer)), "");
    note("DELETE of a blob", &road.ask("DELETE", &blob, &[], b"")?);
    note("GET of a blob that is gone", &road.ask("GET", &blob, &[], b"")?);
    Ok(verdicts)
}

/// Checks that the answers through the relay equal those of the registry itself, with the registry named by `?ns=`, as containerd's
/// mirrors send it, and in the path.
fn compare(registry: &str, scratch: &Path) -> Result<Vec<(&'static str, String)>> {
    let port = registry.rsplit(':').next().ok_or("a port")?.parse()?;
    let direct = verdicts(&Road { port, prefix: String::new(), namespace: String::new() }, "direct/a")?;
    let cache = scratch.join("cache").display().to_string();
    for options in [&[][..], &["--cache", &cache]] {
        let relay = Relay::with(["--allow-private", registry, "--allow-push"].iter().chain(options))?;
        let port = relay.host().rsplit(':').next().ok_or("a port")?.parse()?;
        let by_query = Road { port, prefix: String::new(), namespace: format!("ns={registry}") };
        let by_path = Road { port, prefix: format!("{}/", registry.replace(':', "_")), namespace: String::new() };
        let name = if options.is_empty() { "" } else { "cached/" };
        assert_eq!(verdicts(&by_query, &format!("{name}query/a"))?, direct);
        assert_eq!(verdicts(&by_path, &format!("{name}path/a"))?, direct);
    }
    Ok(direct)
}

fn verdict<'v>(verdicts: &'v [(&str, String)], what: &str) -> &'v str {
    verdicts.iter().find(|(name, _)| *name == what).map_or("none", |(_, verdict)| verdict)
}

#[test]
fn docker_registry_takes_the_same_through_the_relay() -> Result<()> {
    let (scratch, storage) = (Scratch::new("through")?, Storage::new()?);
    let registry = Registry::that_deletes(&storage, &Access::Open)?;
    let direct = compare(&registry.host(), scratch.path())?;
    for (what, expected) in [
        ("POST PUT", "201"),
        ("PUT with a wrong digest", "400"),
        ("PATCH", "202 range=0-9"),
        ("GET of a session", "204 range=0-9"),
        ("PATCH again", "202 range=0-19"),
        ("PUT of the last chunk", "201"),
        ("DELETE of a session", "204"),
        ("mount", "201"),
        ("mount of a blob that is not there", "202"),
        ("PUT of no manifest", "400"),
        ("tags", r#"["one","two"]"#),
        ("DELETE of a manifest", "202"),
        ("GET of a manifest that is gone", "404"),
        ("DELETE of a blob", "202"),
        ("GET of a blob that is gone", "404"),
    ] {
        assert_eq!(verdict(&direct, what), expected, "{what}: {direct:#?}");
    }
    Ok(())
}

/// A registry that implements the whole specification.
#[test]
fn a_registry_of_the_specification_takes_the_same_through_the_relay() -> Result<()> {
    let (scratch, internet) = (Scratch::new("through")?, Internet::new());
    let listener = TcpListener::bind("127.0.0.1:0")?;
    internet.site(&listener.local_addr()?.to_string(), Site::new().with_filtered_referrers());
    let socket = Socket::serve(listener, &internet)?;
    let direct = compare(socket.authority(), scratch.path())?;
    for (what, expected) in [("PATCH out of order", "416"), ("DELETE of a tag", "202"), ("mount", "201")] {
        assert_eq!(verdict(&direct, what), expected, "{what}: {direct:#?}");
    }
    assert!(verdict(&direct, "PUT of a referrer").contains("oci-subject=sha256:"), "{direct:#?}");
    Ok(())
}

/// A relay that may not push names its option in the error.
#[test]
fn a_push_to_a_relay_that_only_reads_names_the_option() -> Result<()> {
    let storage = Storage::new()?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let relay = Relay::start(&[&registry.host()])?;
    let (scratch, host) = (Scratch::new("through")?, format!("{}/{}", relay.host(), registry.host().replace(':', "_")));
    let authfile = scratch.path().join("auth.json");
    fs::write(&authfile, r#"{"auths":{}}"#)?;
    let door = Door { name: "open", host, authfile: authfile.display().to_string() };
    let source = written(scratch.path(), "signed", &signed()?.0)?;
    let refused = skopeo(&door, &[&source, &format!("docker://{}/a:1", door.host)]).expect_err("it only reads");
    assert!(refused.to_string().contains("--allow-push"), "{refused}");
    Ok(())
}
