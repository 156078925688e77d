//! Push decoder for raw deflate (RFC 1951), with the operations that random access needs and flate2 lacks: stopping at a
//! block end, reading the unused bits and the window there, and starting from both.
//!
//! The engine is zlib-rs, called through zlib's C interface (`libz-rs-sys`). That interface is unsafe because it takes
//! pointers. This module is its only caller and exposes a safe interface.

#![allow(unsafe_code, reason = "the engine's only interface that stops at block boundaries is zlib's")]

use std::{ffi::c_int, mem, ptr};

use libz_rs_sys::{
    Z_BLOCK, Z_BUF_ERROR, Z_NO_FLUSH, Z_OK, Z_STREAM_END, inflate, inflateEnd, inflateGetDictionary, inflateInit2_,
    inflatePrime, inflateReset, inflateSetDictionary, z_stream, zlibVersion,
};

/// The deflate window: how far back a match may refer.
pub(crate) const WINDOW: usize = 32 << 10;

/// zlib's `windowBits`: negative for deflate without a wrapper.
const RAW: c_int = -15;

// Bits of `data_type` after `inflate` (zlib.h).
const UNUSED_BITS: c_int = 63;
const LAST_BLOCK: c_int = 64;
const BLOCK_END: c_int = 128;

/// A decoder of one deflate stream.
pub(crate) struct Inflate {
    /// Initialised from `new` to `drop`. If `new` ran out of memory the state is null, and every zlib function returns
    /// an error for that.
    stream: Box<z_stream>,
    /// The last input byte consumed. Its upper bits may be unused.
    last: u8,
}

// SAFETY: the pointers in the stream refer to memory that only it owns, or are null between calls; every method that
// mutates it takes `&mut self`.
unsafe impl Send for Inflate {}
// SAFETY: as above.
unsafe impl Sync for Inflate {}

/// Result of one call.
pub(crate) struct Inflated {
    pub(crate) read: usize,
    pub(crate) written: usize,
    pub(crate) status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The input is used up or the output is full.
    Going,
    /// A block that is not the last ended. Holds the unused bits of the last input byte below one set bit: `1 << bits |
    /// value`.
    Block(u8),
    /// The stream ended.
    End,
    /// The input is not deflate.
    Corrupt,
}

impl Inflate {
    pub(crate) fn new() -> Self {
        let mut stream = Box::new(z_stream::default());
        // SAFETY: the stream is valid with its default allocator, and version and size are the library's own.
        let _ = unsafe { inflateInit2_(&mut *stream, RAW, zlibVersion(), mem::size_of::<z_stream>() as c_int) };
        Self { stream, last: 0 }
    }

    /// Resets to the start of a stream.
    pub(crate) fn reset(&mut self) {
        // SAFETY: the stream is initialised or has no state.
        let _ = unsafe { inflateReset(&mut *self.stream) };
        self.last = 0;
    }

    /// Starts after a block, with the unused bits from [`Status::Block`] and the window.
    pub(crate) fn resume(&mut self, bits: u8, window: &[u8]) {
        self.reset();
        let count = bits.checked_ilog2().unwrap_or(0);
        let value = c_int::from(bits) & ((1 << count) - 1);
        let window = window.get(window.len().saturating_sub(WINDOW)..).unwrap_or_default();
        // SAFETY: the stream is initialised or has no state; the window is valid for its length, which is at most 32 KiB.
        unsafe {
            let _ = inflatePrime(&mut *self.stream, count as c_int, value);
            let _ = inflateSetDictionary(&mut *self.stream, window.as_ptr(), window.len() as u32);
        }
    }

