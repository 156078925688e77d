//! One layer: what is known before it is read, and the loop that reads it.

use crate::blob;
use porthole_core::{
    decode::Format,
    descriptor::Descriptor,
    digest::Digest,
    image::Layer,
    layer::{BlobDigests, Expected, Finding, LayerNumber, LayerReader, LayerReport, NamedLayer, Progress},
    limits::Limits,
    media_type::{Compression, MediaType, Role},
    seek::{IndexEnd, IndexOptions},
    tar::EntrySink,
};
use porthole_source::{BlobStream, ImageSource};
use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
};

/// A layer to be read.
#[derive(Clone, Debug)]
pub struct LayerJob {
    /// Its index in the image, counted from 0 at the bottom.
    pub layer: u32,
    /// Its blob; `None` for a layer that belongs to no image.
    pub descriptor: Option<Descriptor>,
    /// Digest of the unpacked archive, if the configuration states it.
    pub diff_id: Option<Digest>,
    /// Whether it promises to be an archive, so that anything else is a fault of its own.
    pub promised: bool,
    /// What its blob is called as a file, if it turns out to be no archive; `None` for a layer of an image.
    pub file: Option<Vec<u8>>,
}

impl LayerJob {
    /// The layers of an image, bottom first.
    pub fn of<'l>(layers: impl IntoIterator<Item = &'l Layer>) -> Vec<Self> {
        let job = |layer: &Layer| Self {
            layer: layer.index,
            descriptor: Some(layer.descriptor.clone()),
            diff_id: layer.diff_id,
            promised: layer.archive,
            file: layer.file.clone().map(String::into_bytes),
        };
        layers.into_iter().map(job).collect()
    }

    /// What makes it the same as other layers; `None` for a layer that belongs to no image.
    pub fn identity(&self) -> Option<BlobIdentity<'_>> {
        Some(BlobIdentity::new(self.descriptor.as_ref()?, self.diff_id, self.promised))
    }

    /// Its number, which counts from 1 at the bottom.
    pub fn number(&self) -> LayerNumber {
        LayerNumber::of_index(self.layer)
    }

    /// Its name in errors.
    pub fn named(&self) -> NamedLayer {
        NamedLayer { number: self.number(), digest: self.descriptor.as_ref().map(|descriptor| descriptor.digest) }
    }

    /// The digests of the blobs of all layers of an image, bottom first.
    pub fn digests(jobs: &[Self]) -> BlobDigests {
        jobs.iter().map(|job| job.named().digest).collect()
    }

    /// A layer that belongs to no image: nothing is known of it.
    pub fn bare() -> Vec<Self> {
        vec![Self { layer: 0, descriptor: None, diff_id: None, promised: true, file: None }]
    }

    /// Whether its media type is that of an archive. Only a layer of an image [promises](Self::promised) to be one.
    pub fn is_archive(&self) -> bool {
        let role = self.descriptor.as_ref().map(|descriptor| descriptor.media_type.role());
        matches!(role, None | Some(Role::Layer(_)))
    }

    /// Its media type; that of an empty blob where nothing states one.
    pub fn media_type(&self) -> MediaType {
        self.descriptor.as_ref().map_or(MediaType::OCI_EMPTY, |descriptor| descriptor.media_type.clone())
    }

    /// What is wrong with the layer. The right bytes under a wrong media type are what a runtime would unpack, so that is
    /// not among it.
    pub fn findings<'r>(&self, report: &'r LayerReport) -> Vec<&'r Finding> {
        report.findings.iter().filter(|finding| finding.refutes() && self.answers_for(finding)).collect()
    }

    /// Whether a finding is the layer's fault. The blob of an artifact need only have its digest and size. What is encrypted, or has a
    /// compression that is not read, was not unpacked, so its diff_id says nothing of it.
    pub fn answers_for(&self, finding: &Finding) -> bool {
        match finding {
            Finding::Digest { .. } | Finding::Size { .. } => true,
            Finding::DiffId { .. } => self.promised || self.is_archive(),
            _ => self.promised,
        }
    }

    /// Whether the blob that was read is an archive, or should have been one.
    pub fn was_archive(&self, report: &LayerReport) -> bool {
        let other = report.findings.iter().any(|finding| finding.refutes() && !self.answers_for(finding));
        self.is_archive() && !report.one_file && !other
    }

    /// How the compression that a kept index recorded contradicts the media type.
    pub fn contradiction(&self, found: Compression) -> Option<Finding> {
        let media_type = &self.descriptor.as_ref()?.media_type;
        let found = match (media_type.role(), found) {
            (Role::Layer(declared), found) if declared == found => return None,
            (_, Compression::None) => Format::Tar,
            (_, Compression::Gzip) => Format::Gzip,
            (_, Compression::Zstd) => Format::Zstd,
            _ => return None,
        };
        Some(Finding::Compression { declared: media_type.to_string(), found })
    }

    /// A reader at the start of the layer.
    pub fn reader(&self, limits: Limits) -> LayerReader {
        let reader = LayerReader::new(self.expected(), limits);
        match &self.file {
            Some(name) => reader.or_file(name.clone()),
            None => reader,
        }
    }

    /// What the reader of the layer checks it against.
    pub fn expected(&self) -> Expected {
        Expected {
            digest: self.descriptor.as_ref().map(|descriptor| descriptor.digest),
            size: self.descriptor.as_ref().map(|descriptor| descriptor.size),
            diff_id: self.diff_id,
            media_type: self.descriptor.as_ref().map(|descriptor| descriptor.media_type.clone()),
        }
    }

    /// What `findings` mean for the files of the layer.
    pub fn judge(&self, findings: Vec<Finding>) -> Verdict {
        if !findings.iter().any(Finding::refutes) {
            return Verdict::Good(findings);
        }
        if findings.iter().any(|finding| finding.refutes() && self.answers_for(finding)) {
            Verdict::Wrong(findings)
        } else {
            Verdict::NoFiles
        }
    }
}

