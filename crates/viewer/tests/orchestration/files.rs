//! What is in a file: read by range, checked, shown, saved.

use crate::stage::*;
use porthole_testkit::{
    image::{Compression, Content, Image, Layer},
    registry::Fault,
};
use porthole_viewer::{
    protocol::{SHOWN_BYTES, ShownContent as Shown},
    session,
    state::{Action, Effect},
};

fn of(layer: Layer) -> (Content, String) {
    let built = Image::new().layer(layer).build();
    let digest = built.layers[0].blob.digest.clone();
    (built.into_content("1"), digest)
}

fn select(path: &str) -> Action {
    Action::Select(Some(path.into()))
}

#[test]
fn a_text_is_shown_as_the_view_has_it() {
    let mut stage = Stage::looking(content());
    stage.act(select("etc/hosts"));
    let Shown::Text { text, part, .. } = stage.content() else { panic!("{:?}", stage.content()) };
    assert_eq!((text.as_str(), part.shown, part.size), ("two\n", 4, 4));
    stage.act(Action::Layer(0));
    let Shown::Text { text, .. } = stage.content() else { panic!("{:?}", stage.content()) };
    assert_eq!(text, "one\n", "the version of the layer that is shown");
}

#[test]
fn a_file_of_zeros_is_shown_in_hexadecimal() {
    let mut stage = Stage::looking(content());
    stage.act(select("srv/app"));
    let Shown::Binary { hex, part } = stage.content() else { panic!("{:?}", stage.content()) };
    assert!(hex.starts_with("00000000  00 00"), "{hex}");
    assert_eq!(part.size, 20);
}

#[test]
fn a_file_is_read_by_a_range_of_its_layer() {
    let layer = Layer::new("COPY").compression(Compression::None).file("big", noise(600_000)).file("small", "here\n");
    let (content, digest) = of(layer);
    let mut stage = Stage::looking(content);
    let before = stage.internet.count(&digest);
    stage.act(select("small"));
    let Shown::Text { text, part, .. } = stage.content() else { panic!("{:?}", stage.content()) };
    assert_eq!(text, "here\n");
    assert!(part.fetched < 300_000 && part.layer > 600_000, "{part:?}");
    let log = stage.internet.log();
    let asked: Vec<_> = log.iter().filter(|asked| asked.url.ends_with(&digest)).skip(before).collect();
    assert!(asked.len() == 1 && asked[0].headers.contains_key("range"), "{asked:?}");
}

#[test]
fn a_range_that_was_changed_since_is_wrong() {
    let (content, digest) = of(Layer::new("COPY").compression(Compression::None).file("a", "true\n"));
    let mut stage = Stage::looking(content);
    let mut forged =
        stage.internet.look(REGISTRY, |site| site.content("a/b").unwrap().blobs[&digest].bytes.clone()).unwrap();
    let at = forged.windows(4).position(|bytes| bytes == b"true").unwrap();
    forged[at..at + 4].copy_from_slice(b"lies");
    stage.internet.fault(&digest, u32::MAX, Fault::Body(forged));
    stage.act(select("a"));
    assert!(matches!(stage.content(), Shown::Failed { wrong: true, .. }), "{:?}", stage.content());
}

#[test]
fn a_file_that_cannot_be_fetched_fails_and_nothing_else_does() {
    let mut stage = Stage::looking(content());
    stage.internet.fault("/blobs/", u32::MAX, Fault::Status(404));
    stage.act(select("etc/hosts"));
    assert!(matches!(stage.content(), Shown::Failed { wrong: false, .. }), "{:?}", stage.content());
    stage.verified();
}

#[test]
fn what_costs_much_is_read_only_when_a_person_asks() {
    // One zstd frame is read from its start, however far the file is.
    let layer = Layer::new("COPY").compression(Compression::Zstd).file("a", vec![0; 5 << 20]).file("b", "far\n");
    let options = session::SessionOptions { unasked_bytes: 100, ..session::SessionOptions::default() };
    let mut stage = Stage::with(&registry(of(layer).0), Setup { options, ..Setup::default() });
    stage.look(REFERENCE);
    stage.act(select("b"));
    let Shown::Costly { bytes } = stage.content() else { panic!("{:?}", stage.content()) };
    assert!(*bytes > 100);
    let before = stage.internet.log().len();
    stage.act(Action::Read);
    assert!(matches!(stage.content(), Shown::Text { text, .. } if text == "far\n"), "{:?}", stage.content());
    assert!(stage.internet.log().len() > before);
}

