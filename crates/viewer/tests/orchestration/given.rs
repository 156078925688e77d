//! Files that a person opened: archives read by range, without any request.

use crate::stage::*;
use porthole_core::failure::FailureClass;
use porthole_testkit::{
    image::{Content, Image, Layer},
    registry::Internet,
};
use porthole_viewer::{
    address::Address,
    protocol::{Command, ComparedFiles, LayerState, Remedy, ShownContent},
    session::{GivenFile, OpenFile},
    state::{Action, command, pinned_route},
};
use std::{cell::Cell, future::Future, io, ops::Range, pin::Pin, rc::Rc, sync::Arc};

fn built(file: &str) -> porthole_testkit::image::Built {
    Image::new().layer(Layer::new("COPY x /").file(file, "hello\n")).build()
}

/// A page without a registry, on which a file is dropped.
fn dropped(name: &str, bytes: Vec<u8>) -> Stage {
    let mut stage = Stage::new(&Internet::new());
    let before = stage.internet.log().len();
    stage.give(name, GivenFile::new(Arc::<[u8]>::from(bytes)));
    stage.act(Action::File(name.into()));
    assert_eq!(stage.internet.log().len(), before, "a file needs no request");
    stage
}

#[test]
fn an_archive_is_shown_as_an_image() {
    let docker = Content::docker_archive(&[("app:1", &built("motd"))]);
    for archive in [docker, built("motd").into_content("1").layout_tar()] {
        let mut stage = dropped("App 1.tar", archive);
        stage.verified();
        assert_eq!(stage.paths(), ["motd"]);
        assert_eq!(stage.state.route.to_string(), "#/v1/file.localhost%2Fapp-1.tar");
        assert_eq!(stage.state.shown_reference().as_deref(), Some("./App 1.tar"));
        assert_eq!(command(&stage.state).as_deref(), Some("porthole ls './App 1.tar'"));
        let overview = stage.state.overview.as_ref().unwrap();
        assert_eq!((overview.given.as_str(), overview.resolved.as_str()), ("./App 1.tar", ""));
        assert_eq!(pinned_route(&stage.state), None, "no address opens a file");
        let before = stage.internet.log().len();
        stage.act(Action::Select(Some("motd".into())));
        assert!(
            matches!(stage.content(), ShownContent::Text { text, .. } if text == "hello\n"),
            "{:?}",
            stage.content()
        );
        assert_eq!(command(&stage.state).as_deref(), Some("porthole cat './App 1.tar' motd"));
        stage.act(Action::Look("./App 1.tar".into()));
        stage.verified();
        assert_eq!(stage.internet.log().len(), before);
    }
}

#[test]
fn one_of_several_images_is_chosen() {
    let archive = Content::docker_archive(&[("app:1", &built("one")), ("app:2", &built("two"))]);
    let mut stage = dropped("both.tar", archive);
    let failure = stage.failed_as(FailureClass::Input);
    assert_eq!(failure.text, "several images: name one of app:1, app:2");
    let [Remedy::ChooseImage { images }] = failure.remedies.as_slice() else { panic!("{failure:?}") };
    let [(first, _), (second, reference)] = images.as_slice() else { panic!("{images:?}") };
    assert_eq!([first.as_str(), second.as_str()], ["app:1", "app:2"]);
    let chosen = reference.clone();
    stage.act(Action::Look(chosen));
    stage.verified();
    assert_eq!(stage.paths(), ["two"]);
    assert_eq!(command(&stage.state), None);
}

#[test]
fn a_page_that_is_loaded_again_asks_for_the_file() {
    let mut stage = Stage::new(&Internet::new());
    let before = stage.internet.log().len();
    stage.act(Action::Address(Box::new(Address::parse("#/v1/file.localhost/app.tar"))));
    let failure = stage.failed_as(FailureClass::NotFound);
    assert_eq!(failure.remedies, [Remedy::ChooseFile]);
    assert!(failure.text.starts_with("app.tar is a file on this machine"), "{}", failure.text);
    assert_eq!(stage.internet.log().len(), before);
    let archive = built("motd").into_content("1").layout_tar();
    stage.give("app.tar", GivenFile::new(Arc::<[u8]>::from(archive)));
    stage.act(Action::File("app.tar".into()));
    stage.verified();
}

#[test]
fn another_file_replaces_the_one_that_is_shown() {
    let mut stage = dropped("a.tar", built("a").into_content("1").layout_tar());
    stage.give("b.tar", GivenFile::new(Arc::<[u8]>::from(built("b").into_content("1").layout_tar())));
    stage.act(Action::File("b.tar".into()));
    stage.verified();
    assert_eq!(stage.paths(), ["b"]);
    stage.act(Action::Address(Box::new(Address::parse("#/v1/file.localhost/a.tar"))));
    stage.verified();
    assert_eq!(stage.paths(), ["a"], "the way back");
}

