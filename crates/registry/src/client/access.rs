//! Checks whether a registry accepts the credentials of a user.

use super::{Call, Registry};
use crate::{
    error::{Error, Subject},
    scope::Scopes,
    transport::{Environment, Request, Transport},
};
use porthole_core::reference::Reference;

impl<T: Transport + Environment> Registry<T> {
    /// Sends `GET /v2/` to a registry, with the credentials that were set if it asks for some.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Unauthorized`] if it does not accept them.
    pub async fn check_access(&self, reference: &Reference) -> Result<(), Error> {
        let registry = reference.registry().to_owned();
        let base = self.base(reference)?;
        let what = Subject::new("sign-in", registry.clone());
        let call = Call { registry, base, scopes: Scopes::default(), what };
        let mut request = Request::default();
        *request.uri_mut() = call.base.api("").to_uri().map_err(Error::Relay)?;
        let mut answer = self.request(&call, request).await?;
        let host = answer.url.origin().authority();
        let start = self.read_start(answer.response.body_mut(), self.options.limits.error_body_bytes).await;
        call.refuse_page(&host, &start)
    }
}
