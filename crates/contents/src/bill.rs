//! Bills of materials: what someone says is in an image, read and compared with the packages that it has.

mod compare;
mod document;

pub use compare::{BillAgreement, BillComparison, BillRow};
pub use document::{BillOfMaterials, BillPackage};
