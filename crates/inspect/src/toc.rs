//! Tables of contents of prepared layers (eStargz, zstd:chunked): fetched by ranges, and compared with their layers.

use crate::{blob::read_range, layer::LayerJob};
use porthole_core::{
    decode::Format as StreamFormat,
    failure::{Classify, FailureClass},
    layer::LayerReport,
    media_type::Compression,
    toc::{self, Audit, AuditReport, Toc, TocFormat, TocReader, Trust},
};
use porthole_source::ImageSource;
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{Mutex, PoisonError},
};

/// Which tables of contents are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TocSearch {
    /// Those that the manifest vouches for.
    Trusted,
    /// Those that descriptors announce, and those of bare layers, of which nothing is known.
    Announced,
    /// All of them, which costs a request for each layer.
    All,
}

/// Why there is no table of contents to use.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error<E> {
    /// The source gives no bytes.
    #[error(transparent)]
    Source(E),
    /// It is not the one that the descriptor names, or malformed.
    #[error("{0}")]
    Toc(toc::Error),
}

/// Fetches the table of contents of a layer, if it has one that is wanted. Returns it with the number of bytes received.
///
/// # Errors
///
/// [`Error`].
pub async fn fetch<S: ImageSource>(
    source: &S,
    job: &LayerJob,
    search: TocSearch,
) -> Result<Option<(Toc, u64)>, Error<S::Error>> {
    let limits = source.limits();
    let reader = match &job.descriptor {
        Some(descriptor) => TocReader::new(descriptor, limits),
        None if search == TocSearch::Trusted => return Ok(None),
        None => {
            let size = source.bare_size().await.map_err(Error::Source)?;
            TocReader::probe(sniff(source).await?, size, limits)
        }
    };
    let mut reader = reader.map_err(Error::Toc)?;
    if search != TocSearch::All && job.descriptor.is_some() && !reader.announced() {
        return Ok(None);
    }
    let mut fetched = 0;
    while let Some(range) = reader.wants() {
        let mut refused = None;
        let received = read_range(source, job.descriptor.as_ref(), range.clone(), |bytes| match reader.push(bytes) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                refused = Some(error);
                ControlFlow::Break(())
            }
        });
        fetched += received.await.map_err(Error::Source)?;
        if let Some(error) = refused {
            return Err(Error::Toc(error));
        }
        if reader.wants() == Some(range) {
            // Nothing came: the reader knows how much is missing.
            break;
        }
    }
    let toc = reader.finish().map_err(Error::Toc)?;
    let wanted = |toc: &Toc| search != TocSearch::Trusted || toc.trust() != Trust::Nothing;
    Ok(toc.filter(wanted).map(|toc| (toc, fetched)))
}

/// How a layer that belongs to no image is compressed.
async fn sniff<S: ImageSource>(source: &S) -> Result<Compression, Error<S::Error>> {
    let mut head = Vec::new();
    let received = read_range(source, None, 0..StreamFormat::PREFIX as u64, |bytes| {
        head.extend_from_slice(bytes);
        ControlFlow::Continue(())
    });
    received.await.map_err(Error::Source)?;
    Ok(StreamFormat::sniff(&head).and_then(StreamFormat::compression).unwrap_or(Compression::None))
}

/// Audits of the tables of contents of layers that are being read, by the index of the layer.
#[derive(Debug, Default)]
pub struct TocAudits(Mutex<BTreeMap<u32, AuditedToc>>);

/// What became of an audit.
#[derive(Clone, Debug)]
pub enum AuditedToc {
    /// There is a table of contents, but it cannot be used.
    Refused(toc::Error),
    /// It was compared with its layer.
    Done {
        /// Format of the table.
        format: TocFormat,
        /// The manifest vouches for it.
        trusted: bool,
        /// Where the two differ.
        report: AuditReport,
    },
}

impl AuditedToc {
    /// Whether the table says what the layer has. One that was not read because of a limit disagrees with nothing.
    pub fn agrees(&self) -> bool {
        match self {
            Self::Refused(_) => self.is_unchecked(),
            Self::Done { report, .. } => report.disagreements.is_empty(),
        }
    }

    /// Whether the table was not read because of a limit.
    pub fn is_unchecked(&self) -> bool {
        matches!(self, Self::Refused(error) if error.kind() == FailureClass::Limit)
    }
}

impl TocAudits {
    /// Starts the audit of a layer that is about to be read, if it is prepared.
    ///
    /// # Errors
    ///
    /// Those of the source. What is wrong with the table itself is noted.
    pub async fn begin<S: ImageSource>(&self, source: &S, job: &LayerJob) -> Result<Option<Audit<Toc>>, S::Error> {
        match fetch(source, job, TocSearch::Announced).await {
            Ok(toc) => Ok(toc.map(|(toc, _)| Audit::new(toc))),
            Err(Error::Toc(error)) => {
                self.keep(job.layer, AuditedToc::Refused(error));
                Ok(None)
            }
            Err(Error::Source(error)) => Err(error),
        }
    }

    /// Ends the audit of a layer that was read.
    pub fn end(&self, job: &LayerJob, audit: Audit<Toc>, layer: &LayerReport) {
        let (format, trust) = (audit.toc().format(), audit.toc().trust());
        let trusted = matches!(trust, Trust::Annotation(_));
        self.keep(job.layer, AuditedToc::Done { format, trusted, report: audit.finish(layer) });
    }

    /// What became of the audit of a layer, if there was one.
    pub fn find(&self, layer: u32) -> Option<AuditedToc> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&layer).cloned()
    }

    fn keep(&self, layer: u32, audited: AuditedToc) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(layer, audited);
    }
}
