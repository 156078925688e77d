//! Writes manifests and tags to a registry.

use super::{
    Call, Registry,
    exchange::{parse, safely},
};
use crate::{
    endpoint::manifest,
    error::{Error, Subject},
    scope::Scopes,
    transport::{Environment, Transport},
};
use http::{HeaderValue, Method, header};
use porthole_core::{digest::Digest, manifest::Raw, media_type::MediaType, reference::Reference};
use std::time::Duration;

/// Destination of a push: a repository, and the name of the image in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Registry, repository and tag.
    pub reference: Reference,
    /// Repositories of the same registry that blobs may be mounted from. One token covers them all.
    pub mount_from: Vec<String>,
}

impl Destination {
    /// A destination without repositories to mount from.
    pub fn new(reference: Reference) -> Self {
        Self { reference, mount_from: Vec::new() }
    }
}

impl<T: Transport + Environment> Registry<T> {
    /// Returns the digest that a tag or digest of a repository stands for, as the registry reports it (`HEAD`). `None`
    /// if there is no such manifest, or the registry reports no digest.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn head_manifest(&self, to: &Destination, target: &str) -> Result<Option<Digest>, Error> {
        let mark = if target.contains(':') { '@' } else { ':' };
        let name = format!("{}/{}{mark}{target}", to.reference.registry(), to.reference.repository());
        let call = self.push_call(to, "manifest", name)?;
        let request = manifest::request(&call.base, to.reference.repository(), target, manifest::Accept::All);
        let mut request = request.map_err(Error::Relay)?;
        *request.method_mut() = Method::HEAD;
        let (answer, credentials) = self.request_any(&call, request).await?;
        match answer.response.status().as_u16() {
            200..=299 => Ok(manifest::read(answer.response.headers()).digest),
            403..=406 | 501 => Ok(None),
            _ => self.check(&call, answer, credentials).await.map(|_| None),
        }
    }

    /// Puts a manifest or an index, byte for byte, under a tag, or under its digest if there is none. Returns whether the registry
    /// says that it knows the manifest's `subject` (`OCI-Subject`).
    ///
    /// An immutable tag that already stands for this manifest counts as put.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Contradiction`] if the registry reports that it has stored something else.
    pub async fn put_manifest(
        &self,
        to: &Destination,
        raw: &Raw,
        media_type: &MediaType,
        tag: Option<&str>,
    ) -> Result<bool, Error> {
        match (self.put(to, raw, media_type, tag, &[], &Condition::None).await, tag) {
            (Ok(put), _) => Ok(put.knows_subject),
            (Err(error), Some(tag)) if is_refusal(&error) => match self.check_tag(to, raw, tag).await {
                Ok(()) => Ok(true),
                Err(_) => Err(error),
            },
            (Err(error), _) => Err(error),
        }
    }

    /// As [`put_manifest`](Self::put_manifest), under several tags: with one request for those that the registry
    /// confirms (`OCI-Tag`, OCI distribution specification after 1.1, end-7b), and one by one for the others.
    ///
    /// # Errors
    /// As [`put_manifest`](Self::put_manifest).
    pub async fn put_tagged(
        &self,
        to: &Destination,
        raw: &Raw,
        media_type: &MediaType,
        tags: &[String],
    ) -> Result<bool, Error> {
        let mut left: Vec<&str> = tags.iter().map(String::as_str).collect();
        let mut knows_subject = false;
        if left.len() != 1 {
            match self.put(to, raw, media_type, None, &left, &Condition::None).await {
                Ok(put) => {
                    knows_subject = put.knows_subject;
                    left.retain(|tag| !put.tags.iter().any(|taken| taken == tag));
                }
                // The registry does not understand the request for several tags.
                Err(error) if is_refusal(&error) && !left.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
        for tag in left {
            knows_subject |= self.put_manifest(to, raw, media_type, Some(tag)).await?;
        }
        Ok(knows_subject)
    }

    pub(super) async fn put(
        &self,
        to: &Destination,
        raw: &Raw,
        media_type: &MediaType,
        tag: Option<&str>,
        tags: &[&str],
        condition: &Condition,
    ) -> Result<Put, Error> {
        let target = tag.map_or_else(|| raw.digest().to_string(), str::to_owned);
        let call = self.push_call(to, "upload of manifest", target.clone())?;
        let request = manifest::put(&call.base, to.reference.repository(), &target, raw, media_type);
        let mut request = safely(request.map_err(Error::Relay)?);
        if !tags.is_empty() {
            let url = parse(&request).map_err(Error::Relay)?.with_query(tags.iter().map(|tag| ("tag", *tag)));
            *request.uri_mut() = url.to_uri().map_err(Error::Relay)?;
        }
        match condition {
            Condition::None => None,
            Condition::Absent => request.headers_mut().insert(header::IF_NONE_MATCH, HeaderValue::from_static("*")),
            Condition::Still(tag) => request.headers_mut().insert(header::IF_MATCH, tag.clone()),
        };
        let mut answer = self.request(&call, request).await?;
        self.refuse_page_for_upload(&call, &mut answer).await?;
        let headers = answer.response.headers();
        match manifest::read(headers).digest {
            // A registry may use another algorithm than the one that named the manifest.
            Some(got) if got.algorithm() == raw.digest().algorithm() && got != *raw.digest() => {
                Err(call.contradiction(*raw.digest(), got))
            }
            _ => {
                let lists = headers.get_all("oci-tag").iter().filter_map(|list| list.to_str().ok());
                let tags = lists.flat_map(|list| list.split(',')).map(|tag| tag.trim().to_owned()).collect();
                Ok(Put { knows_subject: headers.contains_key("oci-subject"), tags })
            }
        }
    }

    /// Reads back what a tag stands for, and compares it with what was put there.
    ///
    /// # Errors
    /// [`Error::Contradiction`] if it is another digest; others if it cannot be read.
    pub async fn check_tag(&self, to: &Destination, raw: &Raw, target: &str) -> Result<(), Error> {
        let call = self.push_call(to, "upload of manifest", target.to_owned())?;
        let got = match self.head_manifest(to, target).await? {
            Some(got) if got.algorithm() == raw.digest().algorithm() => got,
            // No digest in the answer, or one of another algorithm: the bytes decide.
            _ => {
                let request = manifest::request(&call.base, to.reference.repository(), target, manifest::Accept::All);
                let answer = self.request(&call, request.map_err(Error::Relay)?).await?;
                let bytes = self.read_body(&call, answer.response, "manifest_bytes").await?;
                if bytes.is_empty() {
                    return Err(call.protocol("expected a manifest, got no bytes".into()));
                }
                Digest::of(raw.digest().algorithm(), &bytes)
            }
        };
        if got == *raw.digest() { Ok(()) } else { Err(call.contradiction(*raw.digest(), got)) }
    }

    /// Waits until a tag or digest returns the manifest that was put there, at most for `limit`: some registries return
    /// a manifest only seconds after they took it. Returns whether it was seen. A registry that refuses or fails the
    /// read has still taken the manifest.
    ///
    /// # Errors
    /// [`Error::Contradiction`] if other bytes come for the digest, [`Error::Moved`] if the tag names another manifest afterwards.
    pub async fn wait_for_tag(
        &self,
        to: &Destination,
        raw: &Raw,
        target: &str,
        limit: Duration,
    ) -> Result<bool, Error> {
        let mut waited = Duration::ZERO;
        let mut pause = FIRST_PAUSE;
        loop {
            let last = waited >= limit;
            match self.check_tag(to, raw, target).await {
                Ok(()) => return Ok(true),
                Err(error @ Error::Contradiction { .. }) if target.contains(':') => return Err(error),
                Err(Error::Contradiction { registry, expected, got, .. }) if last => {
                    let what = Subject::new("tag", target);
                    return Err(Error::Moved { registry, what, expected, got });
                }
                Err(Error::Contradiction { .. } | Error::NotFound { .. }) if !last => {}
                // Neither will change by waiting, or there is no time left.
                Err(_) => return Ok(false),
            }
            let next = pause.min(limit - waited);
            self.transport.sleep(next).await;
            waited += next;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    pub(super) fn push_call(&self, to: &Destination, step: &'static str, name: String) -> Result<Call, Error> {
        let mut call = self.call(&to.reference, step, name)?;
        let from = to.mount_from.iter().map(|from| Scopes::pull(from));
        call.scopes = from.fold(Scopes::push(to.reference.repository()), |all, from| all.union(&from));
        call.what = Subject::new(step, call.what.name);
        Ok(call)
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What must hold for something to be put.
pub(super) enum Condition {
    None,
    /// Nothing has that name yet.
    Absent,
    /// The name still stands for what had this entity tag.
    Still(HeaderValue),
}

/// What a registry says of a manifest that it took.
pub(super) struct Put {
    knows_subject: bool,
    /// The tags that it confirmed.
    tags: Vec<String>,
}

/// Whether a registry refused what it was sent.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Status { status: 400..=499, .. } | Error::Unauthorized { .. } | Error::NotFound { .. })
}

impl Call {
    pub(super) fn contradiction(&self, expected: Digest, got: Digest) -> Error {
        Error::Contradiction { registry: self.registry.clone(), what: self.what.clone(), expected, got }
    }
}
