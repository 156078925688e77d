//! What survives a power cut.

use std::{io, os::fd::AsFd};

/// Writes everything in and below a directory to the disk. A rename after it then never leads to files that are empty.
///
/// On Linux this is one `syncfs` for the whole file system: a `fsync` for each of ten thousand files waits ten thousand times for the disk.
/// Elsewhere only the directory itself is written.
///
/// # Errors
/// From the file system, which may have failed to write a file before.
pub fn sync(directory: impl AsFd) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::fs::syncfs(directory)?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    rustix::fs::fsync(directory)?;
    Ok(())
}
