//! The output of every verb with `--json`, checked against its schema in `schema/`.

use super::Server;
use porthole_testkit::{
    image::{Compression, Content, Image, Layer},
    registry::{Fault, Site},
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path, process::Output};

#[test]
fn output_is_as_the_schemas_describe_it() {
    let server = Server::new(Site::new().repository("a/b", content("one")).with_referrers());
    for (name, text) in [("layout", "one"), ("other", "two")] {
        content(text).write_layout(&server.path(name)).unwrap();
    }
    let layers = ["one", "two"]
        .map(|text| image(text).build().layers.into_iter().map(|layer| layer.blob.digest).collect::<Vec<_>>());
    let mut checked = BTreeSet::new();
    // In this order: later commands use what earlier ones stored.
    for command in [
        "ref REGISTRY/a/b:1",
        "ref nginx",
        "inspect REGISTRY/a/b:1",
        "inspect --full oci:layout",
        "inspect --base oci:other oci:layout",
        "digest REGISTRY/a/b:1",
        "digest oci:layout",
        "tags REGISTRY/a/b",
        "catalog REGISTRY",
        "doctor REGISTRY/a/b:1",
        "trace REGISTRY/a/b:1",
        "trace --full --no-cache REGISTRY/a/b:1",
        "doctor --write scratch REGISTRY/a/b:1",
        "ls oci:layout",
        "ls --deleted oci:layout",
        "ls --digest oci:layout",
        "ls --raw --layer 1 oci:layout",
        "diff --packages oci:layout oci:other",
        "file oci:layout b",
        "file --list oci:layout members.tar",
        "analyze oci:layout",
        "analyze --ci --min-efficiency 0.1 --layer 1 oci:layout",
        "packages oci:layout",
        "packages --deleted oci:layout",
        "packages --unowned oci:layout",
        "packages --modified oci:layout",
        "secrets --reveal oci:layout",
        "report --ci oci:layout",
        "search oci:layout .",
        "search --utf16 --count oci:layout .",
        "verify oci:layout",
        "verify REGISTRY/a/b:1",
        "unpack --rootless oci:layout rootfs",
        "pull REGISTRY/a/b:1",
        "pull --unpack second REGISTRY/a/b:1",
        "push oci:other REGISTRY/a/c:1",
        "copy REGISTRY/a/c:1 REGISTRY/a/d:1",
        "copy oci:layout store:kept:1",
        "images",
        "push oci:other REGISTRY/a/b:1",
        "pull REGISTRY/a/b:1",
        "history REGISTRY/a/b:1",
        "history --remote REGISTRY/a/b:1",
        "rollback REGISTRY/a/b:1",
        "watch --once REGISTRY/a/b:1",
        "referrers REGISTRY/a/b:1",
        "delete --yes REGISTRY/a/c:1",
        "gc",
        "store check",
    ] {
        let verb = command.split(' ').next().unwrap();
        let schema = schema(verb);
        let rows = rows(&server.run(&format!("{command} --json")));
        for row in &rows {
            if let Err(wrong) = validate(row, &schema, &schema, "") {
                panic!("{command}: {wrong}\n{row:#}");
            }
            each_object(row, &mut |object, at| {
                named(object, &layers).unwrap_or_else(|wrong| panic!("{command}{at}: {wrong}"))
            });
        }
        if !rows.is_empty() {
            checked.insert(verb.to_owned());
        }
    }
    let missing: Vec<_> = verbs().into_iter().filter(|verb| !checked.contains(verb)).collect();
    // Without a move or a referrer these verbs print nothing. Their own tests check them.
    assert!(
        missing.iter().all(|verb| ["attestation", "referrers", "watch"].contains(&verb.as_str())),
        "not checked: {missing:?}"
    );
}

