//! Reads ranges of blobs, and whole blobs.

use porthole_core::{
    descriptor::Descriptor,
    digest::{Mismatch, Verifier},
};
use porthole_source::{BlobStream, ImageSource};
use std::ops::{ControlFlow, Range};

/// Opens a blob of an image; without a descriptor, the blob of a layer that belongs to no image.
pub(crate) async fn open<S: ImageSource>(
    source: &S,
    descriptor: Option<&Descriptor>,
    range: Range<u64>,
) -> Result<S::Blob, S::Error> {
    match descriptor {
        Some(descriptor) => source.open_blob(descriptor, range).await,
        None => source.open_bare(range).await,
    }
}

/// Reads a range of a blob until `take` breaks, or to its end. Without a descriptor it is the blob of a layer that belongs
/// to no image. Nothing is verified here.
///
/// Returns how many bytes were received, which may be more than the range holds: a registry may ignore ranges.
///
/// # Errors
///
/// Those of the source.
pub async fn read_range<S: ImageSource>(
    source: &S,
    descriptor: Option<&Descriptor>,
    range: Range<u64>,
    mut take: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<u64, S::Error> {
    let mut left = range.end - range.start;
    let mut blob = open(source, descriptor, range).await?;
    let mut buffer = vec![0; BUFFER];
    let mut read_so_far = 0;
    while left > 0 {
        let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = blob.read(&mut buffer[..room]).await?;
        if read == 0 {
            break;
        }
        read_so_far += read as u64;
        left -= read as u64;
        if take(&buffer[..read]).is_break() {
            break;
        }
    }
    Ok(read_so_far + blob.overhead())
}

/// Reads a whole blob and compares it with its descriptor, whose size the caller has limited. Returns the blob, or how it differs; and how
/// many bytes were received.
///
/// # Errors
///
/// Those of the source.
pub(crate) async fn read_whole<S: ImageSource>(
    source: &S,
    descriptor: &Descriptor,
) -> Result<(Result<Vec<u8>, Mismatch>, u64), S::Error> {
    let mut bytes = Vec::new();
    let mut verifier = Verifier::new(&descriptor.digest, descriptor.size);
    let mut wrong = None;
    let received = read_range(source, Some(descriptor), 0..descriptor.size, |part| match verifier.update(part) {
        Ok(()) => {
            bytes.extend_from_slice(part);
            ControlFlow::Continue(())
        }
        Err(mismatch) => {
            wrong = Some(mismatch);
            ControlFlow::Break(())
        }
    })
    .await?;
    let whole = wrong.map_or_else(|| verifier.finish(), Err);
    Ok((whole.map(|()| bytes), received))
}

const BUFFER: usize = 128 << 10;
