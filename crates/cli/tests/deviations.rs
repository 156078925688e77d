//! Images whose documents deviate from the specification. They are shown as far as possible, with a note on each deviation.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod place;
mod snapshot;

use place::Place;
use porthole_testkit::image::{Blob, Built, Image, Layer};
use serde_json::{Value, json};

/// An image of one layer with the file `a`.
fn image() -> Built {
    let config = json!({ "Env": ["A=1"], "Cmd": ["sh"], "Labels": { "a": "b" } });
    Image::new().config(config).layer(Layer::new("ADD a").file("a", b"1")).build()
}

fn without(document: &mut Value, key: &str) {
    document.as_object_mut().unwrap().remove(key);
}

#[test]
fn an_image_that_departs_from_the_specification_is_shown_and_the_departure_named() {
    let rootfs = |rootfs: Value| move |config: &mut Value| config["rootfs"] = rootfs;
    let execution = |key: &'static str, value: Value| move |config: &mut Value| config["config"][key] = value;
    let rows: [(&str, Built, &str); 9] = [
        ("empty", image().edit_config(|config| *config = json!({})), "config.rootfs: expected a value, got nothing"),
        ("no-rootfs", image().edit_config(|config| without(config, "rootfs")), "config.rootfs: expected"),
        ("null", image().edit_config(rootfs(Value::Null)), "config.rootfs: expected a value, got nothing"),
        ("no-ids", image().edit_config(rootfs(json!({ "type": "layers" }))), "the configuration names no diff_ids"),
        ("env", image().edit_config(execution("Env", json!(["A=1", "B"]))), "Env[1]: expected a variable"),
        ("cmd", image().edit_config(execution("Cmd", json!("sh -c true"))), "Cmd: expected an array"),
        ("user", image().edit_config(execution("User", json!(1000))), "User: expected a string"),
        ("labels", image().edit_config(execution("Labels", json!([]))), "Labels: expected an object"),
        ("history", image().edit_config(|config| config["history"] = json!("x")), "config.history: expected an array"),
    ];
    let place = Place::new();
    for (name, image, departure) in rows {
        place.layout(name, &image);
        let (code, rows) = place.json(&format!("ls --json oci:{name}"));
        assert_eq!((code, rows[0]["path"].as_str()), (0, Some("a")), "{name}");
        let (code, inspected) = place.json(&format!("inspect --json oci:{name}"));
        assert_eq!(code, 0, "{name}");
        let deviations = inspected[0]["deviations"].to_string();
        assert!(deviations.contains(departure), "{name}: {deviations}");
        let (code, steps) = place.json(&format!("verify --json oci:{name}"));
        assert_eq!(code, 0, "{name}: {steps:?}");
        assert!(steps[1]["deviations"].to_string().contains(departure), "{name}: {steps:?}");
        assert_eq!(place.run(&format!("unpack oci:{name} root-{name}")).status.code(), Some(0), "{name}");
    }
}

#[test]
fn a_configuration_that_is_no_object_hides_no_layers() {
    let place = Place::new();
    for (name, value, got) in
        [("null", Value::Null, "null"), ("list", json!([]), "an empty array"), ("text", json!("x"), "the string `x`")]
    {
        place.layout(name, &image().edit_config(|config| *config = value));
        let departure = format!("the configuration is not a JSON object: config: expected an object, got {got}");
        let (code, rows) = place.json(&format!("ls --json oci:{name}"));
        assert_eq!((code, rows[0]["path"].as_str()), (0, Some("a")), "{name}");
        let (code, inspected) = place.json(&format!("inspect --json oci:{name}"));
        assert_eq!((code, &inspected[0]["deviations"]), (0, &json!([departure])), "{name}");
        let (code, steps) = place.json(&format!("verify --json oci:{name}"));
        assert_eq!((code, &steps[1]["findings"]), (7, &json!([departure])), "{name}: {steps:?}");
        assert_eq!(place.run(&format!("unpack oci:{name} root-{name}")).status.code(), Some(7), "{name}");
    }
}

#[test]
fn a_diff_id_that_is_not_stated_is_not_said_to_match() {
    let place = Place::new();
    place.layout("unstated", &image().edit_config(|config| config["rootfs"]["diff_ids"] = json!([])));
    let verified = place.run("verify oci:unstated");
    let said = String::from_utf8(verified.stderr).unwrap();
    assert_eq!(verified.status.code(), Some(0), "{said}");
    assert!(said.contains("every digest and size matches"), "{said}");
    assert!(said.contains("not checked, because the configuration does not state it: diff_id of layer 1"), "{said}");
    assert!(!String::from_utf8(verified.stdout).unwrap().contains("diff_id   sha256"));
    assert_eq!(place.run("verify --strict oci:unstated").status.code(), Some(7));
}

