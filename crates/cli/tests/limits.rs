//! Every verb applies the same limits to every kind of source.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod scripted;

use porthole_testkit::{
    image::{Content, Entry, Family, Image, Layer, index_of},
    registry::Site,
};
use std::collections::BTreeSet;

use scripted::{Server, done, ends, porthole};
use tempfile::TempDir;

/// An image below `depth` indexes, each of which lists the next: tag `1` of `a/b`, and the layout `layout`.
fn nested(depth: u32) -> (Server, TempDir) {
    let image = Image::new().platform("linux", "amd64", None).layer(Layer::new("COPY a /").file("a", "b")).build();
    let mut content = Content::default();
    content.add_image(&image);
    let mut entry = image.descriptor();
    for level in 1..=depth {
        let index = index_of(Family::Oci, vec![entry]);
        entry = index.descriptor();
        entry["platform"] = image.descriptor()["platform"].clone();
        match level == depth {
            true => content.add_root("1", index),
            false => content.add_blob(index),
        };
    }
    let home = tempfile::tempdir().unwrap();
    content.write_layout(&home.path().join("layout")).unwrap();
    (Server::new(Site::new().repository("a/b", content)), home)
}

/// Every verb that walks from a name to an image, with `{}` in place of its options.
fn walks(registry: &str) -> Vec<String> {
    let (from, to) = (format!("{registry}/a/b:1"), format!("{registry}/c/d"));
    [
        "config {} oci:layout".to_owned(),
        format!("config {{}} {from}"),
        format!("push {{}} oci:layout {to}:1"),
        format!("copy {{}} oci:layout {to}:2"),
        format!("copy {{}} {from} {to}:3"),
        format!("copy {{}} {from} store:a"),
        "copy {} oci:layout store:b".to_owned(),
        "copy {} oci:layout oci:copied".to_owned(),
        format!("pull {{}} {from} store:c"),
        "save {} oci:layout -o saved.tar --format oci-archive".to_owned(),
    ]
    .to_vec()
}

#[test]
fn every_walk_has_the_same_limit_of_nesting() {
    for (depth, limit, fits) in [(2, 1, false), (2, 2, true), (9, 8, false), (12, 20, true)] {
        let (server, home) = nested(depth);
        for platform in ["--platform linux/amd64", ""] {
            for walk in walks(server.authority()) {
                if platform.is_empty() && walk.starts_with("config") {
                    continue;
                }
                let options = format!("--limit index_depth={limit} {platform}");
                let command = walk.replace("{}", &options);
                let output = porthole(home.path(), &command);
                let told = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.success(), fits, "{command}: {told}");
                if !fits {
                    ends(&output, 9, &format!("expected at most {limit}"));
                    assert!(told.contains("--limit index_depth="), "{command}: {told}");
                }
            }
        }
    }
}

#[test]
fn every_walk_has_the_same_limit_of_a_document() {
    let (server, home) = nested(1);
    // Fewer bytes than `oci-layout` has, and fewer than an index has.
    let limits = [10, 100].map(|bytes| format!("--limit manifest_bytes={bytes}"));
    let commands =
        limits.iter().flat_map(|limit| walks(server.authority()).into_iter().map(|w| w.replace("{}", limit)));
    for command in commands {
        let output = porthole(home.path(), &command);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{command}");
        assert!(told.contains("--limit manifest_bytes="), "{command}: {told}");
    }
    assert!(server.look(|site| site.content("c/d").is_none()));
    done(home.path(), &format!("push oci:layout {}/c/d:1", server.authority()));
}

/// Every verb that reads an image, with `{}` in place of its options.
fn readers(registry: &str) -> Vec<String> {
    let from = format!("{registry}/a/b:1");
    let verbs = [
        "ls {} SRC",
        "ls {} --raw --layer 1 SRC",
        "cat {} SRC dir/file",
        "file {} SRC dir/file",
        "verify {} SRC",
        "unpack {} --rootless SRC rootfs",
        "export {} SRC -o files.tar",
        "analyze {} SRC",
        "packages {} SRC",
        "packages {} --unowned SRC",
        "secrets {} SRC",
        "search {} SRC needle",
        "report {} SRC",
        "inspect {} --full SRC",
        "diff {} SRC oci:other",
        "config {} SRC",
        "manifest {} SRC",
        "save {} SRC -o saved.tar",
        "copy {} SRC oci:copied",
    ];
    let mut all = verbs.map(|verb| verb.replace("SRC", "oci:layout")).to_vec();
    all.extend(["ls {} SRC", "cat {} SRC dir/file", "verify {} SRC"].map(|verb| verb.replace("SRC", &from)));
    all.push(format!("pull {{}} {from} store:pulled"));
    all.push(format!("pull {{}} --unpack pulled {from} store:pulled"));
    all.push(format!("push {{}} oci:layout {registry}/c/d:1"));
    all.push(format!("tags {{}} {registry}/a/b"));
    all.push(format!("catalog {{}} {registry}"));
    all
}

#[test]
fn every_verb_names_the_limit_that_it_meets() {
    let attributes = Entry::file("dir/file", "needle ".repeat(100)).xattr("user.a", "b");
    let image = |top: &str| {
        let base = Layer::new("COPY dir /").dir("dir").entry(attributes.clone());
        let image = Image::new().platform("linux", "amd64", None).layer(base);
        image.layer(Layer::new("RUN more").file("dir/other", top).file("dir/more", "")).build().into_content("1")
    };
    let server = Server::new(Site::new().repository("a/b", image("needle")));
    let limits =
        ["manifest_bytes=10", "descriptors=1", "path_bytes=3", "entries=1", "tree_nodes=1", "unpacked_bytes=100"];
    let mut met = BTreeSet::new();
    for limit in limits.into_iter().chain(["extension_bytes=1", "tags_page_bytes=1"]) {
        let (name, _) = limit.split_once('=').unwrap();
        for reader in readers(server.authority()) {
            // What an earlier command left must not answer for a later one.
            let home = tempfile::tempdir().unwrap();
            image("needle").write_layout(&home.path().join("layout")).unwrap();
            image("thread").write_layout(&home.path().join("other")).unwrap();
            let command = reader.replace("{}", &format!("--no-cache --limit {limit}"));
            let output = porthole(home.path(), &command);
            let said = String::from_utf8_lossy(&output.stderr);
            match output.status.code() {
                // Nothing that it reads is beyond the limit, or the answer of `diff` and `search` is no.
                Some(0 | 1) => {}
                Some(9) => {
                    assert!(said.contains(&format!("hint: raise it with --limit {name}=")), "{command}: {said}");
                    let all = [&output.stdout[..], &output.stderr[..]].concat();
                    let all = String::from_utf8_lossy(&all);
                    assert!(all.contains(&format!("(limit {name})")), "{command}: {all}");
                    met.insert((name.to_owned(), reader.split(' ').next().unwrap().to_owned()));
                }
                code => panic!("{command}: {code:?}: {said}"),
            }
        }
    }
    for limit in limits {
        let name = limit.split('=').next().unwrap();
        let verbs: Vec<_> = met.iter().filter(|(limit, _)| limit == name).map(|(_, verb)| verb.as_str()).collect();
        assert!(verbs.len() > 5, "{name} is met by {verbs:?}");
    }
}
