//! Bills of materials, compared with the packages of the image.

use serde::{Deserialize, Serialize};

/// A bill of materials that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedBill {
    /// Digest of its blob; of a file that a person gave, its name.
    pub name: String,
    /// Format with version.
    pub format: String,
    /// What it lists.
    pub packages: Vec<ListedPackage>,
    /// Why it cannot be read as a bill, as text.
    pub problem: Option<String>,
}

/// Twin of a package of a bill of materials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedPackage {
    /// The name as the bill writes it.
    pub name: String,
    /// The version as the bill writes it, if it does.
    pub version: Option<String>,
    /// The package URL, if the bill has one.
    pub purl: Option<String>,
    /// It is software: not a file, an operating system or an image.
    pub is_package: bool,
}

/// A bill of materials that can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillFact {
    /// Digest of its blob; of a file that a person gave, its name.
    pub name: String,
    /// Format with version.
    pub format: String,
    /// How much it lists.
    pub entries: u64,
    /// Why it cannot be read as a bill, as text.
    pub problem: Option<String>,
}

/// A bill of materials beside the packages of the image: how much is the same, and what is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillWindow {
    /// Packages that both have in the same version.
    pub same: u64,
    /// Packages that both have in different versions.
    pub versions: u64,
    /// Packages that only the bill has.
    pub only_bill: u64,
    /// Packages that only the image has.
    pub only_image: u64,
    /// Entries of the bill that are not compared.
    pub others: u64,
    /// The first differences that fit the query.
    pub rows: Vec<BillDifference>,
    /// How many fit the query.
    pub matches: u64,
}

/// A package that is not the same on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillDifference {
    /// The type, as in a package URL; empty if the bill does not say.
    pub kind: String,
    /// The name of the package.
    pub name: String,
    /// Version in the bill.
    pub listed: Option<String>,
    /// Version in the final image.
    pub installed: Option<String>,
    /// Layer of the image that has, or had, that version.
    pub layer: Option<u32>,
    /// Layer that removed the version that the bill lists.
    pub removed_by: Option<u32>,
}
