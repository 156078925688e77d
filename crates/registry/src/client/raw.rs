//! Fetches documents without parsing them.

use super::Registry;
use crate::{
    endpoint::manifest::{self, Accept},
    error::Error,
    transport::{Environment, Transport},
};
use porthole_core::{manifest::Raw, reference::Reference};

impl<T: Transport + Environment> Registry<T> {
    /// Fetches the bytes that a reference names, whatever they are. If it names a digest, they are verified.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Mismatch`] if they do not match the digest. The digest of a signed manifest of Docker's
    /// schema 1 does not cover the signatures.
    pub async fn fetch_raw_document(&self, reference: &Reference) -> Result<Raw, Error> {
        let call = self.call(reference, "manifest", reference.to_string())?;
        let request = manifest::request(&call.base, reference.repository(), &reference.target(), Accept::All);
        let fetched = self.fetch_bytes(&call, &request.map_err(Error::Relay)?, "manifest_bytes", u64::MAX).await?;
        call.refuse_page(&fetched.host, &fetched.bytes)?;
        match reference.digest() {
            Some(digest) => Raw::verify(fetched.bytes, digest, None).map_err(|mismatch| call.mismatch(mismatch)),
            None => Ok(Raw::trust_on_first_use(fetched.bytes)),
        }
    }
}
