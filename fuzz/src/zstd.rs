//! zstd, decoded by `porthole-core` and by another decoder.

use porthole_core::{
    decode::Error,
    digest::Digest,
    failure::{Classify, FailureClass},
    media_type::Compression,
};
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};
use std::iter;

use crate::{split::limits, stream::unpack};

/// Checks that what our decoder accepts gives the same bytes in `ruzstd`, and that what it refuses for its frame (magic number, size,
/// checksum, end) is refused there too. A stream that a limit of ours refuses, or that needs a dictionary, proves nothing.
pub fn zstd_differential(data: &[u8]) {
    let ours = unpack(Compression::Zstd, iter::once(data));
    match ours.verdict {
        Ok(()) => {
            let theirs = peer(data, usize::MAX);
            let same = theirs.as_ref().is_ok_and(|theirs| *theirs == ours.bytes);
            assert!(
                same,
                "we decode {} bytes, the other decoder says {:?}",
                ours.length,
                theirs.map(|bytes| bytes.len())
            );
        }
        // `ruzstd` and libzstd do not always see that a Huffman-coded stream is not read to its last bit; they then give bytes that differ
        // from each other. What libzstd makes of sound streams is in `corpora/zstd_reference.tsv`.
        Err(Error::ZstdDictionary { .. } | Error::ZstdReserved { .. } | Error::ZstdBlock { .. }) => {}
        Err(error) if error.kind() == FailureClass::Limit => {}
        Err(error) => {
            let theirs = peer(data, limits().unpacked_bytes as usize);
            assert!(
                theirs.is_err(),
                "we say {error}, the other decoder gives {:?} bytes",
                theirs.map(|bytes| bytes.len())
            );
        }
    }
}

/// What our decoder makes of a stream: the SHA-256 of all bytes, or `error`. `None` where a limit of ours refuses it.
pub fn zstd_verdict(data: &[u8]) -> Option<String> {
    let ours = unpack(Compression::Zstd, iter::once(data));
    match ours.verdict {
        Ok(()) => Some(Digest::sha256(&ours.bytes).hex()),
        Err(error) if error.kind() == FailureClass::Limit => None,
        Err(_) => Some("error".to_owned()),
    }
}

/// What `ruzstd` makes of a stream of frames, up to a number of bytes. Content sizes and checksums are compared as our decoder
/// compares them.
fn peer(mut data: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(u64::MAX);
    let mut out = Vec::new();
    while !data.is_empty() {
        match decoder.reset(&mut data) {
            Ok(()) => {}
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                data = data.get(length as usize..).ok_or("a skippable frame without its end")?;
                continue;
            }
            Err(error) => return Err(error.to_string()),
        }
        let start = out.len();
        while !decoder.is_finished() {
            let step = decoder.decode_blocks(&mut data, BlockDecodingStrategy::UptoBlocks(1));
            step.map_err(|error| error.to_string())?;
            out.extend(decoder.collect().unwrap_or_default());
            if out.len() > most {
                return Err("too much".to_owned());
            }
        }
        out.extend(decoder.collect().unwrap_or_default());
        if let Some(checksum) = decoder.get_checksum_from_data()
            && Some(checksum) != decoder.get_calculated_checksum()
        {
            return Err("another checksum".to_owned());
        }
        let (stated, length) = (decoder.content_size(), (out.len() - start) as u64);
        if stated != 0 && stated != length {
            return Err(format!("a content size of {stated}, got {length}"));
        }
    }
    Ok(out)
}
