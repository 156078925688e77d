//! `porthole push` to scripted registries.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod scripted;

use porthole_testkit::{
    image::{Built, Content, Image, Layer},
    registry::{Auth, Fault, Site, Uploads, bearer},
};
use scripted::{Server, done, ends, porthole};
use std::fs;
use tempfile::TempDir;

fn image(architecture: &str) -> Built {
    let noise: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    Image::new()
        .platform("linux", architecture, None)
        .layer(Layer::new("ADD noise").file("noise", noise))
        .layer(Layer::new("ADD small").file("small", architecture.as_bytes()))
        .build()
}

/// A home with a layout in `layout`.
fn home(content: &Content) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    content.write_layout(&home.path().join("layout")).unwrap();
    home
}

fn push(server: &Server, options: &str) -> String {
    format!("push {options} oci:layout {}/a/b:1", server.authority())
}

fn has(server: &Server, digest: &str) -> bool {
    server.look(|site| site.content("a/b").is_some_and(|content| content.blobs.contains_key(digest)))
}

fn tags(server: &Server) -> Vec<String> {
    server.look(|site| {
        let roots = site.content("a/b").map(|content| content.roots.clone()).unwrap_or_default();
        roots.into_iter().filter_map(|root| root.name).collect()
    })
}

#[test]
fn an_index_is_pushed_with_everything() {
    let images = [image("amd64"), image("arm64")];
    let home = home(&Content::of_index("x", &images));
    let server = Server::new(Site::new());
    let pushed = done(home.path(), &push(&server, ""));
    assert_eq!((&pushed["documents"], &pushed["uploaded"]["blobs"]), (&3.into(), &5.into()), "{pushed}");
    assert!(has(&server, pushed["digest"].as_str().unwrap()));
    assert_eq!(tags(&server), ["1"]);
    // Blobs before manifests, manifests before the index; the tag is the last thing, and read back.
    let log = server.internet.log();
    let asked: Vec<String> = log.iter().map(|asked| format!("{} {}", asked.method, asked.url)).collect();
    let last = &asked[asked.len() - 4..];
    assert!(
        last[..2].iter().all(|asked| asked.starts_with("PUT ") && asked.contains("/manifests/sha256:")),
        "{last:?}"
    );
    assert!(last[2].starts_with("PUT ") && last[2].ends_with("/manifests/1"), "{last:?}");
    assert!(last[3].starts_with("HEAD ") && last[3].ends_with("/manifests/1"), "{last:?}");
    // The second time two questions are enough.
    done(home.path(), &push(&server, ""));
    assert_eq!(server.internet.log().len() - log.len(), 2);

    let server = Server::new(Site::new());
    let pushed = done(home.path(), &push(&server, "--platform linux/arm64"));
    assert_eq!(pushed["digest"], images[1].manifest.digest);
    assert!(!has(&server, &images[0].config.digest));
    ends(&porthole(home.path(), &push(&server, "--platform linux/s390x")), 5, "available: linux/amd64, linux/arm64");
}

#[test]
fn troubles_on_the_way() {
    let home = home(&image("amd64").into_content("x"));
    for (options, faults) in [
        ("", vec![("PUT ", Fault::Status(503)), ("POST ", Fault::Status(500)), ("HEAD ", Fault::Status(502))]),
        ("", vec![("PUT ", Fault::CutAfter(1000)), ("PATCH ", Fault::CutAfter(1000)), ("PATCH ", Fault::CutAfter(9))]),
        ("--chunk-size 64KiB", vec![("PATCH ", Fault::Lost), ("PUT ", Fault::Lost), ("PATCH ", Fault::Status(404))]),
        ("--chunk-size 64KiB --jobs 1", vec![("PATCH ", Fault::Status(416)), ("GET ", Fault::Status(404))]),
    ] {
        let server = Server::new(Site::new());
        for (part, fault) in faults {
            server.internet.fault(part, 1, fault);
        }
        done(home.path(), &push(&server, options));
        assert_eq!(tags(&server), ["1"], "{options}");
    }
    let uploads = Uploads { least: Some(300_000), body: Some(500_000), ..Uploads::default() };
    let server = Server::new(Site::new().uploads(uploads));
    ends(&porthole(home.path(), &push(&server, "--debug")), 9, "PUT");
    assert_eq!(tags(&server), Vec::<String>::new());
}

