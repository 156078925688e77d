//! Checks whether a repository has a blob, and mounts blobs from other repositories of the registry.

use super::{
    Call, Destination, Registry,
    exchange::{parse, safely},
    upload::{Opened, hasten},
};
use crate::{
    body::content_length,
    endpoint::{blob, mount},
    error::Error,
    html,
    transport::{Environment, Patience, Transport},
};
use http::{Method, header};
use porthole_core::{descriptor::Descriptor, digest::Digest};

impl<T: Transport + Environment> Registry<T> {
    /// Whether a repository has a blob (`HEAD`). A registry that does not say counts as one without it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn has_blob(&self, to: &Destination, descriptor: &Descriptor) -> Result<bool, Error> {
        let call = self.push_call(to, "upload", descriptor.digest.to_string())?;
        self.look(&call, to, descriptor, None).await
    }

    pub(super) async fn look(
        &self,
        call: &Call,
        to: &Destination,
        descriptor: &Descriptor,
        hurry: Option<Patience>,
    ) -> Result<bool, Error> {
        let request = blob::request(&call.base, to.reference.repository(), &descriptor.digest, ..);
        let mut request = request.map_err(Error::Relay)?;
        *request.method_mut() = Method::HEAD;
        hasten(&mut request, hurry);
        let (answer, credentials) = self.request_any(call, request).await?;
        match answer.response.status().as_u16() {
            200..=299 => {
                let headers = answer.response.headers();
                let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
                // A portal or a login page answers every request with success.
                let is_page = content_type.is_some_and(html::is_html);
                Ok(content_length(headers).map_or(!is_page, |length| length == descriptor.size))
            }
            // Some registries forbid what they do not have, or do not know `HEAD`: the upload will show.
            403..=405 | 501 => Ok(false),
            _ => self.check(call, answer, credentials).await.map(|_| false),
        }
    }

    /// Tries to mount a blob from another repository of the registry. A registry that will not may open a session for its upload instead.
    ///
    /// # Errors
    /// [`Error`] if no answer or a malformed one arrived. A refusal is not an error.
    pub async fn mount_blob(&self, to: &Destination, digest: &Digest, from: &str) -> Result<Mount, Error> {
        let call = self.push_call(to, "upload", digest.to_string())?;
        let request = mount::request(&call.base, to.reference.repository(), digest, from).map_err(Error::Relay)?;
        let asked = parse(&request).map_err(|error| call.refused(error.into()))?;
        let answer = match self.request_any(&call, safely(request)).await {
            Ok((answer, _)) => answer,
            // A token server may refuse the whole scope because of the other repository.
            Err(Error::Unauthorized { .. }) => return Ok(Mount::No),
            Err(error) => return Err(error),
        };
        Ok(match mount::read(answer.response.status()) {
            mount::MountOutcome::Mounted => Mount::Mounted,
            mount::MountOutcome::Session => Mount::Opened(call.read_opened(&asked, &answer)?),
            mount::MountOutcome::Refused => Mount::No,
        })
    }
}

/// The result of an attempt to mount.
#[derive(Clone, Debug)]
pub enum Mount {
    /// The repository has the blob now.
    Mounted,
    /// The repository lacks it, but a session is open to upload it.
    Opened(Opened),
    /// The registry neither has the blob nor mounted it.
    No,
}
