//! `layout.localhost`: images from disk, as a registry of their own. Nothing of it leaves this process.

use crate::{
    body::{Body, Pieces},
    headers,
    metrics::Metrics,
    pieces,
    refusal::Refusal,
    route::{Call, Endpoint},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use porthole_core::{
    digest::Digest,
    limits::{Limits, MANIFEST_BYTES},
    reference::Reference,
};
use porthole_source::ReadAt;
use porthole_store::disk::{BlockingReader, block_on};
use porthole_transfer::local::{DiskImages, open_path};
use serde_json::json;
use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::mpsc;

/// The name of the registry that serves layouts and archives.
pub(crate) const REGISTRY: &str = "layout.localhost";

/// Repositories, by name.
#[derive(Default)]
pub(crate) struct Layouts(BTreeMap<String, Arc<Layout>>);

struct Layout {
    images: DiskImages,
    tags: BTreeMap<String, Digest>,
}

impl Layouts {
    /// Opens layouts and archives, each given as `PATH` or `NAME=PATH`. Each is a repository, named like its file where no
    /// name is given.
    ///
    /// # Errors
    /// Names the path that has no images, and why.
    pub(crate) fn open(given: &[PathBuf]) -> Result<Self, String> {
        let mut layouts = BTreeMap::new();
        for given in given {
            let (name, path) = match named(given) {
                Some((name, path)) => (name.to_owned(), path),
                None => (repository(given), given.as_path()),
            };
            let images = open_path(path, None, Limits::default()).map_err(|error| error.to_string())?;
            let mut tags = BTreeMap::new();
            for (name, descriptor) in images.names() {
                tags.entry(tag(name.as_deref())).or_insert(descriptor.digest);
            }
            if layouts.insert(name.clone(), Arc::new(Layout { images, tags })).is_some() {
                let path = path.display();
                return Err(format!("two layouts with the name {name}: `{path}` needs another one, NAME={path}"));
            }
        }
        Ok(Self(layouts))
    }

    /// References to all images.
    pub(crate) fn references(&self) -> Vec<String> {
        let all = self.0.iter().flat_map(|(name, layout)| layout.tags.keys().map(move |tag| (name, tag)));
        all.map(|(name, tag)| format!("{REGISTRY}/{name}:{tag}")).collect()
    }

    /// Answers as a registry would.
    pub(crate) async fn answer(
        &self,
        call: &Call,
        client: &HeaderMap,
        metrics: &Arc<Metrics>,
    ) -> Result<Response<Body>, Refusal> {
        if call.endpoint == Endpoint::Version {
            return Ok(json_answer(json!({})));
        }
        if call.endpoint == Endpoint::Catalog {
            return Ok(json_answer(json!({ "repositories": self.0.keys().collect::<Vec<_>>() })));
        }
        let unknown = || Refusal::not_found("NAME_UNKNOWN", format!("no layout is served as {}", call.repository));
        let layout = Arc::clone(self.0.get(&call.repository).ok_or_else(unknown)?);
        match &call.endpoint {
            Endpoint::Tags => {
                Ok(json_answer(json!({ "name": call.repository, "tags": layout.tags.keys().collect::<Vec<_>>() })))
            }
            Endpoint::Manifest(target) => {
                let digest = target.parse().ok().or_else(|| layout.tags.get(target).copied());
                let unknown = || Refusal::not_found("MANIFEST_UNKNOWN", format!("no manifest {target}"));
                manifest(layout, digest.ok_or_else(unknown)?).await
            }
            Endpoint::Blob(digest) => blob(layout, *digest, client, Arc::clone(metrics)).await,
            Endpoint::Referrers(_) => {
                let mut answer = json_answer(json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }));
                answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(INDEX));
                Ok(answer)
            }
            Endpoint::Version | Endpoint::Catalog | Endpoint::Uploads | Endpoint::Session(_) => Err(unknown()),
        }
    }
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn json_answer(value: serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A whole document. Clients verify it.
async fn manifest(layout: Arc<Layout>, digest: Digest) -> Result<Response<Body>, Refusal> {
    let read = move || {
        let file = block_on(layout.images.open_blob(&digest)).map_err(|error| error.to_string())?;
        if file.size() > MANIFEST_BYTES {
            return Err("it is too large for a manifest".to_owned());
        }
        let mut bytes = Vec::new();
        BlockingReader::new(file, 0).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    };
    let unknown = |reason: String| Refusal::not_found("MANIFEST_UNKNOWN", format!("no manifest {digest}: {reason}"));
    let bytes =
        tokio::task::spawn_blocking(read).await.map_err(|error| unknown(error.to_string()))?.map_err(unknown)?;
    let document: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| unknown(error.to_string()))?;
    let media_type = match document["mediaType"].as_str() {
        Some(media_type) => media_type,
        None if document["manifests"].is_array() => INDEX,
        None => MANIFEST,
    };
    let content_type = headers::safe_content_type(HeaderValue::from_str(media_type).ok().as_ref());
    let mut response = Response::new(Body::from(Bytes::from(bytes)));
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, content_type);
    pieces::identify(answer, &digest);
    Ok(response)
}

