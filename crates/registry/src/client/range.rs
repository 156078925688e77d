//! Blobs and ranges of blobs, as a client asks for them.

use super::{Call, Registry, exchange::Repeat};
use crate::{
    auth::lock,
    endpoint::blob,
    error::{Error, Subject},
    policy::Url,
    resume::{BlobRequester, ResumedBlob, Wanted},
    retry::{Budget, TryFailure},
    trace::Reason,
    transport::{Brief, Environment, Redirects, Transport},
};
use http::Response;
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    limits::Limits,
    media_type::{Compression, Role},
    reference::Reference,
};
use std::{
    collections::HashMap,
    ops::{Deref, Range},
    sync::Mutex,
};

/// A range of a blob of a registry. Broken transfers are resumed.
pub type BlobRange<C, T> = ResumedBlob<ClientBlob<C, T>>;

/// Requests the bytes of a blob through a client.
pub struct ClientBlob<C, T> {
    registry: C,
    call: Call,
    repository: String,
    descriptor: Descriptor,
    /// `host[:port]` that sent the last answer.
    host: String,
    transport: std::marker::PhantomData<T>,
}

impl<T: Transport + Environment> Registry<T> {
    /// Opens a range of a blob: bytes `range.start` to before `range.end`. An empty range sends no request.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Protocol`] for a range beyond the descriptor's size, a `Content-Encoding`, or another range than was asked
    /// for, [`Error::OutOfRange`] for 416: these two only of a registry that does not send the whole blob either.
    pub async fn fetch_blob_range(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
        range: Range<u64>,
    ) -> Result<BlobRange<&Self, T>, Error> {
        ClientBlob::part(self, reference, descriptor, range).await
    }
}

impl<C, T> ClientBlob<C, T>
where
    C: Deref<Target = Registry<T>>,
    T: Transport + Environment,
{
    /// Opens a range.
    pub(super) async fn part(
        registry: C,
        reference: &Reference,
        descriptor: &Descriptor,
        range: Range<u64>,
    ) -> Result<BlobRange<C, T>, Error> {
        let budget = registry.budget();
        ResumedBlob::part(Self::new(registry, reference, descriptor)?, range, budget).await
    }

    /// Opens the whole blob. It ends where the registry ends it, so it may be shorter or longer than its descriptor says.
    pub(super) async fn whole(
        registry: C,
        reference: &Reference,
        descriptor: &Descriptor,
    ) -> Result<BlobRange<C, T>, Error> {
        let budget = registry.budget();
        ResumedBlob::whole(Self::new(registry, reference, descriptor)?, budget).await
    }

    fn new(registry: C, reference: &Reference, descriptor: &Descriptor) -> Result<Self, Error> {
        let call = registry.call(reference, "blob", descriptor.digest.to_string())?;
        let (repository, descriptor) = (reference.repository().to_owned(), descriptor.clone());
        let transport = std::marker::PhantomData;
        Ok(Self { registry, call, repository, descriptor, host: String::new(), transport })
    }
}

impl<C, T> BlobRequester for ClientBlob<C, T>
where
    C: Deref<Target = Registry<T>>,
    T: Transport + Environment,
{
    type Transport = T;
    type Body = T::Body;

    fn transport(&self) -> &T {
        &self.registry.transport
    }

    fn limits(&self) -> &Limits {
        &self.registry.options.limits
    }

    fn registry(&self) -> &str {
        &self.call.registry
    }

    fn what(&self) -> &Subject {
        &self.call.what
    }

    fn size(&self) -> u64 {
        self.descriptor.size
    }

    /// Also for uncompressed archives: old clients push any file as one.
    fn may_be_markup(&self) -> bool {
        !matches!(self.descriptor.media_type.role(), Role::Config | Role::Layer(Compression::Gzip | Compression::Zstd))
    }

    fn sender(&self) -> &str {
        self.call.sender(&self.host)
    }

    /// Requests bytes of the blob from the host to which the registry redirected an earlier request for it, otherwise from the registry.
    async fn ask(
        &mut self,
        wanted: &Wanted,
        budget: &mut Budget,
        reason: Option<Reason>,
    ) -> Result<Response<T::Body>, Error> {
        let (registry, call) = (&*self.registry, &self.call);
        let digest = &self.descriptor.digest;
        let request = blob::request(&call.base, &self.repository, digest, wanted.bytes());
        let mut request = request.map_err(Error::Relay)?;
        let key = (call.registry.clone(), self.repository.clone(), *digest);
        // If a read starts again or failed, the host of the redirect may be out of order.
        let fresh = wanted.range.start == 0 || budget.failures() > 0;
        if let Some(place) = registry.places.get(&key).filter(|_| !fresh) {
            let mut elsewhere = request.clone();
            *elsewhere.uri_mut() = place.to_uri().map_err(Error::Relay)?;
            elsewhere.extensions_mut().insert(Repeat::Never);
            match registry.exchange_within(call, &elsewhere, budget).await {
                Ok(answer) if answer.response.status().is_success() => return Ok(answer.response),
                // An answer of any status shows that the host is alive.
                Ok(_) => budget.stir(),
                Err(_) => {}
            }
            // Most likely the signature of the URL has expired.
            registry.places.forget(&key);
        }
        // The answer is probably a redirect, unless the registry is known to send blobs itself.
        if !registry.met(&call.registry).sends_blobs {
            request.extensions_mut().insert(Brief);
        }
        if let Some(reason) = reason {
            request.extensions_mut().insert(reason);
        }
        let mut answer = registry.request_blob(call, &self.descriptor, request, budget).await?;
        registry.meet_blobs(call, &self.descriptor, &answer);
        registry.refuse_page_for_blob(call, &mut answer, wanted.length(), self.descriptor.size).await?;
        self.host = answer.url.origin().authority();
        if registry.transport.redirects() == Redirects::Ours && !answer.same_origin && !answer.signed {
            registry.places.keep(key, answer.url);
        }
        Ok(answer.response)
    }

    async fn pause(&mut self, budget: &mut Budget, failure: TryFailure, because: String) -> Option<Reason> {
        let registry = &*self.registry;
        let delay = budget.spend(failure, registry.transport.random())?;
        Some(registry.pause(&self.call, budget, delay, failure, because).await)
    }

    /// Decodes the first time. If the blob is fetched again, the decoded bytes had a wrong digest, so its body is taken as it is.
    fn decodes(&self) -> bool {
        let digest = self.descriptor.digest;
        let mut decoded = lock(&self.registry.decoded);
        let again = decoded.remove(&digest);
        if !again && decoded.len() < PLACES {
            decoded.insert(digest);
        }
        !again
    }
}

/// URLs to which registries redirected requests for blobs. Other parts of a blob are fetched from there directly. Such URLs expire, and
/// may contain secrets.
#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<Place, Url>>);

/// Registry, repository and blob.
type Place = (String, String, Digest);

impl Places {
    fn get(&self, place: &Place) -> Option<Url> {
        lock(&self.0).get(place).cloned()
    }

    fn keep(&self, place: Place, url: Url) {
        let mut places = lock(&self.0);
        if places.len() >= PLACES {
            places.clear();
        }
        places.insert(place, url);
    }

    fn forget(&self, place: &Place) {
        lock(&self.0).remove(place);
    }

    pub(super) fn count(&self) -> usize {
        lock(&self.0).len()
    }
}

/// Largest number of redirects to remember.
const PLACES: usize = 256;
