use std::fmt;

use super::{Expected, Fault, LayerNumber, LayerReader, Stage};
use crate::{
    decode::{self, Format},
    digest::{Digest, HashState},
    failure::{Classify, Failure, FailureClass},
    media_type::Compression,
    seek::Offsets,
    tar::{self, Scanner},
};

/// The result of reading a layer to its end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LayerReport {
    /// Digest of the blob, by the algorithm of the expected digest (SHA-256 if there was none).
    pub digest: Digest,
    /// Size of the blob in bytes.
    pub size: u64,
    /// Digest of the uncompressed archive, if decoding reached its end.
    pub diff_id: Option<Digest>,
    /// Size of the uncompressed archive in bytes.
    pub uncompressed: u64,
    /// Entries passed to the sink.
    pub entries: u64,
    /// Whether the blob belongs to an artifact and is not an archive. Its only entry is the blob itself.
    pub one_file: bool,
    /// Entries that widely used tar readers interpret differently.
    pub ambiguous: u64,
    /// Bytes of the archive after its end marker. Runtimes ignore them; padding is usual.
    pub after_end: u64,
    /// Whether any byte after the end marker is not zero. Some readers continue there.
    pub after_end_data: bool,
    /// Compression of the blob, if it was recognised.
    pub compression: Option<Compression>,
    /// Approximate map from positions in the archive to positions in the blob, for the part that was decoded.
    pub offsets: Offsets,
    /// What is wrong, worst first: digest, size, content, diff_id, media type.
    pub findings: Vec<Finding>,
    expected: Expected,
}

impl LayerReport {
    /// Whether digest, size and diff_id were all expected and match, and no finding [refutes](Finding::refutes) the
    /// layer.
    pub fn verified(&self) -> bool {
        !self.findings.iter().any(Finding::refutes)
            && self.expected.digest == Some(self.digest)
            && self.expected.size == Some(self.size)
            && self.expected.diff_id.is_some()
            && self.expected.diff_id == self.diff_id
    }

    /// Whether digest and size of the blob were expected and match, and the diff_id if one was expected.
    pub(crate) fn is_the_blob(&self) -> bool {
        self.expected.digest == Some(self.digest)
            && self.expected.size == Some(self.size)
            && (self.expected.diff_id.is_none() || self.expected.diff_id == self.diff_id)
    }

    /// Whether decoding and the tar scan both reached the end.
    pub(crate) fn content_is_whole(&self) -> bool {
        self.diff_id.is_some() && !self.findings.iter().any(|finding| matches!(finding, Finding::Tar(_)))
    }
}

/// Makes the report. Also returns the hash states that were requested and not taken before.
pub(super) fn report(reader: LayerReader) -> (LayerReport, Vec<HashState>) {
    let LayerReader { expected, blob, size, stage, compression, contradiction, mut content, mut offsets, .. } = reader;
    offsets.end(size, content.size);
    let (states, digest) = blob.finish();
    let mut findings = Vec::new();
    if let Some(expected) = expected.digest.filter(|expected| *expected != digest) {
        findings.push(Finding::Digest { expected, got: digest, size });
    }
    if let Some(expected) = expected.size.filter(|expected| *expected != size) {
        findings.push(Finding::Size { expected, got: size });
    }
    let fault = match stage {
        Stage::Decoding(decoder) => decoder.finish().err().map(Finding::Decode),
        Stage::Failed(Fault::Decode(error)) => Some(Finding::Decode(error)),
        Stage::Failed(Fault::Format(found)) => Some(Finding::Format { found }),
        // The size finding reports this.
        Stage::Failed(Fault::Overlong) => None,
        Stage::Sniffing(_) | Stage::Plain => None,
    };
    let whole = fault.is_none() && expected.size.is_none_or(|expected| size <= expected);
    findings.extend(fault);
    // If the decoder failed, an archive that ends too early is a consequence, not a second finding.
    let error = content.error.or_else(|| content.contents.finish().err().filter(|_| whole));
    findings.extend(error.map(Finding::Tar));
    let diff_id = whole.then(|| content.diff_id.map_or(digest, |hashing| hashing.finish().1));
    if let (Some(expected), Some(got)) = (expected.diff_id, diff_id)
        && expected != got
    {
        findings.push(Finding::DiffId { expected, got });
    }
    if let (Some(found), Some(declared)) = (contradiction, &expected.media_type) {
        findings.push(Finding::Compression { declared: declared.to_string(), found });
    }
    let scanner = content.contents.scanner();
    let report = LayerReport {
        digest,
        size,
        diff_id,
        uncompressed: content.size,
        entries: content.contents.entries(),
        one_file: scanner.is_none(),
        ambiguous: scanner.map_or(0, Scanner::ambiguous),
        after_end: scanner.map_or(0, Scanner::after_end),
        after_end_data: scanner.is_some_and(Scanner::after_end_data),
        compression,
        offsets,
        findings,
        expected,
    };
    (report, states)
}

