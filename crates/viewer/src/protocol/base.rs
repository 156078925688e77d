//! The comparison with a possible base image.

use serde::{Deserialize, Serialize};

/// How much of an image another one is, which it may have been built on: as `porthole inspect --base` reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseLayers {
    /// The other reference, as typed; of an image that was opened before, the pinned one.
    pub given: String,
    /// The other reference, pinned to the digest of what it names.
    pub resolved: String,
    /// How many of the lowest layers unpack to the same in both.
    pub shared: u32,
    /// How many layers the other image has.
    pub layers: u32,
    /// The image has all of them below its own.
    pub proved: bool,
    /// Entries at the start of the history that are those of the other image; 0 if not all of those are there.
    pub history: u32,
    /// The base was not named by the user; it was opened before in this front end.
    pub opened: bool,
}
