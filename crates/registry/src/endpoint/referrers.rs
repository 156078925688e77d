//! `GET /v2/<name>/referrers/<digest>`, and the tag that stands in for it (OCI distribution specification 1.1, "Listing Referrers" and
//! "Referrers Tag Schema").

use super::Base;
use crate::{
    policy::{Url, UrlError},
    transport::Request,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    manifest::{self, Document, Raw},
    media_type::MediaType,
};
use serde_json::{Map, Value, json};

/// Asks for a page of referrers. `query` is that of the `Link` before, or empty for the first page.
///
/// # Errors
/// A URL too long for an HTTP client, or a malformed query.
pub fn request(base: &Base, repository: &str, digest: &Digest, query: &str) -> Result<Request, UrlError> {
    let mut request = Request::default();
    *request.uri_mut() = super::page(&base.api(&format!("{repository}/referrers/{digest}")), query)?.to_uri()?;
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(INDEX));
    Ok(request)
}

/// The query that asks for referrers of one type only. A registry may ignore it, see [`is_filtered`].
pub fn filter(artifact_type: &MediaType) -> String {
    let url = Url::parse("https://filter/").map(|url| url.with_query([("artifactType", artifact_type.as_str())]));
    url.ok().and_then(|url| url.split_target().1.map(str::to_owned)).unwrap_or_default()
}

/// Whether a page holds no more than what [`filter`] asked for (`OCI-Filters-Applied`).
pub fn is_filtered(headers: &HeaderMap) -> bool {
    let applied = headers.get_all("oci-filters-applied").iter().filter_map(|value| value.to_str().ok());
    applied.flat_map(|value| value.split(',')).any(|filter| filter.trim().eq_ignore_ascii_case("artifactType"))
}

/// Whether an answer comes from the referrers API. If not, [`fallback_tag`] may list the referrers.
pub fn is_supported(status: StatusCode, headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_index = content_type
        .is_some_and(|text| MediaType::parse(text).is_ok_and(|media_type| media_type.matches(&MediaType::OCI_INDEX)));
    status == StatusCode::OK && is_index
}

/// Reads a page, or the index behind the fallback tag. `"manifests": null` is an empty list, as some registries write it.
///
/// # Errors
/// It is not an index.
pub fn read(body: Vec<u8>) -> Result<Vec<Descriptor>, manifest::Error> {
    if lists_null(&body) {
        return Ok(Vec::new());
    }
    match Document::parse(Raw::trust_on_first_use(body), Some(INDEX))? {
        Document::Index(index) => Ok(index.value.manifests),
        Document::Manifest(manifest) => Err(manifest::Error::MediaType { got: manifest.media_type.to_string() }),
    }
}

fn lists_null(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|index| index.get("manifests").is_some_and(Value::is_null))
}

/// The tag whose index lists the referrers of a digest, where the API is missing: algorithm and encoded digest, cut to 32 and 64
/// characters.
pub fn fallback_tag(digest: &Digest) -> String {
    let cut = |text: String, length: usize| text.chars().take(length).collect::<String>();
    format!("{}-{}", cut(digest.algorithm().name().to_owned(), 32), cut(digest.hex(), 64))
}

/// Adds a referrer to the index of a fallback tag; `None` if the index lists it already. Everything else in the index
/// is kept.
///
/// # Errors
/// The existing document is not an index.
pub fn extend(index: Option<&[u8]>, referrer: &Document) -> Result<Option<Vec<u8>>, manifest::Error> {
    let digest = referrer.raw().digest();
    let mut index = match index {
        None => json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }),
        Some(bytes) => {
            if read(bytes.to_vec())?.iter().any(|entry| entry.digest == *digest) {
                return Ok(None);
            }
            // It is an index, so it is JSON with a list of manifests.
            serde_json::from_slice(bytes).unwrap_or_default()
        }
    };
    let (artifact_type, annotations) = match referrer {
        // A manifest without a type of its own is of the type of its config.
        Document::Manifest(manifest) => {
            let own = manifest.value.artifact_type.as_ref().unwrap_or(&manifest.value.config.media_type);
            (Some(own), &manifest.value.annotations)
        }
        Document::Index(index) => (index.value.artifact_type.as_ref(), &index.value.annotations),
    };
    let mut entry = Map::new();
    entry.insert("mediaType".into(), referrer.media_type().as_str().into());
    entry.insert("digest".into(), digest.to_string().into());
    entry.insert("size".into(), referrer.raw().size().into());
    if let Some(artifact_type) = artifact_type {
        entry.insert("artifactType".into(), artifact_type.as_str().into());
    }
    if !annotations.is_empty() {
        entry.insert("annotations".into(), json!(annotations));
    }
    if let Some(manifests) = index.get_mut("manifests") {
        if manifests.is_null() {
            *manifests = json!([]);
        }
        if let Some(manifests) = manifests.as_array_mut() {
            manifests.push(Value::Object(entry));
        }
    }
    Ok(Some(index.to_string().into_bytes()))
}

/// The index of a fallback tag, after an entry was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reduced {
    /// The index without the entry.
    pub index: Vec<u8>,
    /// Whether it lists nothing any more.
    pub is_empty: bool,
}

