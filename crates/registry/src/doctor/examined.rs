//! The registry that is examined, and how it is asked.

use crate::{
    Error, Registry,
    client::{Asker, Probed},
    endpoint::Base,
    scope::Scopes,
    transport::{Environment, Request, Transport},
};
use http::{HeaderName, HeaderValue, Method};
use porthole_core::reference::Reference;

/// What is known of a registry before anything is asked.
pub struct ExaminedRegistry<'p, T> {
    /// The client that asks.
    pub client: &'p Registry<T>,
    /// The image to look at, or any name of the registry.
    pub reference: Reference,
    /// Where its API is served.
    pub base: Base,
    /// Token realms that the user trusts.
    pub trusted: &'p [String],
    /// What was found of credentials for it.
    pub credentials: StoredCredentials,
    /// Any certificate is accepted.
    pub insecure: bool,
    /// The origin of the page that would read the registry.
    pub page: &'p str,
}

/// What was found of credentials; never themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoredCredentials {
    /// No credentials are stored for the registry.
    #[default]
    None,
    /// Where they are kept.
    From(String),
    /// Why a helper could not be asked.
    Failed(String),
}

impl<T: Transport + Environment> ExaminedRegistry<'_, T> {
    /// Asks for a path below `/v2/`, once.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        asker: Asker,
    ) -> Result<Probed, Error> {
        let mut request = Request::default();
        *request.method_mut() = method;
        *request.uri_mut() = self.base.api(path).to_uri().map_err(Error::Relay)?;
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                request.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        self.client.probe(&self.reference, request, asker).await
    }

    /// The user, who wants to read the image.
    pub fn reader(&self) -> Asker {
        Asker::User(Scopes::pull(self.reference.repository()))
    }

    /// A path of the image's repository.
    pub fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.reference.repository())
    }
}
