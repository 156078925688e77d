//! Names in `index.json`, changed in place: what other programs wrote there stays.

use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    layout::{IMAGE_NAME, REF_NAME},
};
use serde_json::{Map, Value, json};

/// Gives a name to a descriptor and returns what had it before. `None`: this is no index.
pub(crate) fn set(index: &mut Value, name: &str, descriptor: &Descriptor) -> Option<Option<Digest>> {
    let manifests = index.get_mut("manifests")?.as_array_mut()?;
    let position = manifests.iter().position(|entry| is_named(entry, name));
    let before = position.and_then(|at| manifests[at].get("digest")?.as_str()?.parse().ok());
    // An image that had no name yet needs no second entry.
    let position = position.or_else(|| manifests.iter().position(|entry| is_of(entry, descriptor) && !has_name(entry)));
    let entry = entry(name, descriptor);
    match position {
        Some(at) => manifests[at] = entry,
        None => manifests.push(entry),
    }
    Some(before)
}

/// Takes a name, or every entry of a digest, away. `None`: this is no index.
pub(crate) fn remove(index: &mut Value, name: &str) -> Option<bool> {
    let manifests = index.get_mut("manifests")?.as_array_mut()?;
    let before = manifests.len();
    manifests.retain(|entry| !is_named(entry, name) && entry["digest"] != name);
    Some(manifests.len() < before)
}

fn entry(name: &str, descriptor: &Descriptor) -> Value {
    let mut annotations: Map<String, Value> = descriptor
        .annotations
        .iter()
        .filter(|(key, _)| key.as_str() != IMAGE_NAME)
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    annotations.insert(REF_NAME.to_owned(), json!(name));
    json!({
        "mediaType": descriptor.media_type.as_str(),
        "digest": descriptor.digest.to_string(),
        "size": descriptor.size,
        "annotations": annotations,
    })
}

fn is_named(entry: &Value, name: &str) -> bool {
    entry["annotations"][REF_NAME] == name
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
    fn what_is_no_index_is_left_alone() {
        for mut value in [json!(null), json!([]), json!({ "manifests": 1 })] {
            assert_eq!(set(&mut value, "a:1", &image("one")), None);
            assert_eq!(remove(&mut value, "a:1"), None);
        }
    }
}
