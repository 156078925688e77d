//! `porthole push` to scripted registries.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod scripted;

use porthole_testkit::{
    image::{Blob, Built, Content, Image, Layer},
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
    // Blobs are sent before manifests, and manifests before the index. The tag is written last, and read back.
    let log = server.internet.log();
    let asked: Vec<String> = log.iter().map(|asked| format!("{} {}", asked.method, asked.url)).collect();
    let last = &asked[asked.len() - 4..];
    assert!(
        last[..2].iter().all(|asked| asked.starts_with("PUT ") && asked.contains("/manifests/sha256:")),
        "{last:?}"
    );
    assert!(last[2].starts_with("PUT ") && last[2].ends_with("/manifests/1"), "{last:?}");
    assert!(last[3].starts_with("HEAD ") && last[3].ends_with("/manifests/1"), "{last:?}");
    // The second push needs only two requests.
    done(home.path(), &push(&server, ""));
    assert_eq!(server.internet.log().len() - log.len(), 2);

    let server = Server::new(Site::new());
    let pushed = done(home.path(), &push(&server, "--platform linux/arm64"));
    assert_eq!(pushed["digest"], images[1].manifest.digest);
    assert!(!has(&server, &images[0].config.digest));
    ends(&porthole(home.path(), &push(&server, "--platform linux/s390x")), 5, "available: linux/amd64, linux/arm64");
}

#[test]
fn an_index_that_is_here_in_part() {
    let images = [image("amd64"), image("arm64")];
    let whole = Content::of_index("x", &images);
    let mut part = whole.clone();
    part.blobs.remove(&images[1].manifest.digest);
    let home = home(&part);
    let server = Server::new(Site::new());
    let output = porthole(home.path(), &push(&server, ""));
    ends(&output, 5, "source lacks images of its index; available: linux/amd64");
    ends(&output, 5, "--platform");
    assert_eq!(server.internet.count("PUT "), 0);
    done(home.path(), &push(&server, "--platform linux/amd64"));
    // Blobs that the destination has may be missing locally.
    let server = Server::new(Site::new().repository("a/b", whole.clone()));
    server.internet.change(server.authority(), |site| {
        site.content_mut("a/b").blobs.remove(&whole.roots[0].blob.digest);
        site.content_mut("a/b").roots.clear();
    });
    done(home.path(), &push(&server, ""));
    assert_eq!(tags(&server), ["1"]);
}

