//! Masking the secrets of images before they are shown.

use super::{SecretMatch, config::redact_with};
use porthole_core::{
    descriptor::Descriptor,
    image::Image,
    manifest::{Document, Index},
};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Masks secrets. Different ones stay different: the first becomes `********`, the second `********2`.
#[derive(Clone, Debug, Default)]
pub struct SecretMask {
    /// Numbers of the secrets that were masked.
    numbers: HashMap<Vec<u8>, usize>,
}

impl SecretMask {
    /// Masks the texts of an [`image`](Self::image), and the annotations of the index that led to it. The entry that was chosen stays
    /// equal to its original in the index.
    pub fn documents(&mut self, index: Option<&mut Document>, chosen: Option<&mut Descriptor>, image: &mut Image) {
        self.image(image);
        if let Some(entry) = chosen {
            self.pairs(&mut entry.annotations);
        }
        if let Some(Document::Index(index)) = index {
            self.index(&mut index.value);
        }
    }

    /// Masks the texts of a JSON document that people write, such as the parameters of a build. A field may show by its name that its value is
    /// a secret; the part before a colon in the name, such as `build-arg`, says nothing.
    pub fn json(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => self.mask(text),
            Value::Array(list) => list.iter_mut().for_each(|value| self.json(value)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) => self.mask_value(name.rsplit(':').next().unwrap_or(name), text),
                        value => self.json(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn index(&mut self, index: &mut Index) {
        self.pairs(&mut index.annotations);
        index.manifests.iter_mut().for_each(|entry| self.pairs(&mut entry.annotations));
    }

    /// Masks the texts of an image that people write: annotations, environment, labels, commands and history with its build arguments. Raw
    /// documents stay as they are.
    pub fn image(&mut self, image: &mut Image) {
        let execution = &mut image.config.execution;
        let lists = [&mut execution.env, &mut execution.entrypoint, &mut execution.cmd];
        lists.into_iter().flatten().for_each(|text| self.mask(text));
        self.pairs(&mut execution.labels);
        let manifest = &mut image.manifest.value;
        self.pairs(&mut manifest.annotations);
        let descriptors = [&mut manifest.config].into_iter().chain(&mut manifest.layers).chain(&mut manifest.subject);
        let of_layers = image.layers.iter_mut().map(|layer| &mut layer.descriptor);
        descriptors.chain(of_layers).for_each(|descriptor| self.pairs(&mut descriptor.annotations));
        for entry in &mut image.config.history {
            [&mut entry.created_by, &mut entry.comment, &mut entry.author]
                .into_iter()
                .flatten()
                .for_each(|text| self.mask(text));
        }
        image.config.author.iter_mut().for_each(|text| self.mask(text));
        image.layers.iter_mut().filter_map(|layer| layer.created_by.as_mut()).for_each(|text| self.mask(text));
    }

    fn pairs(&mut self, pairs: &mut BTreeMap<String, String>) {
        for (name, value) in pairs {
            self.mask_value(name, value);
        }
    }

    /// Masks a value, which its name may show to be a secret.
    fn mask_value(&mut self, name: &str, value: &mut String) {
        let whole = format!("{name}=");
        let masked = self.text(&format!("{whole}{value}"));
        *value = masked.strip_prefix(&whole).map_or_else(|| self.text(value), str::to_owned);
    }

    fn mask(&mut self, text: &mut String) {
        *text = self.text(text);
    }

    fn text(&mut self, text: &str) -> String {
        redact_with(text, |found: &SecretMatch| {
            let next = self.numbers.len() + 1;
            match *self.numbers.entry(found.value.reveal().to_vec()).or_insert(next) {
                1 => "********".to_owned(),
                number => format!("********{number}"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::manifest::Raw;

    #[test]
    fn different_secrets_stay_different_and_the_rest_stays() {
        let mut mask = SecretMask::default();
        let (first, second) =
            ("GITHUB_TOKEN=ghp_".to_owned() + &"a1B2".repeat(9), "GITHUB_TOKEN=ghp_".to_owned() + &"c3D4".repeat(9));
        assert_eq!(mask.text(&first), "GITHUB_TOKEN=********");
        assert_eq!(mask.text(&format!("RUN {second} make")), "RUN GITHUB_TOKEN=********2 make");
        assert_eq!(mask.text(&first), "GITHUB_TOKEN=********");
        assert_eq!(mask.text("PATH=/usr/bin"), "PATH=/usr/bin");
        let mut label = second["GITHUB_TOKEN=".len()..].to_owned();
        mask.mask_value("org.example.token", &mut label);
        assert_eq!(label, "********2");
    }

    #[test]
    fn parameters_of_a_build_are_masked_by_value_and_by_name() {
        let token = ["ghp_16C7e42F292c6912", "E7710c838347Ae178B4a"].concat();
        let mut parameters = serde_json::json!({
            "args": { "build-arg:API_TOKEN": "kV7-qP2xW9sL4mT8", "build-arg:NAME": "app", "secret": null },
            "list": [format!("GH={token}"), { "a": token }], "number": 1,
        });
        SecretMask::default().json(&mut parameters);
        let expected = serde_json::json!({
            "args": { "build-arg:API_TOKEN": "********", "build-arg:NAME": "app", "secret": null },
            "list": ["GH=********2", { "a": "********2" }], "number": 1,
        });
        assert_eq!(parameters, expected);
    }

    #[test]
    fn annotations_of_an_index_are_masked() {
        let token = ["ghp_16C7e42F292c6912", "E7710c838347Ae178B4a"].concat();
        let entry = serde_json::json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2, "annotations": { "made.with": token },
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        });
        let index =
            serde_json::json!({ "schemaVersion": 2, "manifests": [entry], "annotations": { "by": token, "of": "x" } });
        let index = Document::parse(Raw::trust_on_first_use(index.to_string().into_bytes()), None).unwrap();
        let Document::Index(mut parsed) = index else { panic!("an index") };
        let (mut mask, mut chosen) = (SecretMask::default(), parsed.value.manifests[0].clone());
        mask.pairs(&mut chosen.annotations);
        mask.index(&mut parsed.value);
        assert_eq!(chosen, parsed.value.manifests[0], "the overview finds the chosen entry by what it holds");
        assert_eq!(parsed.value.annotations.into_values().collect::<Vec<_>>(), ["********", "x"]);
        assert_eq!(parsed.value.manifests[0].annotations["made.with"], "********");
    }
}
