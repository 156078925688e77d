use super::{Expected, Fault, LayerReader, Stage};
use crate::{
    decode::{self, Format},
    digest::Digest,
    hint::Hint,
    media_type::Compression,
    seek::Offsets,
    tar,
};

/// What was found at the end of a layer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LayerReport {
    /// Digest of the blob, by the algorithm of the expected one (SHA-256 if there was none).
    pub digest: Digest,
    /// Bytes of the blob.
    pub size: u64,
    /// Digest of the unpacked archive, if decoding reached its end.
    pub diff_id: Option<Digest>,
    /// Bytes of the unpacked archive.
    pub uncompressed: u64,
    /// Entries given.
    pub entries: u64,
    /// Entries that well-known readers list differently.
    pub ambiguous: u64,
    /// Bytes of the archive after its end marker, which no runtime reads; padding is usual.
    pub after_end: u64,
    /// Whether these bytes are more than padding: some readers go on there.
    pub after_end_data: bool,
    /// How the blob is compressed, as far as it could be told.
    pub compression: Option<Compression>,
    /// Where in the blob each byte of the archive is, roughly; as far as it was decoded.
    pub offsets: Offsets,
    /// What is wrong, worst first: digest, size, content, diff_id, media type.
    pub findings: Vec<Finding>,
    expected: Expected,
}

impl LayerReport {
    /// Whether digest, size and diff_id were all expected and found, and no finding [refutes](Finding::refutes) the
    /// layer.
    pub fn verified(&self) -> bool {
        !self.findings.iter().any(Finding::refutes)
            && self.expected.digest == Some(self.digest)
            && self.expected.size == Some(self.size)
            && self.expected.diff_id.is_some()
            && self.expected.diff_id == self.diff_id
    }

    /// Whether digest and size of the blob were expected and found, and the diff_id if it was expected.
    pub(crate) fn is_the_blob(&self) -> bool {
        self.expected.digest == Some(self.digest)
            && self.expected.size == Some(self.size)
            && (self.expected.diff_id.is_none() || self.expected.diff_id == self.diff_id)
    }

    /// Whether decoding and reading the archive came to their ends.
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
        // The size says it already.
        Stage::Failed(Fault::Overlong) => None,
        Stage::Sniffing(_) | Stage::Plain => None,
    };
    let whole = fault.is_none() && expected.size.is_none_or(|expected| size <= expected);
    findings.extend(fault);
    // An archive that was cut off by the decoder's own fault is not to blame for its end.
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

/// Something wrong with a layer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// These are not the bytes that were asked for.
    #[error("layer does not match its digest: expected {expected}, got {got} after {size} bytes")]
    Digest {
        /// From the descriptor.
        expected: Digest,
        /// Of the bytes.
        got: Digest,
        /// How many bytes.
        size: u64,
    },
    /// There are more or fewer bytes than the descriptor says.
    #[error("layer does not have its size: expected {expected} bytes, got {got}")]
    Size {
        /// From the descriptor.
        expected: u64,
        /// How many bytes came.
        got: u64,
    },
    /// The bytes contradict the declared media type.
    #[error("layer is declared {declared}, but its bytes are {found}")]
    Compression {
        /// The media type.
        declared: String,
        /// What the bytes are.
        found: Format,
    },
    /// No layer may have this format.
    #[error("layer is neither tar nor tar with gzip or zstd: its bytes are {found}")]
    Format {
        /// What the bytes are.
        found: Format,
    },
    /// Decompression stopped.
    #[error("layer cannot be decompressed: {0}")]
    Decode(decode::Error),
    /// Reading the archive stopped.
    #[error("layer is not a whole tar archive: {0}")]
    Tar(tar::Error),
    /// The unpacked bytes are not those that the config names.
    #[error("unpacked layer does not match its diff_id: expected {expected}, got {got}")]
    DiffId {
        /// From the config.
        expected: Digest,
        /// Of the unpacked bytes.
        got: Digest,
    },
}

impl Finding {
    /// Whether the layer is not what was promised, or not a layer. A wrong name for the right bytes is only worth
    /// telling.
    pub fn refutes(&self) -> bool {
        !matches!(self, Self::Compression { .. })
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Decode(error) => error.hint(),
            Self::Tar(error) => error.hint(),
            _ => None,
        }
    }
}
