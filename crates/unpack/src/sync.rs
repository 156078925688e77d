//! Writes files to the disk, so that they survive a power failure.

use std::{io, os::fd::AsFd};

/// Writes everything in and below a directory to the disk. If the directory is then renamed and the power fails, its files are
/// complete.
///
/// On Linux this is one `syncfs` for the whole file system, because an `fsync` for each of ten thousand files would wait ten
/// thousand times for the disk. Elsewhere only the directory itself is written.
///
/// # Errors
///
/// The error of the file system. It may be from an earlier write of any file.
pub fn sync(directory: impl AsFd) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::fs::syncfs(directory)?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    rustix::fs::fsync(directory)?;
    Ok(())
}
