//! What refers to an image: signatures, attestations, bills of materials, and what refers to those in turn.
//!
//! A manifest refers to another one by its `subject` (OCI image specification, `manifest.md`); a registry lists such manifests by its
//! referrers API or in a fallback tag. cosign until version 2 puts them under tags made of the digest. BuildKit puts its attestations
//! in the index of the image.

mod evidence;
mod format;

pub use evidence::{FoundEvidence, RawEvidence, RawEvidenceError, WantedEvidence, fetch_evidence};
pub use format::EvidenceFormat;

use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    failure::{Classify, FailureClass},
    manifest::{Document, Index},
    media_type::{MediaType, Role},
};
use porthole_registry::endpoint::referrers::fallback_tag;
use porthole_source::{ImageSource, SourceKind};
use std::collections::{HashSet, VecDeque};

/// Most referrers that are read.
pub const REFERRERS: usize = 1000;
/// How deep referrers of referrers are followed.
pub const REFERRER_DEPTH: u32 = 4;

/// A manifest or an index that refers to another one.
#[derive(Clone, Debug)]
pub struct Referrer {
    /// The document, verified against its digest.
    pub document: Document,
    /// What it refers to.
    pub subject: Digest,
    /// How it was found.
    pub by: FoundBy,
    /// 1 if it refers to the image, 2 if it refers to a referrer of it, and so on.
    pub depth: u32,
}

/// How a referrer was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// The source lists it, and it states its subject itself.
    Subject,
    /// It has the tag that cosign makes of the digest; it states no subject itself.
    Tag(String),
    /// The index of the image lists it, with an annotation that names the image.
    Index,
}

/// The referrers of an image.
#[derive(Clone, Debug, Default)]
pub struct Referrers {
    /// Those that were read: each before those that refer to it.
    pub found: Vec<Referrer>,
    /// Referrers that are listed and that the source lacks.
    pub missing: Vec<Descriptor>,
    /// There are more than [`REFERRERS`].
    pub is_cut: bool,
}

/// Reads all documents that refer to a digest, and those that refer to them in turn. `index` is the index that led to
/// the image, if any: it may list attestations of BuildKit.
///
/// # Errors
///
/// Those of the source. A referrer that is listed and that the source lacks is not an error.
pub async fn referrer_tree<S: ImageSource<Error: Classify>>(
    source: &S,
    subject: &Digest,
    index: Option<&Index>,
) -> Result<Referrers, S::Error> {
    collect(source, subject, index, REFERRER_DEPTH).await
}

/// Reads the documents that refer to a digest, as [`referrer_tree`] does, but none that refer to these.
///
/// # Errors
///
/// Those of the source. A referrer that is listed and that the source lacks is not an error.
pub async fn referrers_of<S: ImageSource<Error: Classify>>(
    source: &S,
    subject: &Digest,
    index: Option<&Index>,
) -> Result<Referrers, S::Error> {
    collect(source, subject, index, 1).await
}

async fn collect<S: ImageSource<Error: Classify>>(
    source: &S,
    subject: &Digest,
    index: Option<&Index>,
    depth: u32,
) -> Result<Referrers, S::Error> {
    let mut result = Referrers::default();
    let mut seen = HashSet::from([*subject]);
    let mut next = direct(source, subject, 1, &mut seen, &mut result).await?;
    for entry in index.into_iter().flat_map(|index| attestations(index, subject)) {
        if let Some(document) = read(source, entry, &mut result).await?
            && seen.insert(entry.digest)
        {
            next.push(Referrer { document, subject: *subject, by: FoundBy::Index, depth: 1 });
        }
    }
    next.reverse();
    while let Some(referrer) = next.pop() {
        if result.found.len() == REFERRERS {
            result.is_cut = true;
            break;
        }
        if referrer.depth < depth {
            let digest = *referrer.document.raw().digest();
            let mut deeper = direct(source, &digest, referrer.depth + 1, &mut seen, &mut result).await?;
            deeper.reverse();
            next.extend(deeper);
        }
        result.found.push(referrer);
    }
    Ok(result)
}

/// Returns the type of a referrer: its artifact type, else the media type of its configuration. A document under a tag
/// of cosign has the configuration of an image; its type is the media type of its first layer. `None` for an index
/// without an artifact type.
pub fn artifact_type(document: &Document) -> Option<&MediaType> {
    let manifest = match document {
        Document::Index(index) => return index.value.artifact_type.as_ref(),
        Document::Manifest(manifest) => &manifest.value,
    };
    Some(match (&manifest.artifact_type, manifest.layers.first()) {
        (Some(own), _) => own,
        (None, Some(layer)) if manifest.config.media_type.role() == Role::Config => &layer.media_type,
        _ => &manifest.config.media_type,
    })
}

/// Entries of an index that BuildKit wrote about one of its images.
fn attestations<'a>(index: &'a Index, image: &Digest) -> impl Iterator<Item = &'a Descriptor> {
    let image = image.to_string();
    index.manifests.iter().filter(move |entry| entry.annotations.get(ABOUT) == Some(&image))
}

/// Set by BuildKit on attestations: the digest of the manifest that they are about.
const ABOUT: &str = "vnd.docker.reference.digest";

/// What cosign appends to the digest in a tag, after a `.`: signatures, attestations, bills of materials.
pub const DIGEST_TAG_SUFFIXES: [&str; 3] = ["sig", "att", "sbom"];

/// Returns the documents that refer to a digest directly, each once.
async fn direct<S: ImageSource<Error: Classify>>(
    source: &S,
    subject: &Digest,
    depth: u32,
    seen: &mut HashSet<Digest>,
    result: &mut Referrers,
) -> Result<Vec<Referrer>, S::Error> {
    let mut found = Vec::new();
    // Files list all their documents, also within indexes. A registry lists only those that refer to the digest.
    let is_local = source.kind() != SourceKind::Registry;
    let mut looked_at = HashSet::new();
    let mut listed = VecDeque::from(source.referrers(subject).await?);
    while let Some(entry) = listed.pop_front() {
        let is_document = matches!(entry.media_type.role(), Role::Index | Role::Manifest);
        if !is_document || !looked_at.insert(entry.digest) || looked_at.len() > REFERRERS {
            continue;
        }
        let Some(document) = read(source, &entry, result).await? else { continue };
        let refers_to = match &document {
            Document::Index(index) => {
                if is_local {
                    listed.extend(index.value.manifests.iter().cloned());
                }
                &index.value.subject
            }
            Document::Manifest(manifest) => &manifest.value.subject,
        };
        // The list only claims it: the subject in the document decides.
        if refers_to.as_ref().is_some_and(|got| got.digest == *subject) && seen.insert(entry.digest) {
            found.push(Referrer { document, subject: *subject, by: FoundBy::Subject, depth });
        }
    }
    for suffix in DIGEST_TAG_SUFFIXES {
        let tag = format!("{}.{suffix}", fallback_tag(subject));
        if let Some(document) = source.tagged(&tag).await?
            && seen.insert(*document.raw().digest())
        {
            found.push(Referrer { document, subject: *subject, by: FoundBy::Tag(tag), depth });
        }
    }
    Ok(found)
}

/// Reads a document that is listed. If the source lacks it, it is added to [`Referrers::missing`].
async fn read<S: ImageSource<Error: Classify>>(
    source: &S,
    entry: &Descriptor,
    result: &mut Referrers,
) -> Result<Option<Document>, S::Error> {
    match source.document(entry).await {
        Ok(document) => Ok(Some(document)),
        Err(error) if error.failure().kind == FailureClass::NotFound => {
            result.missing.push(entry.clone());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