#[test]
fn moves_and_referrers_are_as_their_schemas_describe_them() {
    let server = Server::new(Site::new().repository("a/b", content("one")));
    let digest = content("one").roots[0].blob.digest.clone();
    rows(&server.run("watch --once --json REGISTRY/a/b:1"));
    server.becomes(Site::new().repository("a/b", content("two")));
    let moved = rows(&server.run("watch --once --json REGISTRY/a/b:1"));
    assert_eq!((moved.len(), moved[0]["previous"].as_str()), (1, Some(digest.as_str())));
    let schema = schema("watch");
    validate(&moved[0], &schema, &schema, "").unwrap();
    let (mut referred, _) = super::referrers::content();
    let (tag, signature) = super::referrers::cosign(&referred.roots[0].blob);
    referred.add_root(&tag, signature);
    server.becomes(Site::new().repository("a/b", referred).with_referrers());
    let listed = rows(&server.run("referrers --json REGISTRY/a/b:1"));
    let of_referrers = self::schema("referrers");
    assert_eq!(listed.len(), 3);
    for row in &listed {
        validate(row, &of_referrers, &of_referrers, "").unwrap();
    }
    server.internet.fault("/v2/", 1, Fault::Status(200));
    let help = rows_text(&server.run("help json watch"));
    assert_eq!(serde_json::from_str::<Value>(&help).unwrap(), schema, "the program prints the published file");
}

#[test]
fn the_program_prints_every_published_schema_and_lists_it() {
    let server = Server::new(Site::new());
    let listed = rows_text(&server.run("help json"));
    for verb in verbs() {
        let output = server.run(&format!("help json {verb}"));
        assert_eq!(output.status.code(), Some(0), "{verb}: {output:?}");
        assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), schema(&verb), "{verb}");
        assert!(listed.contains(&format!("\n  {verb:<10} ")), "{verb} is not in the list: {listed}");
    }
}

/// The number of a layer means something within one image; its digest, everywhere.
#[test]
fn a_layer_has_its_digest_beside_its_number() {
    let mut found = 0;
    for verb in verbs() {
        each_object(&schema(&verb), &mut |object, at| {
            let Some(fields) = object.get("properties").and_then(Value::as_object) else { return };
            // What describes a layer itself has the digest of its blob as `digest`.
            let is_layer = (verb == "verify" && at.is_empty())
                || at.ends_with("/properties/layers/items")
                || (verb == "diff" && at.starts_with("/$defs/layer/"));
            for (name, field) in fields {
                let beside = match (least(field), least(&field["items"])) {
                    (Some(1), _) if !["line", "entry", "depth"].contains(&name.as_str()) => format!("{name}_digest"),
                    (_, Some(1)) => format!("{name}_digests"),
                    (None | Some(0), _) if name == "layer" || name.ends_with("_by") => {
                        assert_ne!(field["type"], "integer", "{verb}{at}: `{name}` counts from 1");
                        continue;
                    }
                    _ => continue,
                };
                found += 1;
                let beside = if is_layer { "digest".to_owned() } else { beside };
                assert!(fields.contains_key(&beside), "{verb}{at}: `{name}` has no `{beside}` beside it");
            }
        });
    }
    assert!(found > 30, "{found} numbers of layers");
}

/// Checks that the digest beside each number of a layer is that of the layer, in one of two images.
fn named(object: &Value, layers: &[Vec<String>; 2]) -> Result<(), String> {
    for (name, value) in object.as_object().into_iter().flatten() {
        let Some(number) = value.as_u64().filter(|_| name == "layer" || name.ends_with("_by")) else { continue };
        let digest = object.get(format!("{name}_digest")).or_else(|| object.get("digest"));
        if !layers
            .iter()
            .any(|layers| layers.get(number as usize - 1).map(String::as_str) == digest.and_then(Value::as_str))
        {
            return Err(format!("`{name}` is {number}, and its digest {digest:?}"));
        }
    }
    Ok(())
}

/// The least that an integer may be.
fn least(field: &Value) -> Option<u64> {
    let is_integer =
        field["type"] == "integer" || field["type"].as_array().is_some_and(|types| types.contains(&"integer".into()));
    field["minimum"].as_u64().filter(|_| is_integer)
}

/// Calls `see` with each object in a value, and its place.
fn each_object(value: &Value, see: &mut impl FnMut(&Value, &str)) {
    fn walk(value: &Value, at: &str, see: &mut impl FnMut(&Value, &str)) {
        match value {
            Value::Object(fields) => {
                see(value, at);
                fields.iter().for_each(|(name, value)| walk(value, &format!("{at}/{name}"), see));
            }
            Value::Array(values) => values.iter().for_each(|value| walk(value, at, see)),
            _ => {}
        }
    }
    walk(value, "", see);
}