    /// Consumes part of `input` and writes part of `output`. With `stop`, stops at the end of the next block.
    pub(crate) fn inflate(&mut self, input: &[u8], output: &mut [u8], stop: bool) -> Inflated {
        let available_in = u32::try_from(input.len()).unwrap_or(u32::MAX);
        let available_out = u32::try_from(output.len()).unwrap_or(u32::MAX);
        let stream = &mut *self.stream;
        (stream.next_in, stream.avail_in) = (input.as_ptr(), available_in);
        (stream.next_out, stream.avail_out) = (output.as_mut_ptr(), available_out);
        // SAFETY: the stream is initialised or has no state; both pointers are valid for the lengths next to them, and
        // the slices outlive the call.
        let code = unsafe { inflate(stream, if stop { Z_BLOCK } else { Z_NO_FLUSH }) };
        let read = available_in.saturating_sub(stream.avail_in) as usize;
        let written = available_out.saturating_sub(stream.avail_out) as usize;
        (stream.next_in, stream.avail_in) = (ptr::null(), 0);
        (stream.next_out, stream.avail_out) = (ptr::null_mut(), 0);
        let at = stream.data_type;
        if let Some(byte) = read.checked_sub(1).and_then(|last| input.get(last)) {
            self.last = *byte;
        }
        let unused = at & UNUSED_BITS;
        let status = match code {
            Z_STREAM_END => Status::End,
            Z_OK | Z_BUF_ERROR if at & BLOCK_END != 0 && at & LAST_BLOCK == 0 && unused < 8 && stop => {
                let value = u32::from(self.last) >> (8 - unused);
                Status::Block((1 << unused | value) as u8)
            }
            Z_OK | Z_BUF_ERROR => Status::Going,
            _ => Status::Corrupt,
        };
        Inflated { read, written, status }
    }

    /// The window: the last bytes written, as far back as later matches may refer.
    pub(crate) fn window(&self) -> Vec<u8> {
        let mut window = vec![0; WINDOW];
        let mut length = 0;
        // SAFETY: the stream is initialised or has no state; a dictionary is at most 32 KiB, which is the buffer's
        // size.
        let _ = unsafe { inflateGetDictionary(&*self.stream, window.as_mut_ptr(), &mut length) };
        window.truncate(length as usize);
        window
    }
}

impl Drop for Inflate {
    fn drop(&mut self) {
        // SAFETY: the stream is initialised or has no state, and is not used again.
        let _ = unsafe { inflateEnd(&mut *self.stream) };
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::DeflateEncoder};

    use super::*;

    /// Text with a moderate compression ratio.
    fn text(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        (0..length)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if n % 3 == 0 { b'a' + (state >> 27) as u8 } else { b'x' }
            })
            .collect()
    }

    fn deflate(data: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(data).expect("an encoder in memory");
        encoder.finish().expect("an encoder in memory")
    }

    #[test]
    fn every_block_end_is_a_start() {
        let data = text(400_000);
        for level in [0, 1, 6, 9] {
            let packed = deflate(&data, level);
            let mut whole = Inflate::new();
            let mut output = vec![0; 50_000];
            let (mut read, mut written, mut blocks) = (0, 0, 0);
            loop {
                let turn = whole.inflate(&packed[read..], &mut output, true);
                assert_eq!(output[..turn.written], data[written..written + turn.written]);
                read += turn.read;
                written += turn.written;
                match turn.status {
                    Status::End => break,
                    Status::Going => assert!(turn.read + turn.written > 0, "stuck at {read}"),
                    Status::Corrupt => panic!("corrupt at {read}"),
                    Status::Block(bits) => {
                        blocks += 1;
                        let window = whole.window();
                        assert!(data[..written].ends_with(&window));
                        assert_eq!(window.len(), written.min(WINDOW));
                        let mut other = Inflate::new();
                        other.resume(bits, &window);
                        let mut rest = vec![0; data.len() - written + 1];
                        let turn = other.inflate(&packed[read..], &mut rest, false);
                        assert_eq!(turn.status, Status::End, "level {level} from {read} with {bits:b}");
                        assert_eq!(rest[..turn.written], data[written..]);
                    }
                }
            }
            assert_eq!((read, written), (packed.len(), data.len()));
            assert!(blocks > 0, "level {level} made no block but the last");
        }
    }

    #[test]
    fn invalid_deflate_is_corrupt() {
        let mut inflate = Inflate::new();
        assert_eq!(inflate.inflate(&[7; 8], &mut [0; 8], false).status, Status::Corrupt);
        inflate.reset();
        let turn = inflate.inflate(&deflate(b"again", 6), &mut [0; 8], false);
        assert_eq!((turn.written, turn.status), (5, Status::End));
    }

    #[test]
    fn a_decoder_is_send_and_sync() {
        fn shared<T: Send + Sync>() {}
        shared::<Inflate>();
    }
}
