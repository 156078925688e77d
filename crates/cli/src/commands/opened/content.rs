//! Reads the bytes of a file. Each byte is verified before it is returned.

use std::{io::Write, ops::ControlFlow};

use porthole_core::tree::Content;
use porthole_inspect::open::{self, FileParts};

use crate::{
    error::{Error, WrongLayer},
    layers::{Job, Reading, Spool, Want, Which},
    progress::Meter,
    session::Session,
    source::Source,
};

/// Prints a file from parts of its layer. Verifies each part before printing it. Returns the number of bytes of the blob that were
/// read.
pub(super) fn print_parts(source: &Source, job: &Job, parts: FileParts, out: &mut impl Write) -> Result<u64, Error> {
    let mut written = Ok(());
    let received = source.wait(parts.read(&source.origin, job.descriptor.as_ref(), |bytes| {
        written = out.write_all(bytes);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }));
    written?;
    received.map_err(|error| match error {
        open::Error::Source(error) => error.into(),
        open::Error::Part(error) => Error::Part { layer: job.named(), error },
        open::Error::Chunk(error) => Error::Chunk { layer: job.named(), error },
    })
}

/// Reads a whole layer and keeps the content of the file. Returns the content once the layer is verified, and the number of bytes
/// of the blob that were read.
pub(super) fn take_whole(
    session: &Session<'_>,
    source: &Source,
    job: &Job,
    content: Content,
) -> Result<(Spool, u64), Error> {
    let meter = Meter::new(session.ui, std::slice::from_ref(job));
    let mut spool = Spool::new(Which::Offset(content.offset));
    let report = Reading::new(session, source, &meter, Want::Reports).one(job, &mut spool)?;
    drop(meter);
    let findings = job.findings(&report);
    if !findings.is_empty() {
        let findings = findings.into_iter().cloned().collect();
        return Err(Error::Layers(vec![WrongLayer { layer: job.named(), findings }]));
    }
    Ok((spool, report.size))
}
