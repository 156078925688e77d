//! Interoperability: other tools read what porthole pushed, saved or pulled, with the same digests, and porthole reads
//! what they wrote. One table of images, one of registries, and a test for each tool.

use crate::images;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_testkit::image::{Blob, Content, Image, Layer};
use porthole_tests::{
    Result,
    images::{DEBIAN, DEBIAN_ZSTD, PLATFORM_TAGS, PLATFORMS, layout},
    program::{fixtures, free_port, ours, run},
    servers::{Access, Nginx, Password, Registry, Scratch, Storage, Tokens},
    truth::Row,
};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};

/// An image: a tag of a layout, and whether it is an index.
struct Case {
    name: &'static str,
    source: String,
    index: bool,
    small: bool,
}

/// Real layers in gzip and in zstd, several platforms under one index, a signed image, and more layers than the
/// concurrency limit.
fn cases(scratch: &Path) -> Result<Vec<Case>> {
    let fixture = |image| format!("oci:{}:latest", layout(&fixtures(), image).display());
    let written = |name: &str, content: &Content| -> Result<String> {
        let folder = scratch.join(name);
        content.write_layout(&folder)?;
        Ok(format!("oci:{}:latest", folder.display()))
    };
    Ok(vec![
        Case { name: "debian", source: fixture(DEBIAN), index: false, small: false },
        Case { name: "zstd", source: fixture(DEBIAN_ZSTD), index: false, small: false },
        Case { name: "platforms", source: fixture(PLATFORMS), index: true, small: true },
        Case { name: "signed", source: written("signed", &signed()?.0)?, index: false, small: true },
        Case { name: "layers", source: written("layers", &many_layers())?, index: false, small: true },
    ])
}

fn many_layers() -> Content {
    let layers = (0..130).map(|n| Layer::new("COPY step /").file(format!("steps/{n}"), format!("step {n}")));
    layers.fold(Image::new(), Image::layer).build().into_content("latest")
}

/// An image, and a signature with the image as subject. Also returns both digests.
pub(crate) fn signed() -> Result<(Content, String, String)> {
    let image = Image::new().layer(Layer::new("ADD a").file("a", "signed")).build();
    let subject = image.manifest.digest.clone();
    let empty = Blob::new("application/vnd.oci.empty.v1+json", b"{}".to_vec());
    let payload = Blob::new("application/vnd.example.signature.payload", b"I was here".to_vec());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example.signature",
        "config": empty.descriptor(), "layers": [payload.descriptor()], "subject": image.manifest.descriptor(),
        "annotations": { "org.example.by": "the keeper" },
    });
    let signature = Blob::new(MANIFEST, serde_json::to_vec(&manifest)?);
    let digest = signature.digest.clone();
    let mut content = image.into_content("latest");
    content.add_blob(empty).add_blob(payload).add_root("signature", signature);
    Ok((content, subject, digest))
}

/// A registry endpoint, and a credentials file for it.
pub(crate) struct Door {
    pub(crate) name: &'static str,
    pub(crate) host: String,
    pub(crate) authfile: String,
}

/// docker-registry in three configurations: open, with a password file, and with a token server on the same host.
pub(crate) struct Doors {
    pub(crate) doors: Vec<Door>,
    _password: Password,
    _registries: [Registry; 3],
    _tokens: Tokens,
    _joined: Nginx,
    _storage: [Storage; 3],
}

impl Doors {
    pub(crate) fn open(scratch: &Path) -> Result<Self> {
        let (password, storage, port) =
            (Password::new()?, [Storage::new()?, Storage::new()?, Storage::new()?], free_port()?);
        let tokens = Tokens::start(format!("http://127.0.0.1:{port}/token"))?;
        let open = Registry::start(&storage[0], &Access::Open)?;
        let basic = Registry::start(&storage[1], &Access::Basic(&password))?;
        let signed = Registry::start(&storage[2], &Access::Token(&tokens))?;
        let joined = Nginx::joins(port, signed.port(), tokens.port())?;
        let doors = [("open", open.host()), ("htpasswd", basic.host()), ("token", joined.host())];
        let auth = STANDARD.encode(format!("{}:{}", Password::USER, Password::PASSWORD));
        let doors = doors.into_iter().map(|(name, host)| {
            let path = scratch.join(format!("{name}.json"));
            let auths = if name == "open" { json!({}) } else { json!({ host.clone(): { "auth": auth } }) };
            fs::write(&path, json!({ "auths": auths }).to_string())?;
            Ok(Door { name, host, authfile: path.display().to_string() })
        });
        let doors = doors.collect::<Result<Vec<_>>>()?;
        Ok(Self {
            doors,
            _password: password,
            _registries: [open, basic, signed],
            _tokens: tokens,
            _joined: joined,
            _storage: storage,
        })
    }
}

