//! Archives that are compressed as a whole: unpacked once, from their start.

use super::Error;
use porthole_core::{
    decode::{Format, Unpacker},
    limits::Limits,
    media_type::Compression,
};
use porthole_source::ReadAt;

/// Detects the compression of a whole file by its first bytes. `None` = the file is not compressed, or in a format that
/// [`unpack`] does not support. `name` stands for the file in errors.
///
/// # Errors
///
/// [`Error::Source`] if it cannot be read.
pub async fn whole_compression<F: ReadAt>(file: &F, name: &str) -> Result<Option<Compression>, Error> {
    let mut head = [0; Format::PREFIX];
    let length = usize::try_from(file.size()).unwrap_or(usize::MAX).min(head.len());
    file.read_exact_at(0, &mut head[..length]).await.map_err(Error::read(name))?;
    Ok(match Format::sniff(&head[..length]) {
        Some(Format::Gzip) => Some(Compression::Gzip),
        Some(Format::Zstd) => Some(Compression::Zstd),
        _ => None,
    })
}

/// Unpacks a whole file within the [`Limits`] of a layer. `write` gets the unpacked bytes piece by piece, each with the
/// number of bytes of the file that were read so far. `name` stands for the file in errors.
///
/// # Errors
///
/// [`Error::Source`] if the file cannot be read; [`Error::Decode`] if it cannot be unpacked, or exceeds a limit; what `write` fails
/// with.
pub async fn unpack<F: ReadAt, E: From<Error>>(
    file: &F,
    name: &str,
    compression: Compression,
    limits: &Limits,
    mut write: impl AsyncFnMut(&[u8], u64) -> Result<(), E>,
) -> Result<(), E> {
    let broken = |source| Error::Decode { name: name.to_owned(), source };
    let mut unpacker = Unpacker::new(compression, limits);
    let mut buffer = vec![0; READ_BYTES];
    let mut position = 0;
    loop {
        let read = file.read_at(position, &mut buffer).await.map_err(Error::read(name))?;
        if read == 0 {
            break;
        }
        position += read as u64;
        let mut left = &buffer[..read];
        while let Some(unpacked) = unpacker.next(&mut left).map_err(broken)? {
            write(unpacked, position).await?;
        }
    }
    unpacker.finish().map_err(broken)?;
    Ok(())
}

/// Large, because each read of a file that a person dropped on a page is a message to another process.
const READ_BYTES: usize = 1 << 20;
