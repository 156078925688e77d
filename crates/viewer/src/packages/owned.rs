//! Which files no package owns, and which were modified after their package was installed.

use crate::protocol::OwnerFacts;
use porthole_contents::{
    digests::LayerDigests,
    ownership::{ModifiedFile, Ownership},
};
use porthole_core::tree::NodeId;
use std::{collections::HashSet, rc::Rc};

/// Files of the final tree that packages say something about.
#[derive(Clone, Debug)]
pub(crate) struct MarkedFiles {
    /// No package owns them. An error says why that is not known.
    pub(crate) unowned: Result<Rc<HashSet<NodeId>>, &'static str>,
    /// Their content is not what their package brought.
    pub(crate) modified: Result<Rc<HashSet<NodeId>>, &'static str>,
}

impl Default for MarkedFiles {
    fn default() -> Self {
        Self { unowned: Err(NOT_READ), modified: Err(NOT_COMPARED) }
    }
}

/// The facts, where a database lists the files of the system, and the marks. `missing` says why paths of packages are missing, if some
/// are.
pub(super) fn weigh(
    ownership: &Ownership<'_>,
    missing: Option<&'static str>,
    digests: Option<&[LayerDigests]>,
) -> (Option<OwnerFacts>, MarkedFiles) {
    if let Some(unknown) = missing.or_else(|| (!ownership.is_known()).then_some(NO_DATABASE)) {
        return (None, MarkedFiles { unowned: Err(unknown), modified: Err(unknown) });
    }
    let unowned: HashSet<NodeId> = ownership.unowned().map(|row| row.node).collect();
    let modified = digests.map(|digests| ownership.modified(digests));
    let facts = OwnerFacts { unowned: unowned.len() as u64, modified: modified.as_ref().map(|all| all.len() as u64) };
    let of_rows = |all: &Vec<ModifiedFile<'_>>| all.iter().map(|file| file.row.node).collect::<HashSet<_>>();
    let modified = modified.as_ref().map(of_rows).map(Rc::new).ok_or(NOT_COMPARED);
    (Some(facts), MarkedFiles { unowned: Ok(Rc::new(unowned)), modified })
}

const NOT_READ: &str = "list the packages first, in the tab Packages";
const NOT_COMPARED: &str = "compare files with what packages recorded first, in the tab Packages";
const NO_DATABASE: &str = "no database of this image lists the files of its system";
/// A database may have been in it.
pub(super) const LOST: &str = "a layer could not be read, and it may record more packages";
/// Paths of packages were not sent.
pub(super) const TOO_MANY: &str =
    "the databases of this image list more files than the page keeps; the command line reads all";