#[test]
fn nothing_is_named_if_anything_failed() {
    let image = image("amd64");
    let home = home(&image.clone().into_content("x"));
    let server = Server::new(Site::new());
    server.internet.fault("PUT ", 99, Fault::Status(403));
    ends(&porthole(home.path(), &push(&server, "")), 3, "without credentials");
    let server = Server::new(Site::new());
    server.internet.fault("POST ", 1, Fault::NoHeader("location"));
    ends(&porthole(home.path(), &push(&server, "")), 9, "expected a Location for the upload, got none");
    let server = Server::new(Site::new());
    server.internet.fault("POST ", 9, Fault::Header("location", "http://10.0.0.1/steal".into()));
    ends(&porthole(home.path(), &push(&server, "")), 9, "names a place for an upload that is refused");
    assert_eq!(tags(&server), Vec::<String>::new());
    // The source is not what it says.
    let digest = image.layers[0].blob.digest.strip_prefix("sha256:").unwrap();
    let path = home.path().join("layout/blobs/sha256").join(digest);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    for options in ["", "--chunk-size 64KiB"] {
        let server = Server::new(Site::new());
        ends(&porthole(home.path(), &push(&server, options)), 7, "source has other bytes than its image says");
        assert!(!has(&server, &image.layers[0].blob.digest));
        assert_eq!(tags(&server), Vec::<String>::new());
    }
    fs::remove_file(&path).unwrap();
    ends(&porthole(home.path(), &push(&Server::new(Site::new()), "")), 7, "blob");
}

#[test]
fn one_token_and_no_secret_shown() {
    let image = image("amd64");
    let home = home(&image.into_content("x"));
    let server = Server::new(Site::new());
    let challenge = bearer(&format!("http://{}/token", server.authority()), "registry");
    let site = Site::new().auth(Auth::Bearer { challenge, account: Some("keeper:s3cret") });
    server.internet.site(server.authority(), site);
    ends(&porthole(home.path(), &push(&server, "")), 3, "");
    // keeper:s3cret
    let auth = format!(r#"{{"auths":{{"{}":{{"auth":"a2VlcGVyOnMzY3JldA=="}}}}}}"#, server.authority());
    fs::write(home.path().join("auth.json"), auth).unwrap();
    let before = server.internet.count("/token");
    let output = porthole(home.path(), &push(&server, "--debug --mount-from a/base --authfile auth.json"));
    ends(&output, 0, ", authorized");
    assert_eq!(server.internet.count("/token") - before, 1, "one token for everything");
    let said = [output.stdout, output.stderr].concat();
    for secret in ["s3cret", "a2VlcGVy", "Bearer ", "Basic ", "token-"] {
        assert!(!String::from_utf8_lossy(&said).contains(secret), "{secret}");
    }
    assert!(
        server
            .internet
            .log()
            .iter()
            .any(|asked| asked.url.ends_with("&scope=repository:a/b:pull,push&scope=repository:a/base:pull"))
    );
}

#[test]
fn names_of_the_store_and_digests() {
    let image = image("amd64");
    let server = Server::new(Site::new());
    let name = format!("{}/a/b:1", server.authority());
    let home = home(&image.clone().into_content(&name));
    let pushed = done(home.path(), &format!("--store layout push {name}"));
    assert_eq!((&pushed["reference"], &pushed["tagged"]), (&name.clone().into(), &true.into()));
    let right = format!("push oci:layout {}/a/b@{}", server.authority(), image.manifest.digest);
    assert_eq!(done(home.path(), &right)["tagged"], false);
    let wrong = format!("push oci:layout {}/a/b@{}", server.authority(), image.config.digest);
    ends(&porthole(home.path(), &wrong), 2, "destination names another digest than the image has");
    ends(&porthole(home.path(), &format!("push {name} {name}")), 2, "porthole copy");
    ends(&porthole(home.path(), "push oci:layout"), 2, "expected a REF");
    ends(&porthole(home.path(), &push(&server, "--mount-from ../x")), 2, "expected a repository");
    ends(&porthole(home.path(), &push(&server, "--chunk-size 0")), 2, "at least one byte");
}
