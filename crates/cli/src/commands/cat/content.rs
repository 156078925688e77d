//! The bytes of a file, none of them before it is verified.

use std::io::Write;

use porthole_core::{seek::Index, toc::Toc, tree::Content};

use crate::{
    error::{Error, WrongLayer},
    layers::{Job, Reading, Spool, Want, Which},
    progress::Meter,
    session::Session,
    source::{More, Source},
};

/// Prints what the index finds, span by span, each when it is checked. Returns how many bytes of the blob that took.
pub(super) fn print_part(
    session: &Session<'_>,
    source: &Source,
    job: &Job,
    index: &Index,
    content: Content,
    out: &mut impl Write,
) -> Result<u64, Error> {
    let wrong = |error| Error::Part { layer: job.layer, error };
    let mut reader = index.open_at(content.offset, &session.limits).map_err(wrong)?;
    let mut written = Ok(());
    let received = source.read_range(job.descriptor.as_ref(), reader.range(), |chunk| {
        let mut write = |bytes: &[u8]| {
            if written.is_ok() {
                written = out.write_all(bytes);
            }
        };
        reader.push(chunk, &mut write).map_err(wrong)?;
        Ok(if reader.done() || written.is_err() { More::No } else { More::Yes })
    })?;
    written?;
    reader.finish().map_err(wrong)?;
    Ok(received)
}

/// Prints the chunks that a table of contents names, each when it is checked. Returns how many bytes of the blob that took.
pub(super) fn print_chunks(
    source: &Source,
    job: &Job,
    toc: &Toc,
    content: Content,
    out: &mut impl Write,
) -> Result<u64, Error> {
    let wrong = |error| Error::Chunk { layer: job.layer, error };
    let mut reader = toc.open_at(content.offset, 0..content.size).map_err(wrong)?;
    let mut written = Ok(());
    let mut write = |bytes: &[u8]| {
        if written.is_ok() {
            written = out.write_all(bytes);
        }
    };
    let mut received = 0;
    while let Some(range) = reader.wants() {
        received += source.read_range(job.descriptor.as_ref(), range.clone(), |bytes| {
            reader.push(bytes, &mut write).map_err(wrong)?;
            Ok(More::Yes)
        })?;
        if reader.wants() == Some(range) {
            // Nothing came: the reader knows how much is missing.
            break;
        }
    }
    reader.finish(&mut write).map_err(wrong)?;
    written?;
    Ok(received)
}

/// Reads the layer to its end, and prints the content once the layer is what it should be. Returns the bytes of the blob.
pub(super) fn print_whole(
    session: &Session<'_>,
    source: &Source,
    job: &Job,
    content: Content,
    out: &mut impl Write,
) -> Result<u64, Error> {
    let meter = Meter::new(session.ui, std::slice::from_ref(job));
    let mut spool = Spool::new(Which::Offset(content.offset));
    let report = Reading::new(session, source, &meter, Want::Reports).one(job, &mut spool)?;
    drop(meter);
    let findings = job.findings(&report);
    if !findings.is_empty() {
        let findings = findings.into_iter().cloned().collect();
        return Err(Error::Layers(vec![WrongLayer { layer: job.layer, findings }]));
    }
    spool.copy_to(out)?;
    Ok(report.size)
}
