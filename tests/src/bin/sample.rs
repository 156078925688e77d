//! Writes the sample image to the page's sources. The argument is the workspace folder.

#![allow(clippy::print_stderr, reason = "says what it wrote")]

use std::path::PathBuf;

fn main() -> porthole_tests::Result<()> {
    let workspace = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: sample WORKSPACE")?);
    let length = porthole_tests::sample::write(&workspace)?;
    eprintln!("{}: {length} bytes", porthole_tests::sample::PATH);
    Ok(())
}
