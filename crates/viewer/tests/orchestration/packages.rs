//! The packages of an image, put together from the databases in all layers.

use crate::stage::*;
use porthole_testkit::{
    image::{Content, Entry, Format, Image, Layer, Prepared, PreparedLayer},
    registry::{Fault, Internet},
};
use porthole_viewer::{
    address::{Address, Tab},
    protocol::{
        EvidenceAnswer, ListedBill, ListedPackage, PackageQuery, PackageSort, PackageWindow, PathProblem, ProbeKind,
        ProbeProgress, ProbeState,
    },
    session,
    session::GivenFile,
    state::{Action, command},
};
use std::sync::Arc;

pub(crate) const STATUS: &str = "var/lib/dpkg/status";

pub(crate) fn status(packages: &[(&str, &str)]) -> String {
    let paragraph = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    packages.iter().map(paragraph).collect()
}

/// Three layers: packages are installed, one is removed, one replaced.
fn layers() -> [Layer; 3] {
    let node = |version: &str| format!(r#"{{"name":"left-pad","version":"{version}","license":"WTFPL"}}"#);
    [
        Layer::new("ADD debian /")
            .file("etc/os-release", "ID=debian\nVERSION_ID=12\nPRETTY_NAME=\"Debian 12\"\n")
            .file(STATUS, status(&[("bash", "5.2"), ("curl", "7.88"), ("zlib1g", "1.2")])),
        Layer::new("COPY app /").file("srv/node_modules/left-pad/package.json", node("1.2.0")),
        Layer::new("RUN apt")
            .file(STATUS, status(&[("bash", "5.3"), ("zlib1g", "1.2")]))
            .file("srv/node_modules/left-pad/package.json", node("1.3.0")),
    ]
}

fn image() -> Image {
    let [base, app, run] = layers();
    Image::new().layer(base).layer(app).layer(run)
}

pub(crate) fn window(stage: &Stage) -> &PackageWindow {
    stage.state.packages.as_ref().and_then(|packages| packages.window.as_deref()).expect("packages")
}

fn progress(stage: &Stage) -> &ProbeProgress {
    stage.state.packages.as_ref().and_then(|packages| packages.progress.as_deref()).expect("the probe began")
}

/// Name, version, layer, and what removed it.
fn rows(stage: &Stage) -> Vec<(&str, &str, u32, Option<u32>)> {
    window(stage).rows.iter().map(|row| (&*row.name, &*row.version, row.layer, row.removed_by)).collect()
}

pub(crate) fn reading(stage: &mut Stage) {
    stage.act(Action::Tab(Tab::Packages));
    stage.act(Action::Packages);
}

#[test]
fn packages_have_the_layers_that_brought_and_removed_them() {
    let mut stage = Stage::looking(image().build().into_content("1"));
    let requests = stage.internet.log().len();
    stage.act(Action::Tab(Tab::Packages));
    assert_eq!((stage.internet.log().len(), &stage.state.packages), (requests, &None), "nothing is read unasked");
    reading(&mut stage);
    assert_eq!(rows(&stage), [("bash", "5.3", 2, None), ("left-pad", "1.3.0", 2, None), ("zlib1g", "1.2", 0, None)]);
    let shown = window(&stage);
    assert_eq!((shown.matches, shown.present, shown.deleted), (3, 3, 3));
    assert_eq!(
        (&shown.kinds[..], shown.distribution.as_deref()),
        (&[("deb".into(), 4), ("npm".into(), 2)][..], Some("Debian 12"))
    );
    let left_pad = &shown.rows[1];
    assert_eq!([left_pad.kind.as_str(), &left_pad.purl], ["npm", "pkg:npm/left-pad@1.3.0"]);
    assert_eq!(
        (left_pad.licence.as_deref(), left_pad.recorded_in.as_str()),
        (Some("WTFPL"), "srv/node_modules/left-pad/package.json")
    );
    let progress = progress(&stage);
    assert_eq!((&progress.state, progress.sums.found, progress.sums.searched), (&ProbeState::Done, 5, 5));

    stage.act(Action::ShowPackages(PackageQuery { deleted: true, ..PackageQuery::default() }));
    assert_eq!(
        rows(&stage),
        [("bash", "5.2", 0, Some(2)), ("curl", "7.88", 0, Some(2)), ("left-pad", "1.2.0", 1, Some(2))]
    );
    let replaced = window(&stage).rows.iter().map(|row| row.replaced_by.as_deref());
    assert_eq!(replaced.collect::<Vec<_>>(), [Some("5.3"), None, Some("1.3.0")]);
    stage.verified();
}

#[test]
fn packages_are_chosen_sorted_and_named_by_address_and_command() {
    let mut stage = Stage::looking(image().build().into_content("1"));
    reading(&mut stage);
    let reads = stage.reads();
    stage.act(Action::SortPackages(PackageSort::Kind));
    assert_eq!(rows(&stage).iter().map(|row| row.0).collect::<Vec<_>>(), ["bash", "zlib1g", "left-pad"]);
    stage.act(Action::SortPackages(PackageSort::Licence));
    assert_eq!(rows(&stage)[0].0, "left-pad", "those without a licence come last");
    stage.act(Action::SortPackages(PackageSort::Layer));
    assert_eq!(rows(&stage)[0].0, "zlib1g");
    let query = PackageQuery { name: "a".into(), kind: "deb".into(), deleted: false, ..PackageQuery::default() };
    stage.act(Action::ShowPackages(query.clone()));
    assert_eq!((rows(&stage), window(&stage).matches, stage.reads()), (vec![("bash", "5.3", 2, None)], 1, reads));
    let address = stage.state.route.to_string();
    assert_eq!(Address::parse(&address).packages, query);
    let line = command(&stage.state).unwrap();
    assert!(line.starts_with("porthole packages --type deb --name a r.example/a/b@sha256:"), "{line}");
    // Back to what was shown before.
    stage.act(Action::Address(Box::new(Address { packages: PackageQuery::default(), ..stage.state.route.clone() })));
    assert_eq!(rows(&stage).len(), 3);

    let mut stage = Stage::new(&registry(image().build().into_content("1")));
    stage.act(Action::Address(Box::new(Address::parse(&address))));
    reading(&mut stage);
    assert_eq!(rows(&stage), [("bash", "5.3", 2, None)]);
}

#[test]
fn dangers_come_with_the_packages() {
    let leaf = include_bytes!("../../../contents/tests/vectors/certificates/leaf.pem");
    let base = Layer::new("ADD")
        .file("etc/os-release", "ID=debian\nPRETTY_NAME=\"Distroless\"\n")
        .file(STATUS, status(&[("a", "1")]))
        .file("var/lib/dpkg/info/a.list", "/etc/ssl/owned.pem\n/etc/a\n")
        .file("etc/ssl/owned.pem", leaf);
    let later = Layer::new("COPY")
        .file("srv/server.pem", leaf)
        .entry(Entry::file("usr/bin/su", b"su").mode(0o4755))
        .entry(Entry::file("busybox/sh", b"sh").mode(0o755));
    let mut stage = Stage::looking(Image::new().layer(base).layer(later).build().into_content("1"));
    reading(&mut stage);
    let dangers: Vec<_> =
        window(&stage).dangers.iter().map(|danger| (danger.kind.as_str(), danger.text.clone())).collect();
    let expected = [
        ("shell", "a shell in an image that calls itself distroless: busybox/sh".to_owned()),
        ("unowned-set-uid", "set-uid file of user 0 that no package owns: usr/bin/su".to_owned()),
        (
            "expired-certificate",
            "certificate that expired on 2021-02-03, before the image was made: srv/server.pem".to_owned(),
        ),
    ];
    assert_eq!(dangers, expected);
}

#[test]
fn a_bill_of_materials_is_compared_with_the_packages() {
    let mut stage = Stage::looking(image().build().into_content("1"));
    reading(&mut stage);
    let bill = r#"{"spdxVersion": "SPDX-2.3", "packages": [
        {"name": "bash", "versionInfo": "5.2", "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:deb/debian/bash@5.2"}]},
        {"name": "curl", "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:deb/debian/curl@7.88"}]},
        {"name": "left-pad", "versionInfo": "1.3.0"}, {"name": "image", "primaryPackagePurpose": "CONTAINER"}]}"#;
    stage.act(Action::GiveBill("sbom.json".into(), bill.into()));
    assert_eq!(stage.state.route.packages.against, "sbom.json");
    assert_eq!(window(&stage).bills.iter().map(|bill| bill.entries).collect::<Vec<_>>(), [4]);
    let compared = window(&stage).compared.as_ref().expect("a comparison");
    assert_eq!(
        (compared.same, compared.versions, compared.only_bill, compared.only_image, compared.others),
        (1, 1, 1, 1, 1)
    );
    let row = |row: &porthole_viewer::protocol::BillDifference| {
        (row.name.clone(), row.listed.clone(), row.installed.clone(), row.removed_by)
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        compared.rows.iter().map(row).collect::<Vec<_>>(),
        [
            ("bash".into(), text("5.2"), text("5.3"), None),
            ("curl".into(), text("7.88"), None, Some(2)),
            ("zlib1g".into(), None, text("1.2"), None)
        ]
    );
    assert_eq!(command(&stage.state), None, "the page does not know the path of the file");
    let query = stage.state.route.packages.clone();
    stage.act(Action::ShowPackages(PackageQuery { name: "ur".into(), ..query }));
    assert_eq!(window(&stage).compared.as_ref().map(|compared| (compared.matches, compared.only_bill)), Some((1, 1)));
    stage.act(Action::GiveBill("photo.json".into(), "no JSON".into()));
    assert_eq!((&window(&stage).compared, window(&stage).bills[1].problem.is_some()), (&None, true));
}

