//! `porthole secrets`: its findings, output and exit codes.
//!
//! The expected output lies in `tests/expected`; run with `UPDATE_EXPECTED=1` to rewrite it, and read the difference.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod made;
mod place;
mod snapshot;

use made::{made, token};
use place::Place;
use porthole_testkit::image::{Built, Compression, Image, Layer};
use serde_json::json;

fn image() -> Built {
    let layer = |created_by: &str| Layer::new(created_by).compression(Compression::Gzip);
    let lines: Vec<String> = (1..7).map(|line| made(64, 0x9e37_79b9_7f4a_7c15 + line)).collect();
    let key = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n", lines.join("\n"));
    Image::new()
        .layer(layer("ADD rootfs.tar /").file("etc/motd", "hello").file("usr/share/doc/x/examples/key.pem", &key))
        .layer(layer("COPY id /root/.ssh/id_rsa").file("root/.ssh/id_rsa", &key))
        .layer(
            layer(&format!("RUN |1 API_TOKEN={} /bin/sh -c make", token()))
                .file("app/a", format!("#!/bin/sh\nT={}\n", token())),
        )
        .layer(layer("RUN rm -r /root/.ssh").whiteout("root/.ssh").file("app/a", "#!/bin/sh\n"))
        .config(json!({ "Env": ["PATH=/usr/bin", format!("DB_PASSWORD={}", made(12, 77_777_777_777))] }))
        .build()
}

fn place() -> Place {
    let place = Place::new();
    place.layout("image", &image());
    let clean = Image::new().layer(Layer::new("ADD a").compression(Compression::None).file("a", b"a")).build();
    place.layout("clean", &clean);
    place
}

#[test]
fn secrets_are_listed_masked_with_their_layers() {
    place().expect(
        "secrets",
        &[
            "secrets oci:image",
            "secrets --confidence high oci:image",
            "secrets --json oci:image",
            "secrets --ci oci:image",
            "secrets --ci oci:clean",
        ],
    );
}

#[test]
fn a_secret_is_shown_only_to_those_who_ask_for_it() {
    let place = place();
    for arguments in ["secrets oci:image", "secrets --json oci:image", "secrets --ci --json oci:image"] {
        let output = place.run(arguments);
        for stream in [output.stdout, output.stderr] {
            assert!(!String::from_utf8_lossy(&stream).contains(&token()[4..]), "{arguments}");
        }
    }
    let shown = place.run("secrets --reveal oci:image").stdout;
    assert!(String::from_utf8_lossy(&shown).contains(&token()));
}

#[test]
fn no_verb_prints_a_secret_of_the_configuration() {
    let place = Place::new();
    let seeds: Vec<String> = (1..8).map(|seed| format!("ghp_{}", made(36, 0x1234_5678_9abc_def1 + seed))).collect();
    let built = format!("RUN |1 GITHUB_TOKEN={} /bin/sh -c make", seeds[0]);
    let layer = Layer::new(&built).compression(Compression::Gzip);
    let image = Image::new()
        .layer(layer.file("a", "content"))
        .config(json!({
            "Env": [format!("GITHUB_TOKEN={}", seeds[1])],
            "Labels": {"org.example.token": seeds[2], "org.opencontainers.image.description": format!("with {}", seeds[3])},
            "Cmd": ["serve", format!("--token={}", seeds[4])],
            "Entrypoint": ["/bin/sh", "-c", format!("GITHUB_TOKEN={} serve", seeds[5])],
        }))
        .build();
    place.layout("seeded", &image);
    place.layout("clean", &Image::new().layer(Layer::new("ADD b").file("b", b"b")).build());
    for arguments in [
        "inspect oci:seeded",
        "inspect --json oci:seeded",
        "inspect --full --json oci:seeded",
        "inspect --base oci:clean oci:seeded",
        "diff oci:clean oci:seeded",
        "diff oci:seeded oci:clean",
        "diff --json oci:clean oci:seeded",
        "analyze oci:seeded",
        "analyze --json oci:seeded",
        "packages oci:seeded",
        "packages --json oci:seeded",
        "secrets oci:seeded",
        "secrets --json oci:seeded",
        "report --format markdown oci:seeded",
        "report --format json oci:seeded",
        "report --format sarif oci:seeded",
        "ls -l oci:seeded",
        "ls --json oci:seeded",
        "verify oci:seeded",
        "verify --json oci:seeded",
        "referrers --json oci:seeded",
        "attestation oci:seeded",
    ] {
        let output = place.run(arguments);
        for stream in [output.stdout, output.stderr] {
            let text = String::from_utf8_lossy(&stream);
            for seed in &seeds {
                assert!(!text.contains(&seed[4..]), "{arguments} prints a secret:\n{text}");
            }
        }
    }
}

#[test]
fn two_images_that_differ_in_a_secret_differ() {
    let place = Place::new();
    for (name, seed) in [("a", 0x1234_5678_9abc_def1), ("b", 0x1234_5678_9abc_def7)] {
        let env = json!({"Env": [format!("GITHUB_TOKEN=ghp_{}", made(36, seed))]});
        place.layout(name, &Image::new().layer(Layer::new("ADD a").file("a", b"a")).config(env).build());
    }
    let output = place.run("diff oci:a oci:b");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("GITHUB_TOKEN") && text.contains("********2"), "{text}");
}

#[test]
fn deleted_and_overwritten_files_are_searched_as_well() {
    let (code, rows) = place().json("secrets --json --confidence high oci:image");
    let of_files: Vec<_> = rows.iter().filter(|row| row["place"] == "file").collect();
    let facts: Vec<_> = of_files.iter().map(|row| (&row["path"], &row["layer"], &row["removed_by"])).collect();
    let expected = [("root/.ssh/id_rsa", 2, 4), ("app/a", 3, 4)];
    assert_eq!(code, 0);
    assert_eq!(facts.len(), expected.len());
    for ((path, layer, removed_by), (expected_path, brought, removed)) in facts.into_iter().zip(expected) {
        assert_eq!((path, layer, removed_by), (&json!(expected_path), &json!(brought), &json!(removed)));
    }
}
