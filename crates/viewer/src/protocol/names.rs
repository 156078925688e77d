//! The tags of a repository, and the repositories of a registry.

use super::FailureNotice;
use serde::{Deserialize, Serialize};

/// A list that a registry has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameList {
    /// The tags of the image's repository.
    #[default]
    Tags,
    /// The repositories of its registry.
    Repositories,
}

/// Order of names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameSort {
    /// As the registry lists them.
    #[default]
    Registry,
    /// Versions first, the newest at the top.
    Version,
}

/// Which names are shown, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameQuery {
    /// The list that is shown.
    pub list: NameList,
    /// What a name contains; empty: any.
    pub filter: String,
    /// The order of the rows.
    pub sort: NameSort,
}

/// The names on the screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameWindow {
    /// The list that the names are from.
    pub list: NameList,
    /// How far the list is.
    pub state: NameState,
    /// The first of those that fit.
    pub rows: Vec<NameRow>,
    /// How many fit.
    pub matches: u64,
    /// Number of names that have arrived.
    pub total: u64,
}

/// How far a list is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameState {
    /// Pages are arriving.
    Running,
    /// All of it is there.
    Done,
    /// It ended early, or there is none.
    Failed(Box<FailureNotice>),
}

/// A name, and what was asked about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRow {
    /// The tag, or the repository.
    pub name: String,
    /// What the tag stands for.
    pub facts: Option<TagFacts>,
}

/// What a tag stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagFacts {
    /// The registry is being asked.
    Asking,
    /// Digest of the document, and of its image when it was made and the bytes of its layers.
    Known(String, Option<String>, Option<u64>),
    /// Why it is not known.
    Failed(String),
}