#[test]
fn an_attached_bill_that_the_address_names_is_looked_for() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let mut stage = Stage::looking(image().build().into_content("1"));
    stage.act(Action::Tab(Tab::Packages));
    stage.act(Action::ShowPackages(PackageQuery { against: digest.clone(), ..PackageQuery::default() }));
    assert!(stage.evidence_jobs().is_empty(), "nothing is fetched unasked");
    stage.act(Action::Packages);
    let job = stage.evidence_jobs().pop().expect("a search for what is attached");
    let package = ListedPackage { name: "bash".into(), version: Some("5.3".into()), purl: None, is_package: true };
    let bill = ListedBill { name: digest.clone(), format: "SPDX-2.3".into(), packages: vec![package], problem: None };
    let answer = EvidenceAnswer { look: job.look, run: job.run, cards: Ok(Vec::new()), bills: vec![bill] };
    stage.answer_evidence(Some(answer));
    let compared = window(&stage).compared.as_ref().expect("a comparison");
    assert_eq!((compared.same, compared.only_image, compared.only_bill), (1, 2, 0));
    let line = command(&stage.state).unwrap();
    assert!(line.starts_with(&format!("porthole packages --against {digest} r.example/a/b@sha256:")), "{line}");
    stage.look(REFERENCE);
    reading(&mut stage);
    assert!(window(&stage).bills.is_empty(), "bills belong to their image");
}