/// The JSON report of a porthole command that must succeed.
pub(crate) fn porthole(arguments: &[&str]) -> Result<Value> {
    let output = Command::new(ours("porthole")?).args(arguments).arg("--json").output()?;
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "porthole {arguments:?}: {}\n{talk}", output.status);
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
}

pub(crate) fn skopeo(door: &Door, arguments: &[&str]) -> Result<String> {
    let common = ["--insecure-policy", "copy", "--all", "--quiet", "--authfile", &door.authfile];
    let plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    run("skopeo", common.into_iter().chain(plain).chain(arguments.iter().copied()))
}

/// The bytes of a manifest or index, fetched with skopeo.
pub(crate) fn raw(door: &Door, image: &str) -> Result<String> {
    run("skopeo", ["inspect", "--raw", "--tls-verify=false", "--authfile", &door.authfile, image])
}

/// buildah with its own storage. Needs root.
pub(crate) struct Buildah(Scratch);

impl Buildah {
    pub(crate) fn new() -> Result<Self> {
        let scratch = Scratch::new("buildah")?;
        fs::write(scratch.path().join("policy.json"), r#"{"default":[{"type":"insecureAcceptAnything"}]}"#)?;
        Ok(Self(scratch))
    }

    fn run(&self, verb: &str, arguments: &[&str]) -> Result<String> {
        let path = |name: &str| self.0.path().join(name).display().to_string();
        let (root, runroot, policy) = (path("root"), path("run"), path("policy.json"));
        let storage = ["--storage-driver", "vfs", "--root", &root, "--runroot", &runroot, verb];
        let policy = ["--signature-policy", &policy];
        let policy = if matches!(verb, "pull" | "push" | "commit") { &policy[..] } else { &[] };
        run("buildah", storage.into_iter().chain(policy.iter().copied()).chain(arguments.iter().copied()))
    }

    /// Pulls an image. Returns its manifest digest.
    pub(crate) fn pull(&self, door: &Door, image: &str) -> Result<String> {
        let id = self.run("pull", &["--quiet", "--tls-verify=false", "--authfile", &door.authfile, image])?;
        let inspected: Value = serde_json::from_str(&self.run("inspect", &["--type", "image", id.trim()])?)?;
        Ok(inspected["FromImageDigest"].as_str().ok_or("buildah knows the digest of an image")?.to_owned())
    }

    /// Pushes an image. Returns the digest of the manifest that buildah wrote.
    pub(crate) fn push(&self, door: &Door, options: &[&str], image: &str, to: &str) -> Result<String> {
        let file = self.0.path().join("digest").display().to_string();
        let common = ["--quiet", "--tls-verify=false", "--authfile", &door.authfile, "--digestfile", &file];
        self.run("push", &[&common, options, &[image, to]].concat())?;
        Ok(fs::read_to_string(file)?.trim().to_owned())
    }
}

impl Drop for Buildah {
    fn drop(&mut self) {
        // Unmounts its layers.
        self.run("rm", &["--all"]).ok();
    }
}

#[test]
fn skopeo_and_porthole_read_what_the_other_pushed() -> Result<()> {
    let scratch = Scratch::new("interop")?;
    let (cases, doors) = (cases(scratch.path())?, Doors::open(scratch.path())?);
    for door in &doors.doors {
        // Large images through one endpoint only: authentication does not depend on the content.
        for Case { name, source, .. } in cases.iter().filter(|case| case.small || door.name == "open") {
            let what = format!("{name} over {}", door.name);
            let theirs = raw(door, source)?;
            // From porthole to skopeo, which verifies every digest as it copies.
            let reference = format!("{}/a/deeply/nested.path/{name}:1.0", door.host);
            let pushed = porthole(&["push", "--authfile", &door.authfile, source, &reference])?;
            let pulled = format!("oci:{}:latest", scratch.path().join(format!("{}-{name}", door.name)).display());
            skopeo(door, &[&format!("docker://{reference}"), &pulled])?;
            assert_eq!(raw(door, &pulled)?, theirs, "{what}");
            let digest = porthole(&["digest", "--authfile", &door.authfile, &reference])?;
            assert_eq!(digest["digest"], pushed["digest"], "{what}");
            // From skopeo to porthole.
            let reference = format!("{}/by/skopeo/{name}:1.0", door.host);
            skopeo(door, &["--preserve-digests", source, &format!("docker://{reference}")])?;
            let back = format!("oci:{}:latest", scratch.path().join(format!("{}-{name}-back", door.name)).display());
            porthole(&["pull", "--all-platforms", "--authfile", &door.authfile, &reference, &back])?;
            assert_eq!(raw(door, &back)?, theirs, "{what}");
            // Both pushes wrote the same content, so nothing is left to send.
            let again = porthole(&["push", "--authfile", &door.authfile, source, &reference])?;
            assert_eq!((&again["sent"], &again["documents"]), (&0.into(), &0.into()), "{what}: {again}");
        }
    }
    Ok(())
}

#[test]
fn buildah_and_porthole_read_what_the_other_pushed() -> Result<()> {
    let scratch = Scratch::new("interop")?;
    let (cases, doors, buildah) = (cases(scratch.path())?, Doors::open(scratch.path())?, Buildah::new()?);
    for door in &doors.doors {
        // buildah copies the layer below for each layer, so use a small image.
        for Case { name, source, .. } in cases.iter().filter(|case| case.name == "signed") {
            let reference = format!("{}/for/buildah/{name}:1.0", door.host);
            let pushed = porthole(&["push", "--authfile", &door.authfile, source, &reference])?;
            assert_eq!(
                pushed["digest"],
                buildah.pull(door, &format!("docker://{reference}"))?,
                "{name} over {}",
                door.name
            );
        }
        // A container built by buildah, with OCI and with Docker manifests.
        let container = buildah.run("from", &["scratch"])?;
        let file = scratch.path().join("made-by-buildah");
        fs::write(&file, door.name)?;
        buildah.run("copy", &[container.trim(), &file.display().to_string(), "/made/"])?;
        let image = buildah.run("commit", &["--quiet", container.trim()])?;
        for family in ["oci", "docker"] {
            let reference = format!("{}/by/buildah/{family}:1.0", door.host);
            let options = ["--format", if family == "docker" { "v2s2" } else { family }];
            let digest = buildah.push(door, &options, image.trim(), &format!("docker://{reference}"))?;
            let to = format!("oci:{}:{family}", scratch.path().join(format!("{}-built", door.name)).display());
            let pulled = porthole(&["pull", "--authfile", &door.authfile, &reference, &to])?;
            assert_eq!(pulled["digest"], digest, "{family} over {}", door.name);
            let made = Command::new(ours("porthole")?).args(["cat", &to, "made/made-by-buildah"]).output()?;
            assert_eq!(String::from_utf8_lossy(&made.stdout), door.name);
            // porthole pushes what buildah built without a change.
            let onward = format!("{}/onward/{family}:1.0", door.host);
            let onward_digest = porthole(&["push", "--authfile", &door.authfile, &to, &onward])?["digest"].clone();
            assert_eq!(onward_digest, digest);
        }
    }
    // 130 layers: more than the concurrency limit.
    let layers = &cases[4];
    let reference = format!("{}/for/buildah/layers:1.0", doors.doors[0].host);
    let pushed = porthole(&["push", "--jobs", "3", &layers.source, &reference])?;
    assert_eq!(pushed["uploaded"]["blobs"], 131, "{pushed}");
    assert_eq!(pushed["digest"], buildah.pull(&doors.doors[0], &format!("docker://{reference}"))?);
    Ok(())
}

#[test]
fn umoci_and_porthole_work_on_one_layout() -> Result<()> {
    let scratch = Scratch::new("interop")?;
    let (storage, home) = (Storage::new()?, scratch.path().join("layout").display().to_string());
    let registry = Registry::start(&storage, &Access::Open)?;
    let door = Door { name: "open", host: registry.host(), authfile: empty_authfile(scratch.path())? };
    let fixture = layout(&fixtures(), PLATFORMS).display().to_string();
    for (platform, tag) in PLATFORM_TAGS {
        let base = format!("{}/umoci/{tag}:base", registry.host());
        porthole(&["push", &format!("oci:{fixture}:{tag}"), &base])?;
        porthole(&["pull", "--platform", platform, &base, &format!("oci:{home}:{tag}")])?;
        // umoci reads what porthole pulled …
        let bundle = scratch.path().join(tag);
        run("umoci", ["unpack", "--image", &format!("{home}:{tag}"), &bundle.display().to_string()])?;
        assert_eq!(fs::read_to_string(bundle.join("rootfs/etc/platform"))?, *platform);
        // … and adds a layer; porthole pushes the result and sends only new blobs.
        let (built, outcome) = (format!("{}/umoci/{tag}:built", registry.host()), format!("{home}:{tag}-built"));
        fs::write(bundle.join("rootfs/new"), tag)?;
        run("umoci", ["repack", "--image", &outcome, &bundle.display().to_string()])?;
        let pushed = porthole(&["push", &format!("oci:{outcome}"), &built])?;
        assert_eq!((&pushed["uploaded"]["blobs"], &pushed["present"]["blobs"]), (&2.into(), &2.into()), "{pushed}");
        assert_eq!(raw(&door, &format!("docker://{built}"))?, raw(&door, &format!("oci:{outcome}"))?);
        // And back, to a layout created by umoci.
        let own = scratch.path().join(format!("{tag}-own")).display().to_string();
        run("umoci", ["init", "--layout", &own])?;
        porthole(&["pull", "--platform", platform, &built, &format!("oci:{own}:{tag}")])?;
        let bundle = scratch.path().join(format!("{tag}-bundle"));
        run("umoci", ["unpack", "--image", &format!("{own}:{tag}"), &bundle.display().to_string()])?;
        assert_eq!(fs::read_to_string(bundle.join("rootfs/new"))?, *tag);
    }
    Ok(())
}

#[test]
fn archives_are_exchanged_with_other_tools() -> Result<()> {
    let scratch = Scratch::new("interop")?;
    let (cases, storage, buildah) = (cases(scratch.path())?, Storage::new()?, Buildah::new()?);
    let registry = Registry::start(&storage, &Access::Open)?;
    let door = Door { name: "open", host: registry.host(), authfile: empty_authfile(scratch.path())? };
    let path = |name: String| scratch.path().join(name).display().to_string();
    let config = |image: &str| run("skopeo", ["inspect", "--config", "--raw", "--tls-verify=false", image]);
    for Case { name, source, index, .. } in &cases {
        let theirs = raw(&door, source)?;
        // An OCI archive keeps every byte: from porthole to skopeo, and from skopeo to porthole.
        let ours = path(format!("{name}-ours.tar"));
        porthole(&["save", "--format", "oci-archive", "--all-platforms", source, "--output", &ours])?;
        assert_eq!(raw(&door, &format!("oci-archive:{ours}"))?, theirs, "{name}");
        let reference = format!("{}/archives/{name}:ours", registry.host());
        skopeo(&door, &["--preserve-digests", &format!("oci-archive:{ours}"), &format!("docker://{reference}")])?;
        assert_eq!(raw(&door, &format!("docker://{reference}"))?, theirs, "{name}");
        let archive = path(format!("{name}-theirs.tar"));
        skopeo(&door, &["--preserve-digests", source, &format!("oci-archive:{archive}:1")])?;
        let reference = format!("{}/archives/{name}:theirs", registry.host());
        porthole(&["push", &format!("oci-archive:{archive}:1"), &reference])?;
        assert_eq!(raw(&door, &format!("docker://{reference}"))?, theirs, "{name}");
        if *index {
            continue;
        }
        // A docker-archive has other manifest bytes but the same configuration, so Docker sees the same image id.
        let wanted = config(source)?;
        let ours = path(format!("{name}-docker.tar"));
        porthole(&["save", source, "--output", &ours])?;
        assert_eq!(config(&format!("docker-archive:{ours}"))?, wanted, "{name}");
        // skopeo writes no docker-archive with zstd layers.
        if *name != "zstd" {
            let archive = path(format!("{name}-skopeo.tar"));
            run(
                "skopeo",
                ["--insecure-policy", "copy", "--quiet", source, &format!("docker-archive:{archive}:a/b:1")],
            )?;
            let reference = format!("{}/archives/{name}:docker", registry.host());
            porthole(&["push", &format!("docker-archive:{archive}"), &reference])?;
            assert_eq!(config(&format!("docker://{reference}"))?, wanted, "{name}");
        }
        if *name == "signed" {
            let id = buildah.run("pull", &["--quiet", &format!("docker-archive:{ours}")])?;
            let manifest: Value = serde_json::from_str(&theirs)?;
            assert_eq!(
                format!("sha256:{}", id.trim()),
                manifest["config"]["digest"],
                "the image's id is its config's digest"
            );
            for kind in ["oci-archive", "docker-archive"] {
                let archive = path(format!("buildah-{kind}.tar"));
                buildah.push(&door, &[], id.trim(), &format!("{kind}:{archive}:localhost/of/buildah:1"))?;
                let reference = format!("{}/archives/buildah:{kind}", registry.host());
                porthole(&["push", &format!("{kind}:{archive}"), &reference])?;
                // buildah serialises the configuration itself.
                assert_eq!(config(&format!("docker://{reference}"))?, config(&format!("{kind}:{archive}"))?, "{kind}");
            }
        }
    }
    Ok(())
}

/// docker-registry has no referrers API, so clients write and read the fallback tag.
#[test]
fn signatures_are_found_by_their_subject() -> Result<()> {
    let scratch = Scratch::new("interop")?;
    let (here, there) = (Storage::new()?, Storage::new()?);
    let (here, there) = (Registry::start(&here, &Access::Open)?, Registry::start(&there, &Access::Open)?);
    let door = Door { name: "open", host: here.host(), authfile: empty_authfile(scratch.path())? };
    let (content, subject, signature) = signed()?;
    let folder = scratch.path().join("signed");
    content.write_layout(&folder)?;
    let reference = format!("{}/signed/image:1", here.host());
    let pushed = porthole(&["push", "--referrers", &format!("oci:{}:latest", folder.display()), &reference])?;
    assert_eq!((&pushed["digest"], &pushed["documents"]), (&subject.clone().into(), &2.into()), "{pushed}");
    let fallback = subject.replace(':', "-");
    let listed: Value =
        serde_json::from_str(&raw(&door, &format!("docker://{}/signed/image:{fallback}", here.host()))?)?;
    let entry = &listed["manifests"][0];
    assert_eq!(
        (&entry["digest"], &entry["artifactType"], &entry["annotations"]["org.example.by"]),
        (&signature.clone().into(), &"application/vnd.example.signature".into(), &"the keeper".into())
    );
    // skopeo moves the image and writes the list in its own form; porthole continues from there.
    let moved = format!("{}/moved/image", here.host());
    for tag in ["1", &fallback] {
        let from = format!("docker://{}/signed/image:{tag}", here.host());
        skopeo(&door, &[&from, &format!("docker://{moved}:{tag}")])?;
    }
    let to = format!("{}/copied/image:1", there.host());
    let copied = porthole(&["copy", "--referrers", &format!("{moved}:1"), &to])?;
    assert_eq!(copied["documents"], 2, "{copied}");
    let listed: Value =
        serde_json::from_str(&raw(&door, &format!("docker://{}/copied/image:{fallback}", there.host()))?)?;
    assert_eq!(listed["manifests"][0]["digest"], signature);
    Ok(())
}

/// Passing an image through every tool leaves its files unchanged.
#[test]
fn passing_an_image_through_every_tool_changes_no_file() -> Result<()> {
    let scratch = Scratch::new("interop")?;
    let storage = Storage::new()?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let door = Door { name: "open", host: registry.host(), authfile: empty_authfile(scratch.path())? };
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let step = |n: u32| format!("{}/journey/step{n}:1", registry.host());
    porthole(&["push", &format!("oci:{}:latest", layout(&fixtures(), DEBIAN).display()), &step(1)])?;
    skopeo(&door, &[&format!("docker://{}", step(1)), &format!("oci-archive:{}:1", path("a.tar"))])?;
    porthole(&["push", &path("a.tar"), &step(2)])?;
    let buildah = Buildah::new()?;
    buildah.pull(&door, &format!("docker://{}", step(2)))?;
    buildah.push(&door, &[], &step(2), &format!("docker-archive:{}:journey:3", path("b.tar")))?;
    porthole(&["push", &path("b.tar"), &step(3)])?;
    porthole(&["save", &step(3), "--output", &path("c.tar")])?;
    run(
        "skopeo",
        [
            "--insecure-policy",
            "copy",
            "--quiet",
            &format!("docker-archive:{}", path("c.tar")),
            &format!("oci:{}:4", path("d")),
        ],
    )?;
    let listed = Command::new(ours("porthole")?).args(["ls", "--json", &format!("oci:{}:4", path("d"))]).output()?;
    let rows = String::from_utf8(listed.stdout)?;
    let rows = rows.lines().map(|line| Row::read(&serde_json::from_str(line)?)).collect::<Result<Vec<_>>>()?;
    images::debian().check("the end of the journey", &rows);
    Ok(())
}

fn empty_authfile(folder: &Path) -> Result<String> {
    let path = folder.join("nobody.json");
    fs::write(&path, r#"{"auths":{}}"#)?;
    Ok(path.display().to_string())
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
