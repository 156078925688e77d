//! The files that no package owns, those that were modified after they were installed, and the packages of two images compared.

use crate::{
    packages::{STATUS, reading, status, window},
    stage::*,
};
use porthole_testkit::{
    image::{Entry, Image, Layer},
    registry::{Fault, Internet, Site},
};
use porthole_viewer::{
    address::Tab,
    protocol::{OwnerFacts, PackageChanges, ProbeState},
    state::Action,
};

const OTHER: &str = "r.example/a/other:1";
const HELLO: &str = "5d41402abc4b2a76b9719d911017c592  usr/bin/a\n5d41402abc4b2a76b9719d911017c592  etc/a.conf\n";

/// A system whose one package has two files, and a layer that changes one of them and adds others.
fn base() -> Layer {
    Layer::new("ADD debian /")
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\nPRETTY_NAME=\"Debian 12\"\n")
        .file(STATUS, status(&[("a", "1"), ("b", "1")]))
        .file("var/lib/dpkg/info/a.list", "/.\n/usr/bin/a\n/etc/a.conf\n/etc/os-release\n")
        .file("var/lib/dpkg/info/a.md5sums", HELLO)
        .file("usr/bin/a", "hello")
        .file("etc/a.conf", "hello")
}

fn image() -> Image {
    Image::new().layer(base()).layer(
        Layer::new("RUN patch")
            .file("usr/bin/a", "other")
            .file("srv/own", "x")
            .entry(Entry::file("srv/su", b"su").mode(0o4755)),
    )
}

fn owners(stage: &Stage) -> &OwnerFacts {
    window(stage).owners.as_ref().expect("a database lists the files of the system")
}

/// Paths of the rows of files, without directories.
fn files(stage: &Stage) -> Vec<String> {
    stage.state.rows.rows.iter().filter(|row| row.size > 0).map(|row| row.path.clone()).collect()
}

#[test]
fn files_of_no_package_are_a_list() {
    let mut stage = Stage::looking(image().build().into_content("1"));
    stage.act(Action::ListFiles("is:unowned".into()));
    let problem = stage.state.rows.problem.as_deref();
    assert_eq!(problem, Some("list the packages first, in the tab Packages"), "an empty list would be wrong");
    reading(&mut stage);
    // Databases of packages belong to none.
    assert_eq!((owners(&stage).unowned, owners(&stage).modified), (5, None));
    let reads = stage.reads();
    stage.act(Action::ListFiles("is:unowned".into()));
    assert_eq!((stage.state.route.tab, stage.reads()), (Tab::Files, reads));
    assert_eq!((stage.state.rows.matches, &stage.state.rows.problem), (5, &None));
    let shown = files(&stage);
    assert!(shown.contains(&"srv/own".to_owned()) && shown.contains(&STATUS.to_owned()), "{shown:?}");
    assert!(!shown.contains(&"usr/bin/a".to_owned()), "{shown:?}");
    stage.act(Action::ListFiles("is:unowned own".into()));
    assert_eq!(files(&stage), ["srv/own"]);
}

#[test]
fn rights_that_no_package_brought_are_dangers() {
    let mut stage = Stage::looking(image().build().into_content("1"));
    reading(&mut stage);
    let dangers: Vec<_> = window(&stage).dangers.iter().map(|danger| danger.kind.as_str()).collect();
    assert_eq!(dangers, ["unowned-set-uid"]);
}

#[test]
fn contents_are_compared_with_what_packages_recorded() {
    let mut stage = Stage::looking(image().build().into_content("1"));
    reading(&mut stage);
    let reads = stage.reads();
    stage.act(Action::CompareRecorded);
    assert!(stage.reads() > reads, "contents are not kept");
    assert_eq!(owners(&stage).modified, Some(1));
    stage.act(Action::ListFiles("is:modified".into()));
    assert_eq!(files(&stage), ["usr/bin/a"]);
    // Once is enough.
    let reads = stage.reads();
    stage.act(Action::CompareRecorded);
    assert_eq!(stage.reads(), reads);
}

