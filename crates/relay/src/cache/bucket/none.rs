//! In the place of a bucket, in a relay that is built without the feature `s3`.

use super::{Name, Stored, place::Reached};
use crate::{log::Log, metrics::BucketCounts};
use http::HeaderValue;
use porthole_native::{Native, Timeouts};
use std::{fs::File, path::PathBuf, sync::Arc};

/// There is none.
pub(crate) enum Bucket {}

pub(super) enum Access {
    Read,
}

impl Bucket {
    /// # Errors
    /// Always: this build has no buckets.
    pub(crate) fn open(
        _place: Reached,
        _credentials: Option<PathBuf>,
        _environment: &dyn Fn(&str) -> Option<String>,
        _native: Native,
        _log: Log,
    ) -> Result<Self, String> {
        Err("this relay was built without buckets (the feature `s3`)".to_owned())
    }

    pub(crate) fn timeouts() -> Timeouts {
        Timeouts::default()
    }

    pub(super) async fn get(&self, _name: &Name, _range: Option<&HeaderValue>) -> Option<Stored> {
        match *self {}
    }

    pub(super) fn put(self: &Arc<Self>, _name: Name, _file: File, _size: u64) {
        match **self {}
    }

    pub(super) fn distrust(self: &Arc<Self>, _name: Name) {
        match **self {}
    }

    pub(super) fn failed(&self, _access: Access, _why: &str) {
        match *self {}
    }

    pub(super) fn counts(&self) -> BucketCounts {
        match *self {}
    }
}
