//! Lists the entries of a layer in a file, verified against a digest: `list_layer FILE [DIGEST]`.
//!
//! The layer may be plain, or compressed with gzip or zstd. Memory stays flat as layers grow.

use porthole_core::{
    digest::Digest,
    layer::{Expected, LayerReader},
    limits::Limits,
    tar::{Entry, EntrySink, Flow},
};
use std::{
    error::Error,
    fs::File,
    io::{self, Read, Write},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("expected the path of a layer")?;
    let digest: Option<Digest> = arguments.next().map(|text| text.parse()).transpose()?;
    list(File::open(path)?, digest, &mut io::stdout().lock())
}

/// Writes a line for each entry, then what is wrong with the layer.
pub(crate) fn list(mut layer: impl Read, digest: Option<Digest>, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    // Without a media type, the first bytes say how the layer is compressed.
    let expected = Expected { digest, size: None, diff_id: None, media_type: None };
    let mut reader = LayerReader::new(expected, Limits::default());
    let mut lines = Lines { out, error: None };
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = layer.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        reader.push(&buffer[..read], &mut lines);
    }
    let report = reader.finish(&mut lines);
    if let Some(error) = lines.error {
        return Err(error.into());
    }
    match report.findings.first() {
        Some(finding) => Err(finding.to_string().into()),
        None => Ok(()),
    }
}

struct Lines<'o, W> {
    out: &'o mut W,
    error: Option<io::Error>,
}

impl<W: Write> EntrySink for Lines<'_, W> {
    fn entry(&mut self, entry: Entry) -> Flow {
        // A path is arbitrary bytes: control characters are escaped before they reach a terminal.
        let line = writeln!(self.out, "{:>12} {}", entry.size, entry.path.escape_ascii());
        match line {
            Ok(()) => Flow::Continue,
            Err(error) => {
                self.error = Some(error);
                Flow::Stop
            }
        }
    }
}