/// Removes a referrer from the index of a fallback tag; `None` if the index does not list it. Everything else in the
/// index is kept.
///
/// # Errors
/// It is not an index.
pub fn reduce(index: &[u8], referrer: &Digest) -> Result<Option<Reduced>, manifest::Error> {
    if read(index.to_vec())?.iter().all(|entry| entry.digest != *referrer) {
        return Ok(None);
    }
    // It is an index, so it is JSON with a list of manifests.
    let mut index: Value = serde_json::from_slice(index).unwrap_or_default();
    let mut is_empty = true;
    if let Some(manifests) = index.get_mut("manifests").and_then(Value::as_array_mut) {
        let digest = referrer.to_string();
        manifests.retain(|entry| entry.get("digest").and_then(Value::as_str) != Some(digest.as_str()));
        is_empty = manifests.is_empty();
    }
    Ok(Some(Reduced { index: index.to_string().into_bytes(), is_empty }))
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"mediaType":"application/vnd.example.thing","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}"#;

    fn manifest(more: &str) -> Document {
        let text = format!(r#"{{"schemaVersion":2,"config":{CONFIG},"layers":[{CONFIG}]{more}}}"#);
        Document::parse(Raw::trust_on_first_use(text.into_bytes()), None).unwrap()
    }

    #[test]
    fn requests() {
        let base = Base::direct("r.example.com", false).unwrap();
        let digest = Digest::sha256(b"");
        let url = |query| request(&base, "a/b", &digest, query).unwrap().uri().to_string();
        assert_eq!(url(""), format!("https://r.example.com/v2/a/b/referrers/{digest}"));
        assert_eq!(url("last=x"), format!("https://r.example.com/v2/a/b/referrers/{digest}?last=x"));
        assert_eq!(fallback_tag(&digest), format!("sha256-{}", digest.hex()));
        let long = Digest::of(porthole_core::digest::Algorithm::Sha512, b"");
        assert_eq!(fallback_tag(&long), format!("sha512-{}", &long.hex()[..64]));
    }

    #[test]
    fn filters() {
        let wanted = MediaType::parse("application/spdx+json").unwrap();
        assert_eq!(filter(&wanted), "artifactType=application/spdx%2Bjson");
        for (value, expected) in
            [("artifactType", true), ("x, ARTIFACTTYPE", true), ("artifactTypes", false), ("", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert("oci-filters-applied", value.parse().unwrap());
            assert_eq!(is_filtered(&headers), expected, "{value}");
        }
        assert!(!is_filtered(&HeaderMap::new()));
    }

    #[test]
    fn answers_of_the_api() {
        for (status, content_type, expected) in [
            (200, "application/vnd.oci.image.index.v1+json", true),
            (200, "Application/vnd.OCI.image.index.v1+json; charset=utf-8", true),
            (200, "text/html", false),
            (404, "application/vnd.oci.image.index.v1+json", false),
            (400, "application/json", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
            assert_eq!(is_supported(StatusCode::from_u16(status).unwrap(), &headers), expected, "{content_type}");
        }
        assert!(!is_supported(StatusCode::OK, &HeaderMap::new()));
        assert!(read(manifest("").raw().bytes().to_vec()).is_err());
        assert!(read(b"{}".to_vec()).is_err());
    }

    #[test]
    fn fallback_indexes_grow() {
        let first = manifest(r#","artifactType":"application/x.signature","annotations":{"a":"b"}"#);
        let second = manifest("");
        let one = extend(None, &first).unwrap().unwrap();
        let entries = read(one.clone()).unwrap();
        assert_eq!(entries[0].digest, *first.raw().digest());
        assert_eq!(entries[0].artifact_type.as_ref().unwrap().as_str(), "application/x.signature");
        assert_eq!(entries[0].annotations["a"], "b");
        let two = extend(Some(&one), &second).unwrap().unwrap();
        let entries = read(two.clone()).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1].artifact_type.as_ref().unwrap().as_str(), "application/vnd.example.thing");
        assert_eq!(extend(Some(&two), &first), Ok(None), "it is listed");
        let with_more = String::from_utf8(two).unwrap().replacen('{', r#"{"annotations":{"kept":"yes"},"#, 1);
        let three = extend(Some(with_more.as_bytes()), &manifest(r#","annotations":{}"#)).unwrap().unwrap();
        assert!(String::from_utf8(three.clone()).unwrap().contains(r#""kept":"yes""#));
        assert!(extend(Some(b"{}"), &first).is_err());
        // And shrink.
        let left = reduce(&three, second.raw().digest()).unwrap().unwrap();
        assert_eq!(read(left.index.clone()).unwrap().len(), 2);
        assert!(String::from_utf8(left.index.clone()).unwrap().contains(r#""kept":"yes""#));
        assert!(!left.is_empty);
        assert_eq!(reduce(&left.index, second.raw().digest()), Ok(None), "it is not listed");
        let left = reduce(&one, first.raw().digest()).unwrap().unwrap();
        assert!(left.is_empty && read(left.index).unwrap().is_empty());
        assert!(reduce(b"{}", first.raw().digest()).is_err());
    }
}
