//! What lies in a layout beside an image.

use std::collections::HashSet;

use porthole_core::{digest::Digest, manifest::Document, media_type::Role};
use porthole_inspect::local::Error;
use porthole_registry::endpoint::referrers::fallback_tag;
use porthole_transfer::Local;

use super::{
    registry::SUFFIXES,
    row::{Row, Via},
};

/// The manifests and indexes of a layout whose subject is a digest, in the order in which its index leads to them; then those that have a
/// tag made of the digest. Every document is read once.
pub(super) fn rows(local: &Local, subject: &Digest) -> Result<Vec<Row>, Error> {
    let names = local.names();
    let mut rows = Vec::new();
    let mut seen = HashSet::new();
    let mut next: Vec<_> = names.iter().rev().map(|(_, descriptor)| descriptor.clone()).collect();
    while let Some(descriptor) = next.pop() {
        let is_document = matches!(descriptor.media_type.role(), Role::Index | Role::Manifest);
        if !is_document || !seen.insert(descriptor.digest) {
            continue;
        }
        let document = match local.read_document(&descriptor) {
            Ok(document) => document,
            // Of an index for several platforms a layout may hold one.
            Err(error) if error.is_missing_blob() => continue,
            Err(error) => return Err(error),
        };
        let refers_to = match &document {
            Document::Index(index) => {
                next.extend(index.value.manifests.iter().rev().cloned());
                &index.value.subject
            }
            Document::Manifest(manifest) => &manifest.value.subject,
        };
        if refers_to.as_ref().is_some_and(|got| got.digest == *subject) {
            rows.push(Row::read(&document, Via::Layout));
        }
    }
    for suffix in SUFFIXES {
        let tag = format!("{}.{suffix}", fallback_tag(subject));
        // The name in full ends with the tag.
        let is_it = |name: &str| name == tag || name.strip_suffix(&tag).is_some_and(|rest| rest.ends_with(':'));
        let tagged = names.iter().find(|(name, _)| name.as_deref().is_some_and(is_it));
        if let Some((_, descriptor)) = tagged
            && rows.iter().all(|row| row.digest != descriptor.digest)
        {
            rows.push(Row::read(&local.read_document(descriptor)?, Via::DigestTag(tag)));
        }
    }
    Ok(rows)
}
