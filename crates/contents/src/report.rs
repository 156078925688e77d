//! What the command line prints with `--json`. Scripts and the page's "Save JSON" rely on it: it changes only by additions.

mod bill;
mod file;
mod packages;
mod secrets;

pub use self::{
    bill::BillRowReport,
    file::{FactMap, FactsReport, MemberReport},
    packages::PackageReport,
    secrets::SecretReport,
};
