//! Documents and JSON on stdout.

use std::io::{self, Write};

use porthole_inspect::report::json::write_json;
use serde::Serialize;
use serde_json::{
    Value,
    ser::{CompactFormatter, PrettyFormatter},
};

use crate::{error::Error, session::Session};

/// Prints a document: its exact bytes or, if `pretty`, indented JSON.
pub(crate) fn print_document(session: &Session<'_>, bytes: &[u8], pretty: bool) -> Result<(), Error> {
    let mut out = session.ui.out();
    if pretty {
        // Does not fail: the document was parsed as JSON before.
        let value: Value = serde_json::from_slice(bytes).map_err(io::Error::other)?;
        write_json(&mut out, &value, PrettyFormatter::new())?;
        writeln!(out)?;
    } else {
        out.write_all(bytes)?;
    }
    Ok(out.flush()?)
}

/// Prints a value as JSON on one line.
pub(crate) fn print_json(out: &mut impl Write, value: &impl Serialize) -> Result<(), Error> {
    write_json(out, value, CompactFormatter)?;
    Ok(writeln!(out)?)
}
