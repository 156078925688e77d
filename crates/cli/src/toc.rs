//! Tables of contents of prepared layers: fetched by ranges, and audited while their layers are read.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Mutex, PoisonError},
};

use porthole_core::{
    decode::Format as Stream,
    layer::LayerReport,
    media_type::Compression,
    toc::{self, Audit, AuditReport, Format, Reader, Toc, Trust},
};

use crate::{
    error::Error,
    layers::Job,
    session::Session,
    source::{More, Source},
};

/// Which tables of contents are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    /// Those that the manifest vouches for.
    Trusted,
    /// Those that descriptors announce, and those of bare layers, of which nothing is said.
    Announced,
    /// The others as well, which costs a request for each layer.
    All,
}

/// The table of contents of a layer, if it has one that is wanted, and how many bytes of the blob it took.
///
/// # Errors
///
/// [`Error::Toc`] if it is not the one that the descriptor names, or not well-formed.
pub(crate) fn fetch(
    session: &Session<'_>,
    source: &Source,
    job: &Job,
    search: Search,
) -> Result<Option<(Toc, u64)>, Error> {
    let refused = |error| Error::Toc { layer: job.layer, error };
    let reader = match (source, &job.descriptor) {
        (_, Some(descriptor)) => Reader::new(descriptor, &session.limits),
        (Source::Layer { path }, None) if search != Search::Trusted => {
            let read = |source| Error::Read { path: path.clone(), source };
            let size = fs::metadata(path).map_err(read)?.len();
            Reader::probe(sniff(source)?, size, &session.limits)
        }
        (_, None) => return Ok(None),
    };
    let mut reader = reader.map_err(refused)?;
    if search != Search::All && job.descriptor.is_some() && !reader.announced() {
        return Ok(None);
    }
    let mut fetched = 0;
    while let Some(range) = reader.wants() {
        fetched += source.read_range(job.descriptor.as_ref(), range.clone(), |bytes| {
            reader.push(bytes).map_err(refused)?;
            Ok(More::Yes)
        })?;
        if reader.wants() == Some(range) {
            // Nothing came: the reader knows how much is missing.
            break;
        }
    }
    let toc = reader.finish().map_err(refused)?;
    let wanted = |toc: &Toc| search != Search::Trusted || toc.trust() != Trust::Nothing;
    Ok(toc.filter(wanted).map(|toc| (toc, fetched)))
}

/// How a bare layer is compressed.
fn sniff(source: &Source) -> Result<Compression, Error> {
    let mut head = Vec::new();
    source.read_range(None, 0..Stream::PREFIX as u64, |bytes| {
        head.extend_from_slice(bytes);
        Ok(More::Yes)
    })?;
    Ok(Stream::sniff(&head).and_then(Stream::compression).unwrap_or(Compression::None))
}

/// What to know of a listing that comes from a table of contents.
pub(crate) fn caveat(layer: u32, toc: &Toc) -> String {
    let vouched = match toc.trust() {
        Trust::Annotation(_) => "which the manifest vouches for",
        _ => "which nothing vouches for",
    };
    let hidden = toc.landmark().map_or("", |_| "; its landmark file is left out");
    let format = toc.format();
    format!("layer {layer} is listed from its {format} table of contents, {vouched}, not from its archive{hidden}")
}

/// Audits of the tables of contents of layers that are being read.
#[derive(Default)]
pub(crate) struct Audits(Mutex<BTreeMap<u32, Audited>>);

/// What became of an audit.
pub(crate) enum Audited {
    /// There is a table of contents, but it is not to be used.
    Refused(toc::Error),
    Done {
        format: Format,
        trusted: bool,
        report: AuditReport,
    },
}

impl Audits {
    /// An audit of a layer that is about to be read, if it is prepared.
    pub(crate) fn begin(&self, session: &Session<'_>, source: &Source, job: &Job) -> Result<Option<Audit<Toc>>, Error> {
        match fetch(session, source, job, Search::Announced) {
            Ok(toc) => Ok(toc.map(|(toc, _)| Audit::new(toc))),
            Err(Error::Toc { layer, error }) => {
                self.keep(layer, Audited::Refused(error));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The layer is read.
    pub(crate) fn end(&self, job: &Job, audit: Audit<Toc>, layer: &LayerReport) {
        let (format, trust) = (audit.toc().format(), audit.toc().trust());
        let trusted = matches!(trust, Trust::Annotation(_));
        self.keep(job.layer, Audited::Done { format, trusted, report: audit.finish(layer) });
    }

    /// What became of the audit of a layer, if there was one.
    pub(crate) fn take(&self, layer: u32) -> Option<Audited> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&layer)
    }

    fn keep(&self, layer: u32, audited: Audited) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(layer, audited);
    }
}
