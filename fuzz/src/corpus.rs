//! The committed corpora: one archive of minimised inputs for each target.

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use std::{
    error::Error,
    fs::{self, File},
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

/// Name and content of an input.
pub type Input = (String, Vec<u8>);

/// The committed inputs of a target. Empty if it has no archive yet.
///
/// # Errors
///
/// The archive cannot be read.
pub fn read(target: &str) -> Result<Vec<Input>, Box<dyn Error>> {
    let file = match File::open(archive(target)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut inputs = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(file)).entries()? {
        let mut entry = entry?;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        inputs.push((entry.path()?.display().to_string(), bytes));
    }
    Ok(inputs)
}

/// Writes the inputs in a folder to the archive. Returns its size in bytes.
///
/// # Errors
///
/// The folder cannot be read, or the archive cannot be written.
pub fn write(target: &str, folder: &Path) -> Result<u64, Box<dyn Error>> {
    let mut names = Vec::new();
    for file in fs::read_dir(folder)? {
        names.push(file?.file_name());
    }
    // Sorted, so that the archive is reproducible.
    names.sort();
    let path = archive(target);
    let file = File::create(&path)?;
    let mut builder = tar::Builder::new(GzEncoder::new(file, Compression::best()));
    for name in names {
        let bytes = fs::read(folder.join(&name))?;
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes.as_slice())?;
    }
    builder.into_inner()?.finish()?;
    Ok(fs::metadata(path)?.len())
}

fn archive(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora").join(format!("{target}.tar.gz"))
}
