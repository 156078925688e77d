//! The authorities and logs that vouch for certificates.

use crate::provider;
use porthole_core::calendar;
use sigstore_verify::trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot};

/// Authorities that issue certificates for signing, logs that record signatures, authorities that sign times.
#[derive(Clone, Debug)]
pub struct TrustRoot {
    pub(crate) root: TrustedRoot,
    origin: RootOrigin,
}

/// Where a trust root came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootOrigin {
    /// Sigstore's public instance, as of the build of this program.
    PublicGood,
    /// A file that the user named.
    File,
}

/// Why a trust root cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("expected a trusted root of Sigstore as JSON, got something else: {0}")]
pub struct RootError(String);

impl TrustRoot {
    /// The trust root of Sigstore's public instance that this program ships. It ages: a signature by
    /// an authority that it does not contain is reported as unknown, never as wrong.
    ///
    /// # Errors
    ///
    /// [`RootError`], if the shipped data cannot be read.
    pub fn public_good() -> Result<Self, RootError> {
        Self::read(SIGSTORE_PRODUCTION_TRUSTED_ROOT, RootOrigin::PublicGood)
    }

    /// Reads `trusted_root.json`, as `cosign trusted-root create` and Sigstore's TUF repository have it.
    ///
    /// # Errors
    ///
    /// [`RootError`].
    pub fn parse(json: &str) -> Result<Self, RootError> {
        Self::read(json, RootOrigin::File)
    }

    fn read(json: &str, origin: RootOrigin) -> Result<Self, RootError> {
        provider::install();
        let root = TrustedRoot::from_json(json).map_err(|error| RootError(error.to_string()))?;
        Ok(Self { root, origin })
    }

    /// Where it came from.
    pub fn origin(&self) -> RootOrigin {
        self.origin
    }

    /// When the newest of its keys and authorities came into use, in seconds since 1970. The trust root is not older than that.
    pub fn newest(&self) -> Option<i64> {
        let root = &self.root;
        let keys = root.tlogs.iter().map(|log| log.public_key.valid_for);
        let keys = keys.chain(root.ctlogs.iter().map(|log| log.public_key.valid_for));
        let authorities = root.certificate_authorities.iter().map(|authority| authority.valid_for);
        let authorities = authorities.chain(root.timestamp_authorities.iter().map(|authority| authority.valid_for));
        keys.chain(authorities).flatten().map(|range| range.start.as_second()).max()
    }

    /// The day of [`newest`](Self::newest), as `YYYY-MM-DD`.
    pub fn newest_day(&self) -> Option<String> {
        calendar::iso(self.newest()?).split('T').next().map(str::to_owned)
    }
}

impl RootError {
    pub(crate) fn unusable(error: &impl ToString) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_root_is_usable_and_dated() {
        let root = TrustRoot::public_good().expect("the shipped root");
        assert_eq!(root.origin(), RootOrigin::PublicGood);
        // The second Fulcio intermediate and log of 2025 are in it.
        assert!(root.newest().is_some_and(|newest| newest > 1_735_689_600), "{:?}", root.newest());
    }

    #[test]
    fn what_is_no_trusted_root_is_an_error() {
        let error = TrustRoot::parse("{\"keys\": []}").expect_err("no root");
        assert!(error.to_string().starts_with("expected a trusted root of Sigstore as JSON"), "{error}");
    }
}
