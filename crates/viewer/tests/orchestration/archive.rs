//! Saving the image of a look: the archive is an image again, and a wrong byte leaves none.

use crate::stage::*;
use porthole_testkit::{
    image::{Built, Compression, Content, Image, Layer},
    registry::Fault,
};
use porthole_viewer::{
    protocol::ArchiveFormat,
    session::{ArchiveFile, GivenFile},
    state::Action,
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

/// Archives in memory, and what became of each.
#[derive(Clone, Default)]
pub(crate) struct Archives {
    pub(crate) kept: Rc<RefCell<Vec<Vec<u8>>>>,
    /// What was done to archives, in this order.
    pub(crate) deeds: Rc<RefCell<Vec<&'static str>>>,
    /// Bytes that an archive may have.
    pub(crate) room: Rc<Cell<u64>>,
}

/// An archive in memory.
pub(crate) struct Packing {
    bytes: Vec<u8>,
    archives: Archives,
    finished: bool,
}

impl Packing {
    pub(crate) fn new(archives: &Archives) -> Self {
        archives.deeds.borrow_mut().push("made");
        Self { bytes: Vec::new(), archives: archives.clone(), finished: false }
    }
}

impl ArchiveFile for Packing {
    async fn begin(&mut self, bytes: u64) -> Result<(), String> {
        if bytes > self.archives.room.get() {
            return Err("there is no room".into());
        }
        self.archives.deeds.borrow_mut().push("begun");
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(mut self) -> Result<Option<String>, String> {
        self.archives.kept.borrow_mut().push(std::mem::take(&mut self.bytes));
        self.finished = true;
        Ok(None)
    }
}

impl Drop for Packing {
    fn drop(&mut self) {
        self.archives.deeds.borrow_mut().push(if self.finished { "kept" } else { "removed" });
    }
}

fn image(compression: Compression) -> Built {
    let layer = |name: &str, bytes: usize| Layer::new("COPY").compression(compression).file(name, vec![b'x'; bytes]);
    Image::new().layer(layer("one", 9000)).layer(layer("two", 1)).build()
}

fn content(compression: Compression) -> Content {
    Content::of_index("1", &[image(compression)])
}

fn outcome(stage: &Stage) -> Result<Option<String>, String> {
    stage.state.archive.clone().expect("an archive is saved").outcome.expect("it has ended")
}

#[test]
fn a_saved_image_can_be_opened() {
    for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
        for format in [ArchiveFormat::Docker, ArchiveFormat::Oci] {
            let mut stage = Stage::looking(content(compression));
            stage.act(Action::SaveArchive(format));
            assert_eq!(outcome(&stage), Ok(None));
            let archive = stage.archives().pop().unwrap();
            let saving = stage.state.archive.clone().unwrap();
            assert_eq!(saving.written, archive.len() as u64);
            assert_eq!(stage.archive_deeds(), ["made", "begun", "kept"]);
            stage.give("saved.tar", GivenFile::new(Arc::<[u8]>::from(archive)));
            stage.act(Action::File("saved.tar".into()));
            stage.verified();
            assert_eq!(stage.paths(), ["one", "two"], "{compression:?} {format:?}");
        }
    }
}

#[test]
fn a_wrong_byte_at_the_very_end_leaves_no_archive() {
    for format in [ArchiveFormat::Docker, ArchiveFormat::Oci] {
        let mut stage = Stage::looking(content(Compression::None));
        let last = image(Compression::None).layers[1].blob.clone();
        let (mut bytes, last) = (last.bytes, last.digest);
        *bytes.last_mut().unwrap() ^= 1;
        stage.internet.fault(&last, u32::MAX, Fault::Body(bytes));
        stage.act(Action::SaveArchive(format));
        let why = outcome(&stage).unwrap_err();
        assert!(why.contains(&last) && why.contains("No file is left"), "{why}");
        let line =
            format!("porthole save -o image.tar --format {} --platform linux/amd64 r.example/a/b:1", format.name());
        assert!(why.contains(&line), "{why}");
        assert!(stage.archives().is_empty());
        assert_eq!(stage.archive_deeds(), ["made", "begun", "removed"]);
    }
}

/// The decoder stops before the whole blob was hashed.
#[test]
fn a_wrong_byte_in_a_layer_that_is_unpacked_is_blamed_on_the_digest() {
    let mut stage = Stage::looking(content(Compression::Zstd));
    let first = image(Compression::Zstd).layers[0].blob.clone();
    let (mut bytes, digest) = (first.bytes, first.digest);
    bytes[0] ^= 1;
    stage.internet.fault(&digest, u32::MAX, Fault::Body(bytes));
    stage.act(Action::SaveArchive(ArchiveFormat::Docker));
    let why = outcome(&stage).unwrap_err();
    assert!(why.starts_with(&format!("blob {digest} does not match its descriptor")), "{why}");
    assert!(stage.archives().is_empty());
}

#[test]
fn without_room_nothing_is_fetched() {
    let mut stage = Stage::looking(content(Compression::Gzip));
    stage.set_room(10);
    let before = stage.internet.log().len();
    stage.act(Action::SaveArchive(ArchiveFormat::Oci));
    assert!(outcome(&stage).unwrap_err().starts_with("there is no room"));
    assert_eq!((stage.internet.log().len(), stage.archives().len()), (before, 0));
}

#[test]
fn a_layer_that_is_unpacked_for_docker_must_be_verified_first() {
    let mut stage = Stage::new(&registry(content(Compression::Zstd)));
    stage.begin(Action::Look(REFERENCE.into()));
    stage.hold(true);
    stage.settle();
    stage.act(Action::SaveArchive(ArchiveFormat::Docker));
    assert!(outcome(&stage).unwrap_err().contains("is not read and verified yet"));
    // A browser makes an empty file where a person chooses a place.
    assert_eq!(stage.archive_deeds(), ["made", "removed"]);
    stage.act(Action::SaveArchive(ArchiveFormat::Oci));
    assert_eq!(outcome(&stage), Ok(None));
}
