//! Foreign layers: blobs that registries need not have, and the places where they are (image-spec, descriptor: `urls`).

use super::{
    Call, Registry,
    exchange::{Answer, Repeat},
};
use crate::{
    auth::lock,
    endpoint::Base,
    error::Error,
    policy::{self, RefusedUrl, Url},
    redirect::PERSONAL,
    retry::Budget,
    transport::{Environment, Request, Transport},
};
use porthole_core::{descriptor::Descriptor, digest::Digest, reference::Reference};
use std::collections::HashMap;

/// The foreign layers that are read from other hosts than the registry.
#[derive(Debug, Default)]
pub(super) enum AllowedForeign {
    #[default]
    None,
    /// Each, from the URLs in its descriptor.
    All,
    /// These, from these URLs.
    Blobs(HashMap<Digest, Vec<Url>>),
}

impl<T> Registry<T> {
    /// From now on, reads foreign layers that a registry lacks from the URLs in their descriptors: hosts that the user
    /// did not choose learn of the download.
    pub fn allow_foreign(&self) {
        *lock(&self.foreign) = AllowedForeign::All;
    }

    /// From now on, reads these foreign layers, and no others, from these URLs if a registry lacks them.
    pub fn allow_foreign_blobs(&self, blobs: HashMap<Digest, Vec<Url>>) {
        *lock(&self.foreign) = AllowedForeign::Blobs(blobs);
    }

    /// The URLs of a foreign layer that [`allow_foreign_blobs`](Self::allow_foreign_blobs) allowed; `None` if it is not one of these.
    pub fn allowed_foreign_urls(&self, digest: &Digest) -> Option<Vec<Url>> {
        match &*lock(&self.foreign) {
            AllowedForeign::Blobs(blobs) => blobs.get(digest).cloned(),
            AllowedForeign::None | AllowedForeign::All => None,
        }
    }

    /// The URLs in the descriptor of a foreign layer, judged as redirects of its registry are. There are none for any other blob.
    ///
    /// # Errors
    /// [`Error::Registry`] or [`Error::Relay`] if there is no valid URL for the registry.
    pub fn foreign_urls(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
    ) -> Result<Vec<Result<Url, RefusedUrl>>, Error> {
        self.call(reference, "blob", descriptor.digest.to_string()).map(|call| self.named_urls(&call, descriptor))
    }

    fn named_urls(&self, call: &Call, descriptor: &Descriptor) -> Vec<Result<Url, RefusedUrl>> {
        if !descriptor.media_type.is_nondistributable() {
            return Vec::new();
        }
        // The address of a relay says nothing of where the registry is.
        let direct = || {
            let authority = policy::Authority::parse(&call.registry).ok()?;
            Base::direct(&call.registry, self.is_plain(&authority)).ok()
        };
        let base = if call.base.is_relay() { direct() } else { Some(call.base.clone()) };
        let Some(base) = base else { return Vec::new() };
        let from = base.api("");
        // A relative URL names no host.
        let judge = |url: &String| Url::parse(url).map_err(Into::into).and_then(|_| policy::hop(&from, url));
        descriptor.urls.iter().map(judge).collect()
    }
}

impl<T: Transport + Environment> Registry<T> {
    /// Requests bytes of a blob from the registry; if it lacks a foreign layer, from the URLs that are allowed for it.
    pub(super) async fn request_blob(
        &self,
        call: &Call,
        descriptor: &Descriptor,
        request: Request,
        budget: &mut Budget,
    ) -> Result<Answer<T::Body>, Error> {
        let again = descriptor.media_type.is_nondistributable().then(|| request.clone());
        let answer = self.request_within(call, request, budget).await;
        let (Err(Error::NotFound { registry, what, .. }), Some(request)) = (&answer, again) else { return answer };
        let named: Vec<Url> = self.named_urls(call, descriptor).into_iter().flatten().take(FOREIGN_URLS).collect();
        let allowed = match &*lock(&self.foreign) {
            AllowedForeign::All => Some(named.clone()),
            AllowedForeign::Blobs(blobs) => blobs.get(&descriptor.digest).cloned(),
            AllowedForeign::None => None,
        };
        let Some(allowed) = allowed else {
            if named.is_empty() {
                return answer;
            }
            let (registry, what, hosts) = (registry.clone(), what.clone(), foreign_hosts(&named));
            return Err(Error::Foreign { registry, what, hosts });
        };
        for url in allowed {
            let Ok(elsewhere) = to(&request, &url) else { continue };
            let there = self.exchange_within(call, &elsewhere, budget).await;
            if let Ok(there) = there
                && there.response.status().is_success()
            {
                return Ok(Answer { same_origin: false, ..there });
            }
        }
        answer
    }
}

/// `host[:port]`s of URLs, with commas.
pub fn foreign_hosts(urls: &[Url]) -> String {
    let mut hosts: Vec<_> = urls.iter().map(|url| url.origin().authority()).collect();
    hosts.dedup();
    hosts.join(", ")
}

/// The same request to another URL, without credentials also if the origin is the same: a relay has one for all registries.
fn to(request: &Request, url: &Url) -> Result<Request, RefusedUrl> {
    let mut request = request.clone();
    *request.uri_mut() = url.to_uri()?;
    for name in PERSONAL {
        request.headers_mut().remove(name);
    }
    request.extensions_mut().insert(Repeat::Never);
    Ok(request)
}

/// Most URLs of a foreign layer that are tried.
pub const FOREIGN_URLS: usize = 4;
