//! Packages, as the databases in an image record them.

use super::{BillFact, BillWindow, FindingFact, PathProblem};
use serde::{Deserialize, Serialize};

/// Which packages are shown, as `porthole packages` takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageQuery {
    /// Text that the name contains; empty: every name.
    pub name: String,
    /// The type, as in a package URL; empty: every type.
    pub kind: String,
    /// Those that a later layer removed or replaced, instead of those of the final image.
    pub deleted: bool,
    /// Differences from the bill of materials of this digest, or file, instead; empty: from none.
    pub against: String,
}

/// Which packages are shown, how many, and in which order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageView {
    /// Which packages are shown.
    pub query: PackageQuery,
    /// The order of the rows.
    pub sort: PackageSort,
    /// How many at most.
    pub most: u32,
}

/// Order of packages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageSort {
    /// By the package's name.
    #[default]
    Name,
    /// By type, then by name.
    Kind,
    /// By licence, then by name.
    Licence,
    /// By the layer that brought it, then by name.
    Layer,
}

/// The packages that a view shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageWindow {
    /// The first ones.
    pub rows: Vec<PackageFact>,
    /// How many fit the query.
    pub matches: u64,
    /// How many the final image has.
    pub present: u64,
    /// How many a later layer removed or replaced.
    pub deleted: u64,
    /// Types of both with their numbers.
    pub kinds: Vec<(String, u64)>,
    /// The distribution, for people.
    pub distribution: Option<String>,
    /// Databases that could not be read.
    pub unread: Vec<PathProblem>,
    /// Dangers that contents show, once all layers are read.
    pub dangers: Vec<FindingFact>,
    /// What is known of the files that packages own, once all layers are read. `None`: no database lists the files of the system, or
    /// too many of them.
    pub owners: Option<OwnerFacts>,
    /// Bills of materials that are known.
    pub bills: Vec<BillFact>,
    /// The one that the query names, compared; `None` if it names none, or none that is known.
    pub compared: Option<BillWindow>,
}

/// A package with its provenance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFact {
    /// The type, as in a package URL.
    pub kind: String,
    /// Name that its database records.
    pub name: String,
    /// Version that its database records.
    pub version: String,
    /// Architecture, in the words of its ecosystem.
    pub architecture: Option<String>,
    /// Licence, as recorded.
    pub licence: Option<String>,
    /// Package URL (`pkg:…`).
    pub purl: String,
    /// Escaped path of the file that records it.
    pub recorded_in: String,
    /// Layer that brought this version, 0 = bottom.
    pub layer: u32,
    /// Layer that removed or replaced it.
    pub removed_by: Option<u32>,
    /// Version that replaced it.
    pub replaced_by: Option<String>,
    /// The package of source code, with its version if that is another one.
    pub source: Option<String>,
    /// Bytes when installed, as recorded.
    pub size: Option<u64>,
    /// How many files it owns, as far as its database lists them.
    pub files: u64,
}

/// What packages say about the files of the final tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerFacts {
    /// Files and links that no package owns.
    pub unowned: u64,
    /// Files whose content is not what their package brought; `None`: contents are not compared.
    pub modified: Option<u64>,
}

/// The packages of two images compared, as `porthole diff --packages` does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageChanges {
    /// Each kind of change that there is, with the number of packages.
    pub sums: Vec<(String, u64)>,
    /// The first ones, by type and name.
    pub rows: Vec<PackageChangeFact>,
    /// How many differ.
    pub total: u64,
}

/// A package that only one of two images has, or that they have in different versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageChangeFact {
    /// `added`, `removed`, `upgraded`, `downgraded` or `changed`.
    pub change: String,
    /// The type, as in a package URL.
    pub kind: String,
    /// Name that its database records.
    pub name: String,
    /// Version in the first image.
    pub before: Option<String>,
    /// Version in the second image.
    pub after: Option<String>,
}
