//! Parses `manifest.json`, which lists the images of a docker-archive (the format of `docker save`), and makes the manifest
//! that such an image lacks. [`mod@write`] writes whole archives.

pub mod write;

use crate::{
    descriptor::Descriptor,
    failure::{Classify, Failure},
    json::{self, Node},
    limits::Limits,
    manifest::Raw,
    media_type::MediaType,
};
use serde_json::{Value, json};

/// File at the top of an archive that lists its images.
pub const MANIFEST_FILE: &str = "manifest.json";

/// One image of an archive. Paths are as stored. The archive may lack the files that they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedImage {
    /// Path of the image configuration inside the archive.
    pub config: String,
    /// References that name the image, such as `nginx:1.29`. Empty for an image without a name.
    pub repo_tags: Vec<String>,
    /// Paths of the layers inside the archive, bottom first.
    pub layers: Vec<String>,
}

/// Parses `manifest.json` within the default limits.
///
/// # Errors
///
/// [`Error`], which names the field.
pub fn parse_manifest(manifest_json: &[u8]) -> Result<Vec<ArchivedImage>, Error> {
    parse_manifest_with_limits(manifest_json, &Limits::default())
}

/// [`parse_manifest`] within [`Limits::manifest_bytes`] and [`Limits::descriptors`].
///
/// # Errors
///
/// As [`parse_manifest`].
pub fn parse_manifest_with_limits(manifest_json: &[u8], limits: &Limits) -> Result<Vec<ArchivedImage>, Error> {
    let (limit, got) = (limits.manifest_bytes, manifest_json.len() as u64);
    if got > limit {
        return Err(Error::TooLarge { limit, got });
    }
    let value = json::parse_strict(manifest_json)?;
    let top = Node::top(MANIFEST_FILE, &value);
    too_many(&top, limits)?;
    top.array()?.iter().map(|image| read_image(image, limits)).collect()
}

/// Makes the manifest that an image of a docker-archive lacks. The bytes depend only on the configuration and the layers.
///
/// The format is OCI's: some programs read no other manifest from a layout.
pub fn make_manifest(config: &Raw, layers: &[Descriptor]) -> Vec<u8> {
    let entry = |descriptor: &Descriptor| -> Value {
        let Descriptor { media_type, digest, size, .. } = descriptor;
        json!({ "mediaType": media_type.as_str(), "digest": digest.to_string(), "size": size })
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST.as_str(),
        "config": entry(&Descriptor::new(MediaType::OCI_CONFIG, *config.digest(), config.size())),
        "layers": layers.iter().map(entry).collect::<Vec<_>>(),
    });
    manifest.to_string().into_bytes()
}

fn read_image(image: &Node<'_>, limits: &Limits) -> Result<ArchivedImage, Error> {
    image.only_exact_case(&["Config", "RepoTags", "Layers"])?;
    let layers = image.optional("Layers")?;
    if let Some(layers) = &layers {
        too_many(layers, limits)?;
    }
    Ok(ArchivedImage {
        config: image.required("Config")?.string()?.to_owned(),
        repo_tags: image.optional_strings("RepoTags")?,
        layers: layers.map(|layers| layers.strings()).transpose()?.unwrap_or_default(),
    })
}

fn too_many(list: &Node<'_>, limits: &Limits) -> Result<(), Error> {
    let (limit, got) = (limits.descriptors, list.length() as u64);
    if got > limit { Err(Error::TooMany { path: list.path(), limit, got }) } else { Ok(()) }
}

/// Why `manifest.json` is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not valid JSON, or a field is wrong.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// It is over [`Limits::manifest_bytes`].
    #[error("{MANIFEST_FILE} is too large: expected at most {limit} bytes (limit manifest_bytes), got {got}")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// Size of the document in bytes.
        got: u64,
    },
    /// It is over [`Limits::descriptors`].
    #[error("{path}: expected at most {limit} entries (limit descriptors), got {got}")]
    TooMany {
        /// JSON path of the list.
        path: String,
        /// Entries that a list may have.
        limit: u64,
        /// Entries in the list.
        got: u64,
    },
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match *self {
            Self::TooLarge { limit, got } => Failure::named_limit("manifest_bytes", limit, got),
            Self::TooMany { limit, got, .. } => Failure::named_limit("descriptors", limit, got),
            Self::Json(ref error) => error.failure(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images() {
        let images = parse_manifest(
            br#"[{"Config":"ab.json","RepoTags":["x:1","x:2"],"Layers":["a/layer.tar"],"Parent":"p"},
                {"Config":"blobs/sha256/cd","RepoTags":null,"Layers":null}]"#,
        );
        assert_eq!(
            images,
            Ok(vec![
                ArchivedImage {
                    config: "ab.json".into(),
                    repo_tags: vec!["x:1".into(), "x:2".into()],
                    layers: vec!["a/layer.tar".into()],
                },
                ArchivedImage { config: "blobs/sha256/cd".into(), repo_tags: vec![], layers: vec![] },
            ])
        );
    }

    #[test]
    fn refusals_name_the_field() {
        for (document, words) in [
            ("{}", "manifest.json"),
            ("[1]", "manifest.json[0]"),
            ("[{}]", "manifest.json[0].Config"),
            (r#"[{"Config":"a","Layers":[1]}]"#, "manifest.json[0].Layers[0]"),
            (r#"[{"Config":"a","RepoTags":"x"}]"#, "manifest.json[0].RepoTags"),
            (r#"[{"config":"a"}]"#, "Config"),
        ] {
            let error = parse_manifest(document.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words), "{document}: {error}");
        }
        let many = format!("[{}1]", "1,".repeat(10_000));
        assert!(matches!(parse_manifest(many.as_bytes()), Err(Error::TooMany { .. })));
    }
}