/// Ollama's models have the configuration of an image.
#[test]
fn an_image_of_what_is_no_archive_is_listed_and_then_refused() {
    let place = Place::new();
    let mut model = image();
    model.layers[0].blob = Blob::new("application/vnd.ollama.image.model", b"GGUF\x03\0\0\0".to_vec());
    let layer = model.layers[0].blob.descriptor();
    let model = model.edit_config(|config| config["rootfs"]["diff_ids"] = json!([layer["digest"]]));
    place.layout("model", &model.edit_manifest(|manifest| manifest["layers"] = json!([layer])));
    let listed = place.run("ls oci:model");
    assert!(String::from_utf8(listed.stdout).unwrap().ends_with(".gguf\n"));
    let said = String::from_utf8(listed.stderr).unwrap();
    assert_eq!(listed.status.code(), Some(9), "{said}");
    assert!(said.contains("layer 1 holds no files: it is application/vnd.ollama.image.model"), "{said}");
    assert_eq!(place.run("verify oci:model").status.code(), Some(0));
}

#[test]
fn a_departure_by_form_hides_no_other_field() {
    let place = Place::new();
    place.layout("odd", &image().edit_config(|config| config["config"]["Env"] = json!(["B"])));
    let (_, inspected) = place.json("inspect --json oci:odd");
    assert_eq!(inspected[0]["execution"]["env"], json!(["B"]));
    assert_eq!(inspected[0]["execution"]["cmd"], json!(["sh"]));
}

#[test]
fn an_image_without_layers_is_no_error() {
    let place = Place::new();
    let bare = || Image::new().build();
    place.layout("list", &bare());
    place.layout("null", &bare().edit_manifest(|manifest| manifest["layers"] = Value::Null));
    place.layout("absent", &bare().edit_manifest(|manifest| without(manifest, "layers")));
    for name in ["list", "null", "absent"] {
        for verb in ["inspect", "ls", "verify", "manifest", "config", "analyze"] {
            let output = place.run(&format!("{verb} oci:{name}"));
            assert_eq!(output.status.code(), Some(0), "{verb} {name}: {output:?}");
        }
        assert_eq!(place.run(&format!("copy oci:{name} oci:copy-{name}")).status.code(), Some(0), "{name}");
        let (_, inspected) = place.json(&format!("inspect --json oci:{name}"));
        assert_eq!(inspected[0]["deviations"], json!(["the manifest has no layers"]));
    }
}

#[test]
fn departures_in_words() {
    let place = Place::new();
    place.layout("odd", &image().edit_config(|config| *config = json!({ "config": { "Env": ["B\u{1b}[2J"] } })));
    place.expect("deviations", &["inspect oci:odd", "verify oci:odd", "ls oci:odd"]);
}