#[test]
fn a_long_list_is_sent_in_parts() {
    let names: Vec<String> = (0..1_200).map(|number| format!("p{number:04}")).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let layer = Layer::new("ADD").file(STATUS, status(&all));
    let mut stage = Stage::looking(Image::new().layer(layer).build().into_content("1"));
    reading(&mut stage);
    assert_eq!((window(&stage).rows.len(), window(&stage).matches), (500, 1_200));
    stage.act(Action::MorePackages);
    stage.act(Action::MorePackages);
    assert_eq!(window(&stage).rows.len(), 1_200);
    stage.act(Action::ShowPackages(PackageQuery { name: "p".into(), ..PackageQuery::default() }));
    assert_eq!(window(&stage).rows.len(), 500, "another list begins at its start");
}

#[test]
fn the_lower_layers_are_listed_while_the_upper_ones_are_read() {
    let [base, app, run] = layers();
    let large = run.file("big", noise(4_000_000));
    let mut stage = Stage::looking(Image::new().layer(base).layer(app).layer(large).build().into_content("1"));
    stage.act(Action::Tab(Tab::Packages));
    stage.begin(Action::Packages);
    stage.until(|stage| {
        stage
            .state
            .packages
            .as_ref()
            .is_some_and(|packages| packages.window.as_ref().is_some_and(|window| window.present > 0))
    });
    assert_eq!(progress(&stage).state, ProbeState::Running);
    assert!(rows(&stage).contains(&("curl", "7.88", 0, None)), "{:?}", rows(&stage));
    stage.act(Action::StopProbe(ProbeKind::Packages));
    assert_eq!(progress(&stage).state, ProbeState::Stopped);
    assert!(rows(&stage).contains(&("curl", "7.88", 0, None)));
    reading(&mut stage);
    assert_eq!(rows(&stage).len(), 3, "and once more, to the end");
}