/// A problem with a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The blob does not match its digest.
    Digest {
        /// Digest in the descriptor.
        expected: Digest,
        /// Digest of the bytes.
        got: Digest,
        /// Length of the blob in bytes.
        size: u64,
    },
    /// The blob is longer or shorter than its descriptor says.
    Size {
        /// Size in the descriptor.
        expected: u64,
        /// Bytes that were received.
        got: u64,
    },
    /// The content contradicts the declared media type.
    Compression {
        /// The declared media type.
        declared: String,
        /// The detected format.
        found: Format,
    },
    /// The detected format is not allowed for a layer.
    Format {
        /// The detected format.
        found: Format,
    },
    /// The bytes of the blob cannot be decompressed.
    Decode(decode::Error),
    /// The tar scan failed.
    Tar(tar::Error),
    /// The uncompressed archive does not match its diff_id.
    DiffId {
        /// diff_id in the image configuration.
        expected: Digest,
        /// Digest of the uncompressed archive.
        got: Digest,
    },
}

impl std::error::Error for Finding {}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, None)
    }
}

impl Finding {
    /// Whether the layer cannot be verified: it differs from its descriptor or configuration, or it was not read to its end.
    /// A wrong media type for the right bytes does not refute it.
    pub fn refutes(&self) -> bool {
        !matches!(self, Self::Compression { .. })
    }

    /// Whether reading stopped at a limit of this program. The layer may still be valid.
    pub fn is_limit(&self) -> bool {
        self.kind() == FailureClass::Limit
    }

    /// Displays the finding with the number of the layer.
    pub fn of_layer(&self, layer: LayerNumber) -> impl fmt::Display + '_ {
        fmt::from_fn(move |f| self.write(f, Some(layer)))
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, layer: Option<LayerNumber>) -> fmt::Result {
        if let (Some(layer), Self::DiffId { .. }) = (layer, self) {
            write!(f, "layer {layer}: ")?;
        } else if let Some(layer) = layer {
            write!(f, "layer {layer} ")?;
        } else if !matches!(self, Self::DiffId { .. }) {
            f.write_str("layer ")?;
        }
        match self {
            Self::Digest { expected, got, size } => {
                write!(f, "does not match its digest: expected {expected}, got {got} after {size} bytes")
            }
            Self::Size { expected, got } => write!(f, "does not have its size: expected {expected} bytes, got {got}"),
            Self::Compression { declared, found } => write!(f, "is declared {declared}, but its bytes are {found}"),
            Self::Format { found } => write!(f, "is neither tar nor tar with gzip or zstd: its bytes are {found}"),
            Self::Decode(error) if self.is_limit() => write!(f, "is not read to its end: {error}"),
            Self::Tar(error) if self.is_limit() => write!(f, "is not read to its end: {error}"),
            Self::Decode(error) => write!(f, "cannot be decompressed: {error}"),
            Self::Tar(error) => write!(f, "is not a whole tar archive: {error}"),
            Self::DiffId { expected, got } => {
                write!(f, "unpacked layer does not match its diff_id: expected {expected}, got {got}")
            }
        }
    }
}

impl Classify for Finding {
    fn failure(&self) -> Failure {
        match self {
            Self::Decode(error) => error.failure(),
            Self::Tar(error) => error.failure(),
            Self::Digest { .. }
            | Self::Size { .. }
            | Self::Compression { .. }
            | Self::Format { .. }
            | Self::DiffId { .. } => Failure::malformed(),
        }
    }
}