#[test]
fn an_accepted_image_that_does_not_show_yet_is_no_failure() {
    let home = home(&image("amd64").into_content("x"));
    for status in [404, 403] {
        for command in ["push oci:layout", "copy oci:layout"] {
            let server = Server::new(Site::new());
            // The registry returns nothing, neither before the push nor after it.
            server.internet.fault("HEAD ", u32::MAX, Fault::Status(404));
            server.internet.fault("GET ", u32::MAX, Fault::Status(status));
            let to = format!("{}/a/b:1", server.authority());
            let output = porthole(home.path(), &format!("{command} {to} --wait 0s"));
            ends(&output, 0, &format!("{to}: accepted, not visible yet"));
            assert!(String::from_utf8_lossy(&output.stdout).contains("digest"), "{status} {command}");
            let pushed = done(home.path(), &format!("{command} {to} --wait 0s"));
            assert_eq!(pushed["visible"], false, "{status} {command}: {pushed}");
        }
    }
    let server = Server::new(Site::new());
    assert_eq!(done(home.path(), &push(&server, ""))["visible"], true);
    // Finally the tag points to another image, as after a concurrent push.
    let server = Server::new(Site::new());
    let other = porthole_core::digest::Digest::sha256(b"other").to_string();
    server.internet.fault("HEAD ", u32::MAX, Fault::Header("docker-content-digest", other));
    let output = porthole(home.path(), &push(&server, "--wait 0s"));
    ends(&output, 7, "the tag `1` stands for another one");
    ends(&output, 7, "hint: another push may have moved the tag meanwhile");
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
    // A blob of the source does not have its digest.
    let digest = image.layers[0].blob.digest.strip_prefix("sha256:").unwrap();
    let path = home.path().join("layout/blobs/sha256").join(digest);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    for options in ["", "--chunk-size 64KiB"] {
        let server = Server::new(Site::new());
        ends(&porthole(home.path(), &push(&server, options)), 7, "source does not match the digests of its image");
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

#[test]
fn many_tags_and_one_manifest() {
    let image = image("amd64");
    let home = home(&image.into_content("x"));
    for tags_but in [None, Some("-")] {
        let server = Server::new(Site::new().uploads(Uploads { tags_but, ..Uploads::default() }));
        let pushed = done(home.path(), &push(&server, "--also 1.2 --also latest"));
        assert_eq!((&pushed["documents"], &pushed["tagged"]), (&1.into(), &true.into()), "{pushed}");
        let mut named = tags(&server);
        named.sort_unstable();
        assert_eq!(named, ["1", "1.2", "latest"]);
        let before = server.internet.count("PUT ");
        assert_eq!(done(home.path(), &push(&server, "--also 1.2"))["tagged"], false);
        assert_eq!(server.internet.count("PUT "), before);
        // One new tag among existing ones.
        assert_eq!(done(home.path(), &push(&server, "--also 1.2 --also new"))["tagged"], true);
        assert_eq!(server.internet.count("PUT ") - before, 1);
    }
    ends(&porthole(home.path(), &push(&Server::new(Site::new()), "--also a/b")), 2, "expected a tag, got `a/b`");
}

#[test]
fn every_candidate_is_asked_for_a_mount_and_a_refusal_once() {
    let image = image("amd64");
    let home = home(&image.clone().into_content("x"));
    let blobs = 3;
    // The second candidate has all blobs. The upload session that the first candidate started is closed.
    let server = Server::new(Site::new().repository("lib/full", image.clone().into_content("1")));
    let pushed = done(home.path(), &push(&server, "--mount-from a/none --mount-from lib/full"));
    assert_eq!((&pushed["mounted"]["blobs"], &pushed["sent"]), (&blobs.into(), &0.into()), "{pushed}");
    assert_eq!(server.look(Site::open_uploads), 0);
    // No candidate has a blob: one session is used, the other is closed.
    let server = Server::new(Site::new());
    done(home.path(), &push(&server, "--mount-from a/none --mount-from a/nothing"));
    assert_eq!(server.look(Site::open_uploads), 0);
    // A registry that refuses to mount.
    for status in [400, 401, 403, 405, 500] {
        let server = Server::new(Site::new().uploads(Uploads { mount_status: Some(status), ..Uploads::default() }));
        done(home.path(), &push(&server, "--jobs 1 --mount-from a/none"));
        let asked = server.internet.count("mount=");
        assert!(asked <= if status == 500 { 5 } else { 2 }, "{status}: {asked}");
        assert_eq!(tags(&server), ["1"]);
    }
}

#[test]
fn a_token_server_may_refuse_the_repositories_to_mount_from() {
    let image = image("amd64");
    let home = home(&image.into_content("x"));
    let server = Server::new(Site::new());
    let challenge = bearer(&format!("http://{}/token", server.authority()), "registry");
    server.internet.site(server.authority(), Site::new().auth(Auth::Bearer { challenge, account: None }));
    server.internet.fault("scope=repository:secret/base:pull", 99, Fault::Status(403));
    done(home.path(), &push(&server, "--mount-from secret/base"));
    assert_eq!(tags(&server), ["1"]);
}

#[test]
fn a_push_that_fails_leaves_no_session_behind() {
    let image = image("amd64");
    let home = home(&image.clone().into_content("x"));
    let server = Server::new(Site::new());
    // The small layer is refused permanently while the large one is being uploaded in many chunks.
    server.internet.fault(&format!("digest={}", image.layers[1].blob.digest), 9, Fault::Status(403));
    ends(&porthole(home.path(), &push(&server, "--chunk-size 1KiB")), 3, "refused access");
    assert_eq!(server.look(Site::open_uploads), 0);
    assert_eq!(tags(&server), Vec::<String>::new());
}

#[test]
fn layers_from_elsewhere_are_left_out_unless_asked_for() {
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let image = image("amd64");
    let mut content = image.clone().into_content("none");
    let mut manifest: serde_json::Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
    manifest["layers"][0]["mediaType"] = foreign.into();
    manifest["layers"][0]["urls"] = serde_json::json!(["https://example.com/layer"]);
    content.add_root("x", Blob::new(&image.manifest.media_type, manifest.to_string().into_bytes()));
    let home = home(&content);
    let layer = &image.layers[0].blob.digest;
    let server = Server::new(Site::new());
    let push = |options: &str| format!("push {options} oci:layout:x {}/a/b:1", server.authority());
    assert_eq!(done(home.path(), &push(""))["foreign"]["blobs"], 1);
    assert!(!has(&server, layer));
    // The manifest exists, but the foreign layers, which it does not require, may still be sent.
    let server = Server::new(Site::new());
    let push = format!("push --foreign-layers oci:layout:x {}/a/b:1", server.authority());
    assert_eq!(done(home.path(), &push)["foreign"]["blobs"], 0);
    assert!(has(&server, layer));
}

#[test]
fn what_the_store_has_from_the_same_registry_is_mounted() {
    let (base, app) = (image("amd64"), image("arm64"));
    let server = Server::new(Site::new());
    server.internet.change(server.authority(), |site| {
        *site.content_mut("lib/base") = base.clone().into_content("1");
    });
    let mut content = base.clone().into_content(&format!("{}/lib/base:1", server.authority()));
    content.add_image(&app);
    content.add_root(&format!("{}/a/b:1", server.authority()), app.manifest.clone());
    // Names in another registry, and bare tags, suggest no repository of this registry.
    content.add_root("other.example.com/lib/base:1", base.manifest.clone());
    content.add_root("latest", base.manifest.clone());
    let home = home(&content);
    let pushed = done(home.path(), &format!("--store layout push {}/a/b:1", server.authority()));
    assert_eq!((&pushed["mounted"]["blobs"], &pushed["uploaded"]["blobs"]), (&1.into(), &2.into()), "{pushed}");
    assert_eq!(server.internet.count("mount="), 1, "only what is likely to be there is asked for");
    assert_eq!(server.internet.count(&format!("mount={}&from=lib/base", base.layers[0].blob.digest)), 1);
    // If that repository no longer has the blob, it is uploaded.
    let server_again = Server::new(Site::new());
    let pushed = done(
        home.path(),
        &format!("--store layout push store:{}/a/b:1 {}/a/b:1", server.authority(), server_again.authority()),
    );
    assert_eq!(pushed["uploaded"]["blobs"], 3);
}

#[test]
fn chunks_are_no_news_and_breaks_are() {
    let image = image("amd64");
    let home = home(&image.clone().into_content("x"));
    for (cuts, expected) in [(0, 0), (2, 2)] {
        let server = Server::new(Site::new());
        server.internet.fault("PATCH ", cuts, Fault::CutAfter(50_000));
        let output = porthole(home.path(), &push(&server, "--progress plain --jobs 1 --chunk-size 64KiB"));
        ends(&output, 0, "put as 1");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.matches("resumed").count(), expected, "{said}");
        assert_eq!(said.matches("interrupted").count(), expected, "{said}");
    }
    // The error names the image by its reference.
    let output = porthole(home.path(), "push oci:layout 127.0.0.1:1/a/b:1");
    ends(&output, 8, &format!("`127.0.0.1:1/a/b@{}`", image.manifest.digest));
}

#[test]
fn a_blob_that_a_registry_wrongly_says_it_has_is_sent_after_all() {
    let image = image("amd64");
    let home = home(&image.clone().into_content("1"));
    let server = Server::new(Site::new());
    let digest = &image.layers[1].blob.digest;
    // The answer to HEAD has the length of this body.
    let claim = Fault::Answer { status: 200, headers: Vec::new(), body: image.layers[1].blob.bytes.clone() };
    server.internet.fault(&format!("blobs/{digest}"), 1, claim);
    done(home.path(), &push(&server, ""));
    assert!(has(&server, digest));
    assert_eq!(tags(&server), ["1"]);
    let log = server.internet.log();
    let asked: Vec<String> = log.iter().map(|asked| format!("{} {}", asked.method, asked.url)).collect();
    let put = asked.iter().filter(|asked| asked.starts_with("PUT ") && asked.ends_with("/manifests/1")).count();
    assert_eq!(put, 2, "the manifest is refused once, and put again after its blobs: {asked:?}");
}
