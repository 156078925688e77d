//! The hosts that a registry works with: what is known of them saves round trips the next time.

use super::{Registry, exchange::Answer};
use crate::{
    auth::lock,
    client::Call,
    endpoint::Base,
    error::Error,
    policy::Origin,
    transport::{Redirects, Transport},
};
use porthole_core::{descriptor::Descriptor, reference::Reference};

/// Hosts that a registry led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Where its tokens come from.
    pub tokens: Option<Origin>,
    /// Where it last redirected a blob to.
    pub blobs: Option<Origin>,
    /// Whether it sends blobs itself.
    pub sends_blobs: bool,
}

impl<T> Registry<T> {
    /// What is known of the hosts that a logical registry works with.
    pub fn met(&self, registry: &str) -> Met {
        lock(&self.accounts).get(registry).map(|account| account.met.clone()).unwrap_or_default()
    }

    /// The origin of a reference's registry, or of the relay to it.
    ///
    /// # Errors
    /// [`Error::Registry`] or [`Error::Relay`] if there is no valid URL for it.
    pub fn origin(&self, reference: &Reference) -> Result<Origin, Error> {
        self.base(reference).map(|base: Base| base.origin().clone())
    }

    pub(super) fn meet(&self, registry: &str, note: impl FnOnce(&mut Met)) {
        note(&mut lock(&self.accounts).entry(registry.to_owned()).or_default().met);
    }
}

impl<T: Transport> Registry<T> {
    /// Notes where a blob came from. The host of a foreign layer is not noted: the image names it, not the registry.
    pub(super) fn meet_blobs(&self, call: &Call, descriptor: &Descriptor, answer: &Answer<T::Body>) {
        if self.transport.redirects() == Redirects::Ours {
            self.meet(&call.registry, |met| match answer.same_origin {
                true => met.sends_blobs = true,
                false if descriptor.media_type.is_nondistributable() => {}
                false => met.blobs = Some(answer.url.origin().clone()),
            });
        }
    }
}
