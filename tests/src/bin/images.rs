//! Builds the images for the end-to-end tests in the folder given as argument.

use std::path::PathBuf;

fn main() -> porthole_tests::Result<()> {
    porthole_tests::images::make(&PathBuf::from(std::env::args_os().nth(1).ok_or("usage: images FOLDER")?))
}
