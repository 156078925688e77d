//! Compares images by their documents: manifest, configuration, history, layers. Also runs as wasm.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{
    image::{
        Image, diff,
        diff::{Diff, LayerMatch, SettingChange},
    },
    manifest::{Document, Raw},
};
use porthole_testkit::image::{Blob, Built, Compression, Image as Made, Layer};
use serde_json::{Value, json};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn image(built: &Built) -> Image {
    of(&built.manifest, &built.config)
}

fn of(manifest: &Blob, config: &Blob) -> Image {
    let raw = |blob: &Blob| Raw::trust_on_first_use(blob.bytes.clone());
    let Document::Manifest(manifest) = Document::parse(raw(manifest), None).unwrap() else {
        panic!("the builder makes manifests")
    };
    Image::assemble(manifest, raw(config)).unwrap()
}

/// An image whose documents are edited after the build.
fn edited(built: &Built, edit: impl FnOnce(&mut Value, &mut Value)) -> Image {
    let parse = |blob: &Blob| serde_json::from_slice::<Value>(&blob.bytes).unwrap();
    let (mut manifest, mut config) = (parse(&built.manifest), parse(&built.config));
    edit(&mut manifest, &mut config);
    let config = Blob::new(&built.config.media_type, config.to_string().into_bytes());
    let (digest, size) = (config.digest.clone(), config.bytes.len());
    manifest["config"]["digest"] = json!(digest);
    manifest["config"]["size"] = json!(size);
    let manifest = Blob::new(&built.manifest.media_type, manifest.to_string().into_bytes());
    of(&manifest, &config)
}

fn base() -> Made {
    Made::new()
        .config(json!({
            "User": "keeper",
            "Env": ["PATH=/bin", "LANG=C"],
            "Cmd": ["sh"],
            "Labels": { "a": "1", "b": "2" },
            "ExposedPorts": { "80/tcp": {} },
        }))
        .layer(Layer::new("ADD base").file("a", b"a"))
        .layer(Layer::new("RUN make").file("b", b"b"))
}

/// The changes as `key name: before > after`.
fn shown(changes: &[SettingChange]) -> Vec<String> {
    let shown = |change: &SettingChange| {
        let name = change.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        let value = |value: &Option<diff::Value>| value.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        format!("{}{name}: {} > {}", change.key, value(&change.before), value(&change.after))
    };
    changes.iter().map(shown).collect()
}

fn layers(diff: &Diff) -> Vec<(Option<u32>, Option<u32>, LayerMatch)> {
    diff.layers.pairs.iter().map(|pair| (pair.before, pair.after, pair.state)).collect()
}

#[test]
fn an_image_equals_itself() {
    let built = base().build();
    let diff = diff(&image(&built), &image(&built));
    assert!(diff.manifest.is_empty() && diff.config.is_empty() && diff.history.is_empty());
    assert_eq!(layers(&diff), [(Some(0), Some(0), LayerMatch::Same), (Some(1), Some(1), LayerMatch::Same)]);
    assert_eq!((diff.layers.shared, diff.layers.download, diff.layers.same_files), (2, 0, true));
}

#[test]
fn configurations_are_compared_by_key() {
    let built = base().build();
    let changed = edited(&built, |manifest, config| {
        manifest["annotations"] = json!({ "org.example": "x" });
        config["config"] = json!({
            "Env": ["PATH=/bin:/sbin", "TERM=dumb"],
            "Cmd": ["sh", "-c"],
            "Labels": { "a": "1", "b": "3" },
            "ExposedPorts": { "443/tcp": {} },
            "Volumes": { "/srv": {} },
            "WorkingDir": "/srv",
            "Healthcheck": { "Test": ["CMD", "true"] },
        });
        config["author"] = json!("someone");
        config["created"] = json!("2026-02-02T00:00:00Z");
        config["architecture"] = json!("arm64");
    });
    let diff = diff(&image(&built), &changed);
    assert_eq!(
        shown(&diff.config),
        [
            "platform: linux/amd64 > linux/arm64",
            "created: 2026-01-02T03:04:05Z > 2026-02-02T00:00:00Z",
            "author: none > someone",
            "user: keeper > none",
            "env LANG: C > none",
            "env PATH: /bin > /bin:/sbin",
            "env TERM: none > dumb",
            "cmd: [\"sh\"] > [\"sh\", \"-c\"]",
            "working_dir: none > /srv",
            "label b: 2 > 3",
            "port 443/tcp: none > ",
            "port 80/tcp:  > none",
            "volume /srv: none > ",
            "config.Healthcheck: none > {\"Test\":[\"CMD\",\"true\"]}",
        ]
    );
    assert_eq!(shown(&diff.manifest), ["annotation org.example: none > x"]);
    let times: Vec<_> = diff.config.iter().filter(|change| change.is_time()).map(|change| &change.key).collect();
    assert_eq!(times, ["created"]);
}

