use super::{Expected, Fault, LayerReader, Stage};
use crate::{
    decode::{self, Format},
    digest::Digest,
    hint::Hint,
    media_type::Compression,
    seek::Offsets,
    tar,
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
    /// Entries that widely used tar readers interpret differently.
    pub ambiguous: u64,
    /// Bytes of the archive after its end marker. Runtimes ignore them; padding is usual.
    pub after_end: u64,
    /// Whether those bytes are more than zeros. Some readers continue there.
    pub after_end_data: bool,
    /// Compression of the blob, if it was recognised.
    pub compression: Option<Compression>,
    /// Map from positions in the archive to positions in the blob, approximate, as far as it was decoded.
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

pub(super) fn report(reader: LayerReader) -> LayerReport {
    let LayerReader { expected, blob, size, stage, compression, contradiction, mut content, mut offsets, .. } = reader;
    offsets.end(size, content.size);
    let digest = blob.finish();
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
        // The size finding says so already.
        Stage::Failed(Fault::Overlong) => None,
        Stage::Sniffing(_) | Stage::Plain => None,
    };
    let whole = fault.is_none() && expected.size.is_none_or(|expected| size <= expected);
    findings.extend(fault);
    // If the decoder failed, an archive that ends too early is a consequence, not a second finding.
    let error = content.error.or_else(|| content.scanner.finish().err().filter(|_| whole));
    findings.extend(error.map(Finding::Tar));
    let diff_id = whole.then(|| content.diff_id.map_or(digest, |hasher| hasher.finish()));
    if let (Some(expected), Some(got)) = (expected.diff_id, diff_id)
        && expected != got
    {
        findings.push(Finding::DiffId { expected, got });
    }
    if let (Some(found), Some(declared)) = (contradiction, &expected.media_type) {
        findings.push(Finding::Compression { declared: declared.to_string(), found });
    }
    LayerReport {
        digest,
        size,
        diff_id,
        uncompressed: content.size,
        entries: content.scanner.entries(),
        ambiguous: content.scanner.ambiguous(),
        after_end: content.scanner.after_end(),
        after_end_data: content.scanner.after_end_data(),
        compression,
        offsets,
        findings,
        expected,
    }
}

/// A problem with a layer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// The blob does not match its digest.
    #[error("layer does not match its digest: expected {expected}, got {got} after {size} bytes")]
    Digest {
        /// Digest in the descriptor.
        expected: Digest,
        /// Digest of the bytes.
        got: Digest,
        /// Length of the blob in bytes.
        size: u64,
    },
    /// The blob is longer or shorter than its descriptor says.
    #[error("layer does not have its size: expected {expected} bytes, got {got}")]
    Size {
        /// Size in the descriptor.
        expected: u64,
        /// Bytes received.
        got: u64,
    },
    /// The content contradicts the declared media type.
    #[error("layer is declared {declared}, but its bytes are {found}")]
    Compression {
        /// The declared media type.
        declared: String,
        /// The detected format.
        found: Format,
    },
    /// The detected format is not allowed for a layer.
    #[error("layer is neither tar nor tar with gzip or zstd: its bytes are {found}")]
    Format {
        /// The detected format.
        found: Format,
    },
    /// Decompression failed.
    #[error("layer cannot be decompressed: {0}")]
    Decode(decode::Error),
    /// The tar scan failed.
    #[error("layer is not a whole tar archive: {0}")]
    Tar(tar::Error),
    /// The uncompressed archive does not match its diff_id.
    #[error("unpacked layer does not match its diff_id: expected {expected}, got {got}")]
    DiffId {
        /// diff_id in the image configuration.
        expected: Digest,
        /// Digest of the uncompressed archive.
        got: Digest,
    },
}

impl Finding {
    /// Whether the finding disproves the layer: wrong bytes, or not a layer. A wrong media type for the right bytes
    /// does not.
    pub fn refutes(&self) -> bool {
        !matches!(self, Self::Compression { .. })
    }

    /// The hint for the user, if there is one.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Decode(error) => error.hint(),
            Self::Tar(error) => error.hint(),
            _ => None,
        }
    }
}
