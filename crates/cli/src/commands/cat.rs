//! `porthole cat`

use std::ops::Range;

use clap::Args;
use porthole_core::quantity::parse_bytes;

use super::opened::{FileArguments, OpenedFile};

use crate::{error::Error, session::Session};

/// Print the content of one file
///
/// PATH is looked up in the tree that a runtime would unpack; hard links and symbolic links are followed within the image. Every byte is
/// verified before it is printed.
///
/// All layers are downloaded once, and an index of each is kept in the cache. From then on a file costs one range request for its part of
/// the layer, verified against the index.
///
/// With --range, only the part of the layer that has those bytes is read.
///
/// With --toc, eStargz and zstd:chunked layers are not downloaded: the table of contents, whose digest is in the manifest, gives the place
/// of the file and the digest of each chunk. It is not compared with the archive; `porthole verify` does that.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole cat nginx etc/nginx/nginx.conf
  porthole cat --layer 1 nginx etc/passwd
  porthole cat oci:layout:latest usr/bin/tool | sha256sum
  porthole cat --range 1GiB:4KiB nginx var/lib/data.img | xxd

Exit codes: 4 if there is no such file; 2 if it is a directory, a device or, with --no-follow, a symbolic link.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: FileArguments,
    /// Print only LENGTH bytes from OFFSET on, or all from there; both may have a unit
    #[arg(long, value_name = "OFFSET:[LENGTH]", value_parser = parse_range)]
    range: Option<Range<u64>>,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let mut file = OpenedFile::open(&arguments.file, session)?;
    let part = arguments.range.clone().unwrap_or_else(|| 0..file.size());
    if part.start > file.size() {
        return Err(Error::usage(format!("the file has {} bytes, and none at offset {}", file.size(), part.start)));
    }
    let mut out = session.ui.out();
    file.copy(session, part, &mut out)?;
    session.ui.flush(&mut out)?;
    file.close(session)
}

/// Parses `OFFSET:` or `OFFSET:LENGTH`.
fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let (start, length) = text.split_once(':').ok_or("expected OFFSET:LENGTH")?;
    let number = |text: &str| parse_bytes(text).map_err(|error| error.to_string());
    let start = number(start)?;
    let end = if length.is_empty() { u64::MAX } else { start.saturating_add(number(length)?) };
    Ok(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_an_offset_and_may_have_a_length() {
        assert_eq!(parse_range("0:16"), Ok(0..16));
        assert_eq!(parse_range("1KiB:1kB"), Ok(1024..2024));
        assert_eq!(parse_range("7:"), Ok(7..u64::MAX));
        assert_eq!(parse_range("5").unwrap_err(), "expected OFFSET:LENGTH");
        assert!(parse_range("-1:2").is_err() && parse_range(":2").is_err() && parse_range("1:2:3").is_err());
    }
}