#[test]
fn a_document_that_departs_from_its_schema_is_found() {
    let schema = schema("tags");
    for (row, wrong) in [
        (r#"{"tag": "1"}"#, None),
        (r#"{"tag": 1}"#, Some("/tag: expected string")),
        (r#"{}"#, Some(": expected `tag`")),
        (r#"{"tag": "1", "more": 2}"#, Some("/more: not described")),
    ] {
        let got = validate(&serde_json::from_str(row).unwrap(), &schema, &schema, "").err();
        assert_eq!(got.as_deref(), wrong, "{row}");
    }
}

fn content(text: &str) -> Content {
    image(text).build().into_content("1")
}

fn image(text: &str) -> Image {
    let status =
        |version: u32| format!("Package: p\nStatus: install ok installed\nVersion: {version}\nSource: s (1)\n");
    let base = Layer::new("ADD a").compression(Compression::None).file("a", "a").file("b", "b").symlink("l", "a");
    let base =
        base.file("var/lib/dpkg/status", status(1)).file("root/.netrc", "machine a login b password 4kq-Zr81x\n");
    let base = base.file("var/lib/dpkg/info/p.md5sums", "d41d8cd98f00b204e9800998ecf8427e  b\n");
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut tar::Header::new_ustar(), "member", b"".as_slice()).unwrap();
    let base = base.file("members.tar", archive.into_inner().unwrap());
    let top = Layer::new("ADD b").file("b", text).file(".wh.a", "").file("var/lib/dpkg/status", status(2));
    Image::new().layer(base).layer(top)
}

/// The verbs that have a schema.
fn verbs() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    names.map(|name| name.strip_suffix(".json").unwrap().to_owned()).collect()
}

pub(super) fn schema(verb: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schema/{verb}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn rows(output: &Output) -> Vec<Value> {
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

fn rows_text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Checks a value against the keywords that the schemas use. Any other keyword is an error, so that none is ignored.
pub(super) fn validate(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    let keywords = schema.as_object().unwrap();
    for (keyword, rule) in keywords {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" | "additionalProperties" => {}
            "$ref" => {
                let target = root.pointer(rule.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
                validate(value, target, root, at)?;
            }
            "anyOf" => {
                let wrong: Vec<_> = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| validate(value, one, root, at))
                    .filter_map(Result::err)
                    .collect();
                if wrong.len() == rule.as_array().unwrap().len() {
                    return Err(format!("{at}: none of these fit: {}", wrong.join("; ")));
                }
            }
            "type" => {
                let types: Vec<_> = rule.as_array().map_or_else(|| vec![rule], |types| types.iter().collect());
                if !types.iter().any(|name| is(value, name.as_str().unwrap())) {
                    return Err(format!(
                        "{at}: expected {}",
                        types.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(" or ")
                    ));
                }
            }
            "enum" if rule.as_array().unwrap().contains(value) => {}
            "enum" => return Err(format!("{at}: expected one of {rule}, got {value}")),
            "minimum" => {
                if value.as_i64().is_some_and(|value| value < rule.as_i64().unwrap()) {
                    return Err(format!("{at}: expected {rule} or more"));
                }
            }
            // The one pattern: a digest.
            "pattern" => {
                let valid = value.as_str().is_none_or(|text| {
                    text.split_once(':').is_some_and(|(_, hex)| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
                });
                if !valid {
                    return Err(format!("{at}: expected a digest"));
                }
            }
            "required" => {
                if let Some(fields) = value.as_object()
                    && let Some(name) =
                        rule.as_array().unwrap().iter().find(|name| !fields.contains_key(name.as_str().unwrap()))
                {
                    return Err(format!("{at}: expected `{}`", name.as_str().unwrap()));
                }
            }
            "properties" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    let at = format!("{at}/{name}");
                    match (rule.get(name), keywords.get("additionalProperties")) {
                        (Some(schema), _) => validate(value, schema, root, &at)?,
                        (None, Some(Value::Bool(false))) => return Err(format!("{at}: not described")),
                        (None, _) => {}
                    }
                }
            }
            "items" => {
                for (number, value) in value.as_array().into_iter().flatten().enumerate() {
                    validate(value, rule, root, &format!("{at}/{number}"))?;
                }
            }
            other => panic!("the schemas use the keyword `{other}`, which this check does not know"),
        }
    }
    Ok(())
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("no such type: {other}"),
    }
}
