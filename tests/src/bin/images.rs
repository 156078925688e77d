//! Makes the images the end-to-end tests look at. The argument is the folder for them.

use std::path::PathBuf;

fn main() -> porthole_tests::Result<()> {
    porthole_tests::images::make(&PathBuf::from(std::env::args_os().nth(1).ok_or("usage: images FOLDER")?))
}
