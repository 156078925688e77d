//! Upload sessions.

use super::{Answer, Site};
use crate::image::{Blob, Root};
use http::{HeaderMap, Method, header};
use std::collections::BTreeMap;

/// How a registry handles uploads. The default follows the specification, with a state in each `Location` that is valid
/// for one request.
#[derive(Clone, Debug, Default)]
pub struct Uploads {
    /// Minimum length of a chunk in bytes (`OCI-Chunk-Min-Length`). A smaller chunk, except the last, gets 416.
    pub least: Option<u64>,
    /// Maximum length of a chunk in bytes. A larger one gets 416.
    pub most: Option<u64>,
    /// Maximum length of a request body in bytes. A larger one gets 413.
    pub body: Option<u64>,
    /// A `PUT` with a body gets 405.
    pub only_chunks: bool,
    /// `Range` always reports the first chunk only.
    pub stuck: bool,
    /// A mount request starts an upload instead.
    pub no_mount: bool,
    /// Every mount request gets this status.
    pub mount_status: Option<u16>,
    /// Prefix of `Location`. If empty, `Location` is a path without a host.
    pub prefix: String,
    /// Status of an accepted chunk; 0 means 202.
    pub taken: u16,
    /// A `PATCH` gets 405.
    pub only_whole: bool,
    /// Only the last of several chunks is kept.
    pub forgetful: bool,
    /// A broken request ends its session, as in docker-registry.
    pub fragile: bool,
    /// `PUT …/manifests/<digest>?tag=` creates tags and reports them in `OCI-Tag`, except tags with this prefix.
    pub tags_but: Option<&'static str>,
    /// An existing tag cannot be overwritten.
    pub immutable: bool,
}

/// Upload sessions of a site.
#[derive(Clone, Default)]
pub(super) struct Sessions {
    open: BTreeMap<u64, Session>,
    last: u64,
}

#[derive(Clone, Default)]
struct Session {
    repository: String,
    bytes: Vec<u8>,
    /// Length of the first chunk in bytes.
    first: u64,
}

impl Site {
    /// Sets how uploads are handled.
    pub fn uploads(mut self, uploads: Uploads) -> Self {
        self.uploads = uploads;
        self
    }

    /// Drops every open upload.
    pub fn forget_uploads(&mut self) {
        self.sessions.open.clear();
    }

    /// Number of open uploads.
    pub fn open_uploads(&self) -> usize {
        self.sessions.open.len()
    }

    /// Answers `POST …/blobs/uploads/`.
    pub(super) fn start_upload(&mut self, name: &str, query: &str) -> Answer {
        let parameter = |wanted: &str| query.split('&').find_map(|pair| pair.strip_prefix(wanted)?.strip_prefix('='));
        if let (Some(digest), Some(from)) = (parameter("mount"), parameter("from")) {
            if let Some(status) = self.uploads.mount_status {
                return Answer::status(status);
            }
            let blob = self.repositories.get(from).and_then(|content| content.blobs.get(digest)).cloned();
            if let (Some(blob), false) = (blob, self.uploads.no_mount) {
                self.content_mut(name).add_blob(blob);
                let mut answer = Answer::status(201);
                answer.set("location", &format!("/v2/{name}/blobs/{digest}"));
                return answer;
            }
        }
        self.sessions.last += 1;
        let id = self.sessions.last;
        self.sessions.open.insert(id, Session { repository: name.to_owned(), ..Session::default() });
        self.session(id, 202)
    }