#[test]
fn only_the_beginning_of_a_long_text_is_shown() {
    let text: Vec<u8> = b"line of text\n".repeat(40_000);
    let mut stage = Stage::looking(of(Layer::new("COPY").file("long", &text)).0);
    stage.act(select("long"));
    let Shown::Text { part, .. } = stage.content() else { panic!("{:?}", stage.content()) };
    assert_eq!((part.shown, part.size), (256 << 10, text.len() as u64));
}

#[test]
fn a_file_is_saved_whole_under_its_name() {
    let bytes = noise(700_000);
    let mut stage = Stage::looking(of(Layer::new("COPY").file("srv/data.bin", &bytes)).0);
    stage.act(select("srv/data.bin"));
    stage.act(Action::Save);
    assert_eq!(stage.saved(), [bytes]);
    let saved = Effect::Save { url: "memory:1".into(), name: "data.bin".into() };
    assert!(stage.effects.contains(&saved), "{:?}", stage.effects);
}

#[test]
fn nothing_is_kept_of_a_file_whose_bytes_are_wrong() {
    let (content, digest) = of(Layer::new("COPY").compression(Compression::None).file("a", noise(300_000)));
    let mut stage = Stage::looking(content);
    let mut forged =
        stage.internet.look(REGISTRY, |site| site.content("a/b").unwrap().blobs[&digest].bytes.clone()).unwrap();
    forged[200_000] ^= 1;
    stage.internet.fault(&digest, u32::MAX, Fault::Body(forged));
    stage.act(select("a"));
    stage.act(Action::Save);
    assert!(stage.saved().is_empty());
    assert!(matches!(stage.content(), Shown::Failed { wrong: true, .. }), "{:?}", stage.content());
}

#[test]
fn another_file_replaces_the_one_that_is_read() {
    let layer = Layer::new("COPY").file("a", noise(400_000)).file("b", "second\n");
    let mut stage = Stage::looking(of(layer).0);
    stage.internet.latency(20);
    stage.begin(select("a"));
    for _ in 0..3 {
        stage.step();
    }
    stage.act(select("b"));
    let (path, content) = stage.state.content.as_ref().unwrap();
    assert!(path == "b" && matches!(&**content, Shown::Text { text, .. } if text == "second\n"), "{path} {content:?}");
}

#[test]
fn a_directory_a_link_and_nothing_have_no_content() {
    let layer = Layer::new("COPY").dir("d").symlink("s", "d").file("f", "x").hardlink("h", "f");
    let mut stage = Stage::looking(of(layer).0);
    for path in ["d", "s", "nothing"] {
        stage.act(select(path));
        assert_eq!(stage.state.content, None, "{path}");
    }
    stage.act(select("h"));
    assert!(matches!(stage.content(), Shown::Text { text, .. } if text == "x"), "a hard link has its file's content");
}

#[test]
fn a_file_of_a_wrong_layer_is_not_shown() {
    let internet = registry(content());
    let layer = &built().layers[1].blob;
    let mut bytes = layer.bytes.clone();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    internet.fault(&layer.digest, u32::MAX, Fault::Body(bytes));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.act(select("srv/app"));
    assert_eq!((stage.state.selection.as_ref(), stage.state.content.as_ref()), (None, None));
}

#[test]
fn what_is_said_to_be_fetched_is_what_came_over_the_line() {
    let repeated = Layer::new("COPY app /").file("big", noise(600_000)).file("empty", "");
    let mut image = Image::new();
    for _ in 0..5 {
        image = image.layer(repeated.clone());
    }
    let built = image.build();
    let documents = (built.manifest.bytes.len() + built.config.bytes.len()) as u64;
    let mut stage = Stage::looking(built.clone().into_content("1"));
    stage.verified();
    let layer = built.layers[0].blob.bytes.len() as u64;
    assert_eq!(stage.state.fetched, documents + layer, "five layers of one blob");

    let asked = stage.internet.log().len();
    stage.act(Action::Select(Some("empty".into())));
    assert!(matches!(stage.content(), Shown::Text { text, .. } if text.is_empty()), "{:?}", stage.content());
    assert_eq!(
        (stage.internet.log().len(), stage.state.fetched),
        (asked, documents + layer),
        "an empty file costs nothing"
    );

    stage.act(Action::Select(Some("big".into())));
    let (Shown::Text { part, .. } | Shown::Binary { part, .. }) = stage.content() else {
        panic!("{:?}", stage.content())
    };
    assert!(part.fetched > 0);
    assert_eq!(stage.state.fetched, documents + layer + part.fetched);
}

/// The archive of a layer, which is to be a file of another one.
fn archive(layer: Layer) -> Vec<u8> {
    Image::new().layer(layer.compression(Compression::None)).build().layers[0].blob.bytes.to_vec()
}

