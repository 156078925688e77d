//! Archives compressed with xz. Layers never use xz, so the decoder is here and not in `core`.

use super::{DiskFile, SPOOL_BYTES, SpoolError, scratch};
use lzma_rust2::XzReader;
use porthole_core::{decode, limits::Limits};
use std::io::{self, ErrorKind, Read, Write};

/// Unpacks all streams into a temporary file. The dictionary is limited by [`Limits::window_bytes`].
pub(super) fn spool(input: impl Read, limits: &Limits) -> Result<DiskFile, SpoolError> {
    let memory = u32::try_from(limits.window_bytes >> 10).unwrap_or(u32::MAX);
    let mut packed = Input { input, read: 0, failed: None };
    let mut decoder = XzReader::new_mem_limit(&mut packed, true, memory);
    let mut file = scratch()?;
    let (mut buffer, mut written) = (vec![0; SPOOL_BYTES], 0);
    loop {
        let step = match decoder.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(decoder.inner_mut().blame(error, limits)),
        };
        file.write_all(&buffer[..step]).map_err(SpoolError::scratch)?;
        written += step as u64;
        if written > limits.unpacked_bytes {
            return Err(decode::Error::TooLarge { limit: limits.unpacked_bytes }.into());
        }
        let ratio = limits.expansion_ratio.max(1);
        if written > limits.expansion_grace && written / ratio > decoder.inner().read {
            return Err(decode::Error::Expansion { limit: limits.expansion_ratio }.into());
        }
    }
    Ok(DiskFile::new(file)?)
}

/// The packed stream. The decoder returns the same error type for a failed read and for wrong data, so this keeps the error
/// of a failed read.
struct Input<R> {
    input: R,
    read: u64,
    failed: Option<io::Error>,
}

impl<R: Read> Input<R> {
    fn blame(&mut self, error: io::Error, limits: &Limits) -> SpoolError {
        match (self.failed.take(), error.kind()) {
            (Some(failed), _) => failed.into(),
            (None, ErrorKind::UnexpectedEof) => decode::Error::UnexpectedEof { offset: self.read }.into(),
            // The decoder does not report how much memory it needs, so only the limit is named.
            (None, ErrorKind::OutOfMemory) => decode::Error::Dictionary { limit: limits.window_bytes }.into(),
            (None, _) => SpoolError::Xz { reason: error.to_string() },
        }
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buffer) {
            Ok(read) => {
                self.read += read as u64;
                Ok(read)
            }
            Err(error) => {
                let kind = error.kind();
                if kind != ErrorKind::Interrupted {
                    self.failed = Some(error);
                }
                Err(kind.into())
            }
        }
    }
}
