//! One poll of a tag, and the meaning of its result.

use std::time::Duration;

use porthole_core::{
    digest::Digest,
    failure::{Classify, FailureClass},
    platform::Platform,
    reference::Reference,
};
use porthole_inspect::resolve::{self, PlatformChoice, resolve_digest};
use porthole_registry::{
    Error,
    client::{Known, RemoteImage, Seen, Unseen},
    endpoint::quota::Quota,
    plan::watch::Polled,
    transport::ErrorKind,
};

use crate::session::Client;

/// The result of a successful poll of a tag.
pub(super) struct Look {
    pub(super) known: Known,
    pub(super) subject: Subject,
    pub(super) quota: Option<Quota>,
    pub(super) pulled: bool,
}

/// The image that a tag points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    /// Digest of the index or manifest.
    pub(super) root: Digest,
    /// Digest of the manifest for the platform, if `--platform` is given.
    pub(super) manifest: Option<Digest>,
}

impl Subject {
    /// The digest that is watched for changes.
    pub(super) fn digest(&self) -> Digest {
        self.manifest.unwrap_or(self.root)
    }
}

/// Polls a tag. The manifest for a platform is looked up only if the tag no longer points to the index in `last`.
pub(super) async fn look(
    client: &Client,
    reference: &Reference,
    known: &Known,
    platform: Option<&Platform>,
    last: Option<Subject>,
) -> Result<Look, Missed> {
    let Seen { digest, known, quota, mut pulled } = client.look_at_tag(reference, known).await?;
    let manifest = match (platform, last) {
        (None, _) => None,
        (Some(_), Some(last)) if last.root == digest && last.manifest.is_some() => last.manifest,
        (Some(platform), _) => {
            pulled = true;
            let source = RemoteImage::new(client, reference.with_digest(digest));
            let choice = PlatformChoice::named(platform.clone());
            Some(resolve_digest(&source, &choice).await?)
        }
    };
    Ok(Look { known, subject: Subject { root: digest, manifest }, quota, pulled })
}

/// Why a poll gave no digest.
#[derive(Debug, thiserror::Error)]
pub(super) enum Missed {
    /// The registry did not return the digest of the tag.
    #[error(transparent)]
    Tag(#[from] Unseen),
    /// The tag points to an index that has no image for the platform.
    #[error(transparent)]
    Image(Box<resolve::Error<Error>>),
}

impl From<resolve::Error<Error>> for Missed {
    fn from(error: resolve::Error<Error>) -> Self {
        match error {
            resolve::Error::Source(error) => Self::Tag(error.into()),
            error => Self::Image(Box::new(error)),
        }
    }
}

impl Missed {
    /// Whether every further poll would fail as well, because the registry's name is wrong.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Tag(unseen) if matches!(*unseen.error, Error::Registry { .. }))
    }
}

impl From<Missed> for crate::error::Error {
    fn from(missed: Missed) -> Self {
        match missed {
            Missed::Tag(unseen) => (*unseen.error).into(),
            Missed::Image(error) => (*error).into(),
        }
    }
}

/// A kind of trouble, reported once when it begins and once when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The registry cannot be reached, or reports a failure of its own.
    Network,
    /// The registry limits the rate of requests.
    Limited,
    /// The registry refuses access.
    Refused,
    /// The registry does not have the tag.
    Missing,
    /// The registry's answer violates the protocol.
    Wrong,
}

impl Trouble {
    pub(super) fn of(missed: &Missed) -> Self {
        match missed {
            Missed::Tag(unseen) => Self::of_tag(unseen),
            Missed::Image(_) => Self::Wrong,
        }
    }

    fn of_tag(unseen: &Unseen) -> Self {
        match &*unseen.error {
            Error::RateLimited { .. } => Self::Limited,
            Error::NotFound { .. } => Self::Missing,
            Error::Transport { error, .. } if error.kind != ErrorKind::Forbidden => Self::Network,
            Error::Status { status: 408 | 499 | 500.., .. } => Self::Network,
            error if error.kind() == FailureClass::Authentication => Self::Refused,
            _ => Self::Wrong,
        }
    }

    /// Whether the trouble affects every reference of the registry.
    pub(super) fn is_of_registry(self) -> bool {
        matches!(self, Self::Network | Self::Limited)
    }
}

/// Converts a poll without a digest to the outcome from which the time of the next poll follows.
pub(super) fn outcome(missed: &Missed) -> Polled {
    let Missed::Tag(unseen) = missed else { return Polled::Failure };
    let asked = match *unseen.error {
        Error::RateLimited { retry_after, .. } => retry_after.map(Duration::from_secs),
        _ => None,
    };
    match (Trouble::of_tag(unseen), unseen.retry_after.or(asked)) {
        (Trouble::Limited, retry_after) | (_, retry_after @ Some(_)) => {
            Polled::Limited { retry_after, quota: unseen.quota }
        }
        // The registry answered, so this is not a failure of the network.
        (Trouble::Missing | Trouble::Refused, None) => Polled::Answer { quota: unseen.quota, pulled: false },
        _ => Polled::Failure,
    }
}
