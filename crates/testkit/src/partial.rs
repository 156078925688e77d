//! Effects of broken archives.

use porthole_core::tar::Error;

/// Whether a reader finds the error while it reads a file's data: a runtime has created that file by then, but not set
/// its attributes.
pub fn leaves_part_of_a_file(error: &Error) -> bool {
    use Error::{SparseMissing, SparseUnreferenced, UnexpectedEof};
    matches!(error, UnexpectedEof { .. } | SparseMissing { .. } | SparseUnreferenced { .. })
}
