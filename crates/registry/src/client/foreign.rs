//! Foreign layers: blobs that registries need not have, and the places where they are (image-spec, descriptor: `urls`).

use super::{
    Call, Registry,
    exchange::{Answer, Repeat},
};
use crate::{
    error::Error,
    policy::{self, Url},
    redirect,
    retry::Budget,
    transport::{Environment, Redirects, Request, Transport},
};
use porthole_core::descriptor::Descriptor;
use std::sync::atomic::Ordering;

impl<T> Registry<T> {
    /// From now on, reads foreign layers that a registry lacks from the URLs in their descriptors: hosts that the user
    /// did not choose learn of the download.
    pub fn allow_foreign(&self) {
        self.foreign.store(true, Ordering::Relaxed);
    }
}

impl<T: Transport + Environment> Registry<T> {
    /// Requests bytes of a blob from the registry; if it lacks a foreign layer, from the URLs in the descriptor.
    pub(super) async fn request_blob(
        &self,
        call: &Call,
        descriptor: &Descriptor,
        request: Request,
        budget: &mut Budget,
    ) -> Result<Answer<T::Body>, Error> {
        let foreign = self.foreign(call, descriptor, &request);
        let answer = self.request_within(call, request, budget).await;
        if let Err(Error::NotFound { registry, what, .. }) = &answer
            && !foreign.is_empty()
            && !self.foreign.load(Ordering::Relaxed)
        {
            let mut hosts: Vec<_> =
                foreign.iter().filter_map(|request| request.uri().authority()).map(ToString::to_string).collect();
            hosts.dedup();
            let (registry, what, hosts) = (registry.clone(), what.clone(), hosts.join(", "));
            return Err(Error::Foreign { registry, what, hosts });
        }
        if let Err(Error::NotFound { .. }) = answer {
            for elsewhere in foreign {
                let there = self.exchange_within(call, &elsewhere, budget).await;
                if let Ok(there) = there
                    && there.response.status().is_success()
                {
                    return Ok(Answer { same_origin: false, ..there });
                }
            }
        }
        answer
    }

    /// Returns the same request for each URL of a foreign layer to which a redirect might lead. It carries no
    /// credentials.
    fn foreign(&self, call: &Call, descriptor: &Descriptor, request: &Request) -> Vec<Request> {
        let ours = self.transport.redirects() == Redirects::Ours && !call.base.is_relay();
        if !ours || !descriptor.media_type.is_nondistributable() {
            return Vec::new();
        }
        let Ok(from) = Url::parse(&request.uri().to_string()) else { return Vec::new() };
        let request_to = |url: &String| {
            // A relative URL names no host.
            let to = Url::parse(url).ok().and_then(|_| policy::hop(&from, url).ok())?;
            let mut request = redirect::follow(request, &from, &to).ok()?;
            request.extensions_mut().insert(Repeat::Never);
            Some(request)
        };
        descriptor.urls.iter().filter_map(request_to).take(PLACES).collect()
    }
}

/// Most URLs of a foreign layer that are tried.
const PLACES: usize = 4;
