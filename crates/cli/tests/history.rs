//! `porthole history` and `porthole rollback`, with scripted registries.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod place;
mod scripted;
mod snapshot;

use place::Place;
use porthole_testkit::{
    image::{Built, Image, Layer},
    registry::{Fault, Site},
};
use scripted::{Server, done, ends, porthole};
use serde_json::Value;
use std::{fs, path::Path};

fn image(content: &str) -> Built {
    Image::new().layer(Layer::new("COPY a /").file("a", content)).build()
}

/// A registry whose tag 1 pointed to three images one after the other, each of which was pulled. Returns the registry, the
/// reference and the three digests.
fn pulled(home: &Path) -> (Server, String, [String; 3]) {
    let images = ["one", "two", "three"].map(image);
    let server = Server::new(Site::new());
    let name = format!("{}/a/b:1", server.authority());
    for image in &images {
        stand_for(&server, image);
        done(home, &format!("pull {name}"));
    }
    (server, name, images.map(|image| image.manifest.digest))
}

/// Moves the tag 1 of the registry.
fn stand_for(server: &Server, image: &Built) {
    server.internet.change(server.authority(), |site| {
        let mut content = image.clone().into_content("1");
        content.blobs.extend(site.content_mut("a/b").blobs.clone());
        *site.content_mut("a/b") = content;
    });
}

/// The digest that tag 1 of the registry points to.
fn remote(server: &Server) -> String {
    server.look(|site| {
        let roots = &site.content("a/b").unwrap().roots;
        roots.iter().find(|root| root.name.as_deref() == Some("1")).unwrap().blob.digest.clone()
    })
}

fn local(home: &Path, name: &str) -> String {
    done(home, &format!("digest store:{name}"))["digest"].as_str().unwrap().to_owned()
}

fn rows(home: &Path, arguments: &str) -> Vec<Value> {
    let output = porthole(home, &format!("history --json {arguments}"));
    ends(&output, 0, "");
    output.stdout.split(|&b| b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect()
}

/// Some fields of every row, with the index in `digests` in place of the digest.
fn brief(home: &Path, arguments: &str, digests: &[String]) -> Vec<String> {
    let brief = |row: &Value| {
        let number = digests.iter().position(|digest| row["digest"] == *digest);
        let words = ["stored", "named", "registry"].into_iter().filter(|word| row[word] == true);
        let words: Vec<_> = words.map(str::to_owned).collect();
        format!("{} {} {} {}", row["step"], number.unwrap(), row["by"].as_str().unwrap_or("-"), words.join(","))
    };
    rows(home, arguments).iter().map(brief).collect()
}

#[test]
fn every_verb_that_moves_a_name_is_in_the_journal() {
    let home = tempfile::tempdir().unwrap();
    let (server, name, digests) = pulled(home.path());
    let history = |name: &str| brief(home.path(), name, &digests);
    assert_eq!(history(&name), ["0 2 pull stored,named", "1 1 pull stored", "2 0 pull stored"]);
    done(home.path(), &format!("pull {name}"));
    assert_eq!(history(&name).len(), 3, "nothing has moved");
    let first = &rows(home.path(), &name)[2];
    assert_eq!((first["previous"].clone(), first["reference"].clone()), (Value::Null, Value::from(name.clone())));
    assert!(first["time"].as_str().unwrap().ends_with('Z'));

    let other = format!("{}/c/d:x", server.authority());
    ends(&porthole(home.path(), &format!("tag {name} {other}")), 0, "");
    ends(&porthole(home.path(), &format!("tag {name} {other}")), 0, "");
    assert_eq!(history(&other), ["0 2 tag stored,named"]);
    done(home.path(), &format!("push {other}"));
    done(home.path(), &format!("push {other}"));
    assert_eq!(history(&other), ["0 2 push stored,named", "0 2 tag stored,named"], "the second push moved nothing");
    let copied = format!("{}/e/f:y", server.authority());
    done(home.path(), &format!("copy {name} {copied}"));
    assert_eq!(history(&copied), ["0 2 push stored"]);

    // A pull under another name is recorded there. A pull by digest is not recorded, because a digest never moves.
    done(home.path(), &format!("pull {name} store:mine"));
    assert_eq!(history("mine"), ["0 2 pull stored,named"]);
    done(home.path(), &format!("pull {}@{}", name.trim_end_matches(":1"), digests[0]));
    assert_eq!(history(&name).len(), 3);
    done(home.path(), &format!("pull {name} oci:layout:x"));
    assert!(!home.path().join("layout/journal.jsonl").exists());
}

#[test]
fn a_push_makes_no_store_for_a_journal() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::new(Site::new());
    image("one").into_content("x").write_layout(&home.path().join("layout")).unwrap();
    done(home.path(), &format!("push oci:layout {}/a/b:1", server.authority()));
    assert!(!home.path().join(".local").exists());
}

