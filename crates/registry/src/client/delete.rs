//! Deletes manifests, tags and blobs from a registry, and entries from fallback tags.

use super::{Call, Destination, Registry, read::Fetched};
use crate::{
    endpoint::{
        delete::{self, Decoy, DeleteOutcome},
        manifest, referrers, tags,
    },
    error::{Error, Subject},
    policy::Url,
    scope::Scopes,
    transport::{Environment, Request, Transport},
};
use porthole_core::{
    digest::Digest,
    manifest::{Document, Raw},
    media_type::MediaType,
    reference::Reference,
};

/// The answer of a registry to a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// The registry deleted it.
    Done,
    /// The registry does not delete such things, or nothing at all (405, or 400).
    Unsupported {
        /// The registry's own words.
        message: String,
    },
}

/// How a tag was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untagged {
    /// By its name.
    ByName,
    /// It was moved to a decoy, which was then deleted by its digest.
    WithDecoy,
}

impl<T: Transport + Environment> Registry<T> {
    /// Deletes a manifest by its digest, with every tag that stands for it, or a tag alone; each only if the registry can.
    ///
    /// # Errors
    /// [`Error`]; [`Error::NotFound`] if there is no such manifest, tag or blob.
    pub async fn delete_manifest(&self, reference: &Reference, target: &str) -> Result<Deletion, Error> {
        let call = self.delete_call(reference, target)?;
        let request = delete::manifest(&call.base, reference.repository(), target).map_err(Error::Relay)?;
        self.delete(&call, request).await
    }

    /// Deletes a blob of a repository.
    ///
    /// # Errors
    /// As [`delete_manifest`](Self::delete_manifest).
    pub async fn delete_blob(&self, reference: &Reference, digest: &Digest) -> Result<Deletion, Error> {
        let call = self.delete_call(reference, &digest.to_string())?;
        let request = delete::blob(&call.base, reference.repository(), digest).map_err(Error::Relay)?;
        self.delete(&call, request).await
    }

    async fn delete(&self, call: &Call, request: Request) -> Result<Deletion, Error> {
        let (answer, credentials) = self.request_any(call, request).await?;
        match delete::read(answer.response.status()) {
            DeleteOutcome::Deleted => Ok(Deletion::Done),
            DeleteOutcome::Unsupported => Ok(Deletion::Unsupported { message: self.problem_of(answer).await.message }),
            DeleteOutcome::Failed => self.check(call, answer, credentials).await.map(|_| Deletion::Done),
        }
    }

    /// Deletes a tag, and nothing else: by its name, or where the registry cannot do that, by means of a [`Decoy`].
    /// `before` is the document that the tag stands for: it gets the tag back if the decoy cannot be deleted.
    ///
    /// Whether the registry deletes anything at all is checked before anything is changed.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Status`] of 405 if the registry deletes nothing.
    pub async fn delete_tag(&self, reference: &Reference, tag: &str, before: &Document) -> Result<Untagged, Error> {
        if self.delete_manifest(reference, tag).await? == Deletion::Done {
            return Ok(Untagged::ByName);
        }
        let unique = format!("{} {:016x}", self.transport.now().as_nanos(), self.transport.random());
        let decoy = Decoy::new(before.media_type(), &unique);
        let target = decoy.manifest.digest().to_string();
        match self.delete_manifest(reference, &target).await {
            // The decoy is not pushed yet. Either answer means that the registry supports deletion.
            Ok(Deletion::Done) | Err(Error::NotFound { .. }) => {}
            Ok(Deletion::Unsupported { message }) => return Err(undeletable(reference, tag, message)),
            Err(error) => return Err(error),
        }
        let to = Destination::new(reference.clone());
        for (descriptor, bytes) in &decoy.blobs {
            if !self.has_blob(&to, descriptor).await? {
                self.upload_blob(&to, descriptor, bytes, None, None, &mut |_| {}).await?;
            }
        }
        self.put_manifest(&to, &decoy.manifest, &decoy.media_type, Some(tag)).await?;
        let error = match self.delete_manifest(reference, &target).await {
            Ok(Deletion::Done) => return Ok(Untagged::WithDecoy),
            Ok(Deletion::Unsupported { message }) => undeletable(reference, tag, message),
            Err(error) => error,
        };
        self.put_manifest(&to, before.raw(), before.media_type(), Some(tag)).await?;
        Err(error)
    }