#[test]
fn the_order_of_variables_is_a_difference() {
    let built = base().build();
    let changed = edited(&built, |_, config| config["config"]["Env"] = json!(["LANG=C", "PATH=/bin"]));
    let diff = diff(&image(&built), &changed);
    assert_eq!(shown(&diff.config), [r#"env: ["PATH=/bin", "LANG=C"] > ["LANG=C", "PATH=/bin"]"#]);
}

#[test]
fn documents_that_differ_only_in_serialisation_are_reported() {
    let built = base().build();
    let spaced = Blob::new(&built.manifest.media_type, [&built.manifest.bytes[..], b"\n"].concat());
    let found = diff(&image(&built), &of(&spaced, &built.config));
    assert_eq!(shown(&found.manifest), [format!("digest: {} > {}", built.manifest.digest, spaced.digest)]);
    assert!(found.config.is_empty());

    // An absent property and an empty one mean the same, but the digests differ.
    let found = diff(&image(&built), &edited(&built, |_, config| config["config"]["Volumes"] = json!({})));
    assert_eq!((found.config.len(), found.config[0].key.as_str()), (1, "digest"));
    assert!(found.manifest.is_empty());
}

#[test]
fn histories_are_compared_by_entry() {
    let built = base().build();
    let changed = edited(&built, |_, config| {
        config["history"] = json!([
            { "created": "2026-01-02T03:04:05Z", "created_by": "ENV A=1", "empty_layer": true },
            { "created": "2026-01-03T00:00:00Z", "created_by": "ADD base" },
            { "created": "2026-01-02T03:04:05Z", "created_by": "RUN make test", "comment": "x" },
        ]);
    });
    let found = diff(&image(&built), &changed);
    let shown: Vec<_> = found.history.iter().map(|change| (change.before, change.after, &change.fields[..])).collect();
    assert_eq!(
        shown,
        [(None, Some(0), &[][..]), (Some(0), Some(1), &["created"][..]), (Some(1), None, &[]), (None, Some(2), &[]),]
    );
    assert_eq!(found.history.iter().map(|change| change.is_time()).collect::<Vec<_>>(), [false, true, false, false]);
}

#[test]
fn layers_are_matched_by_blob_and_by_content() {
    let layer = |name: &str, compression| Layer::new(name).file(name, name.as_bytes()).compression(compression);
    let before = Made::new()
        .layer(layer("base", Compression::Gzip))
        .layer(layer("middle", Compression::Gzip))
        .layer(layer("old", Compression::Gzip))
        .build();
    let after = Made::new()
        .layer(layer("base", Compression::Gzip))
        .layer(layer("middle", Compression::Zstd))
        .layer(layer("new", Compression::Gzip))
        .layer(layer("new", Compression::Gzip))
        .build();
    let found = diff(&image(&before), &image(&after));
    assert_eq!(
        layers(&found),
        [
            (Some(0), Some(0), LayerMatch::Same),
            (Some(1), Some(1), LayerMatch::Recompressed),
            (Some(2), None, LayerMatch::Removed),
            (None, Some(2), LayerMatch::Added),
            (None, Some(3), LayerMatch::Added),
        ]
    );
    assert_eq!((found.layers.shared, found.layers.same_files), (2, false));
    // A blob that occurs twice is downloaded once.
    let size = |place: usize| after.layers[place].blob.bytes.len() as u64;
    assert_eq!(found.layers.download, size(1) + size(2));

    let packed = |compression| Made::new().layer(layer("base", compression)).build();
    let found = diff(&image(&packed(Compression::Gzip)), &image(&packed(Compression::None)));
    assert_eq!(layers(&found), [(Some(0), Some(0), LayerMatch::Recompressed)]);
    assert!(found.layers.same_files && found.config.is_empty() && found.manifest.is_empty());
}
