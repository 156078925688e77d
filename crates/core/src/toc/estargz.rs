//! eStargz: the footer, and the TOC in the last entry of the archive.

use super::Error;
use crate::{
    decode::{self, Decoder, MIN_OUTPUT},
    limits::Limits,
    media_type::Compression,
    quote::quote,
    tar::{Entry, EntrySink, Flow, Scanner},
};

/// Length of the footer, an empty gzip member whose extra field holds the TOC's offset.
pub(super) const FOOTER: u64 = 51;
/// Length of the stargz footer, whose extra field has no subfield header.
const LEGACY_FOOTER: u64 = 47;
/// Name of the archive entry that holds the TOC.
pub(super) const NAME: &[u8] = b"stargz.index.json";

/// ID1, ID2, CM = deflate, FLG = FEXTRA (RFC 1952 §2.3).
const GZIP: [u8; 4] = [0x1f, 0x8b, 8, 4];
/// An empty final stored block, then CRC-32 and length of no bytes.
const EMPTY: [u8; 13] = [1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];

/// Parses the last [`FOOTER`] bytes of a layer. Returns the start of the TOC and the length of the footer.
pub(super) fn footer(bytes: &[u8]) -> Option<(u64, u64)> {
    let legacy = || {
        let footer = bytes.get(bytes.len().checked_sub(LEGACY_FOOTER as usize)?..)?;
        Some((offset(footer, &[22, 0])?, LEGACY_FOOTER))
    };
    let current = || Some((offset(bytes, &[26, 0, b'S', b'G', 22, 0])?, FOOTER));
    current().or_else(legacy)
}

/// The offset in a footer whose extra field starts with `head`. MTIME, XFL and OS are ignored.
fn offset(footer: &[u8], head: &[u8]) -> Option<u64> {
    let rest = footer.strip_prefix(&GZIP)?.get(6..)?.strip_prefix(head)?;
    let (digits, rest) = rest.split_first_chunk::<16>()?;
    if rest.strip_prefix(b"STARGZ")? != EMPTY || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Unpacks the gzip member before the footer.
pub(super) struct Member {
    decoder: Decoder,
    scanner: Scanner,
    buffer: Vec<u8>,
    last: Last,
}

/// Sink for the entry with the TOC.
struct Last {
    json: Vec<u8>,
    limit: u64,
    complete: bool,
    error: Option<Error>,
}

impl Member {
    pub(super) fn new(limits: &Limits) -> Self {
        let mut limits = *limits;
        let limit = limits.toc_bytes;
        // Room for the headers and padding of the archive.
        limits.unpacked_bytes = limit.saturating_add(64 << 10);
        Self {
            decoder: Decoder::new(Compression::Gzip, &limits),
            scanner: Scanner::new(&limits),
            buffer: vec![0; MIN_OUTPUT],
            last: Last { json: Vec::new(), limit, complete: false, error: None },
        }
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        loop {
            let step = self.decoder.decode(bytes, &mut self.buffer).map_err(|error| self.decode_error(error))?;
            bytes = bytes.get(step.read..).unwrap_or_default();
            let unpacked = self.buffer.get(..step.written).unwrap_or_default();
            self.scanner.push(unpacked, &mut self.last).map_err(Error::Tar)?;
            if let Some(error) = self.last.error.take() {
                return Err(error);
            }
            if step.starved {
                return Ok(());
            }
        }
    }

    /// The TOC as JSON.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, Error> {
        self.decoder.finish().map_err(Error::Decode)?;
        self.scanner.finish().map_err(Error::Tar)?;
        if self.last.complete { Ok(self.last.json) } else { Err(Error::Member { got: String::new() }) }
    }

    fn decode_error(&self, error: decode::Error) -> Error {
        match error {
            decode::Error::TooLarge { .. } => Error::TooLarge { limit: self.last.limit },
            error => Error::Decode(error),
        }
    }
}

impl EntrySink for Last {
    fn entry(&mut self, entry: Entry) -> Flow {
        if self.complete || entry.path != NAME || !matches!(entry.typeflag, b'0') {
            self.error = Some(Error::Member { got: quote(&entry.path) });
        } else if entry.size > self.limit {
            self.error = Some(Error::TooLarge { limit: self.limit });
        } else {
            return Flow::WantData;
        }
        Flow::Stop
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.json.extend_from_slice(bytes);
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        self.complete = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(offset: &str) -> Vec<u8> {
        let head = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 26, 0, b'S', b'G', 22, 0];
        [&head, offset.as_bytes(), b"STARGZ", &EMPTY].concat()
    }

    fn legacy(offset: &str) -> Vec<u8> {
        [&[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 22, 0], offset.as_bytes(), b"STARGZ", &EMPTY].concat()
    }

    #[test]
    fn both_footers_are_read() {
        assert_eq!(footer(&current("00000000000004d2")), Some((1234, 51)));
        assert_eq!(footer(&[b"abcd".to_vec(), legacy("ffffffffffffffff")].concat()), Some((u64::MAX, 47)));
        assert_eq!(footer(&legacy("00000000000000Af")), Some((175, 47)));
    }

    #[test]
    fn nothing_else_is_a_footer() {
        let whole = current("00000000000004d2");
        assert_eq!(footer(&current("+0000000000004d2")), None);
        assert_eq!(footer(&current("00000000000004dg")), None);
        assert_eq!(footer(&[]), None);
        for at in (0..4).chain(10..16).chain(32..51) {
            let mut other = whole.clone();
            other[at] ^= 1;
            assert_eq!(footer(&other), None, "byte {at}");
        }
        assert_eq!(footer(&whole[1..]), None);
    }
}