    /// Returns the tags of a repository that stand for a digest, as the registry says (`HEAD`, else `GET`). `None` if
    /// it has more than `most` tags, because each takes a request.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn find_tags(
        &self,
        reference: &Reference,
        digest: &Digest,
        most: usize,
    ) -> Result<Option<Vec<String>>, Error> {
        let call = self.call(reference, "tags", format!("{}/{}", reference.registry(), reference.repository()))?;
        // One page shows whether there are too many.
        let query = format!("n={}", most.saturating_add(1));
        let request = tags::request(&call.base, reference.repository(), &query).map_err(Error::Relay)?;
        let url = Url::parse(&request.uri().to_string()).map_err(Error::Relay)?;
        let Fetched { headers, bytes, host } = self.fetch_bytes(&call, &request, "tags_page_bytes", u64::MAX).await?;
        call.refuse_page(&host, &bytes)?;
        let all = tags::read(&bytes).map_err(|_| call.protocol("expected a JSON object with tags".into()))?;
        if all.len() > most || tags::next(&url, &headers).is_some() {
            return Ok(None);
        }
        let mut found = Vec::new();
        for tag in all {
            let name = format!("{}/{}:{tag}", reference.registry(), reference.repository());
            let Ok(tagged) = name.parse::<Reference>() else { continue };
            match self.fetch_root(&tagged).await {
                Ok(root) if root.digest == *digest => found.push(tag),
                // The tag is gone, or does not stand for a document with a digest.
                Ok(_) | Err(Error::NotFound { .. } | Error::Document { .. } | Error::Contradiction { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(found))
    }

    /// Removes a manifest that was deleted from the fallback tag of its subject. Returns whether it was listed there. A
    /// tag that then lists nothing is deleted if the registry can. Two clients that change the tag at once may undo
    /// each other's change; the specification offers nothing better.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn remove_fallback(
        &self,
        reference: &Reference,
        subject: &Digest,
        referrer: &Digest,
    ) -> Result<bool, Error> {
        let tag = referrers::fallback_tag(subject);
        let call = self.call(reference, "referrers", subject.to_string())?;
        let request = manifest::request(&call.base, reference.repository(), &tag, manifest::Accept::All);
        let before = match self.request(&call, request.map_err(Error::Relay)?).await {
            Ok(answer) => self.read_body(&call, answer.response, "manifest_bytes").await?,
            Err(Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let left = referrers::reduce(&before, referrer);
        let Some(left) = left.map_err(|error| Error::Document { what: call.what.clone(), error })? else {
            return Ok(false);
        };
        if left.is_empty {
            let list = Raw::trust_on_first_use(before).digest().to_string();
            for target in [&tag, &list] {
                if matches!(self.delete_manifest(reference, target).await, Ok(Deletion::Done)) {
                    return Ok(true);
                }
            }
        }
        let raw = Raw::trust_on_first_use(left.index);
        let to = Destination::new(reference.clone());
        self.put_manifest(&to, &raw, &MediaType::OCI_INDEX, Some(&tag)).await?;
        Ok(true)
    }

    fn delete_call(&self, reference: &Reference, target: &str) -> Result<Call, Error> {
        let mut call = self.call(reference, "manifest", target.to_owned())?;
        call.scopes = Scopes::delete(reference.repository());
        Ok(call)
    }
}

/// The error for a registry that deletes nothing.
fn undeletable(reference: &Reference, target: &str, message: String) -> Error {
    let what = Subject::new("manifest", target);
    Error::Status { registry: reference.registry().to_owned(), what, status: 405, message }
}
