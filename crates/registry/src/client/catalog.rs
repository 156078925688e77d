//! Lists the repositories of a registry.

use super::{Call, Registry};
use crate::{
    endpoint::catalog,
    error::{Error, Subject},
    scope::Scopes,
    transport::{Environment, Transport},
};
use porthole_core::reference::Reference;
use std::ops::ControlFlow;

impl<T: Transport + Environment> Registry<T> {
    /// All repositories of the reference's registry, page by page, in the order of the registry. The repository of the
    /// reference does not matter.
    ///
    /// # Errors
    /// [`Error`]; [`Error::NotFound`], [`Error::Unauthorized`] or [`Error::Status`] of 405, if the registry has no catalog or does not show
    /// it: many do not.
    pub async fn fetch_catalog(&self, reference: &Reference) -> Result<Vec<String>, Error> {
        let mut all = Vec::new();
        self.fetch_catalog_pages(reference, |page| {
            all.extend(page);
            ControlFlow::Continue(())
        })
        .await?;
        Ok(all)
    }

    /// As [`fetch_catalog`](Self::fetch_catalog), but passes each page to `take` as it arrives. No further page is
    /// fetched once `take` breaks.
    ///
    /// # Errors
    /// As [`fetch_catalog`](Self::fetch_catalog).
    pub async fn fetch_catalog_pages(
        &self,
        reference: &Reference,
        take: impl FnMut(Vec<String>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let registry = reference.registry().to_owned();
        let what = Subject::new("repositories", registry.clone());
        let call = Call { registry, base: self.base(reference)?, scopes: Scopes::catalog(), what };
        let request = |query: &str| catalog::request(&call.base, query);
        self.fetch_list(&call, request, |page| catalog::read(page).ok(), take).await
    }
}