    /// Answers a request to a session. `cut`: the connection breaks after this many bytes of the body.
    pub(super) fn upload(
        &mut self,
        method: &Method,
        id: &str,
        query: &str,
        headers: &HeaderMap,
        body: &[u8],
        cut: Option<usize>,
    ) -> Answer {
        let parameter = |wanted: &str| query.split('&').find_map(|pair| pair.strip_prefix(wanted)?.strip_prefix('='));
        let Some((id, session)) = id.parse().ok().and_then(|id| Some((id, self.sessions.open.get_mut(&id)?))) else {
            return Answer::error(404, "BLOB_UPLOAD_UNKNOWN");
        };
        let held = session.bytes.len();
        match *method {
            Method::GET => return self.session(id, 204),
            Method::DELETE => {
                self.sessions.open.remove(&id);
                return Answer::status(204);
            }
            _ if parameter("_state") != Some(held.to_string().as_str()) => {
                return Answer::error(400, "BLOB_UPLOAD_INVALID");
            }
            _ => {}
        }
        let rules = &self.uploads;
        let length = body.len() as u64;
        if rules.body.is_some_and(|most| length > most) {
            return Answer::status(413);
        }
        if *method == Method::PUT && !body.is_empty() && rules.only_chunks
            || *method == Method::PATCH && rules.only_whole
        {
            return Answer::error(405, "UNSUPPORTED");
        }
        if cut.is_some() && rules.fragile {
            self.sessions.open.remove(&id);
            return Answer::status(499);
        }
        let range = headers.get(header::CONTENT_RANGE).map(|value| value.to_str().unwrap_or_default());
        let wrong = range.is_some_and(|range| !range.starts_with(&format!("{held}-")));
        if wrong || *method == Method::PATCH && rules.most.is_some_and(|most| length > most) {
            return self.session(id, 416);
        }
        if *method == Method::PATCH && rules.forgetful {
            session.bytes.fill(0);
        }
        session.bytes.extend_from_slice(&body[..cut.unwrap_or(body.len()).min(body.len())]);
        if session.first == 0 {
            session.first = session.bytes.len() as u64;
        }
        if *method == Method::PATCH {
            return self.session(id, if rules.taken == 0 { 202 } else { rules.taken });
        }
        if cut.is_some() {
            return Answer::status(500);
        }
        let Some(digest) = parameter("digest") else { return Answer::error(400, "DIGEST_INVALID") };
        let blob = Blob::new("application/octet-stream", session.bytes.clone());
        if blob.digest != digest {
            return Answer::error(400, "DIGEST_INVALID");
        }
        let name = session.repository.clone();
        self.sessions.open.remove(&id);
        let mut answer = Answer::status(201);
        answer.set("location", &format!("/v2/{name}/blobs/{digest}"));
        self.content_mut(&name).add_blob(blob);
        answer
    }

    fn session(&self, id: u64, status: u16) -> Answer {
        let mut answer = Answer::status(status);
        let Some(session) = self.sessions.open.get(&id) else { return Answer::status(404) };
        let held = session.bytes.len() as u64;
        let told = if self.uploads.stuck { session.first } else { held };
        answer.set("range", &format!("0-{}", told.saturating_sub(1)));
        let place = format!("{}/v2/{}/blobs/uploads/{id}?_state={held}", self.uploads.prefix, session.repository);
        answer.set("location", &place);
        if let Some(least) = self.uploads.least {
            answer.set("oci-chunk-min-length", &least.to_string());
        }
        answer
    }

    /// Answers `PUT …/manifests/…`. Everything that the manifest names must exist.
    pub(super) fn put_manifest(
        &mut self,
        name: &str,
        target: &str,
        query: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Answer {
        let Ok(document) = serde_json::from_slice::<serde_json::Value>(body) else {
            return Answer::error(400, "MANIFEST_INVALID");
        };
        let Uploads { tags_but, immutable, .. } = self.uploads;
        let content = self.content_mut(name);
        if immutable && content.roots.iter().any(|root| root.name.as_deref() == Some(target)) {
            return Answer::error(400, "TAG_INVALID");
        }
        let lists = ["layers", "manifests"].iter().filter_map(|list| document[*list].as_array()).flatten();
        let named = lists.chain(document.get("config")).filter(|named| named.get("urls").is_none());
        for digest in named.filter_map(|named| named["digest"].as_str()) {
            if !content.blobs.contains_key(digest) {
                return Answer::error(404, "MANIFEST_BLOB_UNKNOWN");
            }
        }
        let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let blob = Blob::new(media_type, body.to_vec());
        if target.contains(':') && blob.digest != target {
            return Answer::error(400, "DIGEST_INVALID");
        }
        let mut answer = Answer::status(201);
        answer.set("docker-content-digest", &blob.digest);
        answer.set("location", &format!("/v2/{name}/manifests/{}", blob.digest));
        content.add_blob(blob.clone());
        let asked = query.split('&').filter_map(|pair| pair.strip_prefix("tag="));
        let asked = asked.filter(|tag| tags_but.is_some_and(|but| !tag.starts_with(but)));
        let tags: Vec<&str> = if target.contains(':') { asked.collect() } else { vec![target] };
        for tag in &tags {
            content.roots.retain(|root| root.name.as_deref() != Some(*tag));
            content.roots.push(Root { name: Some((*tag).to_owned()), blob: blob.clone() });
        }
        if target.contains(':') && !tags.is_empty() {
            answer.set("oci-tag", &tags.join(", "));
        }
        let subject = document["subject"]["digest"].as_str();
        if let (Some(subject), true) = (subject, self.referrers) {
            answer.set("oci-subject", subject);
        }
        answer
    }
}