#[test]
fn bytes_are_shown_from_any_offset() {
    let bytes = noise(6_000_000);
    let mut stage = Stage::looking(of(Layer::new("COPY").compression(Compression::None).file("big", &bytes)).0);
    stage.act(select("big"));
    let Shown::Binary { part, .. } = stage.content() else { panic!("{:?}", stage.content()) };
    assert_eq!((part.from, part.shown, part.size), (0, SHOWN_BYTES, 6_000_000));
    let before = stage.internet.log().len();
    stage.act(Action::Offset(Some(5_000_007)));
    let Shown::Binary { hex, part } = stage.content() else { panic!("{:?}", stage.content()) };
    assert_eq!((part.from, part.shown, stage.internet.log().len()), (5_000_000, SHOWN_BYTES, before + 1));
    let digits: String = bytes[5_000_000..5_000_016].iter().map(|byte| format!("{byte:02x} ")).collect();
    assert!(hex.starts_with(&format!("004c4b40  {digits}")), "{}", &hex[..80]);
    assert!(part.fetched <= 256 << 10, "{part:?}");

    stage.act(Action::Offset(Some(5_999_990)));
    let Shown::Binary { hex, part } = stage.content() else { panic!("{:?}", stage.content()) };
    assert_eq!((part.from, part.shown, hex.lines().count()), (5_999_984, 16, 1));
    stage.act(Action::Offset(None));
    let Shown::Binary { part, .. } = stage.content() else { panic!("{:?}", stage.content()) };
    assert_eq!(part.from, 0);
}

#[test]
fn a_text_is_shown_as_bytes_and_as_text_again() {
    let mut stage = Stage::looking(content());
    stage.act(select("etc/hosts"));
    stage.act(Action::Offset(Some(0)));
    assert!(
        matches!(stage.content(), Shown::Binary { hex, .. } if hex.contains("74 77 6f 0a")),
        "{:?}",
        stage.content()
    );
    stage.act(Action::Offset(None));
    assert!(matches!(stage.content(), Shown::Text { .. }), "{:?}", stage.content());
    stage.act(Action::Offset(Some(0)));
    stage.act(select("etc/motd"));
    assert_eq!(stage.state.route.offset, None, "another file is shown as what it is");
}

#[test]
fn a_file_says_what_it_is() {
    let inner = archive(Layer::new("a").file("in/one", "1").file("in/\u{1b}[2J", "23").symlink("link", "in/one"));
    let layer = Layer::new("COPY").file("run", "#!/bin/sh -e\n").file("data.tar", &inner).file("notes", "text\n");
    let mut stage = Stage::looking(of(layer).0);
    let facts = |stage: &mut Stage, path: &str| {
        stage.act(select(path));
        let (of, facts) = stage.state.facts.clone().expect("facts");
        assert_eq!(of, path);
        facts
    };
    let script = facts(&mut stage, "run");
    assert_eq!(script.kind, "script");
    let expected = [("interpreter".into(), vec!["/bin/sh".into()]), ("argument".into(), vec!["-e".into()])];
    assert_eq!(script.facts, expected);
    let members = facts(&mut stage, "data.tar").members.clone().expect("an archive");
    let rows: Vec<_> = members.rows.iter().map(|row| (row.name.as_str(), row.size)).collect();
    assert_eq!(rows, [("in/one", 1), ("in/\\x1b[2J", 2), ("link → in/one", 0)]);
    assert_eq!((members.count, &members.problem), (3, &None));
    assert_eq!(facts(&mut stage, "notes").kind, "text");
}

#[test]
fn an_archive_that_costs_much_is_listed_when_a_person_asks() {
    let inner = archive(Layer::new("a").file("noise", noise(900_000)).file("last", "1"));
    let layer = Layer::new("COPY").compression(Compression::None).file("data.tar", &inner);
    let options = session::SessionOptions { unasked_bytes: 400_000, ..session::SessionOptions::default() };
    let mut stage = Stage::with(&registry(of(layer).0), Setup { options, ..Setup::default() });
    stage.look(REFERENCE);
    stage.act(select("data.tar"));
    let (_, facts) = stage.state.facts.clone().expect("facts");
    assert_eq!((&*facts.kind, &facts.members), ("tar archive", &None));
    assert!(facts.costly.is_some_and(|bytes| bytes > 900_000), "{facts:?}");
    stage.act(Action::Read);
    let (_, facts) = stage.state.facts.clone().expect("facts");
    let members = facts.members.as_ref().expect("members");
    assert_eq!((members.count, &*members.rows[1].name, facts.costly), (2, "last", None));
}
