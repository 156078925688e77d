//! What is saved: what the command line prints with `--json`.

use crate::stage::*;
use porthole_testkit::{
    image::{Content, Image, Layer},
    registry::{Fault, Internet},
};
use porthole_viewer::{
    address::Tab,
    protocol::{BillFormat, ExportWish, PackageQuery, ViewMode},
    session::GivenFile,
    state::{Action, Effect, export_wish, source},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Saves what the open tab offers to save.
fn save(stage: &mut Stage) -> Vec<Value> {
    let wish = export_wish(&stage.state).expect("something to save");
    stage.act(Action::Export(wish));
    let text = String::from_utf8(stage.saved().pop().expect("a file")).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("a value on each line")).collect()
}

fn paths(rows: &[Value]) -> Vec<&str> {
    rows.iter().filter_map(|row| row["path"].as_str()).collect()
}

#[test]
fn files_of_a_view_are_saved_as_ls_prints_them() {
    let mut stage = Stage::looking(content());
    let rows = save(&mut stage);
    assert_eq!(paths(&rows), ["etc", "etc/hosts", "srv", "srv/app"], "depth first, whatever is expanded");
    let hosts = &rows[1];
    assert_eq!((&hosts["layer"], &hosts["change"], &hosts["size"]), (&json!(2), &json!("modified"), &json!(4)));
    assert_eq!(hosts["layer_digest"], json!(stage.state.image_layers()[1].digest));
    let Some(Effect::Save { name, .. }) = stage.effects.last() else { panic!("{:?}", stage.effects.last()) };
    assert_eq!(name, "porthole-ls.jsonl");

    stage.act(Action::Filter("nothing fits".into()));
    assert_eq!(save(&mut stage).len(), 4, "the command has no filter");
    stage.act(Action::Select(Some("srv".into())));
    assert_eq!(paths(&save(&mut stage)), ["srv", "srv/app"]);
    stage.act(Action::Select(None));
    stage.act(Action::View(ViewMode::Deleted));
    assert_eq!(paths(&save(&mut stage)), ["etc", "etc/hosts", "etc/motd"]);
    stage.act(Action::Layer(0));
    assert_eq!(paths(&save(&mut stage)), ["etc", "etc/hosts", "etc/motd"], "what the lower layer wrote");
    stage.act(Action::View(ViewMode::UpTo));
    assert_eq!(export_wish(&stage.state), None, "no command lists that");
    stage.act(Action::View(ViewMode::Merged));
    stage.act(Action::Select(Some("etc/hosts".into())));
    assert_eq!(export_wish(&stage.state), None, "a file is saved as it is");
}

#[test]
fn documents_are_saved_byte_for_byte() {
    let mut stage = Stage::looking(content());
    let built = built();
    for (tab, bytes) in [(Tab::Manifest, &built.manifest.bytes), (Tab::Config, &built.config.bytes)] {
        stage.act(Action::Tab(tab));
        save(&mut stage);
        assert_eq!(&stage.saved().pop().unwrap(), bytes);
    }
}

const STATUS: &str = "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2\n\n";

