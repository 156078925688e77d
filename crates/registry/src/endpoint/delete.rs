//! `DELETE /v2/<name>/manifests/<reference>` and `DELETE /v2/<name>/blobs/<digest>` (OCI distribution specification
//! 1.1, "Content Management"), and the decoy by which a tag is deleted that cannot be deleted by its name.

use super::Base;
use crate::{policy::UrlError, transport::Request};
use bytes::Bytes;
use http::{Method, StatusCode};
use porthole_core::{descriptor::Descriptor, digest::Digest, manifest::Raw, media_type::MediaType};
use serde_json::{Value, json};

/// Asks a registry to delete a manifest by its digest, or a tag.
///
/// # Errors
/// A URL too long for an HTTP client.
pub fn manifest(base: &Base, repository: &str, target: &str) -> Result<Request, UrlError> {
    delete(base, &format!("{repository}/manifests/{target}"))
}

/// Asks a registry to delete a blob.
///
/// # Errors
/// As [`manifest`].
pub fn blob(base: &Base, repository: &str, digest: &Digest) -> Result<Request, UrlError> {
    delete(base, &format!("{repository}/blobs/{digest}"))
}

fn delete(base: &Base, path: &str) -> Result<Request, UrlError> {
    let mut request = Request::default();
    *request.method_mut() = Method::DELETE;
    *request.uri_mut() = base.api(path).to_uri()?;
    Ok(request)
}

/// The result of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// It is gone, or will be soon.
    Deleted,
    /// The registry does not delete such things, or nothing at all.
    Unsupported,
    /// Anything else: not there, not allowed.
    Failed,
}

/// Reads the status of an answer. The specification knows 202; some registries answer 400 for a tag.
pub fn read(status: StatusCode) -> DeleteOutcome {
    match status.as_u16() {
        200 | 202 | 204 => DeleteOutcome::Deleted,
        400 | 405 | 501 => DeleteOutcome::Unsupported,
        _ => DeleteOutcome::Failed,
    }
}

/// An empty image with a digest of its own. A tag that is moved to it disappears when the image is deleted by its
/// digest, and no other tag does.
#[derive(Clone, Debug)]
pub struct Decoy {
    /// A manifest that no image has, with a digest of its own.
    pub manifest: Raw,
    /// Its media type.
    pub media_type: MediaType,
    /// Config and layer, each with its descriptor.
    pub blobs: [(Descriptor, Bytes); 2],
}

impl Decoy {
    /// A decoy of the family of media types that `beside` belongs to. `unique` distinguishes it from all others.
    pub fn new(beside: &MediaType, unique: &str) -> Self {
        let is_docker = *beside == MediaType::DOCKER_LIST || *beside == MediaType::DOCKER_MANIFEST;
        let (media_type, config, layer) = if is_docker {
            (MediaType::DOCKER_MANIFEST, MediaType::DOCKER_CONFIG, MediaType::DOCKER_LAYER)
        } else {
            (MediaType::OCI_MANIFEST, MediaType::OCI_CONFIG, MediaType::OCI_LAYER)
        };
        let archive = Bytes::from_static(&EMPTY_ARCHIVE);
        let archive = (Descriptor::new(layer, Digest::sha256(&archive), archive.len() as u64), archive);
        let config_bytes = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": { "Labels": { "io.porthole.throw-away": unique } },
            "rootfs": { "type": "layers", "diff_ids": [archive.0.digest.to_string()] },
        });
        let config_bytes = Bytes::from(config_bytes.to_string());
        let config = (Descriptor::new(config, Digest::sha256(&config_bytes), config_bytes.len() as u64), config_bytes);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type.as_str(),
            "config": entry(&config.0),
            "layers": [entry(&archive.0)],
        });
        let manifest = Raw::trust_on_first_use(manifest.to_string().into_bytes());
        Self { manifest, media_type, blobs: [config, archive] }
    }
}

fn entry(descriptor: &Descriptor) -> Value {
    let Descriptor { media_type, digest, size, .. } = descriptor;
    json!({ "mediaType": media_type.as_str(), "digest": digest.to_string(), "size": size })
}

/// Two blocks of zeros, with which every tar ends.
const EMPTY_ARCHIVE: [u8; 1024] = [0; 1024];

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::manifest::Document;

    #[test]
    fn requests_and_answers() {
        let base = Base::direct("r.example.com", false).unwrap();
        let digest = Digest::sha256(b"");
        let request = manifest(&base, "a/b", "1").unwrap();
        assert_eq!((request.method(), request.uri().path()), (&Method::DELETE, "/v2/a/b/manifests/1"));
        let request = blob(&base, "a/b", &digest).unwrap();
        assert_eq!(request.uri().path(), format!("/v2/a/b/blobs/{digest}"));
        for (status, outcome) in [
            (202, DeleteOutcome::Deleted),
            (200, DeleteOutcome::Deleted),
            (204, DeleteOutcome::Deleted),
            (400, DeleteOutcome::Unsupported),
            (405, DeleteOutcome::Unsupported),
            (401, DeleteOutcome::Failed),
            (404, DeleteOutcome::Failed),
            (429, DeleteOutcome::Failed),
            (500, DeleteOutcome::Failed),
        ] {
            assert_eq!(read(StatusCode::from_u16(status).unwrap()), outcome, "{status}");
        }
    }

    #[test]
    fn decoys_are_images_like_no_other() {
        for (beside, expected) in [
            (MediaType::OCI_INDEX, MediaType::OCI_MANIFEST),
            (MediaType::OCI_MANIFEST, MediaType::OCI_MANIFEST),
            (MediaType::DOCKER_LIST, MediaType::DOCKER_MANIFEST),
            (MediaType::DOCKER_MANIFEST, MediaType::DOCKER_MANIFEST),
        ] {
            let decoy = Decoy::new(&beside, "1");
            let document = Document::parse(decoy.manifest.clone(), Some(decoy.media_type.as_str())).unwrap();
            let Document::Manifest(manifest) = document else { panic!("a manifest") };
            assert_eq!(manifest.media_type, expected);
            let named = [&manifest.value.config, &manifest.value.layers[0]];
            for ((descriptor, bytes), named) in decoy.blobs.iter().zip(named) {
                assert_eq!(descriptor, named);
                assert!(Raw::verify(bytes.to_vec(), &named.digest, Some(named.size)).is_ok());
            }
            assert_ne!(decoy.manifest.digest(), Decoy::new(&beside, "2").manifest.digest());
        }
    }
}
