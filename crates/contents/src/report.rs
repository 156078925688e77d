//! What the command line prints with `--json`. Scripts and the page's "Save JSON" rely on it: it changes only by additions.

mod bill;
mod packages;
mod secrets;

pub use self::{bill::BillRowReport, packages::PackageReport, secrets::SecretReport};
