//! Content codings, which some answers have although no request asks for them (RFC 9110, section 8.4).
//!
//! A server may announce a blob's own compression as a coding, or compress a blob for the transfer only. The digest
//! shows which: a small document is checked with and without decoding. A blob is streamed, so the length of the answer
//! decides; without a length, the next try reads the blob the other way.

use crate::{
    body::content_length,
    quote::quote,
    transport::{self, ErrorKind},
};
use http::{HeaderMap, header};
use porthole_core::{
    decode::{Decoder, MIN_OUTPUT},
    limits::Limits,
    media_type::Compression,
};

/// The coding of a body, if it has one.
pub fn of(headers: &HeaderMap) -> Option<&[u8]> {
    let coding = headers.get(header::CONTENT_ENCODING)?.as_bytes();
    (!coding.eq_ignore_ascii_case(b"identity")).then_some(coding)
}

/// The coding by its name, if it can be undone.
pub fn compression(coding: &[u8]) -> Option<Compression> {
    match coding.to_ascii_lowercase().as_slice() {
        b"gzip" | b"x-gzip" => Some(Compression::Gzip),
        b"zstd" => Some(Compression::Zstd),
        _ => None,
    }
}

/// Refuses a body with a content coding, since none was asked for. A length that equals `bytes` of the blob proves that there is no
/// coding: some servers announce a blob's own compression as one. A platform that follows redirects itself (`!ours`) also decodes, and the
/// length proves nothing.
pub(crate) fn refuse(headers: &HeaderMap, bytes: u64, ours: bool) -> Result<(), String> {
    let Some(coding) = of(headers) else { return Ok(()) };
    if ours && content_length(headers) == Some(bytes) {
        return Ok(());
    }
    let coding = quote(&String::from_utf8_lossy(coding));
    Err(format!("expected bytes of the blob as they are, got Content-Encoding `{coding}`"))
}

/// A body whose coding is undone while it is read.
pub struct Undo {
    decoder: Decoder,
    /// Bytes of the body that are not decoded yet.
    raw: Vec<u8>,
    /// Decoded bytes, of which the first `given` were returned.
    decoded: Vec<u8>,
    given: usize,
}

impl Undo {
    /// Decodes at most `size` bytes: a blob has no more.
    pub fn new(compression: Compression, size: u64, limits: &Limits) -> Self {
        let mut limits = *limits;
        limits.unpacked_bytes = size;
        Self { decoder: Decoder::new(compression, &limits), raw: Vec::new(), decoded: Vec::new(), given: 0 }
    }

    /// Adds bytes of the body, read in order.
    pub fn push(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
    }

    /// Copies decoded bytes to `buffer`, and returns how many; 0 if more of the body is needed.
    ///
    /// # Errors
    /// The body is not in this coding, or has more bytes than expected.
    pub fn take(&mut self, buffer: &mut [u8]) -> Result<usize, transport::Error> {
        while self.given == self.decoded.len() {
            self.decoded.resize(MIN_OUTPUT, 0);
            let step = self.decoder.decode(&self.raw, &mut self.decoded).map_err(|error| invalid(&error))?;
            self.raw.drain(..step.read);
            self.decoded.truncate(step.written);
            self.given = 0;
            if step.written == 0 && (step.starved || step.read == 0) {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.decoded.len() - self.given);
        buffer[..count].copy_from_slice(&self.decoded[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }

    /// Checks that the body may end here.
    ///
    /// # Errors
    /// The body is cut off.
    pub fn finish(&self) -> Result<(), transport::Error> {
        self.decoder.finish().map_err(|error| invalid(&error))
    }
}

fn invalid(error: &porthole_core::decode::Error) -> transport::Error {
    let message = format!("its content coding cannot be undone: {error}");
    transport::Error { kind: ErrorKind::Other, message }
}

/// Decodes a whole body. `None` if it has no coding, or one that cannot be undone within `limit` bytes.
pub(crate) fn undone(headers: &HeaderMap, bytes: &[u8], limit: u64, limits: &Limits) -> Option<Vec<u8>> {
    let mut undo = Undo::new(compression(of(headers)?)?, limit, limits);
    undo.push(bytes);
    let (mut whole, mut buffer) = (Vec::new(), vec![0; MIN_OUTPUT]);
    loop {
        match undo.take(&mut buffer).ok()? {
            0 => break,
            count => whole.extend_from_slice(&buffer[..count]),
        }
    }
    undo.finish().ok().map(|()| whole)
}
