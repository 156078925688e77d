//! `porthole search`: its matches, compared with those of `grep`, its output and exit codes.
//!
//! The expected output lies in `tests/expected`; run with `UPDATE_EXPECTED=1` to rewrite it, and read the difference.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod made;
mod place;
mod snapshot;

use made::{made, token};
use place::Place;
use porthole_testkit::image::{Built, Compression, Image, Layer};
use std::{collections::BTreeSet, process::Command};

fn image() -> Built {
    let layer = |created_by: &str| Layer::new(created_by).compression(Compression::Gzip);
    let wide: Vec<u8> = "\u{feff}Server=db;Password=x\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let binary = [&b"\x7fELF\0\0"[..], b"debug = true\0\xff\x1b[31m\nlast"].concat();
    let long = format!("{}debug = true{}\n", "-".repeat(3000), "-".repeat(3000));
    Image::new()
        .layer(
            layer("ADD rootfs.tar /")
                .file("etc/app.conf", "# config\ndebug = true\nport = 80\n")
                .file("root/notes", "the Password is hunter2\ndebug=true")
                .file("usr/bin/app", binary)
                .file("usr/share/min.js", long)
                .file("srv/web.config", wide)
                .file("a\x1bb\\c", "debug = true\t\\ tab\n")
                .file("etc/linked", "debug = linked\n")
                .hardlink("etc/link", "etc/linked"),
        )
        .layer(layer("RUN rm /root/notes").whiteout("root/notes").file("etc/app.conf", "debug = false\n"))
        .build()
}

fn place() -> Place {
    let place = Place::new();
    place.layout("image", &image());
    place
}

#[test]
fn lines_are_printed_with_layer_path_and_number() {
    place().expect(
        "search",
        &[
            "search oci:image debug",
            "search oci:image debug.*e$ --glob /etc/** --max 1",
            "search -i -F oci:image password",
            "search --utf16 oci:image Password",
            "search -l oci:image debug",
            "search -c oci:image debug --layer 2",
            "search --json oci:image debug --glob app*",
            "search --json --utf16 oci:image Password=",
            "search oci:image nowhere",
            "search oci:image (",
            "search oci:image --utf16 \\bdebug",
            "search oci:image --glob [z-a] debug",
            "search oci:image \\w{1000}{1000}",
        ],
    );
}

#[test]
fn files_that_a_container_sees_give_the_lines_of_grep() {
    let place = place();
    assert!(place.run("unpack --rootless oci:image rootfs").status.success());
    for (options, pattern) in [
        ("-E", "debug"),
        ("-E", "^debug"),
        ("-E", "=.+e$"),
        ("-F", "="),
        ("-iF", "DEBUG"),
        ("-E", "."),
        ("-E", "[0-9]+|x"),
    ] {
        let mut grep = Command::new("grep");
        grep.args(["-rnaH", options, pattern, "."]).current_dir(place.path("rootfs")).env("LC_ALL", "C");
        let output = grep.output().unwrap().stdout;
        let expected: BTreeSet<_> = output
            .split(|&byte| byte == b'\n')
            .filter_map(|line| {
                let mut parts = line.strip_prefix(b"./")?.splitn(3, |&byte| byte == b':');
                let path = porthole_path(parts.next()?);
                Some((path, String::from_utf8(parts.next()?.to_vec()).unwrap().parse::<u64>().unwrap()))
            })
            // The data of hard links is in the archive once.
            .filter(|(path, _)| path != "etc/link")
            .collect();
        assert!(!expected.is_empty(), "{pattern}");
        let (code, rows) = place.json(&format!("search --reveal --json {options} oci:image {pattern}"));
        assert_eq!(code, 0, "{pattern}");
        let live: BTreeSet<_> = rows
            .iter()
            .filter(|row| row["type"] == "file" && row["state"] == "live")
            .map(|row| (row["layer"].clone().to_string(), row["path"].as_str().unwrap().to_owned()))
            .collect();
        let found: BTreeSet<_> = rows
            .iter()
            .filter(|row| row["type"] == "match")
            .map(|row| {
                (row["layer"].to_string(), row["path"].as_str().unwrap().to_owned(), row["line"].as_u64().unwrap())
            })
            .filter(|(layer, path, _)| live.contains(&(layer.clone(), path.clone())))
            .map(|(_, path, line)| (path, line))
            .collect();
        assert_eq!(found, expected, "{pattern}");
    }
}

#[test]
fn secrets_of_lines_are_masked_unless_they_are_asked_for() {
    let key: Vec<String> = (1..7).map(|line| made(64, 0x9e37_79b9_7f4a_7c15 + line)).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", key.join("\n"));
    let wide: Vec<u8> = format!("\u{feff}token={}\n", token()).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let layer = Layer::new("COPY . /")
        .file("app/run", format!("#!/bin/sh\ncurl -H token:{} https://x.example/\n", token()))
        .file("root/.ssh/id_rsa", pem)
        .file("app/settings.txt", wide);
    let place = Place::new();
    place.layout("image", &Image::new().layer(layer).build());
    let shown = |arguments: &str| {
        let output = place.run(arguments);
        let parts = [output.stdout, output.stderr].concat();
        String::from_utf8(parts).unwrap()
    };
    for arguments in
        ["oci:image .", "--json oci:image .", "--utf16 -F oci:image token", "--json --utf16 -F oci:image ghp_"]
    {
        let text = shown(&format!("search {arguments}"));
        assert!(text.contains("********") && !text.contains(&token()[4..]), "{arguments}: {text}");
        assert!(key.iter().all(|line| !text.contains(line.as_str())), "{arguments}: {text}");
        assert_eq!(text.contains("--reveal prints them"), !arguments.contains("--json"), "{arguments}: {text}");
        let text = shown(&format!("search --reveal {arguments}"));
        assert!(text.contains(&token()) && !text.contains("********"), "{arguments}: {text}");
    }
    let (_, rows) = place.json(&format!("search --json -F oci:image {}", &token()[..10]));
    assert_eq!(rows[0]["match"], "********");
    assert_eq!(rows[0]["text"], "curl -H token:******** https://x.example/");
}

/// A path as `--json` prints it.
fn porthole_path(path: &[u8]) -> String {
    String::from_utf8(path.to_vec()).unwrap().replace('\\', "\\\\").replace('\x1b', "\\x1b")
}

#[test]
fn all_lines_are_counted_but_not_all_are_held() {
    let place = Place::new();
    let many = "line\n".repeat(25_000);
    let image = Image::new().layer(Layer::new("a").file("many", &many)).layer(Layer::new("b").file("more", &many));
    place.layout("many", &image.build());
    let (code, rows) = place.json("search --json oci:many line");
    assert_eq!(code, 0);
    assert_eq!(rows.iter().filter(|row| row["type"] == "match").count(), 10_000);
    let last = rows.last().unwrap();
    assert_eq!((&last["lines"], &last["printed"]), (&50_000.into(), &10_000.into()));
}

#[test]
fn a_damaged_layer_is_an_error_although_lines_were_printed() {
    let place = place();
    for entry in std::fs::read_dir(place.path("image/blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        if bytes.starts_with(b"\x1f\x8b") {
            bytes.push(0);
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let output = place.run("search oci:image debug");
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
}
