//! Every verb applies the same limits to every kind of source.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod scripted;

use flate2::{Compression as Level, GzBuilder};
use porthole_testkit::{
    image::{Blob, Compression, Content, Entry, Family, Format, Image, Layer, Prepared, PreparedLayer, index_of},
    registry::{Auth, Site, bearer},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
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

/// A layer of these bytes.
fn layer(kind: &str, tar: Vec<u8>, packed: Vec<u8>) -> PreparedLayer {
    let blob = Blob::new(&format!("application/vnd.oci.image.layer.v1.tar{kind}"), packed);
    let diff_id = Blob::new("", tar.clone()).digest;
    PreparedLayer { blob, diff_id, tar, toc: Vec::new(), annotations: BTreeMap::new() }
}

/// A file of two segments in an archive.
fn sparse() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let records = [("GNU.sparse.size", "20"), ("GNU.sparse.numblocks", "2"), ("GNU.sparse.map", "0,3,10,5")];
    archive.append_pax_extensions(records.map(|(name, value)| (name, value.as_bytes()))).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(8);
    header.set_mode(0o644);
    archive.append_data(&mut header, "dir/file", &b"needles."[..]).unwrap();
    archive.into_inner().unwrap()
}

/// Layers that a limit on their format refuses, each with that limit as an option.
fn refused() -> Vec<(&'static str, &'static str, PreparedLayer)> {
    let plain = Layer::new("COPY dir /").file("dir/file", "needle ".repeat(10_000));
    let tar = plain.tar();
    let mut named = GzBuilder::new().filename("layer.tar").write(Vec::new(), Level::fast());
    named.write_all(&tar).unwrap();
    let zstd = layer("+zstd", tar.clone(), Compression::Zstd.compress(&tar));
    let gzip = layer("+gzip", tar.clone(), Compression::Gzip.compress(&tar));
    vec![
        ("window_bytes", "--limit window_bytes=1024", zstd),
        ("expansion_ratio", "--limit expansion_ratio=2 --limit expansion_grace=0", gzip),
        ("gzip_name_bytes", "--limit gzip_name_bytes=3", layer("+gzip", tar, named.finish().unwrap())),
        ("sparse_segments", "--limit sparse_segments=1", layer("", sparse(), sparse())),
    ]
}

#[test]
fn every_reader_of_a_layer_names_the_limit_of_its_format() {
    for (name, limit, layer) in refused() {
        let home = tempfile::tempdir().unwrap();
        PreparedLayer::image(&[layer], "1").write_layout(&home.path().join("layout")).unwrap();
        for verb in [
            "ls SRC",
            "ls --raw SRC",
            "cat SRC dir/file",
            "file SRC dir/file",
            "verify SRC",
            "unpack --rootless SRC rootfs",
            "export SRC -o files.tar",
            "analyze SRC",
            "packages SRC",
            "secrets SRC",
            "search SRC needle",
            "report SRC",
            "inspect --full SRC",
        ] {
            let command = verb.replace("SRC", &format!("--no-cache {limit} oci:layout"));
            let output = porthole(home.path(), &command);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(9), "{command}: {said}");
            assert!(said.contains(&format!("hint: raise it with --limit {name}=")), "{command}: {said}");
        }
    }
}

#[test]
fn readers_of_a_table_of_contents_name_its_limits() {
    let base = Layer::new("COPY dir /").file("dir/file", "needle ".repeat(100));
    for format in [Format::EStargz, Format::ZstdChunked] {
        let home = tempfile::tempdir().unwrap();
        let prepared = Prepared::new(&base, format).build();
        PreparedLayer::image(&[prepared], "1").write_layout(&home.path().join("layout")).unwrap();
        for (name, command) in [
            ("toc_bytes", "ls --toc --limit toc_bytes=100 oci:layout"),
            ("toc_bytes", "cat --toc --limit toc_bytes=100 oci:layout dir/file"),
            ("chunk_bytes", "cat --toc --limit chunk_bytes=100 oci:layout dir/file"),
        ] {
            let output = porthole(home.path(), command);
            ends(&output, 9, &format!("hint: raise it with --limit {name}="));
        }
    }
}

#[test]
fn lists_and_tokens_have_limits_of_their_own() {
    let image = Image::new().layer(Layer::new("COPY a /").file("a", "b")).build();
    let mut content = image.clone().into_content("1");
    content.add_root("2", image.manifest.clone());
    let home = tempfile::tempdir().unwrap();
    let lists = Server::new(Site::new().repository("a/b", content.clone()).repository("c/d", content).page(1));
    for command in [format!("tags {}/a/b", lists.authority()), format!("catalog {}", lists.authority())] {
        let output = porthole(home.path(), &format!("{command} --limit pages=1"));
        ends(&output, 9, "hint: raise it with --limit pages=");
    }
    let tokens = Server::new(Site::new().repository("a/b", image.into_content("1")));
    let challenge = bearer(&format!("http://{}/token", tokens.authority()), "tests");
    let auth = Auth::Bearer { challenge, account: None };
    tokens.internet.change(tokens.authority(), |site| *site = std::mem::take(site).auth(auth));
    let manifest = format!("manifest {}/a/b:1", tokens.authority());
    ends(&porthole(home.path(), &format!("{manifest} --limit token_bytes=5")), 9, "raise it with --limit token_bytes=");
    ends(&porthole(home.path(), &manifest), 0, "");
}
