//! zstd:chunked: the footer, and the manifest in a skippable frame.

use super::{
    Error,
    annotations::{MANIFEST, Position},
};
use crate::{
    decode::{self, Decoder, MIN_OUTPUT},
    digest::{Digest, Hasher},
    limits::Limits,
    media_type::Compression,
};

/// Length of a skippable frame's header: magic number and length (RFC 8878 §3.1.2).
pub(super) const FRAME_HEADER: u64 = 8;
/// Length of the longest footer, including the header of its frame.
pub(super) const FOOTER: u64 = FRAME_HEADER + 64;
/// Length of the older footer, which has no tar-split fields.
const OLD_FOOTER: usize = FRAME_HEADER as usize + 40;

const SKIPPABLE: u32 = 0x184d_2a50;
/// The last bytes of the footer. The older spelling comes second.
const MAGIC: [&[u8; 8]; 2] = [b"GNUlInUx", b"GnUlInUx"];

/// Position of the manifest, from the last [`FOOTER`] bytes of a layer.
pub(super) fn footer(bytes: &[u8]) -> Option<Position> {
    let old = bytes.len().checked_sub(OLD_FOOTER).and_then(|start| bytes.get(start..));
    [Some(bytes), old].into_iter().flatten().find_map(|footer| {
        let (header, fields) = footer.split_first_chunk::<8>()?;
        let sized = frame_length(*header) == Some(fields.len() as u64);
        if !sized || !MAGIC.iter().any(|magic| fields.ends_with(*magic)) {
            return None;
        }
        let mut numbers = fields.chunks_exact(8).map(|field| field.try_into().map_or(0, u64::from_le_bytes));
        let position = Position { offset: numbers.next()?, length: numbers.next()?, unpacked: numbers.next()? };
        (numbers.next() == Some(u64::from(MANIFEST))).then_some(position)
    })
}

/// Length of the content of a skippable frame with this header.
fn frame_length(header: [u8; 8]) -> Option<u64> {
    let [m0, m1, m2, m3, l0, l1, l2, l3] = header;
    let skippable = u32::from_le_bytes([m0, m1, m2, m3]) & !0xf == SKIPPABLE;
    skippable.then(|| u64::from(u32::from_le_bytes([l0, l1, l2, l3])))
}

/// Unpacks the skippable frame with the manifest.
pub(super) struct Manifest {
    header: Vec<u8>,
    position: Position,
    expected: Option<(Digest, Hasher)>,
    decoder: Decoder,
    buffer: Vec<u8>,
    json: Vec<u8>,
    /// Why decoding stopped. A digest mismatch is reported before it.
    fault: Option<Error>,
    limit: u64,
}

impl Manifest {
    pub(super) fn new(position: Position, expected: Option<Digest>, limits: &Limits) -> Self {
        let mut limits = *limits;
        limits.unpacked_bytes = limits.toc_bytes;
        Self {
            header: Vec::new(),
            position,
            expected: expected.map(|expected| (expected, Hasher::new(expected.algorithm()))),
            decoder: Decoder::new(Compression::Zstd, &limits),
            buffer: vec![0; MIN_OUTPUT],
            json: Vec::new(),
            fault: None,
            limit: limits.toc_bytes,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let missing = (FRAME_HEADER as usize).saturating_sub(self.header.len());
        let (header, bytes) = bytes.split_at(missing.min(bytes.len()));
        self.header.extend_from_slice(header);
        if let Some((_, hasher)) = &mut self.expected {
            hasher.update(bytes);
        }
        if self.fault.is_none() && !bytes.is_empty() {
            self.fault = self.unpack(bytes).err();
        }
    }

    fn unpack(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        loop {
            let step = self.decoder.decode(bytes, &mut self.buffer).map_err(|error| match error {
                decode::Error::TooLarge { .. } => Error::TooLarge { limit: self.limit },
                error => Error::Decode(error),
            })?;
            bytes = bytes.get(step.read..).unwrap_or_default();
            self.json.extend_from_slice(self.buffer.get(..step.written).unwrap_or_default());
            if step.starved {
                return Ok(());
            }
        }
    }

    /// The JSON, if its compressed form has the expected digest.
    pub(super) fn finish(self) -> Result<Vec<u8>, Error> {
        if let Some((expected, hasher)) = self.expected {
            let got = hasher.finish();
            if got != expected {
                return Err(Error::Digest { expected, got });
            }
        }
        let header = self.header.first_chunk::<8>().and_then(|header| frame_length(*header));
        if header != Some(self.position.length) {
            return Err(Error::NoFrame);
        }
        self.fault.map_or(Ok(()), Err)?;
        self.decoder.finish().map_err(Error::Decode)?;
        let got = self.json.len() as u64;
        if got != self.position.unpacked {
            return Err(Error::Size { expected: self.position.unpacked, got });
        }
        Ok(self.json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footer_of(magic: &[u8; 8], fields: &[u64], kind: u64) -> Vec<u8> {
        let (head, tail) = fields.split_at(3);
        let numbers = [head, &[kind], tail].concat();
        let mut bytes = SKIPPABLE.to_le_bytes().to_vec();
        bytes.extend_from_slice(&(8 * numbers.len() as u32 + 8).to_le_bytes());
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend_from_slice(magic);
        bytes
    }

    #[test]
    fn both_footers_are_read() {
        let position = Some(Position { offset: 601_141, length: 1220, unpacked: 4652 });
        assert_eq!(footer(&footer_of(b"GNUlInUx", &[601_141, 1220, 4652, 1, 2, 3], 1)), position);
        let old = footer_of(b"GnUlInUx", &[601_141, 1220, 4652], 1);
        assert_eq!(footer(&[vec![7; 24], old].concat()), position);
    }

    #[test]
    fn nothing_else_is_a_footer() {
        let whole = footer_of(b"GNUlInUx", &[601_141, 1220, 4652, 1, 2, 3], 1);
        assert_eq!(footer(&footer_of(b"GNUlInUx", &[601_141, 1220, 4652, 1, 2, 3], 2)), None);
        assert_eq!(footer(&footer_of(b"GNUlInux", &[601_141, 1220, 4652, 1, 2, 3], 1)), None);
        assert_eq!(footer(&whole[..64]), None);
        assert_eq!(footer(&[]), None);
    }
}
