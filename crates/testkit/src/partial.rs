//! What a broken archive leaves behind.

use porthole_core::tar::Error;

/// Whether an error is found while the data of a file is read: a runtime has made that file then, and not yet set its attributes.
pub fn leaves_part_of_a_file(error: &Error) -> bool {
    use Error::{SparseMissing, SparseUnreferenced, UnexpectedEof};
    matches!(error, UnexpectedEof { .. } | SparseMissing { .. } | SparseUnreferenced { .. })
}
