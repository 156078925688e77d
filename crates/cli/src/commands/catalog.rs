//! `porthole catalog`

use clap::Args;
use porthole_core::{failure::Classify, hint::Hint};
use porthole_registry::Error as Refusal;

use super::{login, tags::Pages};
use crate::{
    error::{Error, Told},
    session::Session,
};

/// List the repositories of a registry, in the registry's order
///
/// Many public registries offer no such list.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole catalog localhost:5000
  porthole catalog --json registry.example.com")]
pub(crate) struct Arguments {
    /// Registry whose repositories are listed
    #[arg(value_name = "REGISTRY")]
    registry: String,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let reference = login::reference(&arguments.registry)?;
    let client = session.client(&reference)?;
    let mut list = Pages::new(session, "repository");
    let fetched = session.runtime().block_on(client.fetch_catalog_pages(&reference, |page| list.print(&page)));
    list.finish()?;
    fetched.map_err(explain)
}

/// Gives a missing catalog its own message: the registry exists and may work well without a catalog.
fn explain(refusal: Refusal) -> Error {
    let absent = matches!(
        refusal,
        Refusal::NotFound { .. }
            | Refusal::Unauthorized { .. }
            | Refusal::Withheld { .. }
            | Refusal::UnknownScheme { .. }
            | Refusal::Status { status: 400 | 405 | 501, .. }
    );
    let (Some(registry), true) = (refusal.registry().map(str::to_owned), absent) else { return refusal.into() };
    let known = Hint::Text(format!(
        "many registries list no repositories; of one whose name you know, `porthole tags {registry}/NAME` lists the tags"
    ));
    let reason = match &refusal {
        Refusal::NotFound { .. } => "it has no catalog".to_owned(),
        other => other.to_string(),
    };
    Told { message: format!("{registry} lists no repositories: {reason}"), failure: refusal.failure().hint(known) }
        .into()
}
