//! What the command line prints with `--json`. Scripts and the page's "Save JSON" rely on it: it changes only by additions.

mod packages;
mod secrets;

pub use self::{packages::PackageReport, secrets::SecretReport};