fn packed() -> Image {
    Image::new()
        .layer(
            Layer::new("ADD debian /")
                .file("var/lib/dpkg/status", STATUS)
                .file("var/lib/dpkg/info/bash.list", "/.\n/bin\n/bin/bash\n"),
        )
        .layer(Layer::new("COPY app /").file("srv/node_modules/a/package.json", r#"{"name":"a","version":"1.2.0"}"#))
}

#[test]
fn packages_are_saved_with_all_that_is_known_of_them() {
    let mut stage = Stage::looking(packed().build().into_content("1"));
    stage.act(Action::Tab(Tab::Packages));
    assert_eq!(export_wish(&stage.state), None, "they are not read");
    stage.act(Action::Packages);
    let rows = save(&mut stage);
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str()).collect();
    assert_eq!(names, [Some("bash"), Some("a")], "in the order of the command line");
    assert_eq!((&rows[0]["files"], &rows[0]["created_by"]), (&json!(2), &json!("ADD debian /")));
    assert_eq!(rows[0]["layer_digest"], json!(stage.state.image_layers()[0].digest));
    stage.act(Action::ShowPackages(PackageQuery { kind: "npm".into(), ..PackageQuery::default() }));
    assert_eq!(save(&mut stage).len(), 1);

    let name = source(&stage.state).expect("a name");
    for (format, key, expected) in
        [(BillFormat::Spdx, "spdxVersion", "SPDX-2.3"), (BillFormat::Cyclonedx, "specVersion", "1.6")]
    {
        stage.act(Action::Export(ExportWish::Bill(format, name.clone())));
        let bill: Value = serde_json::from_slice(&stage.saved().pop().unwrap()).unwrap();
        assert_eq!(bill[key], json!(expected));
        let subject = if format == BillFormat::Spdx { &bill["name"] } else { &bill["metadata"]["component"]["name"] };
        assert_eq!(subject, &json!(name));
    }
}

#[test]
fn secrets_are_saved_masked_with_what_became_of_them() {
    let token = ["ghp_16C7e42F292c6912", "E7710c838347Ae178B4a"].concat();
    let line = format!("TOKEN={token}\n");
    let image = Image::new()
        .config(json!({ "Env": [format!("GITHUB_TOKEN={token}")] }))
        .layer(Layer::new("COPY a /").file("etc/app.env", line))
        .layer(Layer::new("RUN rm").whiteout("etc/app.env"));
    let mut stage = Stage::looking(image.build().into_content("1"));
    stage.act(Action::Tab(Tab::Secrets));
    stage.act(Action::Secrets);
    let rows = save(&mut stage);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!((&rows[0]["place"], &rows[0]["name"]), (&json!("environment"), &json!("GITHUB_TOKEN")));
    let file = &rows[1];
    assert_eq!(
        (&file["path"], &file["visible"], &file["removed_by"]),
        (&json!("etc/app.env"), &json!(false), &json!(2))
    );
    assert_eq!(file["created_by"], json!("COPY a /"));
    let digests = stage.state.image_layers().iter().map(|layer| json!(layer.digest)).collect::<Vec<_>>();
    assert_eq!((&file["layer_digest"], &file["removed_by_digest"]), (&digests[0], &digests[1]));
    assert!(!stage.saved().concat().windows(token.len()).any(|part| part == token.as_bytes()), "a secret is saved");
}

#[test]
fn what_a_command_line_would_refuse_is_not_offered() {
    let built = built();
    let internet = registry(content());
    internet.fault(&built.layers[1].blob.digest, u32::MAX, Fault::Status(404));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    assert_eq!(export_wish(&stage.state), None);
    stage.act(Action::Tab(Tab::Manifest));
    assert!(export_wish(&stage.state).is_some(), "its documents are there");
}

#[test]
fn a_file_of_this_machine_is_saved_without_a_request() {
    let mut stage = Stage::new(&Internet::new());
    stage.give("app.tar", GivenFile::new(Arc::<[u8]>::from(Content::docker_archive(&[("app:1", &packed().build())]))));
    stage.act(Action::File("app.tar".into()));
    let requests = stage.internet.log().len();
    assert!(!save(&mut stage).is_empty());
    stage.act(Action::Tab(Tab::Referrers));
    assert_eq!((save(&mut stage), stage.internet.log().len()), (Vec::new(), requests));
    assert_eq!(source(&stage.state).as_deref(), Some("./app.tar"));
}

#[test]
fn an_export_that_fails_says_why() {
    let internet = registry(content());
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.act(Action::Tab(Tab::Referrers));
    internet.fault("/referrers/", u32::MAX, Fault::Status(500));
    internet.fault("/manifests/sha256-", u32::MAX, Fault::Status(500));
    let wish = export_wish(&stage.state).expect("something to save");
    stage.act(Action::Export(wish));
    assert_eq!(stage.saved().len(), 0);
    let notice = stage.state.notice.as_deref().unwrap_or_default();
    assert!(notice.starts_with("porthole-referrers.jsonl was not saved: "), "{notice}");
    stage.verified();
}
