//! Content of a file.

use crate::highlight::TextPiece;
use serde::{Deserialize, Serialize};

/// Content of a path, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShownContent {
    /// It is being read.
    Reading,
    /// Reading it fetches this many bytes, which is more than a session fetches without asking.
    Costly {
        /// Bytes that would be fetched.
        bytes: u64,
    },
    /// Its beginning, as text: characters that would show as nothing are escapes.
    Text {
        /// The text, with escapes in place of control characters.
        text: String,
        /// Pieces of it that are drawn in colours.
        pieces: Vec<TextPiece>,
        /// How much of the file it is.
        part: ShownPart,
    },
    /// Its beginning, in hexadecimal.
    Binary {
        /// Lines of sixteen bytes.
        hex: String,
        /// How much of the file it is.
        part: ShownPart,
    },
    /// The whole of it is at this address, to be saved.
    Saved {
        /// A `blob:` URL.
        url: String,
        /// Bytes of the file.
        size: u64,
    },
    /// It cannot be shown.
    Failed {
        /// These were other bytes than promised.
        wrong: bool,
        /// Why, in words.
        text: String,
    },
}

/// How much of a file is shown, and what that cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownPart {
    /// Bytes that are shown.
    pub shown: u64,
    /// Bytes of the file.
    pub size: u64,
    /// Bytes that were fetched for it.
    pub fetched: u64,
    /// Bytes of the layer that it is in.
    pub layer: u64,
}
