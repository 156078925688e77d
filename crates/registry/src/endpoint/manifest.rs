//! `GET` and `PUT /v2/<name>/manifests/<reference>`

use super::Base;
use crate::{html, policy::UrlError, transport::Request};
use http::{HeaderMap, StatusCode, header};
use porthole_core::{
    digest::Digest,
    manifest::Raw,
    media_type::{MediaType, Role},
};

/// Which media types are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// All four, in one header of 193 characters. In a page it would cost a preflight.
    All,
    /// OCI index and manifest: 82 characters.
    Oci,
    /// Docker manifest list and manifest: 110 characters.
    Docker,
}

impl Accept {
    /// The family that a media type belongs to.
    pub fn family(media_type: &MediaType) -> Self {
        if *media_type == MediaType::DOCKER_LIST || *media_type == MediaType::DOCKER_MANIFEST {
            Self::Docker
        } else {
            Self::Oci
        }
    }

    /// The header's value. `*/*` is never in it: registries answer it with schema 1.
    pub fn value(self) -> &'static str {
        match self {
            Self::All => concat!(
                "application/vnd.oci.image.index.v1+json,application/vnd.oci.image.manifest.v1+json,",
                "application/vnd.docker.distribution.manifest.list.v2+json,application/vnd.docker.distribution.manifest.v2+json"
            ),
            Self::Oci => "application/vnd.oci.image.index.v1+json,application/vnd.oci.image.manifest.v1+json",
            Self::Docker => {
                "application/vnd.docker.distribution.manifest.list.v2+json,application/vnd.docker.distribution.manifest.v2+json"
            }
        }
    }
}

/// Asks for a manifest by tag or digest.
///
/// # Errors
/// A URL too long for an HTTP client.
pub fn request(base: &Base, repository: &str, target: &str, accept: Accept) -> Result<Request, UrlError> {
    let uri = base.api(&format!("{repository}/manifests/{target}")).to_uri()?;
    let mut request = Request::default();
    *request.uri_mut() = uri;
    request.headers_mut().insert(header::ACCEPT, http::HeaderValue::from_static(accept.value()));
    Ok(request)
}

/// Whether a registry may answer this to `HEAD`, and not to `GET` (Sonatype Nexus answers 404). Where `GET` fails too, its body has the
/// reason.
pub(crate) fn refuses_head(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 403 | 404 | 405 | 406 | 501)
}

/// Puts a manifest or an index under a tag or its digest: its exact bytes, and its own media type.
///
/// # Errors
/// As [`request`].
pub fn put(
    base: &Base,
    repository: &str,
    target: &str,
    raw: &Raw,
    media_type: &MediaType,
) -> Result<Request, UrlError> {
    let mut request = Request::new(raw.bytes().to_vec().into());
    *request.method_mut() = http::Method::PUT;
    *request.uri_mut() = base.api(&format!("{repository}/manifests/{target}")).to_uri()?;
    if let Ok(value) = http::HeaderValue::from_str(media_type.as_str()) {
        request.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    Ok(request)
}

/// Headers of an answer. They are hints: a page sees only those that the registry exposes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// `Content-Type`, with its parameters.
    pub content_type: Option<String>,
    /// `Docker-Content-Digest`, if it is a digest.
    pub digest: Option<Digest>,
}

/// Reads the headers of an answer.
pub fn read(headers: &HeaderMap) -> Head {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    Head {
        content_type: text(header::CONTENT_TYPE.as_str()).map(str::to_owned),
        digest: text("docker-content-digest").and_then(|value| value.trim().parse().ok()),
    }
}

impl Head {
    /// Whether the answer may be a manifest or an index of either family: no `Content-Type` says that it is something else. A general
    /// type, such as `text/plain`, leaves that to the body; HTML is never one.
    pub fn is_document(&self) -> bool {
        let Some(content_type) = &self.content_type else { return true };
        MediaType::parse(content_type).is_ok_and(|media_type| match media_type.role() {
            Role::Index | Role::Manifest => true,
            _ => !media_type.is_vendor_type() && !html::is_html(content_type),
        })
    }

    /// The media type, if the headers name that of a manifest or an index.
    pub fn document_type(&self) -> Option<MediaType> {
        let media_type = MediaType::parse(self.content_type.as_deref()?).ok()?;
        matches!(media_type.role(), Role::Index | Role::Manifest).then_some(media_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_fit_without_preflight() {
        assert_eq!([Accept::Oci, Accept::Docker, Accept::All].map(|accept| accept.value().len()), [82, 110, 193]);
        for media_type in Accept::All.value().split(',') {
            let family = Accept::family(&MediaType::parse(media_type).unwrap());
            assert!(family.value().contains(media_type), "{media_type}");
        }
    }

    #[test]
    fn headers_are_advice() {
        let mut headers = HeaderMap::new();
        assert!(read(&headers).is_document());
        headers.insert("docker-content-digest", "nonsense".parse().unwrap());
        headers.insert("content-type", "application/vnd.oci.image.index.v1+json; charset=utf-8".parse().unwrap());
        assert_eq!(read(&headers).digest, None);
        assert!(read(&headers).is_document());
        headers.insert("content-type", "application/vnd.docker.distribution.manifest.v1+prettyjws".parse().unwrap());
        assert!(!read(&headers).is_document());
        for (content_type, is_document) in
            [("text/plain; charset=utf-8", true), ("application/json", true), ("text/html", false)]
        {
            headers.insert("content-type", content_type.parse().unwrap());
            assert_eq!(read(&headers).is_document(), is_document, "{content_type}");
            assert_eq!(read(&headers).document_type(), None, "{content_type}");
        }
    }
}
