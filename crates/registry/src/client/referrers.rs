//! The referrers of a manifest: read from the API or the fallback tag, and written to the tag of a registry without the API.

use super::{
    Call, Destination, Registry,
    exchange::{Answer, Repeat},
    write::Condition,
};
use crate::{
    endpoint::{manifest, referrers, tags},
    error::{Error, Subject},
    policy::{RefusedUrl, Url},
    transport::{Environment, ErrorKind, Request, Transport},
};
use http::header;
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    limits::DESCRIPTORS,
    manifest::{Document, Raw},
    media_type::MediaType,
    reference::Reference,
};
use std::{collections::HashSet, time::Duration};

/// The referrers of a digest, as a registry lists them.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Descriptors as they are listed.
    pub referrers: Vec<Descriptor>,
    /// Which of the two ways listed them.
    pub by: By,
}

/// What lists the referrers of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The referrers API.
    Api,
    /// The fallback tag, because the registry has no such API. If the tag does not exist, nothing is listed.
    Tag,
}

impl<T: Transport + Environment> Registry<T> {
    /// Lists the manifests and indexes whose `subject` is a digest: by the API of the registry, else by the fallback
    /// tag. Empty if there is neither. The list is a claim: the documents show whether they refer to the digest.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn fetch_referrers(&self, reference: &Reference, digest: &Digest) -> Result<Vec<Descriptor>, Error> {
        Ok(self.list_referrers(reference, digest, None).await?.referrers)
    }

    /// As [`fetch_referrers`](Self::fetch_referrers), and returns how they were found. With `artifact_type`, referrers
    /// of other types are left out, by the registry if it can. Those without a type in the list are kept.
    ///
    /// A redirect to anything but a list of referrers is not an answer of the API: some registries lead to a page of their web site.
    ///
    /// # Errors
    /// [`Error`]; [`Error::NotFound`] if the registry has no such repository.
    pub async fn list_referrers(
        &self,
        reference: &Reference,
        digest: &Digest,
        artifact_type: Option<&MediaType>,
    ) -> Result<Listed, Error> {
        let call = self.call(reference, "referrers", digest.to_string())?;
        let fits = |entry: &Descriptor| match (artifact_type, &entry.artifact_type) {
            (Some(wanted), Some(got)) => got.matches(wanted),
            _ => true,
        };
        let mut listed = Listed { referrers: Vec::new(), by: By::Api };
        let mut seen = HashSet::new();
        let mut query = artifact_type.map(referrers::filter).unwrap_or_default();
        for _ in 0..self.options.limits.pages {
            let refused =
                |error: RefusedUrl| Error::Policy { registry: call.registry.clone(), role: "next page", error };
            let request = referrers::request(&call.base, reference.repository(), digest, &query);
            let request = request.map_err(|error| refused(error.into()))?;
            let url = Url::parse(&request.uri().to_string()).map_err(|error| refused(error.into()))?;
            let asked = self.ask_for_referrers(&call, &url, request).await?;
            let Asked::Answer { answer, credentials } = asked else {
                return self.list_fallback(reference, digest, fits).await;
            };
            let (status, headers) = (answer.response.status(), answer.response.headers().clone());
            if !referrers::is_supported(status, &headers) {
                match status.as_u16() {
                    404 => {
                        // About the repository, not about the API.
                        if self.problem_of(answer).await.code.as_deref() == Some("NAME_UNKNOWN") {
                            let name = format!("{}/{}", reference.registry(), reference.repository());
                            let what = Subject::new("repository", name);
                            return Err(Error::NotFound { registry: call.registry, what, host: None });
                        }
                    }
                    // Some registries answer what they do not know with a page of their own.
                    200..=299 | 400 | 405 | 406 => {}
                    _ => return self.check(&call, answer, credentials).await.map(|_| listed),
                }
                return self.list_fallback(reference, digest, fits).await;
            }
            let body = self.read_body(&call, answer.response, MANIFEST_BYTES).await?;
            let mut page = referrers::read(body).map_err(|error| Error::Document { what: call.what.clone(), error })?;
            if !referrers::is_filtered(&headers) {
                page.retain(fits);
            }
            listed.referrers.extend(page);
            if listed.referrers.len() > DESCRIPTORS {
                return Err(call.protocol(format!("expected at most {DESCRIPTORS} referrers")));
            }
            query = match tags::next(&url, &headers) {
                None => return Ok(listed),
                Some(Ok(query)) => query,
                Some(Err(error)) => return Err(refused(error)),
            };
            if query.is_empty() || !seen.insert(query.clone()) {
                return Err(call.protocol("expected another page of referrers, got one that was read before".into()));
            }
        }
        Err(Error::TooManyPages { what: call.what, limit: self.options.limits.pages })
    }

    /// Sends the request once, and again only if the answer is the API's own. A redirect that does not lead to a list
    /// is not: it is not tried again, even if the page at its end asks for patience.
    async fn ask_for_referrers(&self, call: &Call, url: &Url, request: Request) -> Result<Asked<T::Body>, Error> {
        let mut once = request.clone();
        once.extensions_mut().insert(Repeat::Never);
        match self.request_any_within(call, once, &mut self.budget().brief(PATIENCE)).await {
            Ok((answer, credentials)) => {
                let is_list = referrers::is_supported(answer.response.status(), answer.response.headers());
                if answer.url != *url && !is_list {
                    return Ok(Asked::Page);
                }
                if !self.failure_of(&answer).is_retryable() {
                    return Ok(Asked::Answer { answer, credentials });
                }
            }
            Err(Error::Policy { role: "redirect", .. } | Error::RedirectLoop { .. }) => return Ok(Asked::Page),
            // Registries without the API send no CORS headers with their 404, whatever they send with manifests: a page cannot read it.
            Err(Error::Transport { error, .. }) if error.kind == ErrorKind::Cors => return Ok(Asked::Page),
            Err(Error::Transport { error, .. }) if error.kind.retryable() => {}
            Err(error) => return Err(error),
        }
        let (answer, credentials) = self.request_any_within(call, request, &mut self.budget().brief(PATIENCE)).await?;
        Ok(Asked::Answer { answer, credentials })
    }

    async fn list_fallback(
        &self,
        reference: &Reference,
        digest: &Digest,
        fits: impl Fn(&Descriptor) -> bool,
    ) -> Result<Listed, Error> {
        let mut referrers = self.fetch_fallback(reference, digest).await?;
        referrers.retain(fits);
        Ok(Listed { referrers, by: By::Tag })
    }

    /// Returns what the fallback tag lists. A tag that stands for the digest itself (GitLab resolves `sha256-…` so) or
    /// for anything but an index lists nothing.
    async fn fetch_fallback(&self, reference: &Reference, digest: &Digest) -> Result<Vec<Descriptor>, Error> {
        let call = self.call(reference, "referrers", digest.to_string())?;
        let tag = referrers::fallback_tag(digest);
        let request = manifest::request(&call.base, reference.repository(), &tag, manifest::Accept::All);
        let mut budget = self.budget().brief(PATIENCE);
        match self.request_within(&call, request.map_err(Error::Relay)?, &mut budget).await {
            Ok(answer) => {
                let body = self.read_body(&call, answer.response, MANIFEST_BYTES).await?;
                if Digest::of(digest.algorithm(), &body) == *digest {
                    return Ok(Vec::new());
                }
                Ok(referrers::read(body).unwrap_or_default())
            }
            Err(Error::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Adds a manifest that was put to the fallback tag of its subject, for a registry that did not confirm that it
    /// knows subjects.
    ///
    /// Of two clients that do so at once, one could overwrite the change of the other. If the registry sends entity
    /// tags, a condition prevents that. Otherwise the list is read back, and extended once more if another list is in
    /// its place.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_fallback(&self, to: &Destination, subject: &Digest, referrer: &Document) -> Result<(), Error> {
        let tag = referrers::fallback_tag(subject);
        let call = self.push_call(to, "upload of manifest", tag.clone())?;
        for turn in 1..=TURNS {
            let request = manifest::request(&call.base, to.reference.repository(), &tag, manifest::Accept::All);
            let (before, condition) = match self.request(&call, request.map_err(Error::Relay)?).await {
                Ok(answer) => {
                    let known = answer.response.headers().get(header::ETAG).cloned();
                    let body = self.read_body(&call, answer.response, MANIFEST_BYTES).await?;
                    if Digest::of(subject.algorithm(), &body) == *subject {
                        // There is no such tag; the registry takes its name for the digest.
                        (None, Condition::None)
                    } else {
                        (Some(body), known.map_or(Condition::None, Condition::Still))
                    }
                }
                Err(Error::NotFound { .. }) => (None, Condition::Absent),
                Err(error) => return Err(error),
            };
            let after = referrers::extend(before.as_deref(), referrer)
                .map_err(|error| Error::Document { what: call.what.clone(), error })?;
            let Some(after) = after else { return Ok(()) };
            let raw = Raw::trust_on_first_use(after);
            // A registry may interpret these fields in another way: the last try goes without them.
            let condition = if turn < TURNS { condition } else { Condition::None };
            match self.put(to, &raw, &MediaType::OCI_INDEX, Some(&tag), &[], &condition).await {
                Ok(_) => {}
                Err(Error::Status { status: 412 | 428, .. }) if turn < TURNS => continue,
                Err(error) => return Err(error),
            }
            // Without a digest in the answer, nothing more can be known.
            if self.head_manifest(to, &tag).await?.is_none_or(|there| there == *raw.digest()) {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The result of a request to the referrers API.
enum Asked<B> {
    Answer {
        answer: Answer<B>,
        credentials: bool,
    },
    /// A redirect led to something else.
    Page,
}

/// How long the reader of an image waits for its referrers.
const PATIENCE: Duration = Duration::from_secs(10);
/// Name of the limit of a list of referrers, which is that of every index.
const MANIFEST_BYTES: &str = "manifest_bytes";
/// Most tries to extend a list that other clients extend as well.
const TURNS: u32 = 4;
