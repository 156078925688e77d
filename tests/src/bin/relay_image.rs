//! Writes the container image of a static relay: an OCI layout as a directory, and the same as one archive beside it. Then starts what umoci unpacks
//! of it.

#![allow(clippy::print_stderr, reason = "says what it wrote")]

use porthole_tests::{
    Result,
    program::run,
    relay_image::{relay_image, start_unpacked},
};
use std::{env, fs, path::PathBuf};

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [program, authorities, layout] = arguments.as_slice() else {
        return Err("usage: relay_image PROGRAM CERTIFICATES LAYOUT".into());
    };
    let image = relay_image(program, authorities, VERSION)?;
    // What an earlier run left would be blobs of no image.
    if layout.join("oci-layout").is_file() {
        fs::remove_dir_all(layout)?;
    }
    image.write_layout(layout)?;
    let archive = layout.with_extension("tar");
    fs::write(&archive, image.layout_tar())?;
    start_unpacked(layout, VERSION)?;
    run("skopeo", ["inspect", &format!("oci-archive:{}", archive.display())])?;
    let digest = image.roots.first().map_or("", |root| &root.blob.digest);
    eprintln!("{digest}\n{}\n{}", layout.display(), archive.display());
    Ok(())
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