#[test]
fn what_is_no_archive_is_refused_as_the_command_line_does() {
    let archive = built("motd").into_content("1").layout_tar();
    let cases: [(Vec<u8>, &str); 4] = [
        (Vec::new(), "an archive without index.json or manifest.json: `./x.tar`"),
        (b"\xfd7zXZ\0".repeat(100), "archive is compressed with xz: expected a plain tar: `./x.tar`"),
        (b"<!doctype html><html>".repeat(60), "archive is broken: `./x.tar`: "),
        (archive[..700].to_vec(), "archive is broken: `./x.tar`: "),
    ];
    for (bytes, text) in cases {
        let stage = dropped("x.tar", bytes);
        let failure = stage.failed_as(FailureClass::Malformed);
        assert!(failure.text.contains(text), "{}", failure.text);
        assert!(offers(failure, |remedy| *remedy == Remedy::ChooseFile), "{failure:?}");
    }
}

#[test]
fn a_damaged_layer_is_wrong() {
    let built = Image::new().layer(Layer::new("COPY").file("a", noise(4096))).build();
    let bytes = built.layers[0].blob.bytes.clone();
    let mut archive = built.into_content("1").layout_tar();
    let at = archive.windows(bytes.len()).position(|window| window == bytes).unwrap();
    archive[at + bytes.len() / 2] ^= 1;
    let stage = dropped("app.tar", archive);
    assert_eq!(stage.layer_states(), [LayerState::Wrong]);
    assert_eq!(stage.layer_failure(0).kind, FailureClass::Malformed);
}

/// A file whose parts have addresses, and which counts the bytes that the session reads.
struct Counted {
    bytes: Arc<[u8]>,
    read: Rc<Cell<u64>>,
}

impl OpenFile for Counted {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, range: Range<u64>) -> Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + '_>> {
        self.read.set(self.read.get() + range.end - range.start);
        self.bytes.read(range)
    }

    fn address(&self, _: Range<u64>) -> Option<String> {
        Some("https://part.example/0".into())
    }
}

#[test]
fn a_worker_reads_a_layer_by_the_address_of_its_part() {
    let built = Image::new()
        .layer(Layer::new("COPY").compression(porthole_testkit::image::Compression::None).file("a", noise(2 << 20)))
        .build();
    let archive = built.into_content("1").layout_tar();
    let read = Rc::new(Cell::new(0));
    let mut stage = Stage::new(&Internet::new());
    stage.give("app.tar", GivenFile::new(Counted { bytes: archive.into(), read: Rc::clone(&read) }));
    stage.act(Action::File("app.tar".into()));
    assert!(read.get() < 1 << 20, "headers and documents only: {}", read.get());
    assert!(stage.internet.count("part.example") > 0, "the worker asked for the part");
    assert_eq!(stage.internet.count("file.localhost"), 0);
    assert_eq!(stage.layer_states(), [LayerState::Lost], "nothing answers there");
    stage.command(Command::Cancel);
}

#[test]
fn the_folder_of_a_layout_is_shown_as_an_image() {
    let mut stage = Stage::new(&Internet::new());
    let before = stage.internet.log().len();
    let files = built("motd").into_content("1").layout_files();
    let file = |(path, bytes): (String, Vec<u8>)| (path, GivenFile::new(Arc::<[u8]>::from(bytes)));
    stage.give_folder("layout", files.into_iter().map(file).collect());
    stage.act(Action::File("layout".into()));
    stage.verified();
    assert_eq!(stage.paths(), ["motd"]);
    assert_eq!(command(&stage.state).as_deref(), Some("porthole ls ./layout"));
    assert_eq!(stage.internet.log().len(), before, "a folder needs no request");
}

#[test]
fn two_archives_are_compared() {
    let mut stage = Stage::new(&Internet::new());
    let before = stage.internet.log().len();
    for (name, file) in [("one.tar", "one"), ("two.tar", "two")] {
        stage.give(name, GivenFile::new(Arc::<[u8]>::from(built(file).into_content("1").layout_tar())));
    }
    stage.act(Action::File("one.tar".into()));
    stage.act(Action::Compare { with: porthole_viewer::session::given_reference("two.tar"), platform: None });
    let comparison = stage.state.comparison.clone().unwrap();
    let ComparedFiles::Done { rows, .. } = &comparison.files else { panic!("{comparison:?}") };
    let paths: Vec<_> = rows.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["one", "two"]);
    assert_eq!(command(&stage.state), None, "the page does not know where the other file is");
    assert_eq!(stage.internet.log().len(), before, "files need no request");
}
