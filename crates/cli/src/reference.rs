//! References as they are typed.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use porthole_core::reference::Reference;

use crate::error::Error;

/// Reads a reference. The error quotes what was typed.
pub(crate) fn parse(text: &OsStr) -> Result<Reference, Error> {
    Reference::parse_typed(text.as_bytes())
        .map_err(|error| Error::Reference { text: text.to_string_lossy().into_owned(), error })
}
