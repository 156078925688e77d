//! The tar errors after which a runtime has written part of a file.

use porthole_core::tar::Error;

/// Whether the error occurs while a reader reads a file's data. A runtime has then created the file, but not set its
/// attributes.
pub fn leaves_part_of_a_file(error: &Error) -> bool {
    use Error::{SparseMissing, SparseUnreferenced, UnexpectedEof};
    matches!(error, UnexpectedEof { .. } | SparseMissing { .. } | SparseUnreferenced { .. })
}
