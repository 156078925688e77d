//! Lists of names, page by page: tags, and what else a registry lists.

use super::{Call, Registry, read::Fetched};
use crate::{
    endpoint::tags,
    error::Error,
    policy::{RefusedUrl, Url, UrlError},
    transport::{Environment, Request, Transport},
};
use porthole_core::reference::Reference;
use std::{collections::HashSet, ops::ControlFlow};

impl<T: Transport + Environment> Registry<T> {
    /// All tags of a repository, page by page, in the registry's order.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Protocol`] if the pages lead in a circle [`Error::TooManyPages`].
    pub async fn fetch_tags(&self, reference: &Reference) -> Result<Vec<String>, Error> {
        let mut all = Vec::new();
        self.fetch_tag_pages(reference, |page| {
            all.extend(page);
            ControlFlow::Continue(())
        })
        .await?;
        Ok(all)
    }

    /// As [`fetch_tags`](Self::fetch_tags), but hands over each page as it arrives. No further page is fetched once `take` breaks.
    ///
    /// # Errors
    /// As [`fetch_tags`](Self::fetch_tags).
    pub async fn fetch_tag_pages(
        &self,
        reference: &Reference,
        take: impl FnMut(Vec<String>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let name = format!("{}/{}", reference.registry(), reference.repository());
        let call = self.call(reference, "tags", name)?;
        let request = |query: &str| tags::request(&call.base, reference.repository(), query);
        self.fetch_list(&call, request, |page| tags::read(page).ok(), take).await
    }

    /// The pages of a list of names, until `take` breaks. `request` asks for the page behind the query of a link, `read` reads one.
    pub(super) async fn fetch_list(
        &self,
        call: &Call,
        request: impl Fn(&str) -> Result<Request, UrlError>,
        read: impl Fn(&[u8]) -> Option<Vec<String>>,
        mut take: impl FnMut(Vec<String>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let step = call.what.step;
        let mut seen = HashSet::new();
        let mut bytes = 0;
        let mut query = String::new();
        // Some registries begin a page with the name that the page before ended with.
        let mut last: Option<String> = None;
        for _ in 0..self.options.limits.pages {
            let refused =
                |error: RefusedUrl| Error::Policy { registry: call.registry.clone(), role: "next page", error };
            let request = request(&query).map_err(|error| refused(error.into()))?;
            let url = Url::parse(&request.uri().to_string()).map_err(|error| refused(error.into()))?;
            let Fetched { headers, bytes: body, host } =
                self.fetch_bytes(call, &request, "tags_page_bytes", u64::MAX).await?;
            call.refuse_page(&host, &body)?;
            bytes += body.len() as u64;
            if bytes > LIST_BYTES {
                return Err(Error::ListTooLarge { what: call.what.clone(), limit: LIST_BYTES });
            }
            let mut page = read(&body).ok_or_else(|| call.protocol(format!("expected a JSON object with {step}")))?;
            if last.is_some() && page.first() == last.as_ref() {
                page.remove(0);
            }
            last = page.last().cloned().or(last);
            if take(page).is_break() {
                return Ok(());
            }
            query = match tags::next(&url, &headers) {
                None => return Ok(()),
                Some(Ok(query)) => query,
                Some(Err(error)) => return Err(refused(error)),
            };
            if query.is_empty() || !seen.insert(query.clone()) {
                return Err(call.protocol(format!("expected another page of {step}, got one that was read before")));
            }
        }
        Err(Error::TooManyPages { what: call.what.clone(), limit: self.options.limits.pages })
    }
}

/// All pages of a list together.
const LIST_BYTES: u64 = 64 << 20;
