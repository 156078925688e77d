//! One referrer, for people and for programs.

use std::collections::BTreeMap;

use porthole_core::{descriptor::Descriptor, digest::Digest, manifest::Document, media_type::MediaType};
use porthole_inspect::referrers::{FoundBy, Referrer, artifact_type};
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
    /// It states its subject. Which of the ways above a registry answered is not known.
    Subject,
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
        let annotations = match document {
            Document::Index(index) => &index.value.annotations,
            Document::Manifest(manifest) => &manifest.value.annotations,
        };
        Self {
            digest: *document.raw().digest(),
            media_type: document.media_type().clone(),
            artifact_type: artifact_type(document).cloned(),
            size: document.raw().size(),
            annotations: annotations.clone(),
            via,
        }
    }

    /// One that was read. `subject` says how a place is asked for those that state their subject.
    pub(super) fn found(referrer: &Referrer, subject: Via) -> Self {
        let via = match &referrer.by {
            FoundBy::Subject => subject,
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
                Via::Subject => "subject",
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

pub(super) const HEAD: [&str; 5] = ["DIGEST", "TYPE", "SIZE", "CREATED", "TITLE"];
const CREATED: &str = "org.opencontainers.image.created";
const TITLE: &str = "org.opencontainers.image.title";
