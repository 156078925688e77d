//! Content of a file.

use crate::{highlight::TextPiece, outline::OutlineNode};
use serde::{Deserialize, Serialize};

/// Bytes that are shown at once in hexadecimal.
pub const SHOWN_BYTES: u64 = 4 << 10;

/// Content of a path so far.
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
        /// What the text holds, if it is JSON or XML and all of it is shown.
        outline: Vec<OutlineNode>,
        /// How much of the file it is.
        part: ShownPart,
    },
    /// A part of it, in hexadecimal.
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
    /// Offset of the first byte that is shown.
    pub from: u64,
    /// Bytes that are shown.
    pub shown: u64,
    /// Bytes of the file.
    pub size: u64,
    /// Bytes that were fetched for it.
    pub fetched: u64,
    /// Bytes of the layer that it is in.
    pub layer: u64,
}

/// The type of a file and the facts in its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ShownFacts {
    /// Its kind in a few words.
    pub kind: String,
    /// Further facts: a name, and one value or several.
    pub facts: Vec<(String, Vec<String>)>,
    /// What is in it, if it is an archive.
    pub members: Option<ShownMembers>,
    /// Bytes that must be fetched to say what is in it, or to say more, if that is more than a session fetches without asking.
    pub costly: Option<u64>,
}

/// What is in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ShownMembers {
    /// The first members.
    pub rows: Vec<ShownMember>,
    /// Number of members in the part of the archive that was read.
    pub count: u64,
    /// Why there may be more, in words.
    pub problem: Option<String>,
}

/// A member of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ShownMember {
    /// Escaped name, and where a link leads.
    pub name: String,
    /// Bytes that it unpacks to, as the archive states them.
    pub size: u64,
    /// When it was written, in words.
    pub modified: String,
}