#[test]
fn a_lost_layer_makes_no_file_of_no_package() {
    let built = image().build();
    let top = built.layers[1].blob.digest.clone();
    let internet = registry(image().build().into_content("1"));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    internet.fault(&top, u32::MAX, Fault::Status(404));
    reading(&mut stage);
    assert_eq!(window(&stage).owners, None);
    stage.act(Action::ListFiles("is:unowned".into()));
    let problem = stage.state.rows.problem.as_deref().unwrap_or_default();
    assert!(problem.contains("could not be read"), "{problem}");
}

#[test]
fn an_image_without_a_database_has_no_files_of_no_package() {
    let plain = Image::new().layer(Layer::new("COPY").file("a", "x"));
    let mut stage = Stage::looking(plain.build().into_content("1"));
    reading(&mut stage);
    assert_eq!(window(&stage).owners, None);
    stage.act(Action::ListFiles("is:unowned".into()));
    let problem = stage.state.rows.problem.as_deref().unwrap_or_default();
    assert!(problem.starts_with("no database"), "{problem}");
}

/// The image, and one on the same base with other packages.
fn two() -> Internet {
    let newer = Layer::new("RUN apt").file(STATUS, status(&[("a", "2"), ("c", "1")]));
    let app = Layer::new("COPY app")
        .file("srv/node_modules/left-pad/package.json", r#"{"name":"left-pad","version":"1.0.0"}"#);
    let other = Image::new().layer(base()).layer(newer).layer(app).build().into_content("1");
    let site = Site::new().repository("a/b", image().build().into_content("1")).repository("a/other", other);
    let internet = Internet::new();
    internet.site(REGISTRY, site);
    internet
}

fn changes(stage: &Stage) -> &PackageChanges {
    stage.state.package_changes.as_deref().and_then(|changes| changes.as_ref().ok()).expect("compared packages")
}

#[test]
fn packages_of_two_images_are_compared() {
    let internet = two();
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.act(Action::Compare { with: OTHER.into(), platform: None });
    assert_eq!(stage.state.package_changes, None, "nothing is read unasked");
    let cost = stage.state.package_changes_cost().expect("a cost");
    stage.act(Action::ComparePackages);
    let found: Vec<_> = changes(&stage)
        .rows
        .iter()
        .map(|row| (row.change.as_str(), row.name.as_str(), row.before.as_deref(), row.after.as_deref()))
        .collect();
    let expected = [
        ("upgraded", "a", Some("1"), Some("2")),
        ("removed", "b", Some("1"), None),
        ("added", "c", None, Some("1")),
        ("added", "left-pad", None, Some("1.0.0")),
    ];
    assert_eq!((found, changes(&stage).total), (expected.to_vec(), 4));
    assert_eq!(changes(&stage).sums, [("added".to_owned(), 2), ("removed".into(), 1), ("upgraded".into(), 1)]);
    let read = |progress: &Option<std::rc::Rc<porthole_viewer::protocol::ProbeProgress>>| {
        progress.as_ref().map_or(0, |progress| progress.total)
    };
    let own = stage.state.packages.as_ref().and_then(|packages| packages.progress.clone());
    assert_eq!(read(&own) + read(&stage.state.other_packages), cost.bytes, "what was said to be read is what was read");
    assert!(stage.state.package_changes_cost().unwrap().bytes < cost.bytes);
    assert_eq!(window(&stage).present, 2, "the packages of this image are listed as well");
    // Another image is another comparison.
    stage.act(Action::Compare { with: REFERENCE.into(), platform: None });
    assert_eq!(stage.state.package_changes, None);
}

#[test]
fn packages_of_a_layer_that_is_missing_are_not_compared() {
    let internet = two();
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.act(Action::Compare { with: OTHER.into(), platform: None });
    let top = image().build().layers[1].blob.digest.clone();
    internet.fault(&top, u32::MAX, Fault::Status(404));
    stage.act(Action::ComparePackages);
    let changes = stage.state.package_changes.as_deref().expect("an answer");
    assert!(changes.as_ref().unwrap_err().starts_with("layer 2: "), "{changes:?}");
    let progress = stage.state.packages.as_ref().and_then(|packages| packages.progress.clone()).unwrap();
    assert_eq!(progress.state, ProbeState::Done);
}