/// A blob or a range of it, read as fast as the client takes it.
async fn blob(
    layout: Arc<Layout>,
    digest: Digest,
    client: &HeaderMap,
    metrics: Arc<Metrics>,
) -> Result<Response<Body>, Refusal> {
    let mut response = Response::new(Body::empty());
    let answer = response.headers_mut();
    pieces::identify(answer, &digest);
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answer.insert(header::CONTENT_TYPE, headers::OCTET_STREAM);
    if pieces::is_known(client, &digest) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let current = client.get(header::IF_RANGE).is_none_or(|tag| *tag == *pieces::etag(&digest));
    let range = client.get(header::RANGE).filter(|_| current).and_then(headers::parse_range);

    let unknown = |reason: String| Refusal::not_found("BLOB_UNKNOWN", format!("no blob {digest}: {reason}"));
    let opened = tokio::task::spawn_blocking(move || block_on(layout.images.open_blob(&digest))).await;
    let file = opened.map_err(|error| unknown(error.to_string()))?.map_err(|error| unknown(error.to_string()))?;
    let Some(part) = pieces::select(&mut response, range, file.size()) else { return Ok(response) };
    let (sender, receiver) = mpsc::channel(1);
    let left = part.end - part.start;
    let file = Arc::new(file);
    let read = move |start: u64, length: usize| {
        let mut piece = vec![0; length];
        let read = block_on(file.read_exact_at(start, &mut piece));
        read.map(|()| piece.into()).map_err(|error| error.to_string())
    };
    tokio::spawn(async move {
        pieces::send(read, part, || PIECE, &sender).await;
    });
    *response.body_mut() = Body::File(Pieces { receiver, left, metrics });
    Ok(response)
}

const PIECE: usize = 32 << 10;

/// Splits `NAME=PATH`. A file whose own name has such a form is meant itself.
fn named(given: &Path) -> Option<(&str, &Path)> {
    let (name, path) = given.to_str()?.split_once('=')?;
    let is_name = format!("{REGISTRY}/{name}").parse::<Reference>().is_ok_and(|parsed| parsed.repository() == name);
    (is_name && !given.exists()).then_some((name, Path::new(path)))
}

/// The name of a repository, made from the name of a file as it is given: the name of a link is its own.
fn repository(path: &Path) -> String {
    let path = match path.file_name() {
        Some(_) => path.to_owned(),
        // `.` or `..`
        None => path.canonicalize().unwrap_or_else(|_| path.to_owned()),
    };
    let stem = if path.is_dir() { path.file_name() } else { path.file_stem() };
    let stem = stem.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    // Of `app.tar.gz` the compression is cut off already.
    let stem = stem.strip_suffix(".tar").filter(|_| !path.is_dir()).unwrap_or(&stem);
    let parts = stem.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join("-");
    if name.is_empty() { "image".to_owned() } else { name }
}

/// The tag in a name that an archive gives its image: `1.0`, or the end of `registry/name:1.0`.
fn tag(name: Option<&str>) -> String {
    let tag = name.map_or("", |name| name.rsplit_once(':').map_or(name, |(_, tag)| tag));
    let first = tag.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let rest = tag.len() <= 128 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if first && rest { tag.to_owned() } else { "latest".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_may_be_given_a_name() {
        assert_eq!(named(Path::new("team/app=/x/y=z")), Some(("team/app", Path::new("/x/y=z"))));
        for path in ["/x/y=z", "./a=b", "A=b", "=b", "app"] {
            assert_eq!(named(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn names_of_files_and_tags() {
        assert_eq!(repository(Path::new("/x/My Image_v1.tar")), "my-image-v1");
        assert_eq!(repository(Path::new("/x/é.tar")), "image");
        assert_eq!(repository(Path::new("/x/app.tar.gz")), "app");
        assert_eq!(repository(Path::new("..")), repository(&Path::new("..").canonicalize().unwrap()));
        assert_eq!(tag(None), "latest");
        assert_eq!(tag(Some("1.0")), "1.0");
        assert_eq!(tag(Some("docker.io/library/nginx:1.29")), "1.29");
        assert_eq!(tag(Some("docker.io/library/nginx")), "latest");
    }
}
