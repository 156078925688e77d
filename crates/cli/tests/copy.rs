//! `porthole copy` between scripted registries, layouts and archives.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod scripted;

use porthole_testkit::{
    image::{Blob, Built, Compression, Content, Image, Layer, index},
    registry::{Auth, Fault, Site},
};
use scripted::{Server, done, ends, porthole};
use serde_json::{Value, json};
use std::{collections::HashSet, fs, path::Path, process::Command};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An image, its signature, and a signature of the signature. `tagged`: fallback tags list both.
fn signed(tagged: bool) -> (Content, [Blob; 3]) {
    let noise: Vec<u8> = (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let image = Image::new().layer(Layer::new("ADD a").file("a", noise)).build();
    let mut content = image.clone().into_content("1");
    let mut chain = vec![image.manifest.clone()];
    for text in ["of the image", "of the signature"] {
        let (config, payload) =
            (Blob::new("application/vnd.oci.empty.v1+json", b"{}".to_vec()), Blob::new("text/plain", text.into()));
        let subject = chain.last().unwrap();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x.signature",
            "config": config.descriptor(), "layers": [payload.descriptor()], "subject": subject.descriptor(),
        });
        let manifest = Blob::new(MANIFEST, manifest.to_string().into_bytes());
        if tagged {
            let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest.descriptor()] });
            content.add_root(&subject.digest.replace(':', "-"), Blob::new(INDEX, index.to_string().into_bytes()));
        }
        content.add_blob(config).add_blob(payload).add_blob(manifest.clone());
        chain.push(manifest);
    }
    (content, chain.try_into().unwrap())
}

fn has(server: &Server, digest: &str) -> bool {
    server.look(|site| site.content("c/d").is_some_and(|content| content.blobs.contains_key(digest)))
}

#[test]
fn referrers_come_along_whichever_way_they_are_told() {
    for (from_api, to_api) in [(true, true), (true, false), (false, true), (false, false)] {
        let (content, chain) = signed(!from_api);
        let site = |api: bool| if api { Site::new().with_referrers() } else { Site::new() };
        let from = Server::new(site(from_api).repository("a/b", content));
        let to = Server::new(site(to_api));
        let home = tempfile::tempdir().unwrap();
        let (source, target) = (format!("{}/a/b:1", from.authority()), format!("{}/c/d:2", to.authority()));
        done(home.path(), &format!("copy {source} {target}"));
        assert!(has(&to, &chain[0].digest) && !has(&to, &chain[1].digest));
        let copied = done(home.path(), &format!("copy --referrers {source} {target}"));
        assert_eq!(copied["documents"], 2, "{copied}");
        assert!(chain.iter().all(|blob| has(&to, &blob.digest)));
        let fallback: Vec<Value> = to.look(|site| {
            let roots = &site.content("c/d").unwrap().roots;
            let tag = |blob: &Blob| blob.digest.replace(':', "-");
            let of = |blob| roots.iter().find(|root| root.name == Some(tag(blob)));
            chain.iter().filter_map(of).map(|root| serde_json::from_slice(&root.blob.bytes).unwrap()).collect()
        });
        if to_api {
            assert_eq!(fallback.len(), 0, "a registry that knows subjects needs no tags for them");
        } else {
            assert_eq!(fallback.len(), 2);
            for (index, referrer) in fallback.iter().zip(&chain[1..]) {
                assert_eq!(index["manifests"][0]["digest"], referrer.digest);
                assert_eq!(index["manifests"][0]["artifactType"], "application/x.signature");
            }
        }
        let again = done(home.path(), &format!("copy --referrers {source} {target}"));
        assert_eq!((&again["documents"], &again["sent"]), (&0.into(), &0.into()), "{again}");
    }
}

#[test]
fn a_source_that_breaks_goes_on_and_one_that_lies_is_found_out() {
    let (content, [manifest, ..]) = signed(false);
    let layer = content.blobs.values().max_by_key(|blob| blob.bytes.len()).unwrap().clone();
    let home = tempfile::tempdir().unwrap();
    let from = Server::new(Site::new().repository("a/b", content));
    let to = Server::new(Site::new());
    let copy = format!("copy {}/a/b:1 {}/c/d:2", from.authority(), to.authority());
    let mut lie = layer.bytes.clone();
    *lie.last_mut().unwrap() ^= 1;
    from.internet.fault(&layer.digest, 1, Fault::Body(lie));
    ends(&porthole(home.path(), &copy), 7, "source does not match the digests of its image");
    assert!(!has(&to, &layer.digest) && !has(&to, &manifest.digest));
    from.internet.fault(&layer.digest, 1, Fault::ResetAfter(1000)).fault(&layer.digest, 1, Fault::ResetAfter(70_000));
    to.internet.fault("PUT ", 1, Fault::CutAfter(5000));
    done(home.path(), &copy);
    assert!(has(&to, &layer.digest) && has(&to, &manifest.digest));
}