#[test]
fn diff_ids_for_other_layers_are_refused_where_files_are_written() {
    let place = Place::new();
    let more = json!([format!("sha256:{}", "0".repeat(64)), format!("sha256:{}", "1".repeat(64))]);
    place.layout("more", &image().edit_config(|config| config["rootfs"]["diff_ids"] = more));
    assert_eq!(place.json("ls --json oci:more").0, 0);
    let (code, steps) = place.json("verify --json oci:more");
    assert_eq!((code, &steps[1]["state"]), (7, &json!("wrong")));
    for command in ["unpack oci:more root", "export -o flat.tar oci:more", "copy oci:more docker-archive:save.tar"] {
        let output = place.run(command);
        assert_eq!(output.status.code(), Some(7), "{command}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("expected 1 diff_ids, one for each layer, got 2"), "{command}: {said}");
    }
    assert!(!place.path("root").exists());
}

#[test]
fn a_listed_name_can_be_typed_again() {
    let place = Place::new();
    let names = [&b"caf\xe9"[..], b"back\\slash", "\u{202e}gpj".as_bytes(), b"line\nbreak"];
    let add = |layer: Layer, name: &&[u8]| layer.file([b"d/", *name].concat(), *name);
    place.layout("odd", &Image::new().layer(names.iter().fold(Layer::new("ADD names"), add)).build());
    let other = Image::new().layer(Layer::new("ADD names").file("d/plain", "x")).build();
    place.layout("other", &other);
    let listed = String::from_utf8(place.run("ls oci:odd d").stdout).unwrap();
    let listed: Vec<&str> = listed.lines().filter(|line| !line.ends_with('/')).collect();
    assert_eq!(listed.len(), names.len(), "{listed:?}");
    for name in listed {
        let content = place.run(&format!("cat oci:odd {name}")).stdout;
        assert!(names.contains(&&content[..]), "{name}: {content:?}");
        assert_eq!(place.run(&format!("cat --layer 1 oci:odd {name}")).stdout, content, "{name}");
        for command in ["ls oci:odd", "ls --raw oci:odd", "ls --layer 1 oci:odd"] {
            let output = place.run(&format!("{command} {name}"));
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{name}\n"), "{command}");
        }
        let output = place.run(&format!("diff oci:odd oci:other {name}"));
        assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
        assert!(String::from_utf8(output.stdout).unwrap().contains(name), "{name}");
    }
    assert_eq!(place.run("cat oci:odd d\\x00").status.code(), Some(4));
}

/// No disk can have such a path, so containerd stops there. The archive is valid, and the files before that entry can be read.
#[test]
fn a_path_too_deep_for_a_disk_is_a_finding_and_the_files_before_it_are_listed() {
    let place = Place::new();
    let deep = "d".repeat(200) + "/";
    for (name, path) in [("path", deep.repeat(25) + "f"), ("name", "n".repeat(300))] {
        let layer = Layer::new("ADD").file("before", b"1").file(&path, b"2").file("behind", b"3");
        place.layout(name, &Image::new().layer(layer).build());
        let (code, rows) = place.json(&format!("verify --json oci:{name}"));
        let layer = rows.last().unwrap();
        assert_eq!((code, &layer["state"]), (7, &json!("stopped")), "{layer}");
        assert!(layer["stopped"].as_str().unwrap().starts_with("file name too long: `"), "{layer}");
        let listed = place.run(&format!("ls oci:{name}"));
        assert_eq!((listed.status.code(), &listed.stdout[..]), (Some(7), &b"before\n"[..]), "{name}");
        let said = String::from_utf8(listed.stderr).unwrap();
        assert!(said.contains("layer 1 cannot be unpacked: file name too long: `"), "{said}");
        assert_eq!(place.run(&format!("cat oci:{name} before")).stdout, b"1", "{name}");
    }
}

#[test]
fn an_encrypted_layer_is_called_encrypted() {
    let place = Place::new();
    let image = image().edit_manifest(|manifest| {
        let layer = &mut manifest["layers"][0];
        layer["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+encrypted");
        layer["annotations"] = json!({ "org.opencontainers.image.enc.keys.jwe": "x", "other": "y" });
    });
    place.layout("encrypted", &image);
    let (code, inspected) = place.json("inspect --json oci:encrypted");
    assert_eq!((code, &inspected[0]["layers"][0]["encrypted"]), (0, &json!(["jwe"])));
    let said = String::from_utf8(place.run("inspect oci:encrypted").stdout).unwrap();
    assert!(said.contains("encrypted (jwe)"), "{said}");
}

#[test]
fn a_layer_that_cannot_be_read_is_not_called_empty_nor_its_diff_id_checked() {
    let place = Place::new();
    for (ending, why) in [("+encrypted", "is encrypted"), ("+xz", "has a compression that is not supported")] {
        let mut image = image();
        image.layers[0].blob = Blob::new(&format!("application/vnd.oci.image.layer.v1.tar{ending}"), vec![0xfd; 99]);
        let layer = image.layers[0].blob.descriptor();
        place.layout(&format!("unread{ending}"), &image.edit_manifest(|manifest| manifest["layers"][0] = layer));
        let said = |command: &str| {
            let output = place.run(command);
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let (code, words) = said(&format!("ls oci:unread{ending}"));
        let expected = format!("layer 1 {why}: it is application/vnd.oci.image.layer.v1.tar{ending}");
        assert!(code == Some(9) && words.contains(&expected), "{words}");
        let (code, words) = said(&format!("verify oci:unread{ending}"));
        let expected = "not checked, because it cannot be read: diff_id of layer 1";
        assert!(code == Some(0) && words.contains(expected), "{words}");
    }
}

/// ORAS gives any file the media type of an uncompressed layer.
#[test]
fn a_file_in_an_artifact_is_not_called_a_broken_archive() {
    let place = Place::new();
    let mut artifact = image();
    artifact.layers[0].blob = Blob::new("application/vnd.oci.image.layer.v1.tar", b"no archive at all".to_vec());
    artifact.config = Blob::new("application/vnd.oci.empty.v1+json", b"{}".to_vec());
    let (config, layer) = (artifact.config.descriptor(), artifact.layers[0].blob.descriptor());
    let artifact = artifact.edit_manifest(|manifest| {
        manifest["artifactType"] = json!("application/vnd.example.readme");
        manifest["config"] = config;
        manifest["layers"] = json!([layer]);
    });
    place.layout("artifact", &artifact);
    let (code, steps) = place.json("verify --json oci:artifact");
    let layer = steps.last().unwrap();
    assert_eq!((code, &layer["state"], &layer["entries"]), (0, &json!("verified"), &Value::Null), "{steps:?}");
    assert_eq!(layer["findings"], Value::Null);
    let (code, rows) = place.json("ls --json oci:artifact");
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    let name = layer["digest"].as_str().unwrap()[7..19].to_owned() + ".tar";
    assert_eq!((code, &row["path"], &row["size"]), (0, &json!(name), &json!(17)));
    let printed = place.run(&format!("cat oci:artifact {name}"));
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), "no archive at all");
    assert_eq!(place.run("inspect oci:artifact").status.code(), Some(0));
}
