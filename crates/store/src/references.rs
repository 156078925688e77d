//! Edits names in `index.json` in place. Properties and entries of other programs are kept.

use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    layout::{IMAGE_NAME, REF_NAME},
};
use serde_json::{Value, json};

/// Names a descriptor. Returns the digest that had the name before; `None` if the document is not an index.
pub(crate) fn set(index: &mut Value, name: &str, descriptor: &Descriptor) -> Option<Option<Digest>> {
    let manifests = entries(index)?;
    let before = manifests.iter().find(|entry| is_named(entry, name));
    let before = before.and_then(|entry| entry.get("digest")?.as_str()?.parse().ok());
    let ours = |entry: &Value| is_named(entry, name) || is_of(entry, descriptor) && !has_name(entry);
    let place = manifests.iter().position(ours).unwrap_or(manifests.len());
    // Keep annotations on an entry for the same image.
    let same = manifests.iter().position(|entry| ours(entry) && is_of(entry, descriptor));
    let kept = same.map(|at| manifests[at].take());
    let mut number = 0;
    manifests.retain(|entry| {
        number += 1;
        Some(number - 1) != same && !ours(entry)
    });
    manifests.insert(place, entry(kept, name, descriptor));
    Some(before)
}

/// Removes a name, or every entry with a digest. `None` if the document is not an index.
pub(crate) fn remove(index: &mut Value, name: &str) -> Option<bool> {
    let manifests = entries(index)?;
    let before = manifests.len();
    manifests.retain(|entry| !is_named(entry, name) && entry["digest"] != name);
    Some(manifests.len() < before)
}

fn entries(index: &mut Value) -> Option<&mut Vec<Value>> {
    let manifests = index.get_mut("manifests")?;
    // Go writes an empty list as `null`, for example in a new layout.
    if manifests.is_null() {
        *manifests = json!([]);
    }
    manifests.as_array_mut()
}

fn entry(kept: Option<Value>, name: &str, descriptor: &Descriptor) -> Value {
    let mut entry = kept.unwrap_or_else(|| json!({}));
    entry["mediaType"] = json!(descriptor.media_type.as_str());
    entry["digest"] = json!(descriptor.digest.to_string());
    entry["size"] = json!(descriptor.size);
    if !entry["annotations"].is_object() {
        entry["annotations"] = json!({});
    }
    let annotations = &mut entry["annotations"];
    for (key, value) in &descriptor.annotations {
        if key != IMAGE_NAME && annotations[key].is_null() {
            annotations[key] = json!(value);
        }
    }
    if annotations[IMAGE_NAME] != name {
        annotations[REF_NAME] = json!(name);
    }
    entry
}

/// Whether an entry has this name, as the layout's reference name or containerd's image name.
fn is_named(entry: &Value, name: &str) -> bool {
    entry["annotations"][REF_NAME] == name || entry["annotations"][IMAGE_NAME] == name
}

fn has_name(entry: &Value) -> bool {
    entry["annotations"][REF_NAME].is_string() || entry["annotations"][IMAGE_NAME].is_string()
}

fn is_of(entry: &Value, descriptor: &Descriptor) -> bool {
    entry["digest"].as_str().and_then(|digest| digest.parse().ok()) == Some(descriptor.digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::media_type::MediaType;

    fn image(content: &str) -> Descriptor {
        Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(content.as_bytes()), content.len() as u64)
    }

    #[test]
    fn names_come_and_go() {
        let mut index = json!({ "schemaVersion": 2, "manifests": [], "annotations": { "of": "others" } });
        assert_eq!(set(&mut index, "a:1", &image("one")), Some(None));
        assert_eq!(set(&mut index, "a:2", &image("one")), Some(None));
        assert_eq!(set(&mut index, "a:1", &image("two")), Some(Some(image("one").digest)));
        assert_eq!(index["manifests"].as_array().map(Vec::len), Some(2));
        assert_eq!(remove(&mut index, "a:1"), Some(true));
        assert_eq!(remove(&mut index, "a:1"), Some(false));
        assert_eq!(remove(&mut index, &image("one").digest.to_string()), Some(true));
        assert_eq!(index["manifests"], json!([]));
        assert_eq!(index["annotations"]["of"], "others");
    }

    #[test]
    fn an_image_without_a_name_gets_one() {
        let digest = image("one").digest.to_string();
        let mut index = json!({ "manifests": [{ "digest": digest, "size": 3 }] });
        assert_eq!(set(&mut index, "a:1", &image("one")), Some(None));
        assert_eq!(index["manifests"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn a_list_that_go_wrote_empty() {
        let mut index = json!({ "schemaVersion": 2, "manifests": null });
        assert_eq!(remove(&mut index, "a:1"), Some(false));
        assert_eq!(set(&mut index, "a:1", &image("one")), Some(None));
        assert_eq!(index["manifests"].as_array().map(Vec::len), Some(1));
        assert_eq!(set(&mut json!({}), "a:1", &image("one")), None);
    }

    #[test]
    fn foreign_annotations_are_kept() {
        let digest = image("one").digest.to_string();
        let platform = json!({ "os": "linux", "architecture": "arm" });
        let annotations = json!({ "org.example": "x" });
        let entry =
            json!({ "digest": digest, "size": 3, "platform": platform, "annotations": annotations, "x-y": [1] });
        let mut index = json!({ "manifests": [entry] });
        assert_eq!(set(&mut index, "a:1", &image("one")), Some(None));
        assert_eq!(set(&mut index, "a:1", &image("one")), Some(Some(image("one").digest)));
        let kept = &index["manifests"][0];
        assert_eq!((&kept["platform"], &kept["x-y"]), (&platform, &json!([1])));
        assert_eq!(kept["annotations"], json!({ "org.example": "x", REF_NAME: "a:1" }));
    }

    #[test]
    fn a_name_is_unique() {
        let named = |content: &str, key: &str| json!({ "digest": image(content).digest.to_string(), "annotations": { key: "a:1" } });
        let containerd =
            json!({ "digest": image("four").digest.to_string(), "annotations": { IMAGE_NAME: "a:1", REF_NAME: "1" } });
        let mut index = json!({ "manifests": [named("one", REF_NAME), named("two", REF_NAME), named("three", "other"), containerd] });
        assert_eq!(set(&mut index, "a:1", &image("two")), Some(Some(image("one").digest)));
        let names: Vec<_> = index["manifests"].as_array().into_iter().flatten().map(|entry| &entry["digest"]).collect();
        assert_eq!(names, [&json!(image("two").digest.to_string()), &json!(image("three").digest.to_string())]);
        // An entry with containerd's image name already has the name.
        let entry = json!({ "digest": image("four").digest.to_string(), "size": 4, "annotations": { IMAGE_NAME: "a:1", REF_NAME: "1" } });
        let mut index = json!({ "manifests": [entry] });
        assert_eq!(set(&mut index, "a:1", &image("four")), Some(Some(image("four").digest)));
        assert_eq!(index["manifests"][0]["annotations"][REF_NAME], "1");
    }

    #[test]
    fn a_document_that_is_not_an_index_is_not_changed() {
        for mut value in [json!(null), json!([]), json!({ "manifests": 1 })] {
            assert_eq!(set(&mut value, "a:1", &image("one")), None);
            assert_eq!(remove(&mut value, "a:1"), None);
        }
    }
}
