//! One referrer, for people and for programs.

use std::collections::BTreeMap;

use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    manifest::Document,
    media_type::{MediaType, Role},
};
use porthole_inspect::referrers::{FoundBy, Referrer};
use serde_json::{Value, json};

use crate::ui::{safe, size};

/// How a referrer was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// The registry's API lists it.
    Api,
    /// The tag that stands in for the API lists it.
    FallbackTag,
    /// It has the tag that cosign gives to such things.
    DigestTag(String),
    /// It lies in the layout.
    Layout,
    /// The index of the image has it.
    Index,
}

/// A referrer.
pub(super) struct Row {
    pub(super) digest: Digest,
    pub(super) media_type: MediaType,
    pub(super) artifact_type: Option<MediaType>,
    pub(super) size: u64,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) via: Via,
}

impl Row {
    /// What a list says.
    pub(super) fn listed(entry: Descriptor, via: Via) -> Self {
        let Descriptor { digest, media_type, artifact_type, size, annotations, .. } = entry;
        Self { digest, media_type, artifact_type, size, annotations, via }
    }

    /// What the document says of itself.
    pub(super) fn read(document: &Document, via: Via) -> Self {
        let (artifact_type, annotations) = match document {
            Document::Index(index) => (index.value.artifact_type.clone(), &index.value.annotations),
            Document::Manifest(manifest) => (Some(artifact_type(&manifest.value)), &manifest.value.annotations),
        };
        Self {
            digest: *document.raw().digest(),
            media_type: document.media_type().clone(),
            artifact_type,
            size: document.raw().size(),
            annotations: annotations.clone(),
            via,
        }
    }

    /// One that lies in files, or that was read with those that refer to it.
    pub(super) fn found(referrer: &Referrer) -> Self {
        let via = match &referrer.by {
            FoundBy::Subject => Via::Layout,
            FoundBy::Tag(tag) => Via::DigestTag(tag.clone()),
            FoundBy::Index => Via::Index,
        };
        Self::read(&referrer.document, via)
    }

    pub(super) fn json(&self) -> Value {
        let mut row = json!({
            "digest": self.digest.to_string(),
            "media_type": self.media_type.as_str(),
            "artifact_type": self.artifact_type.as_ref().map(MediaType::as_str),
            "size": self.size,
            "annotations": self.annotations,
            "via": match self.via {
                Via::Api => "api",
                Via::FallbackTag => "fallback-tag",
                Via::DigestTag(_) => "digest-tag",
                Via::Layout => "layout",
                Via::Index => "index",
            },
        });
        if let Via::DigestTag(tag) = &self.via {
            row["tag"] = json!(tag);
        }
        row
    }

    /// The columns of [`HEAD`].
    pub(super) fn cells(&self) -> [String; 5] {
        let annotation = |name: &str| self.annotations.get(name).map(|text| safe(text).into_owned());
        let kind = self.artifact_type.as_ref().map(|kind| safe(kind.as_str()).into_owned());
        let none = || "-".to_owned();
        let title = match &self.via {
            Via::DigestTag(tag) => Some(format!("tag {}", safe(tag))),
            _ => annotation(TITLE),
        };
        [
            self.digest.to_string(),
            kind.unwrap_or_else(none),
            size(self.size),
            annotation(CREATED).unwrap_or_else(none),
            title.unwrap_or_else(none),
        ]
    }
}

/// The type of a manifest: its own, else that of its config. What cosign puts under a tag has the config of an image, and layers that
/// tell more.
fn artifact_type(manifest: &porthole_core::manifest::Manifest) -> MediaType {
    match (&manifest.artifact_type, manifest.layers.first()) {
        (Some(own), _) => own.clone(),
        (None, Some(layer)) if manifest.config.media_type.role() == Role::Config => layer.media_type.clone(),
        _ => manifest.config.media_type.clone(),
    }
}

pub(super) const HEAD: [&str; 5] = ["DIGEST", "TYPE", "SIZE", "CREATED", "TITLE"];
const CREATED: &str = "org.opencontainers.image.created";
const TITLE: &str = "org.opencontainers.image.title";
