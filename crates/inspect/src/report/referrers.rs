//! Referrers, as `porthole referrers --json` prints them.

use crate::referrers::{FoundBy, Referrer, artifact_type};
use porthole_core::{descriptor::Descriptor, digest::Digest, manifest::Document, media_type::MediaType};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How a referrer was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// The registry's API lists it.
    Api,
    /// The tag that stands in for the API lists it.
    FallbackTag,
    /// It has the tag that cosign makes of the digest.
    DigestTag(String),
    /// It states its subject; whether the API or the fallback tag lists it is not known.
    Subject,
    /// It lies in the layout.
    Layout,
    /// The index of the image has it.
    Index,
}

/// A document that refers to the image, as `porthole referrers --json` prints it.
pub struct ReferrerReport {
    /// Digest of the document.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its type: see [`artifact_type`](crate::referrers::artifact_type).
    pub artifact_type: Option<MediaType>,
    /// Bytes of the document.
    pub size: u64,
    /// Annotations of the document by key.
    pub annotations: BTreeMap<String, String>,
    /// How it was found.
    pub via: Via,
}

impl ReferrerReport {
    /// Makes the report from an entry of a list.
    pub fn listed(entry: Descriptor, via: Via) -> Self {
        let Descriptor { digest, media_type, artifact_type, size, annotations, .. } = entry;
        Self { digest, media_type, artifact_type, size, annotations, via }
    }

    /// Makes the report from the document itself.
    pub fn read(document: &Document, via: Via) -> Self {
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

    /// Makes the report of a referrer that was read. `subject` = how the source lists referrers that state their
    /// subject.
    pub fn found(referrer: &Referrer, subject: Via) -> Self {
        let via = match &referrer.by {
            FoundBy::Subject => subject,
            FoundBy::Tag(tag) => Via::DigestTag(tag.clone()),
            FoundBy::Index => Via::Index,
        };
        Self::read(&referrer.document, via)
    }

    /// Returns the line of a referrer in a tree. `subject` = how the source lists referrers that state their subject.
    pub fn in_tree(referrer: &Referrer, subject: Via) -> Value {
        let mut line = Self::found(referrer, subject).json();
        line["subject"] = json!(referrer.subject.to_string());
        line["depth"] = json!(referrer.depth);
        line
    }

    /// The report as JSON.
    pub fn json(&self) -> Value {
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
}
