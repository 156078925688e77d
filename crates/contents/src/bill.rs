//! Bills of materials: documents that list what an image contains, read and compared with its packages.

mod compare;
mod document;

pub use compare::{BillAgreement, BillComparison, BillRow};
pub use document::{BillOfMaterials, BillPackage};
