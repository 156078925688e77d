//! References as arguments.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use porthole_core::reference::Reference;

use crate::error::Error;

/// Parses a reference. Refuses text that only contains one, such as the URL of a web page, with the reference as a hint: scripts
/// depend on a typing mistake being an error before the first request.
pub(crate) fn parse(text: &OsStr) -> Result<Reference, Error> {
    Reference::parse_strict(text.as_bytes()).map_err(|(error, meant)| Error::Reference {
        text: text.to_string_lossy().into_owned(),
        error,
        meant,
    })
}