#[test]
fn a_layer_that_fails_is_named_and_removes_nothing() {
    let built = image().build();
    let internet = registry(image().build().into_content("1"));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    internet.fault(&built.layers[2].blob.digest, u32::MAX, Fault::Status(404));
    reading(&mut stage);
    let lost: Vec<_> = progress(&stage).lost.iter().map(|lost| lost.layer).collect();
    assert_eq!(lost, [Some(2)]);
    assert_eq!(rows(&stage).len(), 4, "{:?}", rows(&stage));
    assert_eq!(window(&stage).deleted, 0);
    stage.verified();
}

#[test]
fn a_database_that_cannot_be_read_is_named() {
    let layer =
        Layer::new("ADD").file("srv/node_modules/a/package.json", "no JSON").file(STATUS, status(&[("a", "1")]));
    let mut stage = Stage::looking(Image::new().layer(layer).build().into_content("1"));
    reading(&mut stage);
    let [PathProblem { layer: 0, path, why }] = &window(&stage).unread[..] else { panic!("{:?}", window(&stage)) };
    assert_eq!((path.as_str(), rows(&stage).len()), ("srv/node_modules/a/package.json", 1));
    assert!(why.starts_with("expected"), "{why}");
}

#[test]
fn a_file_of_this_machine_has_packages_without_a_request() {
    let mut stage = Stage::new(&Internet::new());
    stage.give("app.tar", GivenFile::new(Arc::<[u8]>::from(Content::docker_archive(&[("app:1", &image().build())]))));
    stage.act(Action::File("app.tar".into()));
    let requests = stage.internet.log().len();
    reading(&mut stage);
    assert_eq!((rows(&stage).len(), stage.internet.log().len()), (3, requests));
    assert_eq!(command(&stage.state).as_deref(), Some("porthole packages ./app.tar"));
}

#[test]
fn images_without_packages_or_layers_have_an_empty_list() {
    for image in [Image::new(), Image::new().layer(Layer::new("COPY").file("a", "b"))] {
        let mut stage = Stage::looking(image.build().into_content("1"));
        reading(&mut stage);
        assert_eq!((&progress(&stage).state, window(&stage)), (&ProbeState::Done, &PackageWindow::default()));
    }
}

#[test]
fn packages_of_listed_layers_are_found() {
    let layers: Vec<PreparedLayer> = layers()
        .into_iter()
        .enumerate()
        .map(|(number, layer)| layer.file(format!("big{number}"), noise(60_000)))
        .map(|layer| Prepared::new(&layer, Format::EStargz).chunks_of(50_000).build())
        .collect();
    let options = session::SessionOptions { listed_bytes: 1_000, ..session::SessionOptions::default() };
    let internet = registry(PreparedLayer::image(&layers, "1"));
    let mut stage = Stage::with(&internet, Setup { options, ..Setup::default() });
    stage.look(REFERENCE);
    assert_eq!(stage.reads(), 0);
    reading(&mut stage);
    assert_eq!((window(&stage).present, window(&stage).deleted), (3, 3));
}

#[test]
fn packages_and_a_search_are_read_side_by_side() {
    let mut stage = Stage::looking(image().build().into_content("1"));
    stage
        .begin(Action::Search(porthole_viewer::protocol::SearchQuery { pattern: "curl".into(), ..Default::default() }));
    reading(&mut stage);
    assert_eq!((rows(&stage).len(), stage.state.search.as_ref().unwrap().rows().count()), (3, 1));
    stage.act(Action::Look(REFERENCE.into()));
    assert_eq!((&stage.state.packages, &stage.state.search), (&None, &None));
}
