//! Builds a layer of typical size from files of this machine.

use porthole_tests::Result;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

const BYTES: u64 = 200 << 20;

/// Packs files of this machine into a gzip layer.
pub(crate) fn layer(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("layer.tar.gz");
    let mut encoder = flate2::write::GzEncoder::new(fs::File::create(&path)?, flate2::Compression::default());
    let mut folders = vec![PathBuf::from("/usr/lib"), PathBuf::from("/usr/bin"), PathBuf::from("/usr/share")];
    let mut archive = tar::Builder::new(&mut encoder);
    archive.follow_symlinks(false);
    let mut left = BYTES;
    while let Some(folder) = folders.pop() {
        let Ok(listing) = fs::read_dir(&folder) else { continue };
        for entry in listing.flatten() {
            let (path, kind) = (entry.path(), entry.file_type()?);
            let length = entry.metadata().map_or(u64::MAX, |metadata| metadata.len());
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && length < left.min(BYTES / 4) {
                let Ok(bytes) = fs::read(&path) else { continue };
                let mut header = tar::Header::new_gnu();
                header.set_mode(0o644);
                header.set_size(bytes.len() as u64);
                archive.append_data(&mut header, path.strip_prefix("/")?, bytes.as_slice())?;
                left -= length;
            }
        }
    }
    archive.into_inner()?;
    encoder.finish()?.flush()?;
    Ok(path)
}
