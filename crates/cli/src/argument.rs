//! Arguments that several verbs share.

use std::{ffi::OsString, path::Path};

use clap::Args;

use crate::{
    error::Error,
    session::Session,
    source::{Source, Spec},
};

/// The argument SRC.
#[derive(Args)]
pub(crate) struct SourceArgument {
    #[arg(value_name = "SRC", help = SOURCES)]
    pub(crate) source: OsString,
}

impl SourceArgument {
    /// The source as typed on the command line, not yet opened.
    pub(crate) fn spec(&self) -> Result<Spec, Error> {
        Spec::parse(&self.source, Path::exists)
    }

    /// Opens the source.
    pub(crate) fn open(&self, session: &Session<'_>) -> Result<Source, Error> {
        Source::open(&self.spec()?, session)
    }
}

/// Help of an argument that names an image.
pub(crate) const SOURCES: &str = "Reference, or store:NAME, oci:DIR[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME], dir:DIR, \
     layer:FILE, ./PATH";
