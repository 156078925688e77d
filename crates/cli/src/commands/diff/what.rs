//! What happened to one thing.

use serde::Serialize;

/// What happened between the first and the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    Added,
    Removed,
    Changed,
    Same,
    Recompressed,
    Upgraded,
    Downgraded,
}