/// What layers have in common that one reading of their blob serves: the blob, and what it is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlobIdentity<'l> {
    digest: Digest,
    size: u64,
    media_type: &'l MediaType,
    /// They name the table of contents of a prepared layer.
    annotations: &'l BTreeMap<String, String>,
    diff_id: Option<Digest>,
    promised: bool,
}

impl<'l> BlobIdentity<'l> {
    /// The identity of a layer of an image.
    pub fn of(layer: &'l Layer) -> Self {
        Self::new(&layer.descriptor, layer.diff_id, layer.archive)
    }

    fn new(descriptor: &'l Descriptor, diff_id: Option<Digest>, promised: bool) -> Self {
        let Descriptor { digest, size, media_type, annotations, .. } = descriptor;
        Self { digest: *digest, size: *size, media_type, annotations, diff_id, promised }
    }
}

/// The place among `jobs` of the first layer with the same blob, for each of them.
pub fn first_of_blob(jobs: &[LayerJob]) -> Vec<usize> {
    let mut first = HashMap::new();
    let places = jobs.iter().map(LayerJob::identity).zip(0..);
    places.map(|(identity, place)| identity.map_or(place, |identity| *first.entry(identity).or_insert(place))).collect()
}

/// Whether the files of a layer can be used.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// They can. The findings are worth a note.
    Good(Vec<Finding>),
    /// The layer is not what it should be.
    Wrong(Vec<Finding>),
    /// The blob of an artifact that is not an archive.
    NoFiles,
}

/// Reads and verifies a layer: every entry goes to `sink`. `watch` gets the progress after each piece; where it breaks, the
/// report is that of a layer that ended there.
///
/// # Errors
///
/// Those of the source. What is wrong with the bytes is in the report.
pub async fn read<S: ImageSource>(
    source: &S,
    job: &LayerJob,
    sink: &mut impl EntrySink,
    watch: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<LayerReport, S::Error> {
    let reader = job.reader(*source.limits());
    Ok(read_by(source, job, reader, |_| {}, sink, watch).await?.0)
}

/// As [`read`], and makes a seek index on the way: `append` gets its bytes piece by piece, in order. They are an index with
/// the end that is returned, if there is one (see [`LayerReader::finish_index`]).
///
/// # Errors
///
/// Those of the source.
pub async fn read_with_index<S: ImageSource>(
    source: &S,
    job: &LayerJob,
    options: IndexOptions,
    append: impl FnMut(&[u8]),
    sink: &mut impl EntrySink,
    watch: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<(LayerReport, Option<IndexEnd>), S::Error> {
    let reader = job.reader(*source.limits()).with_index(options);
    read_by(source, job, reader, append, sink, watch).await
}

/// The loop that reads layers: blob to reader to sink, until the blob ends, is longer than its descriptor says, or `watch`
/// breaks. The reader is new, and made for the [expected](LayerJob::expected) layer; with an index, `append` gets its bytes.
///
/// # Errors
///
/// Those of the source.
pub async fn read_by<S: ImageSource>(
    source: &S,
    job: &LayerJob,
    mut reader: LayerReader,
    mut append: impl FnMut(&[u8]),
    sink: &mut impl EntrySink,
    mut watch: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<(LayerReport, Option<IndexEnd>), S::Error> {
    // To its end, wherever that is: the report says how it differs from the descriptor.
    let end = job.descriptor.as_ref().map_or(u64::MAX, |descriptor| descriptor.size);
    let mut blob = blob::open(source, job.descriptor.as_ref(), 0..end).await?;
    pump(&mut blob, |chunk| {
        let progress = reader.push(chunk, sink);
        let overlong = progress.overlong;
        let index = reader.take_index();
        if !index.is_empty() {
            append(&index);
        }
        if watch(progress).is_break() || overlong { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .await?;
    Ok(reader.finish_index(sink))
}

/// Gives a blob to `push` in chunks of at most [`CHUNK`] bytes, until `push` breaks or the blob ends.
///
/// # Errors
///
/// Those of the stream.
pub async fn pump<B: BlobStream>(blob: &mut B, mut push: impl FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), B::Error> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = blob.read(&mut buffer).await?;
        if read == 0 || push(&buffer[..read]).is_break() {
            return Ok(());
        }
    }
}

/// Bytes of a blob that are read at once.
pub const CHUNK: usize = 256 << 10;
