//! Every verb applies the same limits to every kind of source.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod scripted;

use porthole_testkit::{
    image::{Content, Family, Image, Layer, index_of},
    registry::Site,
};
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
