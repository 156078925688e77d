//! Responses of an in-memory registry.

mod discovery;
mod upload;

pub use discovery::Deletes;
pub use upload::Uploads;

use crate::image::{Blob, Content};
use discovery::Discovery;
use http::{HeaderMap, Method, StatusCode, header};
use std::collections::BTreeMap;
use upload::Sessions;

/// One host: a registry, a token server, or both.
#[derive(Clone, Default)]
pub struct Site {
    pub(super) repositories: BTreeMap<String, Content>,
    uploads: Uploads,
    sessions: Sessions,
    referrers: bool,
    discovery: Discovery,
    page: Option<usize>,
    auth: Auth,
    negotiation: Negotiation,
    no_digest_header: bool,
}

/// Authentication that a registry requires.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// No authentication.
    #[default]
    None,
    /// Basic authentication with this `user:password`.
    Basic(&'static str),
    /// A Bearer token.
    Bearer {
        /// Value of the `WWW-Authenticate` header, see [`bearer`].
        challenge: String,
        /// `user:password` that `/token` on this host requires; `None` issues tokens to all clients.
        account: Option<&'static str>,
    },
}

/// A Bearer challenge. The scope of each request is appended to it.
pub fn bearer(realm: &str, service: &str) -> String {
    format!(r#"Bearer realm="{realm}",service="{service}""#)
}

/// How a registry treats `Accept`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Negotiation {
    /// Ignores it.
    #[default]
    Ignored,
    /// Returns 404 for an OCI document that `Accept` does not list, and converts a Docker manifest to schema 1.
    Strict,
}

impl Site {
    /// An empty registry without authentication.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a repository. The roots of the content are its tags.
    pub fn repository(mut self, name: &str, content: Content) -> Self {
        self.repositories.insert(name.to_owned(), content);
        self
    }

    /// Sets the authentication.
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Sets the content negotiation.
    pub fn negotiation(mut self, negotiation: Negotiation) -> Self {
        self.negotiation = negotiation;
        self
    }

    /// Sets the page size of tags, repositories and referrers.
    pub fn page(mut self, most: usize) -> Self {
        self.page = Some(most);
        self
    }

    /// Omits `Docker-Content-Digest`.
    pub fn without_digest_header(mut self) -> Self {
        self.no_digest_header = true;
        self
    }

    /// Serves the referrers API.
    pub fn with_referrers(mut self) -> Self {
        self.referrers = true;
        self
    }

    /// The content of a repository, if it exists.
    pub fn content(&self, name: &str) -> Option<&Content> {
        self.repositories.get(name)
    }

    /// Mutable content of a repository.
    pub fn content_mut(&mut self, name: &str) -> &mut Content {
        self.repositories.entry(name.to_owned()).or_default()
    }

    /// Answers a request.
    pub(super) fn answer(&mut self, asked: &Question<'_>) -> Answer {
        let Question { method, target, headers, body, token, known, cut } = *asked;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if path.ends_with("/token") {
            return self.token(method, authorization, token);
        }
        if path == "/v2/" {
            return if known || self.admits(authorization) { Answer::status(200) } else { self.challenge("", method) };
        }
        if path == "/v2/_catalog" {
            let admitted = known || self.admits(authorization);
            return if admitted { self.list_repositories(query) } else { self.challenge_for("registry:catalog:*") };
        }
        let Some((name, what)) = path.find("/v2/").and_then(|at| split(&path[at + 4..])) else {
            return Answer::status(404);
        };
        if !known && !self.admits(authorization) {
            return self.challenge(name, method);
        }
        match what {
            What::Upload("") if method == Method::POST => return self.start_upload(name, query),
            What::Upload(id) => return self.upload(method, id, query, headers, body, cut),
            What::Manifest(target) if method == Method::PUT => {
                return self.put_manifest(name, target, query, headers, body);
            }
            What::Referrers(digest) => return self.list_referrers(name, digest, query),
            What::Manifest(target) | What::Blob(target) if method == Method::DELETE => {
                return self.delete(name, target);
            }
            _ => {}
        }
        let Some(content) = self.repositories.get(name) else { return Answer::error(404, "NAME_UNKNOWN") };
        match what {
            What::Manifest(target) => self.manifest(content, target, headers),
            What::Blob(digest) => match content.blobs.get(digest) {
                Some(blob) => Answer::range(&blob.bytes, headers),
                None => Answer::error(404, "BLOB_UNKNOWN"),
            },
            What::Tags => self.tags(name, content, query),
            What::Upload(_) | What::Referrers(_) => Answer::status(405),
        }
    }

    fn admits(&self, authorization: Option<&str>) -> bool {
        match &self.auth {
            Auth::None => true,
            Auth::Basic(account) => authorization == Some(basic(account).as_str()),
            Auth::Bearer { .. } => authorization.is_some_and(|value| value.starts_with("Bearer token-")),
        }
    }

    fn challenge(&self, name: &str, method: &Method) -> Answer {
        let actions = match *method {
            Method::GET | Method::HEAD => "pull",
            Method::DELETE => "delete",
            _ => "pull,push",
        };
        self.challenge_for(&format!("repository:{name}:{actions}"))
    }