/// Runs a command that must succeed. Returns its stdout.
#[track_caller]
fn prints(home: &Path, arguments: &str) -> String {
    let output = porthole(home, arguments);
    ends(&output, 0, "");
    String::from_utf8(output.stdout).unwrap()
}

fn built(content: &str) -> Built {
    let layer = |name: &str| Layer::new("ADD").file(name, content.repeat(1000)).compression(Compression::Gzip);
    Image::new().layer(layer("a")).layer(layer("b").compression(Compression::None)).build()
}

#[test]
fn from_anywhere_to_anywhere_every_byte_stays() {
    let image = built("x");
    let from = Server::new(Site::new().repository("a/b", image.clone().into_content("1")));
    let to = Server::new(Site::new());
    let home = tempfile::tempdir().unwrap();
    let first = format!("{}/a/b:1", from.authority());
    for name in ["store:first:1", "oci:first:1", "oci-archive:first.tar:1"] {
        prints(home.path(), &format!("copy {first} {name}"));
    }
    let mut number = 0;
    for source in [&first, "store:first:1", "oci:first:1", "oci:first", "oci-archive:first.tar"] {
        let registry = format!("{}/c/d:1", to.authority());
        for target in [&registry, "store:NEW:1", "oci:NEW:1", "oci:second:NEW", "oci-archive:NEW.tar:1"] {
            number += 1;
            let target = target.replace("NEW", &format!("new{number}"));
            let told = done(home.path(), &format!("copy {source} {target}"));
            assert_eq!(told["digest"], image.manifest.digest, "{source} {target}");
            assert_eq!(prints(home.path(), &format!("digest {target}")).trim(), image.manifest.digest);
            prints(home.path(), &format!("verify {target}"));
        }
    }
    let index: Value = serde_json::from_slice(&fs::read(home.path().join("second/index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(5));
    // Writing archives gave no image in the store the name of an archive.
    let named = prints(home.path(), "images --json");
    assert!(!named.contains(".tar"), "{named}");
}

#[test]
fn a_docker_archive_keeps_config_layers_and_names() {
    let (one, two) = (built("one"), built("two"));
    let zstd = Image::new().layer(Layer::new("ADD").file("z", "z".repeat(9000)).compression(Compression::Zstd)).build();
    let home = tempfile::tempdir().unwrap();
    let mut content = one.clone().into_content("example.com/one:1");
    content.add_root("example.com/one:2", one.manifest.clone());
    content.add_image(&two);
    content.add_root("example.com/two:1", two.manifest.clone());
    content.add_image(&zstd);
    content.add_root("zstd:1", zstd.manifest.clone());
    content.write_layout(&home.path().join("layout")).unwrap();
    let sources = ["example.com/one:1", "example.com/two:1", "example.com/one:2", "zstd:1"]
        .map(|name| format!("oci:layout:{name}"));
    prints(home.path(), &format!("save {} -o all.tar", sources.join(" ")));
    for (name, image) in
        [("example.com/one:1", &one), ("example.com/one:2", &one), ("example.com/two:1", &two), ("zstd:1", &zstd)]
    {
        let source = format!("docker-archive:all.tar:{name}");
        assert_eq!(prints(home.path(), &format!("config {source}")).as_bytes(), image.config.bytes, "{name}");
        prints(home.path(), &format!("verify {source}"));
        // Copy the copy, under its only name or under the given one.
        prints(home.path(), &format!("copy {source} docker-archive:again.tar"));
        assert_eq!(prints(home.path(), "config docker-archive:again.tar").as_bytes(), image.config.bytes);
        prints(home.path(), &format!("copy {source} docker-archive:named.tar:mine"));
        prints(home.path(), "config docker-archive:named.tar:mine:latest");
    }
    // Layers that two images share are in the archive once.
    let names = prints(home.path(), "ls layer:all.tar");
    assert_eq!(names.lines().filter(|name| name.contains(".tar")).count(), 5, "{names}");
    let manifest: Value = serde_json::from_str(&prints(home.path(), "cat layer:all.tar manifest.json")).unwrap();
    assert_eq!(manifest[0]["RepoTags"], json!(["example.com/one:1", "example.com/one:2"]));
    assert_eq!(manifest.as_array().map(Vec::len), Some(3));
}

#[test]
fn an_existing_layout_is_added_to_and_others_keep_what_they_wrote() {
    let (old, new) = (built("old"), built("new"));
    let home = tempfile::tempdir().unwrap();
    new.clone().into_content("n").write_layout(&home.path().join("new")).unwrap();
    let layout = home.path().join("layout");
    old.clone().into_content("kept").write_layout(&layout).unwrap();
    let path = layout.join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut other = index["manifests"][0].clone();
    other["annotations"]["org.opencontainers.image.ref.name"] = "changed".into();
    index["manifests"][0]["x-of-others"] = json!({ "a": 1 });
    index["manifests"].as_array_mut().unwrap().push(other);
    index["annotations"] = json!({ "org.example": "x" });
    fs::write(&path, index.to_string()).unwrap();
    let told = done(home.path(), "copy oci:new oci:layout:changed");
    assert_eq!(told["present"], 0);
    let after: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!((&after["annotations"], &after["manifests"][0]), (&index["annotations"], &index["manifests"][0]));
    assert_eq!(after["manifests"].as_array().map(Vec::len), Some(2));
    assert_eq!(prints(home.path(), "digest oci:layout:kept").trim(), old.manifest.digest);
    assert_eq!(prints(home.path(), "digest oci:layout:changed").trim(), new.manifest.digest);
}

#[test]
fn of_an_index_goes_what_is_there_or_what_is_asked_for() {
    let image = |architecture: &str| {
        let layer = Layer::new("ADD").file("a", architecture);
        Image::new().platform("linux", architecture, None).layer(layer).build()
    };
    let (amd, arm) = (image("amd64"), image("arm64"));
    let index = index(&[amd.clone(), arm.clone()]);
    let mut content = Content::of_index("1", &[amd.clone(), arm.clone()]);
    let home = tempfile::tempdir().unwrap();
    content.write_layout(&home.path().join("whole")).unwrap();
    for target in ["oci:all:1", "oci-archive:all.tar:1"] {
        prints(home.path(), &format!("copy oci:whole {target}"));
        assert_eq!(prints(home.path(), &format!("digest {target}")).trim(), index.digest);
        prints(home.path(), &format!("verify --platform linux/arm64 {target}"));
        prints(home.path(), &format!("copy --platform linux/arm64 oci:whole {target}"));
        assert_eq!(prints(home.path(), &format!("digest {target}")).trim(), arm.manifest.digest);
    }
    prints(home.path(), "copy --platform linux/amd64 oci:whole docker-archive:d.tar:x");
    assert_eq!(prints(home.path(), "config docker-archive:d.tar").as_bytes(), amd.config.bytes);
    ends(&porthole(home.path(), "copy --platform linux/s390x oci:whole oci:none:1"), 5, "linux/s390x");
    ends(&porthole(home.path(), "copy --platform linux/s390x docker-archive:d.tar oci:none:1"), 5, "linux/s390x");
    // A source that lacks one of the images.
    content.blobs.retain(|digest, _| *digest != arm.manifest.digest);
    content.write_layout(&home.path().join("part")).unwrap();
    let told = done(home.path(), "copy oci:part oci:copy:1");
    assert_eq!((&told["missing"], &told["digest"]), (&json!(1), &json!(index.digest)));
    prints(home.path(), "verify --platform linux/amd64 oci:copy");
}

#[test]
fn wrong_bytes_and_missing_ones_leave_nothing() {
    let image = built("x");
    for (wrong, code) in [(Some(b"wrong".to_vec()), 7), (None, 7)] {
        let home = tempfile::tempdir().unwrap();
        image.clone().into_content("1").write_layout(&home.path().join("layout")).unwrap();
        let blob = home.path().join("layout/blobs/sha256").join(&image.layers[0].blob.digest["sha256:".len()..]);
        wrong.map_or_else(|| fs::remove_file(&blob), |bytes| fs::write(&blob, bytes)).unwrap();
        for target in ["oci:copy:1", "store:copy:1", "oci-archive:copy.tar", "docker-archive:copy.tar"] {
            let output = porthole(home.path(), &format!("copy oci:layout {target}"));
            assert_eq!(output.status.code(), Some(code), "{target}: {output:?}");
        }
        assert!(!home.path().join("copy.tar").exists());
        assert_eq!(prints(home.path(), "images"), "");
        ends(&porthole(home.path(), "digest oci:copy:1"), 4, "no image is named");
    }
}

#[test]
fn destinations_that_are_none() {
    let home = tempfile::tempdir().unwrap();
    let image = built("x");
    image.into_content("1").write_layout(&home.path().join("layout")).unwrap();
    for (arguments, code, words) in [
        ("copy oci:layout ./x", 2, "expected what to make of `./x`"),
        ("copy oci:layout layer:x", 2, "expected a destination"),
        ("copy oci:layout oci-archive:layout", 9, "cannot write `layout`"),
        ("copy oci:layout oci-archive:nowhere/x.tar", 9, "cannot write `nowhere/x.tar`"),
        ("copy oci:layout docker-archive:x.tar:A:B", 2, "A:B"),
        ("copy --referrers oci:layout oci:x:1", 2, "for copies to a registry"),
        ("pull a/b c/d", 2, "porthole copy"),
        ("pull --all-platforms a/b docker-archive:x.tar", 2, "holds one platform"),
    ] {
        ends(&porthole(home.path(), arguments), code, words);
    }
}

/// The events on stderr.
fn told(stderr: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(stderr).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn programs_and_logs_are_told_how_far_it_is() {
    let (content, _) = signed(false);
    let from = Server::new(Site::new().repository("a/b", content));
    let home = tempfile::tempdir().unwrap();
    let pull = |how: &str| porthole(home.path(), &format!("pull {how} {}/a/b:1", from.authority()));
    let rows = told(&pull("--progress json").stderr);
    let done = rows.iter().filter(|row| row["event"] == "blob" && row["state"] == "done");
    assert_eq!(done.clone().count(), 2, "{rows:?}");
    assert!(done.clone().all(|row| row["bytes"] == row["total"] && row["elapsed"].is_number()));
    let end = rows.last().unwrap();
    assert_eq!((&end["event"], &end["blobs"], &end["complete"]), (&"end".into(), &2.into(), &2.into()));
    assert!(end["moved"] == end["bytes"] && end["bytes"].as_u64() > Some(1_200_000), "{end}");

    let log = String::from_utf8(pull("").stderr).unwrap();
    assert_eq!(log.lines().filter(|line| line.ends_with(", already here")).count(), 2, "{log}");
    assert!(pull("--quiet").stderr.is_empty() && pull("--progress none").stderr.is_empty());
}

#[test]
fn a_terminal_has_a_line_for_each_blob() {
    let (content, [manifest, ..]) = signed(false);
    let layer = content.blobs.values().max_by_key(|blob| blob.bytes.len()).unwrap().digest.clone();
    let from = Server::new(Site::new().repository("a/b", content));
    // A pull that ends at once draws nothing. This one waits before it continues.
    from.internet.fault(&layer, 1, Fault::ResetAfter(600_000));
    let home = tempfile::tempdir().unwrap();
    let command = format!("{} pull {}/a/b:1 2>&1 1>said", env!("CARGO_BIN_EXE_porthole"), from.authority());
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &format!("stty cols 100 rows 20; {command}"), "/dev/null"]);
    let drawn = terminal.current_dir(home.path()).env("HOME", home.path()).env("TERM", "xterm").output().unwrap();
    let drawn = String::from_utf8_lossy(&drawn.stdout).into_owned();
    assert!(drawn.contains("\x1b[2K") && drawn.contains(" of 1.2 MB"), "{drawn:?}");
    let last = drawn.rsplit("\x1b[2K").next().unwrap();
    assert!(last.contains("verified") && !last.contains('/'), "the line of all of them is gone: {last:?}");
    assert!(fs::read_to_string(home.path().join("said")).unwrap().contains(&manifest.digest));
}

#[test]
fn what_stands_in_a_descriptor_is_not_fetched() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let image = Image::new().layer(Layer::new("ADD a").file("a", "b")).build();
    let mut manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
    manifest["config"]["data"] = STANDARD.encode(&image.config.bytes).into();
    let mut content = image.clone().into_content("none");
    content.add_root("1", Blob::new(MANIFEST, manifest.to_string().into_bytes()));
    for lost in [false, true] {
        if lost {
            content.blobs.remove(&image.config.digest);
        }
        let from = Server::new(Site::new().repository("a/b", content.clone()));
        let to = Server::new(Site::new());
        let home = tempfile::tempdir().unwrap();
        done(home.path(), &format!("copy {}/a/b:1 {}/c/d:2", from.authority(), to.authority()));
        assert!(has(&to, &image.config.digest));
        assert_eq!(from.internet.count(&image.config.digest), 0);
        content.write_layout(&home.path().join("layout")).unwrap();
        let to = Server::new(Site::new());
        done(home.path(), &format!("push oci:layout:1 {}/c/d:2", to.authority()));
        assert!(has(&to, &image.config.digest));
    }
}

#[test]
fn an_image_for_another_machine_is_pulled_with_a_word_about_it() {
    let image = |architecture: &str| {
        let layer = Layer::new("ADD a").file("a", "a");
        Image::new().platform("linux", architecture, None).layer(layer).build().into_content("1")
    };
    let from = Server::new(Site::new().repository("a/b", image("s390x")).repository("c/d", image("arm64")));
    let home = tempfile::tempdir().unwrap();
    let pull = |what: &str| porthole(home.path(), &format!("pull --platform linux/arm64 {}/{what}", from.authority()));
    ends(&pull("a/b:1"), 0, "the image is for linux/s390x, and there is no other: expected one for linux/arm64");
    let other = pull("c/d:1");
    assert!(!String::from_utf8_lossy(&other.stderr).contains("the image is for"));
}

#[test]
fn a_foreign_layer_is_pulled_from_where_the_manifest_says() {
    let image = Image::new().layer(Layer::new("ADD a").file("a", vec![7; 100_000])).build();
    let layer = image.layers[0].blob.clone();
    let elsewhere = Server::new(Site::new().repository("x/y", image.clone().into_content("1")));
    let mut manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
    manifest["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip".into();
    let url = format!("http://{}/v2/x/y/blobs/{}", elsewhere.authority(), layer.digest);
    manifest["layers"][0]["urls"] = json!(["https://127.0.0.1:1/nobody-listens", url]);
    let mut content = image.clone().into_content("none");
    content.add_root("1", Blob::new(MANIFEST, manifest.to_string().into_bytes()));
    content.blobs.retain(|digest, _| *digest != layer.digest);
    let from = Server::new(Site::new().repository("a/b", content));
    let home = tempfile::tempdir().unwrap();
    let pull = format!("pull {}/a/b:1 oci:here:1", from.authority());
    let output = porthole(home.path(), &pull);
    ends(&output, 0, "skipped: not in the registry (--foreign)");
    let listed = porthole(home.path(), &format!("ls {}/a/b:1", from.authority()));
    ends(&listed, 4, "the image says that it is on 127.0.0.1:1, ");
    ends(&listed, 4, "hint: to download it from there, add --foreign");
    assert!(elsewhere.internet.log().is_empty(), "no host that the image names was asked");
    ends(&porthole(home.path(), &format!("ls --foreign {}/a/b:1", from.authority())), 0, "");
    let output = porthole(home.path(), &format!("{pull} --foreign"));
    ends(&output, 0, "verified");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("skipped"));
    let (algorithm, hex) = layer.digest.split_once(':').unwrap();
    assert_eq!(fs::read(home.path().join("here/blobs").join(algorithm).join(hex)).unwrap(), layer.bytes);
}

#[test]
fn each_side_of_a_copy_has_credentials_of_its_own() {
    let image = Image::new().layer(Layer::new("ADD a").file("a", "a")).build();
    let from = Server::new(Site::new().repository("a/b", image.into_content("1")).auth(Auth::Basic("reader:one")));
    let to = Server::new(Site::new().auth(Auth::Basic("writer:two")));
    let home = tempfile::tempdir().unwrap();
    let copy = format!("{}/a/b:1 {}/c/d:1", from.authority(), to.authority());
    let both = format!("copy --src-creds reader:one --dest-creds writer:two {copy}");
    ends(&porthole(home.path(), &both), 0, "");
    for server in [&from, &to] {
        let sent: HashSet<_> =
            server.internet.log().iter().filter_map(|asked| asked.authorization().map(str::to_owned)).collect();
        assert_eq!(sent.len(), 1, "{sent:?}");
    }
    ends(&porthole(home.path(), &format!("copy --src-creds reader:one {copy}")), 3, to.authority());
    ends(&porthole(home.path(), &format!("copy --dest-creds writer:two {copy}")), 3, from.authority());
    ends(
        &porthole(home.path(), &format!("copy --src-creds reader {copy}")),
        2,
        "expected USER:PASSWORD in --src-creds",
    );
    let layout = format!("copy --src-creds reader:one --dest-plain-http {}/a/b:1 oci:layout", from.authority());
    ends(&porthole(home.path(), &layout), 2, "--dest-plain-http and --dest-creds are for a registry");
}