#[test]
fn the_registry_is_asked_once_and_only_on_request() {
    let home = tempfile::tempdir().unwrap();
    let (server, name, digests) = pulled(home.path());
    let before = server.internet.log().len();
    brief(home.path(), &name, &digests);
    assert_eq!(server.internet.log().len(), before);
    let four = image("four");
    stand_for(&server, &four);
    let digests = [&digests[..], std::slice::from_ref(&four.manifest.digest)].concat();
    let history = brief(home.path(), &format!("--remote {name}"), &digests);
    assert_eq!(history[..2], ["null 3 - registry", "0 2 pull stored,named"], "the journal does not know it");
    let log = server.internet.log();
    assert_eq!(log[before..].iter().map(|asked| asked.method.as_str()).collect::<Vec<_>>(), ["HEAD"]);
    stand_for(&server, &image("one"));
    assert_eq!(brief(home.path(), &format!("--remote {name}"), &digests)[2], "2 0 pull stored,registry");
    let text = porthole(home.path(), &format!("history --remote {name}"));
    let text = String::from_utf8(text.stdout).unwrap();
    let (header, first) = text.lines().next().zip(text.lines().nth(1)).unwrap();
    assert!(header.starts_with("STEP  WHEN (UTC)") && header.ends_with("BY        NOW"), "{header}");
    assert!(first.starts_with("   0  2") && first.ends_with(&format!("{}  pull      named", digests[2])), "{first}");

    ends(&porthole(home.path(), &format!("history {}/a/b:2", server.authority())), 4, "history not found: ");
    ends(&porthole(home.path(), &format!("history --remote {}/a/b:2", server.authority())), 4, "history not found: ");
    ends(&porthole(home.path(), &format!("history a@{}", digests[0])), 2, "which never moves");
}

#[test]
fn a_name_of_the_store_goes_back_and_forth() {
    let home = tempfile::tempdir().unwrap();
    let (server, name, digests) = pulled(home.path());
    let asked = server.internet.log().len();
    let answer = done(home.path(), &format!("rollback {name}"));
    assert_eq!((&answer["previous"], &answer["digest"]), (&digests[2].as_str().into(), &digests[1].as_str().into()));
    assert_eq!((&answer["store"], &answer["registry"]), (&true.into(), &false.into()));
    assert_eq!(local(home.path(), &name), digests[1]);
    assert_eq!(brief(home.path(), &name, &digests)[..2], ["0 1 rollback stored,named", "1 2 pull stored"]);
    done(home.path(), &format!("rollback {name}"));
    assert_eq!(local(home.path(), &name), digests[2], "back to where it came from");
    done(home.path(), &format!("rollback {name} {}", digests[0]));
    assert_eq!(local(home.path(), &name), digests[0]);
    let again = porthole(home.path(), &format!("rollback {name} {}", digests[0]));
    ends(&again, 0, "stands for it already");
    assert_eq!(rows(home.path(), &name).len(), 6);
    assert_eq!(
        (server.internet.log().len(), remote(&server)),
        (asked, digests[2].clone()),
        "the registry knows nothing"
    );
    // A short name in the store is moved, and not added again in its full form.
    done(home.path(), &format!("pull {name} store:mine"));
    stand_for(&server, &image("one"));
    done(home.path(), &format!("pull {name} store:mine"));
    done(home.path(), "rollback mine");
    assert_eq!(local(home.path(), "mine"), digests[2]);
    let names = String::from_utf8(porthole(home.path(), "images").stdout).unwrap();
    assert_eq!(names.lines().count(), 2, "{names}");
}

#[test]
fn a_tag_of_the_registry_goes_back() {
    let home = tempfile::tempdir().unwrap();
    let (server, name, digests) = pulled(home.path());
    let text = server.look(|site| site.content("a/b").unwrap().blobs[&digests[1]].bytes.clone());
    let answer = done(home.path(), &format!("rollback --push {name}"));
    assert_eq!((&answer["store"], &answer["registry"]), (&true.into(), &true.into()));
    assert_eq!((remote(&server), local(home.path(), &name)), (digests[1].clone(), digests[1].clone()));
    let log = server.internet.log();
    let put = log.iter().rfind(|asked| asked.method == "PUT").unwrap();
    assert_eq!(put.body, text, "byte for byte");
    let methods: Vec<_> = log[log.len() - 4..].iter().map(|asked| asked.method.as_str()).collect();
    assert_eq!(methods, ["HEAD", "GET", "PUT", "HEAD"], "what it is, the manifest, the tag, and read back");

    // Steps count from the digest in the registry, even if the store has another.
    stand_for(&server, &image("three"));
    done(home.path(), &format!("rollback --push {name} 2"));
    assert_eq!(remote(&server), digests[0], "two before three, and one before two");
    let asked = server.internet.log().len();
    ends(&porthole(home.path(), &format!("rollback --push {name} {}", digests[0])), 0, "stands for it already");
    assert_eq!(server.internet.log().len(), asked + 1);
}