    fn challenge_for(&self, scope: &str) -> Answer {
        let challenge = match &self.auth {
            Auth::Bearer { challenge, .. } => format!(r#"{challenge},scope="{scope}""#),
            _ => r#"Basic realm="registry""#.to_owned(),
        };
        let mut answer = Answer::error(401, "UNAUTHORIZED");
        answer.set("www-authenticate", &challenge);
        answer
    }

    fn token(&self, method: &Method, authorization: Option<&str>, token: u64) -> Answer {
        let Auth::Bearer { account, .. } = &self.auth else { return Answer::status(404) };
        if method == Method::POST {
            return Answer::status(404);
        }
        match account {
            Some(account) if authorization != Some(basic(account).as_str()) => Answer::error(401, "UNAUTHORIZED"),
            _ => Answer::json(200, &format!(r#"{{"token":"token-{token}","expires_in":300}}"#)),
        }
    }

    fn manifest(&self, content: &Content, target: &str, headers: &HeaderMap) -> Answer {
        let named = content.roots.iter().find(|root| root.name.as_deref() == Some(target)).map(|root| &root.blob);
        let Some(blob) = named.or_else(|| content.blobs.get(target)) else {
            return Answer::error(404, "MANIFEST_UNKNOWN");
        };
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if self.negotiation == Negotiation::Strict && !accept.contains(&blob.media_type) {
            if blob.media_type.contains("oci") {
                return Answer::error(404, "MANIFEST_UNKNOWN");
            }
            if named.is_some() {
                let converted = br#"{"schemaVersion":1,"fsLayers":[],"signatures":[]}"#.to_vec();
                // Like Docker's reference implementation: the digest is that of the manifest without signatures.
                return self.document(&Blob { digest: blob.digest.clone(), ..Blob::new(SCHEMA_1, converted) });
            }
        }
        self.document(blob)
    }

    fn document(&self, blob: &Blob) -> Answer {
        let mut answer = Answer { status: StatusCode::OK, headers: HeaderMap::new(), body: blob.bytes.clone() };
        answer.set("content-type", &blob.media_type);
        if !self.no_digest_header {
            answer.set("docker-content-digest", &blob.digest);
        }
        answer
    }

    fn tags(&self, name: &str, content: &Content, query: &str) -> Answer {
        let mut tags: Vec<&str> = content.roots.iter().filter_map(|root| root.name.as_deref()).collect();
        tags.sort_unstable();
        let last = query.split('&').find_map(|pair| pair.strip_prefix("last=")).unwrap_or_default();
        let rest: Vec<&str> = tags.iter().copied().filter(|tag| *tag > last).collect();
        let page: Vec<&str> = rest.iter().copied().take(self.page.unwrap_or(usize::MAX)).collect();
        let body = serde_json::json!({ "name": name, "tags": if page.is_empty() { None } else { Some(&page) } });
        let mut answer = Answer::json(200, &body.to_string());
        if page.len() < rest.len()
            && let Some(last) = page.last()
        {
            answer.set("link", &format!(r#"</v2/{name}/tags/list?last={last}>; rel="next""#));
        }
        answer
    }
}

/// A request to a site.
#[derive(Clone, Copy)]
pub(super) struct Question<'q> {
    pub(super) method: &'q Method,
    pub(super) target: &'q str,
    pub(super) headers: &'q HeaderMap,
    pub(super) body: &'q [u8],
    /// Number of the next token to issue.
    pub(super) token: u64,
    /// The request needs no authorization, because it went to an alias of the site.
    pub(super) known: bool,
    /// The connection breaks after this many bytes of the body.
    pub(super) cut: Option<usize>,
}

#[derive(Clone, Copy)]
enum What<'p> {
    Manifest(&'p str),
    Blob(&'p str),
    Tags,
    /// An upload session; empty for a new one.
    Upload(&'p str),
    Referrers(&'p str),
}

/// Splits a path after `/v2/` into repository name and endpoint.
fn split(path: &str) -> Option<(&str, What<'_>)> {
    if let Some(name) = path.strip_suffix("/tags/list") {
        return Some((name, What::Tags));
    }
    if let Some((name, id)) = path.split_once("/blobs/uploads/") {
        return Some((name, What::Upload(id)));
    }
    if let Some((name, digest)) = path.split_once("/referrers/") {
        return Some((name, What::Referrers(digest)));
    }
    if let Some((name, digest)) = path.split_once("/blobs/") {
        return Some((name, What::Blob(digest)));
    }
    path.split_once("/manifests/").map(|(name, target)| (name, What::Manifest(target)))
}

/// A complete response.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a test names a valid status");
        Self { status, headers: HeaderMap::new(), body: Vec::new() }
    }

    pub(super) fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(name, value.parse().expect("a test names a valid header value"));
    }

    pub(super) fn json(status: u16, body: &str) -> Self {
        let mut answer = Self::status(status);
        answer.body = body.as_bytes().to_vec();
        answer
    }

    pub(super) fn error(status: u16, code: &str) -> Self {
        Self::json(status, &format!(r#"{{"errors":[{{"code":"{code}","message":"says the registry"}}]}}"#))
    }

    fn range(bytes: &[u8], headers: &HeaderMap) -> Self {
        let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
        let bounds = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let start = bounds.and_then(|(start, _)| start.parse::<usize>().ok());
        let last = bounds.and_then(|(_, last)| last.parse::<usize>().ok()).unwrap_or(usize::MAX);
        let mut answer = Self::status(200);
        match start {
            Some(start) if start < bytes.len() => {
                let last = last.min(bytes.len() - 1);
                answer = Self::status(206);
                answer.set("content-range", &format!("bytes {start}-{last}/{}", bytes.len()));
                answer.body = bytes[start..=last].to_vec();
            }
            Some(_) => return Self::status(416),
            None => answer.body = bytes.to_vec(),
        }
        answer
    }
}

/// `Basic …` for `user:password`.
pub(super) fn basic(account: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("Basic ");
    for group in account.as_bytes().chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