#[test]
fn what_is_gone_is_said_to_be_gone() {
    let home = tempfile::tempdir().unwrap();
    let (server, name, digests) = pulled(home.path());
    let forget = |digest: &str| {
        server.internet.change(server.authority(), |site| drop(site.content_mut("a/b").blobs.remove(digest)));
    };
    ends(&porthole(home.path(), "gc"), 0, "");
    assert_eq!(brief(home.path(), &name, &digests)[1..], ["1 1 pull stored", "2 0 pull "], "one step back is kept");
    let output = porthole(home.path(), &format!("rollback {name} 2"));
    ends(&output, 4, "the store does not have the image any more");
    ends(&output, 4, &format!("porthole pull {}@{}", name.trim_end_matches(":1"), digests[0]));

    // Only the registry has the image: its tag moves, but the name in the store cannot.
    let output = porthole(home.path(), &format!("rollback --push {name} 2"));
    ends(&output, 0, "the store does not have it");
    assert_eq!((remote(&server), local(home.path(), &name)), (digests[0].clone(), digests[2].clone()));
    stand_for(&server, &image("three"));
    forget(&digests[0]);
    let gone = porthole(home.path(), &format!("rollback --push {name} {}", digests[0]));
    ends(&gone, 4, "neither the store nor");
    assert_eq!(remote(&server), digests[2]);

    // Only the store has the image.
    server.internet.change(server.authority(), |site| {
        let three = image("three").into_content("1");
        *site.content_mut("a/b") = three;
    });
    ends(&porthole(home.path(), &format!("rollback --push {name} {}", digests[1])), 0, "no longer has it");
    assert_eq!(remote(&server), digests[1]);

    ends(&porthole(home.path(), &format!("rollback {name} 9")), 4, "the journal goes 2 steps back, not 9");
    ends(&porthole(home.path(), &format!("rollback {}/a/b:2", server.authority())), 4, "knows of nothing before");
    ends(&porthole(home.path(), &format!("rollback {name} 0")), 2, "at least one step");
    server.internet.fault("PUT ", 9, Fault::Status(403));
    let refused = porthole(home.path(), &format!("rollback --push {name} {}", digests[2]));
    ends(&refused, 3, "refused access");
    let store = home.path().join(".local/share/porthole/store");
    let journal = fs::read_to_string(store.join("journal.jsonl")).unwrap();
    assert!(journal.lines().last().unwrap().contains(&digests[1]), "what failed is not in the journal");
}

#[test]
fn gc_keeps_what_it_is_told_to_keep() {
    let home = tempfile::tempdir().unwrap();
    let (_server, name, digests) = pulled(home.path());
    done(home.path(), "gc --keep-history 2");
    assert_eq!(brief(home.path(), &name, &digests)[2], "2 0 pull stored");
    ends(&porthole(home.path(), "gc --keep-history 2"), 0, "keeps 2 earlier images for `porthole rollback`");
    let swept = done(home.path(), "gc");
    assert_eq!((&swept["blobs"], &swept["kept"]), (&3.into(), &1.into()), "manifest, configuration and layer");
    assert_eq!(done(home.path(), "gc --keep-history 0")["blobs"], 3);
    ends(&porthole(home.path(), &format!("rm {name}")), 0, "");
    assert_ne!(done(home.path(), "gc --keep-history 9")["blobs"], 0, "a name that was removed keeps nothing");
}

#[test]
fn what_is_said() {
    let place = Place::new();
    let store = place.path("store");
    // A journal of an earlier day, and a store that another program wrote as a layout.
    place.layout("store", &image("two"));
    let [one, two] = ["one", "two"].map(|content| image(content).manifest.digest);
    let line = |time: &str, digest: &str, by: &str| {
        let name = "docker.io/library/latest:latest";
        format!("{{\"time\":\"{time}\",\"reference\":\"{name}\",\"digest\":\"{digest}\",\"by\":\"{by}\"}}\n")
    };
    let lines = line("2026-01-02T03:04:05Z", &one, "pull") + &line("2026-01-03T03:04:05Z", &two, "watch");
    fs::write(store.join("journal.jsonl"), lines).unwrap();
    let (code, rows) = place.json("--store store history --json latest");
    assert_eq!((code, rows.len(), &rows[1]["time"]), (0, 2, &"2026-01-02T03:04:05Z".into()));
    place.expect(
        "history",
        &[
            "--store store history latest",
            "--store store rollback latest",
            "--store store rollback latest 3",
            &format!("--store store rollback latest {two}"),
            "--store store rollback latest zero",
        ],
    );
}
